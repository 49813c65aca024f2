//! Candidates compared with that of today, pair by pair, and which differences are none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::number::float;
use crate::plan::Role;
use crate::record::{Calls, Measured, Measurements};
use crate::stats::{LEAST_PAIRS, Noise, Ratio, median, ratio};

/// A difference of memory below this share is none: what an allocator happens to round up to.
const MEMORY_FLOOR: f64 = 0.02;

/// What is compared. Each is something that is taken, so that less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// The time of a warm call.
    Latency,
    /// Processor time of a call.
    Cpu,
    /// The time that a saturated machine takes for a call.
    Throughput,
    /// The most memory that was resident.
    Memory,
    /// The time from a start to the first answer.
    Start,
}

impl Measure {
    /// Every measure, in the order of reports.
    pub const ALL: [Self; 5] = [Self::Latency, Self::Cpu, Self::Throughput, Self::Memory, Self::Start];

    /// What a reader calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "time of a call",
            Self::Cpu => "processor time of a call",
            Self::Throughput => "machine time of a call at saturation",
            Self::Memory => "peak memory",
            Self::Start => "start to first answer",
        }
    }
}

/// What is said of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Call {
    /// It takes less, beyond chance and noise.
    Less,
    /// It takes more, beyond chance and noise.
    More,
    /// A difference is inside the noise.
    Same,
}

/// One measure of a candidate, divided by that of today's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What is compared.
    pub measure: Measure,
    /// How many times as much.
    pub ratio: Ratio,
    /// What that comes to.
    pub call: Call,
}

/// A candidate compared with another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The candidate.
    pub name: String,
    /// What it is compared with.
    pub with: String,
    /// What could be compared.
    pub judged: Vec<Judged>,
}

impl Comparison {
    /// The judgement on a measure.
    pub fn of(&self, measure: Measure) -> Option<&Judged> {
        self.judged.iter().find(|judged| judged.measure == measure)
    }
}

/// Every candidate compared with today's, and every port with every control.
pub(super) fn comparisons(run: &Measurements, noise: Option<&Noise>) -> Vec<Comparison> {
    let of = |role| run.candidates.iter().filter(move |measured| measured.about.role == role);
    let with_today = of(Role::Today).flat_map(|today| {
        let others = run.candidates.iter().filter(|measured| measured.about.role != Role::Today);
        others.map(move |other| (other, today))
    });
    let with_controls = of(Role::Port).flat_map(|port| of(Role::Control).map(move |control| (port, control)));
    with_today.chain(with_controls).map(|(one, other)| compare(run, noise, one, other)).collect()
}

fn compare(run: &Measurements, noise: Option<&Noise>, one: &Measured, other: &Measured) -> Comparison {
    let judged = Measure::ALL.into_iter().filter_map(|measure| {
        let strata: Vec<Vec<(f64, f64)>> =
            (0..run.inputs.len()).map(|input| pairs(measure, one, other, input)).collect();
        let ratio = ratio(&strata).filter(|ratio| ratio.pairs >= u64::from(least(measure)))?;
        let floor = if measure == Measure::Memory { MEMORY_FLOOR } else { noise?.floor };
        Some(Judged { measure, ratio, call: call(&ratio, floor) })
    });
    Comparison { name: one.about.name.clone(), with: other.about.name.clone(), judged: judged.collect() }
}

/// Of memory there is one figure of a server: it does not vary by chance from moment to moment.
fn least(measure: Measure) -> u32 {
    if measure == Measure::Memory { 1 } else { LEAST_PAIRS }
}

fn call(ratio: &Ratio, floor: f64) -> Call {
    let beyond = ratio.value.ln().abs() > floor.ln_1p();
    match (beyond, ratio.decides_low, ratio.decides_high) {
        (true, _, high) if high < 1.0 => Call::Less,
        (true, low, _) if low > 1.0 => Call::More,
        _ => Call::Same,
    }
}

/// The figures of two candidates that were taken in the same round on the same input.
fn pairs(measure: Measure, one: &Measured, other: &Measured, input: usize) -> Vec<(f64, f64)> {
    // Where every call is a start, comparing starts would count the same twice.
    if measure == Measure::Start && (one.about.calls, other.about.calls) == (Calls::Processes, Calls::Processes) {
        return Vec::new();
    }
    let (one, other) = (by_round(measure, one, input), by_round(measure, other, input));
    one.iter().filter_map(|(round, value)| Some((*value, *other.get(round)?))).collect()
}

fn by_round(measure: Measure, measured: &Measured, input: usize) -> BTreeMap<u32, f64> {
    let bursts = || measured.warm.iter().filter(|burst| burst.input == input);
    let latency = || bursts().filter_map(|burst| Some((burst.round, median(&burst.seconds)?))).collect();
    match measure {
        Measure::Latency => latency(),
        Measure::Start if measured.about.calls == Calls::Processes => latency(),
        Measure::Cpu => bursts().map(|burst| (burst.round, burst.user + burst.system)).collect(),
        Measure::Throughput => {
            let windows = measured.throughput.iter().filter(|window| window.input == input);
            windows.filter(|window| window.calls > 0).map(|it| (it.round, it.seconds / float(it.calls))).collect()
        }
        Measure::Memory => {
            let peaks: Vec<f64> =
                measured.memory.iter().filter(|run| run.input == input).map(|run| float(run.peak)).collect();
            median(&peaks).map(|peak| (0, peak)).into_iter().collect()
        }
        Measure::Start => {
            measured.cold.iter().filter(|cold| cold.input == input).map(|cold| (cold.round, cold.seconds)).collect()
        }
    }
}
