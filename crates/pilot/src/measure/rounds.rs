//! Warm-up, and the rounds in which candidates are measured in pairs.

use std::time::{Duration, Instant};

use rand::seq::SliceRandom as _;

use super::machine::calibrate;
use super::once::{Live, typical};
use super::session::{Session, steps};
use crate::candidate::Trouble;
use crate::number::{count, index};
use crate::record::{Burst, Cold, Ended, WarmUp};
use crate::stats::{BATCH, LEAST_PAIRS, settled};

/// The most calls of a warm-up, and the longest it takes for one candidate on one input: compilers at run time are done by then.
const WARM_UP_CALLS: usize = 2_000;
const WARM_UP_TIME: Duration = Duration::from_secs(8);
/// How long the burst of a server takes in one round, in seconds: long against a timer's grain, short against drift.
const BURST: f64 = 0.05;
/// The most calls of one burst: with forty rounds a 99th percentile is made from eight thousand calls.
const BURST_CALLS: usize = 200;
/// The share of a run's time that rounds may have used up when they end; the rest is for saturation, storms and copies.
const SHARE: f64 = 0.65;

impl Session<'_> {
    /// Calls each candidate until its times have settled.
    pub(super) fn warm_up(&mut self, servers: &mut [Option<Live>]) {
        self.progress.begin("warming up", steps(self.alive().len() * self.inputs.len()));
        for candidate in self.alive() {
            for input in 0..self.inputs.len() {
                let Some(live) = &mut servers[candidate] else { continue };
                match self.warm_up_one(candidate, input, live) {
                    Ok(()) => self.progress.step(),
                    Err(trouble) => {
                        self.fail(candidate, Some(input), trouble);
                        servers[candidate] = None;
                        break;
                    }
                }
            }
        }
    }

    fn warm_up_one(&mut self, candidate: usize, input: usize, live: &mut Live) -> Result<(), Trouble> {
        let began = Instant::now();
        let mut times = Vec::new();
        let mut found = None;
        while found.is_none() && times.len() < WARM_UP_CALLS && began.elapsed() < WARM_UP_TIME {
            // The series is looked at when it has grown by a quarter: looking often would find rest by chance.
            let more = (times.len() / 4).max(BATCH * 4).next_multiple_of(BATCH);
            for _ in 0..more {
                times.extend(self.call(candidate, input, live, 1)?.seconds);
                if began.elapsed() >= WARM_UP_TIME {
                    break;
                }
            }
            found = settled(&times);
        }
        if let Live::Server { burst, .. } = live {
            let last = &times[times.len() / 2..];
            burst[input] = index(BURST / typical(last).max(1e-6)).clamp(1, BURST_CALLS);
        }
        let (name, calls) = (self.plan.inputs[input].name.clone(), count(times.len()));
        self.measured[candidate].about.warm_up.push(WarmUp { input: name, calls, settled: found.map(count) });
        Ok(())
    }

    /// Measures every candidate on every input in each round, in random order.
    pub(super) fn rounds(&mut self, servers: &mut [Option<Live>]) -> Ended {
        let rounds = self.plan.length.rounds;
        self.progress.begin("measuring", u64::from(rounds));
        for round in 0..rounds {
            if self.is_stopped() {
                return Ended::Interrupted;
            }
            if self.alive().len() < 2 || self.measured[0].about.failure.is_some() {
                self.notes.push(format!("rounds ended after {round}: there was nothing left to compare"));
                return Ended::Failed;
            }
            let late = self.elapsed() > self.plan.length.time.mul_f64(SHARE);
            if late && round >= LEAST_PAIRS {
                let time = coracle_package::unit::format_duration(self.plan.length.time);
                self.notes.push(format!("{round} of {rounds} rounds were done within the time of the plan ({time})"));
                return Ended::OutOfTime;
            }
            self.calibrations.push(calibrate());
            self.round(round, servers);
            self.progress.step();
        }
        Ended::Complete
    }

    fn round(&mut self, round: u32, servers: &mut [Option<Live>]) {
        let mut inputs: Vec<usize> = (0..self.inputs.len()).collect();
        inputs.shuffle(&mut self.random);
        for input in inputs.iter().copied() {
            for candidate in self.shuffled() {
                let Some(live) = &mut servers[candidate] else { continue };
                let times = match live {
                    Live::Process => 1,
                    Live::Server { burst, .. } => burst[input],
                };
                match self.call(candidate, input, live, times) {
                    Ok(calls) => {
                        let (user, system) = (calls.cpu.user, calls.cpu.system);
                        let burst = Burst { round, input, seconds: calls.seconds, user, system };
                        self.measured[candidate].warm.push(burst);
                    }
                    Err(trouble) => {
                        self.fail(candidate, Some(input), trouble);
                        servers[candidate] = None;
                    }
                }
            }
        }
        // A start is long: one input in each round, all of them in turn.
        let input = usize::try_from(round).unwrap_or_default() % self.inputs.len();
        for candidate in self.shuffled() {
            match self.cold_start(candidate, input) {
                Ok(seconds) => {
                    self.measured[candidate].cold.extend(seconds.map(|seconds| Cold { round, input, seconds }));
                }
                Err(trouble) => {
                    self.fail(candidate, Some(input), trouble);
                    servers[candidate] = None;
                }
            }
        }
    }
}
