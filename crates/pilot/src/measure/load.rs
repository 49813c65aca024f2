//! Many at a time: saturation, a storm of starts, and idle copies. And instructions, which take a tool.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::once::{Live, typical};
use super::session::{Session, steps};
use crate::account::footprint;
use crate::candidate::{Deployment, Process, Run, Trouble};
use crate::number::{count, float};
use crate::record::{Footprint, Idle, Instructions, Storm, Window};
use crate::stats::LEAST_PAIRS;

/// The length of one window, and of those that look for the concurrency that saturates.
const WINDOW: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(300);
/// How many calls at a time are tried, for each core.
const LADDER: [u32; 3] = [1, 2, 4];
/// How long idle copies are left alone before, and while, it is looked what they use.
const IDLE: Duration = Duration::from_secs(2);
/// The share of the machine's free memory that a storm or copies may take.
const MEMORY_SHARE: f64 = 0.7;
/// The longest call whose instructions are counted by callgrind, in seconds: it takes about fifty times as long.
const COUNTABLE: f64 = 0.2;

impl Session<'_> {
    /// Calls at saturation: windows of time in random order, at the concurrency that each candidate does most with.
    pub(super) fn saturate(&mut self, servers: &mut [Option<Live>]) {
        let windows = usize::try_from(LEAST_PAIRS).unwrap_or_default();
        self.progress.begin("measuring throughput", steps(self.alive().len() * self.inputs.len() * (windows + 1)));
        let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        for input in 0..self.inputs.len() {
            let mut best = vec![1; self.ready.len()];
            for candidate in self.alive() {
                let mut most = 0.0;
                for concurrency in LADDER.map(|times| times * cores) {
                    match self.window(candidate, input, servers, concurrency, LOOK) {
                        Ok((calls, seconds)) if float(calls) / seconds > most => {
                            most = float(calls) / seconds;
                            best[candidate] = concurrency;
                        }
                        Ok(_) => {}
                        Err(trouble) => {
                            self.fail(candidate, Some(input), trouble);
                            break;
                        }
                    }
                }
                self.progress.step();
            }
            for round in 0..LEAST_PAIRS {
                for candidate in self.shuffled() {
                    let concurrency = best[candidate];
                    match self.window(candidate, input, servers, concurrency, WINDOW) {
                        Ok((calls, seconds)) => {
                            let window = Window { round, input, concurrency, calls, seconds };
                            self.measured[candidate].throughput.push(window);
                        }
                        Err(trouble) => self.fail(candidate, Some(input), trouble),
                    }
                    self.progress.step();
                }
            }
        }
    }

    /// Calls that ended well in a window, and how long it came to be.
    fn window(
        &self,
        candidate: usize,
        input: usize,
        servers: &[Option<Live>],
        concurrency: u32,
        length: Duration,
    ) -> Result<(u64, f64), Trouble> {
        if self.is_stopped() {
            return Err(Trouble::Stopped);
        }
        let (Some(ready), Some(live)) = (&self.ready[candidate], &servers[candidate]) else {
            return Err(Trouble::Stopped);
        };
        match (&ready.run, live) {
            (_, Live::Server { running, .. }) => {
                let request = &self.inputs[input].request;
                self.client.saturate(running.target()?, request, concurrency, length)
            }
            (Run::Process(process), Live::Process) => {
                let began = Instant::now();
                let done = self.in_parallel(process, input, concurrency, |_| began.elapsed() >= length)?;
                Ok((done, began.elapsed().as_secs_f64()))
            }
            _ => Err(Trouble::Stopped),
        }
    }

    /// Calls a process from several threads until each is told that it is over, which it asks after each call.
    fn in_parallel(
        &self,
        process: &Process,
        input: usize,
        threads: u32,
        over: impl Fn(f64) -> bool + Sync,
    ) -> Result<u64, Trouble> {
        let done = AtomicU64::new(0);
        let given = &self.inputs[input];
        let worker = || -> Result<(), Trouble> {
            loop {
                let called = process.call(given.file.path(), &given.arguments, &self.watchdog)?;
                if given.expected.as_ref().is_some_and(|expected| expected.code != called.answer.code) {
                    return Err(format!("it ends with code {} when several run at a time", called.answer.code).into());
                }
                done.fetch_add(1, Ordering::Relaxed);
                if over(called.seconds) || self.is_stopped() {
                    return Ok(());
                }
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or(Err(Trouble::Stopped)))
                .collect::<Result<Vec<()>, _>>()
        })?;
        Ok(done.into_inner())
    }

    /// Many starts at once, each to the end of its first answer.
    pub(super) fn storms(&mut self) {
        let copies = self.plan.length.storm;
        self.progress.begin("start storm", steps(self.alive().len()));
        for candidate in self.alive() {
            let copies = self.affordable(candidate, copies, "the storm");
            if copies > 0 && !self.is_stopped() {
                match self.storm(candidate, copies) {
                    Ok(storm) => self.measured[candidate].storm = Some(storm),
                    // It worked one by one: what breaks under a storm is told as such.
                    Err(Trouble::Failed(what, _)) => {
                        let name = &self.measured[candidate].about.name;
                        self.notes.push(format!("the storm of {name} is not measured: {what}"));
                    }
                    Err(Trouble::Stopped) => return,
                }
            }
            self.progress.step();
        }
    }

    /// The input whose calls take today's candidate least: a storm is about starts.
    fn lightest(&self) -> usize {
        let takes = |input: &usize| {
            let bursts = self.measured[0].warm.iter().filter(|burst| burst.input == *input);
            typical(&bursts.flat_map(|burst| burst.seconds.iter().copied()).collect::<Vec<_>>())
        };
        (0..self.inputs.len()).min_by(|a, b| takes(a).total_cmp(&takes(b))).unwrap_or_default()
    }

    fn storm(&self, candidate: usize, copies: u32) -> Result<Storm, Trouble> {
        let Some(ready) = &self.ready[candidate] else { return Err(Trouble::Stopped) };
        let given = &self.inputs[self.lightest()];
        let began = Instant::now();
        let answers: Vec<Option<f64>> = match &ready.run {
            Run::Process(process) => {
                let one = || {
                    let called = process.call(given.file.path(), &given.arguments, &self.watchdog);
                    let at = began.elapsed().as_secs_f64();
                    let right = |code| given.expected.as_ref().is_none_or(|expected| expected.code == code);
                    called.is_ok_and(|called| right(called.answer.code)).then_some(at)
                };
                std::thread::scope(|scope| {
                    let started: Vec<_> = (0..copies).map(|_| scope.spawn(one)).collect();
                    started.into_iter().map(|one| one.join().ok().flatten()).collect()
                })
            }
            Run::Server(deployment) => {
                let running = deployment.start(copies, false)?;
                let stop = || self.is_stopped();
                let answers = self.client.first_answers(&running.targets, &self.inputs[0].request, began, stop);
                answers
                    .into_iter()
                    .map(|answer| answer.ok().filter(|(answer, _)| answer.code == 0).map(|(_, at)| at))
                    .collect()
            }
        };
        let seconds: Vec<f64> = answers.iter().flatten().copied().collect();
        Ok(Storm { copies: copies.into(), failed: count(answers.len() - seconds.len()), seconds })
    }

    /// What copies hold that nobody calls.
    pub(super) fn idle_copies(&mut self) {
        let copies = self.plan.length.copies;
        self.progress.begin("idle copies", steps(self.alive().len()));
        for candidate in self.alive() {
            let copies = self.affordable(candidate, copies, "the idle copies");
            let Some(ready) = &self.ready[candidate] else { continue };
            if copies > 0 && !self.is_stopped() {
                let idle = match &ready.run {
                    // Nothing runs between the calls of a command.
                    Run::Process(_) => Ok(Idle { copies: copies.into(), footprint: Footprint::default(), cpu: 0.0 }),
                    Run::Server(deployment) => self.idle(deployment, copies),
                };
                match idle {
                    Ok(idle) => self.measured[candidate].idle = Some(idle),
                    Err(Trouble::Failed(what, _)) => {
                        let name = &self.measured[candidate].about.name;
                        self.notes.push(format!("idle copies of {name} are not measured: {what}"));
                    }
                    Err(Trouble::Stopped) => return,
                }
            }
            self.progress.step();
        }
    }

    fn idle(&self, deployment: &Deployment, copies: u32) -> Result<Idle, Trouble> {
        let running = deployment.start(copies, true)?;
        let stop = || self.is_stopped();
        // Each has answered once: a copy that never ran costs less than one that waits for its second call.
        let answers = self.client.first_answers(&running.targets, &self.inputs[0].request, Instant::now(), stop);
        if let Some(Err(why)) = answers.into_iter().find(Result::is_err) {
            return Err(why.into());
        }
        std::thread::sleep(IDLE);
        let (before, began) = (running.cpu(), Instant::now());
        std::thread::sleep(IDLE);
        let used = running.cpu().since(before);
        let cpu = (used.user + used.system) / began.elapsed().as_secs_f64();
        Ok(Idle { copies: copies.into(), footprint: footprint(&running.processes()), cpu })
    }

    /// How many copies fit into the machine's memory: as many as wanted, or fewer with a note.
    fn affordable(&mut self, candidate: usize, wanted: u32, what: &str) -> u32 {
        let one = self.measured[candidate].memory.iter().map(|run| run.peak).max().unwrap_or_default();
        let process_each = match self.ready[candidate].as_ref().map(|ready| &ready.run) {
            Some(Run::Server(deployment)) => deployment.copies_are_processes(),
            _ => true,
        };
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let free = text
            .lines()
            .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        let Some(free) = free.filter(|_| process_each && one > 0) else { return wanted };
        let most =
            u32::try_from(crate::number::index(float(free * 1024) * MEMORY_SHARE / float(one))).unwrap_or(wanted);
        if most < wanted {
            let name = &self.measured[candidate].about.name;
            self.notes.push(format!("{what} of {name} had {most} and not {wanted}: more would not fit into memory"));
        }
        most.min(wanted)
    }

    /// The instructions of one call on the first input, where perf or callgrind can count them.
    pub(super) fn count_instructions(&mut self) {
        self.progress.begin("counting instructions", steps(self.alive().len()));
        let Some(counter) = Counter::find() else {
            self.notes
                .push("instructions were not counted: neither perf nor callgrind (valgrind) can do it here".to_owned());
            return;
        };
        for candidate in self.alive() {
            if self.is_stopped() {
                return;
            }
            let name = self.measured[candidate].about.name.clone();
            let typical = self.measured[candidate].warm.iter().map(|burst| typical(&burst.seconds)).fold(0.0, f64::max);
            let counted = match self.ready[candidate].as_ref().map(|ready| &ready.run) {
                Some(Run::Process(process)) if typical <= COUNTABLE || counter == Counter::Perf => {
                    counter.count(process, &self.inputs[0], &self.watchdog)
                }
                Some(Run::Process(_)) => Err(format!("a call takes longer than {COUNTABLE} s")),
                _ => Err("it is a server".to_owned()),
            };
            match counted {
                Ok(count) => {
                    self.measured[candidate].instructions = Some(Instructions { count, by: counter.name().to_owned() });
                }
                Err(why) => self.notes.push(format!("the instructions of {name} were not counted: {why}")),
            }
            self.progress.step();
        }
    }
}

