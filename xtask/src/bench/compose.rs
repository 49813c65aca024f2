//! `cargo xtask bench compose`: what a call from one component to another costs, apart and fused.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::contender;
use super::load::{self, Sample};
use super::machine::Machine;
use super::report::{Report, Spread, count};
use super::run::Run;
use crate::Result;
use crate::server::{self, Server};

/// Calls in one request. From none to one is the provider's instance; from one to a hundred are 99 crossings.
const CALLS: [u32; 3] = [0, 1, 100];

/// A call from one component to another, apart and fused: processor time and latency
#[derive(Args)]
pub(super) struct Arguments {
    /// How long one measurement takes
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How often everything is measured: the table shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// How the two components are wired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Wiring {
    Apart,
    Fused,
}

impl Wiring {
    pub(super) const ALL: [Self; 2] = [Self::Apart, Self::Fused];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Fused => "fused",
        }
    }
}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) seconds: u64,
    pub(super) rounds: usize,
    pub(super) rows: Vec<Row>,
}

/// All rounds of one wiring and one number of calls.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) wiring: Wiring,
    pub(super) calls: u32,
    pub(super) samples: Vec<Sample>,
}

pub(super) fn run(run: &Run, arguments: &Arguments) -> Result {
    let (seconds, rounds) = run.pick((arguments.seconds, arguments.rounds), (1, 1));
    let mut results = Results { machine: run.machine.clone(), seconds, rounds, rows: Vec::new() };
    for _ in 0..rounds {
        for wiring in Wiring::ALL {
            measure(run, wiring, &mut results)?;
        }
    }
    run.finish(&results)
}

fn measure(run: &Run, wiring: Wiring, results: &mut Results) -> Result {
    let (project, app) = (run.project, app(run, wiring)?);
    let server = Server::start(|address| Ok(contender::coracle(run, &app, address)))?;
    for calls in CALLS {
        let path = format!("/?times={calls}");
        let answer = server::get(server.address, &path)?;
        load::measure(project, &server, &path, 1, Duration::from_secs(1), answer.bytes)?;
        let sample = load::measure(project, &server, &path, 1, Duration::from_secs(results.seconds), answer.bytes)?;
        println!("{}, {calls} calls: {:.1} us of processor time a request", wiring.label(), sample.cpu_microseconds);
        match results.rows.iter_mut().find(|row| row.wiring == wiring && row.calls == calls) {
            Some(row) => row.samples.push(sample),
            None => results.rows.push(Row { wiring, calls, samples: vec![sample] }),
        }
    }
    Ok(())
}

/// The folder of an app of two small components, one in Rust that asks and one in C that is asked.
fn app(run: &Run, wiring: Wiring) -> Result<PathBuf> {
    let (folder, project) = (run.scratch(wiring.label())?, run.project);
    let (front, pricing) = (project.sample("crossing-rust")?, project.sample("quote/pricing-c")?);
    let manifest = format!(
        "[app]\nname = \"crossing\"\n\n\
         [component.front]\nsource = '{}'\nfuse = {}\nimports = {{ \"shop:quote/pricing\" = \"pricing\" }}\n\n\
         [component.pricing]\nsource = '{}'\n\n\
         [[route]]\npath = \"/*\"\ncomponent = \"front\"\n",
        front.display(),
        wiring == Wiring::Fused,
        pricing.display(),
    );
    fs::write(folder.join("coracle.toml"), manifest)?;
    Ok(folder)
}

impl Report for Results {
    const NAME: &'static str = "compose";

    fn table(&self) -> String {
        let mut text = format!(
            "{} One client; {} rounds of {} s, medians. The last column is the time of a single call, from the difference \
             between the most calls and one.\n\n\
             | components | calls in a request | processor time, us a request | p50, us | p99, us | us a call |\n\
             |---|---:|---:|---:|---:|---:|\n",
            self.machine, self.rounds, self.seconds
        );
        let of = |wiring: Wiring, calls: u32, value: fn(&Sample) -> f64| {
            let rows = self.rows.iter().filter(|row| row.wiring == wiring && row.calls == calls);
            Spread::of(rows.flat_map(|row| &row.samples).map(value)).median
        };
        for wiring in Wiring::ALL {
            for calls in CALLS {
                let cpu = of(wiring, calls, |sample| sample.cpu_microseconds);
                let one = of(wiring, 1, |sample| sample.cpu_microseconds);
                let each = if calls > 1 { format!("{:.2}", (cpu - one) / f64::from(calls - 1)) } else { String::new() };
                // Writing to a string does not fail.
                let _ = writeln!(
                    text,
                    "| {} | {calls} | {cpu:.1} | {:.0} | {:.0} | {each} |",
                    wiring.label(),
                    of(wiring, calls, |sample| count(sample.p50_microseconds)),
                    of(wiring, calls, |sample| count(sample.p99_microseconds)),
                );
            }
        }
        text
    }
}
