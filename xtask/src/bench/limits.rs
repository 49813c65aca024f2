//! `cargo xtask bench limits`: what it costs that a guest can be stopped.

use std::fmt::Write as _;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::kernels::{self, Timed, Way, geometric_mean, worst};
use super::report::Report;
use super::run::Run;
use crate::Result;

/// What limits cost: the kernels under Coracle's, and in the same engine without any
#[derive(Args)]
pub(super) struct Arguments {
    /// How often everything is measured: the table shows medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Results(Timed);

pub(super) fn run(run: &Run, arguments: &Arguments) -> Result {
    let rounds = run.pick(arguments.rounds, 1);
    let ways = [Way::Wasmtime, Way::Coracle, Way::WasmtimeDeadline];
    run.finish(&Results(kernels::measure(run, rounds, &ways)?))
}

impl Results {
    /// How much longer each kernel takes under Coracle's limits than without any.
    pub(super) fn ratios(&self) -> Vec<f64> {
        self.0.ratios(Way::Coracle, Way::Wasmtime)
    }
}

impl Report for Results {
    const NAME: &'static str = "limits";

    fn table(&self) -> String {
        let timed = &self.0;
        let mut text = format!(
            "{} {} rounds; processor time of the process, less that of one which has nothing to do; medians, with the lowest \
             and the highest round.\n\n\
             | kernel | no limits: `wasmtime run`, ms | limits: `coracle run`, ms | ratio | a deadline: `wasmtime run -W \
             timeout`, ms | ratio |\n|---|---:|---:|---:|---:|---:|\n",
            timed.machine, timed.rounds
        );
        let (ours, theirs) = (self.ratios(), timed.ratios(Way::WasmtimeDeadline, Way::Wasmtime));
        for (kernel, (ours, theirs)) in timed.kernels().zip(ours.iter().zip(&theirs)) {
            let cell = |way| timed.cell(kernel, way);
            // Writing to a string does not fail, here and below.
            let _ = writeln!(
                text,
                "| {kernel} | {} | {} | {ours:.2} | {} | {theirs:.2} |",
                cell(Way::Wasmtime),
                cell(Way::Coracle),
                cell(Way::WasmtimeDeadline)
            );
        }
        let means = (geometric_mean(&ours), geometric_mean(&theirs));
        let _ = writeln!(text, "| geometric mean | | | {:.2} | | {:.2} |", means.0, means.1);
        let _ = writeln!(text, "| worst | | | {:.2} | | {:.2} |", worst(&ours), worst(&theirs));
        text
    }
}
