//! Figures of one candidate, each with its interval.

use serde::{Deserialize, Serialize};

use crate::number::{count, float};
use crate::record::{Burst, Calls, Footprint, Idle, Instructions, Measured, Measurements, Storm};
use crate::stats::{Estimate, estimate, median, quantile};

/// Figures of one candidate. Times are in seconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// From the start of a server to the end of its first answer; of a command every call is a start.
    pub cold: Option<Estimate>,
    /// The first start of a component on a machine, which compiles it: measured once.
    pub first_start: Option<f64>,
    /// On each input.
    pub inputs: Vec<OfInput>,
    /// Many starts at once.
    pub storm: Option<Stormed>,
    /// Many idle copies.
    pub idle: Option<Idle>,
    /// Instructions of one call on the first input.
    pub instructions: Option<Instructions>,
}

/// Figures on one input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfInput {
    /// The input's name.
    pub input: String,
    /// Warm latency: the median, the 90th and the 99th percentile.
    pub p50: Option<Estimate>,
    /// The 90th percentile.
    pub p90: Option<Estimate>,
    /// The 99th percentile.
    pub p99: Option<Estimate>,
    /// Processor time of a call in user mode.
    pub user: Option<Estimate>,
    /// Processor time of a call in the kernel.
    pub system: Option<Estimate>,
    /// Calls in a second at saturation.
    pub throughput: Option<Estimate>,
    /// Calls at one time at which most was done.
    pub concurrency: Option<u32>,
    /// The most memory that was resident.
    pub peak: Option<Estimate>,
    /// What is held at the end of a command, or by a server that has warmed up.
    pub steady: Option<Footprint>,
    /// What a million calls cost.
    pub cost: Option<Estimate>,
}

/// Many starts at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stormed {
    /// How many.
    pub copies: u64,
    /// How many did not answer.
    pub failed: u64,
    /// When half of them had answered.
    pub half: f64,
    /// When all had.
    pub all: f64,
}

/// The figures of a candidate.
pub(super) fn of(run: &Measurements, measured: &Measured) -> Figures {
    let groups = |values: Vec<f64>| values.into_iter().map(|value| vec![value]).collect::<Vec<_>>();
    let cold: Vec<f64> = measured.cold.iter().map(|cold| cold.seconds).collect();
    Figures {
        cold: estimate(&groups(cold), 0.5),
        first_start: measured.first_start,
        inputs: (0..run.inputs.len()).map(|input| of_input(run, measured, input)).collect(),
        storm: measured.storm.as_ref().and_then(stormed),
        idle: measured.idle,
        instructions: measured.instructions.clone(),
    }
}

fn stormed(storm: &Storm) -> Option<Stormed> {
    let (half, all) = (quantile(&storm.seconds, 0.5)?, quantile(&storm.seconds, 1.0)?);
    Some(Stormed { copies: storm.copies, failed: storm.failed, half, all })
}

fn of_input(run: &Measurements, measured: &Measured, input: usize) -> OfInput {
    let bursts: Vec<&Burst> = measured.warm.iter().filter(|burst| burst.input == input).collect();
    let times: Vec<Vec<f64>> = bursts.iter().map(|burst| burst.seconds.clone()).collect();
    let each = |figure: fn(&Burst) -> f64| {
        let values: Vec<Vec<f64>> = bursts.iter().map(|burst| vec![figure(burst)]).collect();
        // Processor time is summed over calls: what falls into few of them belongs to all.
        estimate(&values, 0.5)
    };
    let windows = || measured.throughput.iter().filter(|window| window.input == input);
    let rates: Vec<Vec<f64>> = windows().map(|window| vec![float(window.calls) / window.seconds]).collect();
    let throughput = estimate(&rates, 0.5);
    let concurrency = windows().map(|window| window.concurrency).next();
    let memory: Vec<_> = measured.memory.iter().filter(|memory| memory.input == input).collect();
    let peaks: Vec<Vec<f64>> = memory.iter().map(|memory| vec![float(memory.peak)]).collect();
    let peak = estimate(&peaks, 0.5);
    OfInput {
        input: run.inputs[input].name.clone(),
        p50: estimate(&times, 0.5),
        p90: estimate(&times, 0.9),
        p99: estimate(&times, 0.99),
        user: each(|burst| burst.user),
        system: each(|burst| burst.system),
        throughput,
        concurrency,
        peak,
        steady: steady(&memory.iter().map(|memory| memory.steady).collect::<Vec<_>>()),
        cost: cost(run, measured, throughput, peak, concurrency),
    }
}

fn steady(all: &[Footprint]) -> Option<Footprint> {
    let middle = |figure: fn(&Footprint) -> u64| {
        let values: Vec<f64> = all.iter().map(|one| float(figure(one))).collect();
        median(&values).map(|value| count(crate::number::index(value)))
    };
    Some(Footprint { rss: middle(|it| it.rss)?, pss: middle(|it| it.pss)?, private: middle(|it| it.private)? })
}

/// What a million calls cost: the hours that a saturated machine takes for them, at the price of its hour and of the memory that
/// is held meanwhile.
fn cost(
    run: &Measurements,
    measured: &Measured,
    throughput: Option<Estimate>,
    peak: Option<Estimate>,
    concurrency: Option<u32>,
) -> Option<Estimate> {
    let (price, throughput) = (run.price.as_ref()?, throughput?);
    let at_once = match measured.about.calls {
        Calls::Processes => f64::from(concurrency?),
        Calls::Requests => 1.0,
    };
    let hour = price.machine_hour + price.gb_hour * peak.map_or(0.0, |peak| peak.value) / 1e9 * at_once;
    let of = |rate: f64| if rate > 0.0 { 1e6 / rate / 3_600.0 * hour } else { f64::INFINITY };
    let (value, low, high) = (of(throughput.value), of(throughput.high), of(throughput.low));
    high.is_finite().then_some(Estimate { value, low, high, values: throughput.values })
}