/// What counts instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counter {
    Perf,
    Callgrind,
}

impl Counter {
    /// What there is on this machine; virtual machines often have no counters for perf.
    fn find() -> Option<Self> {
        let perf = Command::new("perf").args(["stat", "-x", ",", "-e", "instructions:u", "true"]).output();
        if perf.is_ok_and(|output| parse_perf(&String::from_utf8_lossy(&output.stderr)).is_some()) {
            return Some(Self::Perf);
        }
        let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        valgrind.is_ok_and(|status| status.success()).then_some(Self::Callgrind)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf stat, instructions:u",
            Self::Callgrind => "callgrind",
        }
    }

    fn count(
        self,
        process: &Process,
        given: &super::session::Prepared,
        watchdog: &crate::candidate::Watchdog,
    ) -> Result<u64, String> {
        let words: &[&str] = match self {
            Self::Perf => &["perf", "stat", "-x", ",", "-e", "instructions:u", "--"],
            Self::Callgrind => &["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"],
        };
        let argv = words.iter().map(Into::into).chain(process.argv.iter().cloned()).collect();
        let process = Process { argv, ..process.clone() };
        let lines = process.complaint(given.file.path(), &given.arguments, watchdog);
        let text = lines.join("\n");
        let count = match self {
            Self::Perf => parse_perf(&text),
            Self::Callgrind => parse_callgrind(&text),
        };
        count.ok_or_else(|| format!("{} does not work on it", self.name()))
    }
}

fn parse_perf(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("instructions"))?;
    line.trim_start_matches("standard error: ").split(',').next()?.parse().ok()
}

fn parse_callgrind(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_what_the_tools_print() {
        assert_eq!(parse_perf("123456,,instructions:u,1000,100.00,,"), Some(123_456));
        assert_eq!(parse_perf("<not supported>,,instructions:u,0,100.00,,"), None);
        assert_eq!(parse_callgrind("standard error: ==1== Collected : 162346"), Some(162_346));
    }
}
