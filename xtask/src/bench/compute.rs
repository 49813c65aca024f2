//! `cargo xtask bench compute`: kernels as WebAssembly under Coracle's limits, and as native programs of the same compiler.

use std::fmt::Write as _;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::kernels::{self, Timed, Way, geometric_mean, worst};
use super::plot::{self, Bar};
use super::report::{Plot, Report};
use super::run::Run;
use crate::Result;

/// Computing: WebAssembly under limits against native programs of the same compiler
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
    run.finish(&Results(kernels::measure(run, rounds, &[Way::Native, Way::Coracle])?))
}

impl Results {
    /// How much longer each kernel takes than the native program.
    pub(super) fn ratios(&self) -> Vec<f64> {
        self.0.ratios(Way::Coracle, Way::Native)
    }
}

impl Report for Results {
    const NAME: &'static str = "compute";

    fn table(&self) -> String {
        let timed = &self.0;
        let mut text = format!(
            "{} {} rounds; processor time of the process, less that of one which has nothing to do; medians, with the lowest \
             and the highest round.\n\n\
             | kernel | native, ms | `coracle run`, ms | ratio |\n|---|---:|---:|---:|\n",
            timed.machine, timed.rounds
        );
        let ratios = self.ratios();
        for (kernel, ratio) in timed.kernels().zip(&ratios) {
            let (native, coracle) = (timed.cell(kernel, Way::Native), timed.cell(kernel, Way::Coracle));
            // Writing to a string does not fail, here and below.
            let _ = writeln!(text, "| {kernel} | {native} | {coracle} | {ratio:.2} |");
        }
        let _ = writeln!(text, "| geometric mean | | | {:.2} |", geometric_mean(&ratios));
        let _ = writeln!(text, "| worst | | | {:.2} |", worst(&ratios));
        text
    }

    fn plot(&self) -> Option<Plot> {
        let bars = self.0.kernels().zip(self.ratios()).map(|(kernel, value)| Bar {
            name: kernel.to_owned(),
            value,
            number: format!("{value:.2}"),
            ours: true,
        });
        let title = "Processor time of kernels under `coracle run`; native is 1, and less is better";
        Some(Plot { title, svg: plot::bars(title, &[(String::new(), bars.collect())]) })
    }
}
