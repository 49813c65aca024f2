//! `cargo xtask bench compose`: what a call from one component to another costs, apart and fused.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::load::{self, Sample};
use super::machine::{self, Machine};
use super::peers::{self, Programs};
use super::{Keep, report};
use crate::Result;
use crate::project::Project;
use crate::server::{self, Server};

/// Calls in one request. From none to one is the provider's instance; from one to a hundred are 99 crossings.
pub(super) const CALLS: [u32; 3] = [0, 1, 100];

/// A call from one component to another, apart and fused: processor time and latency
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    keep: Keep,
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

pub(super) fn run(project: &Project, arguments: &Arguments) -> Result {
    let smoke = arguments.keep.smoke;
    let programs = Programs::get(project, smoke)?;
    if !smoke {
        machine::must_be_quiet()?;
    }
    let (seconds, rounds) = if smoke { (1, 1) } else { (arguments.seconds, arguments.rounds) };
    let machine = Machine::describe(peers::version(&programs.coracle)?, peers::version(&programs.wasmtime)?)?;
    let mut results = Results { machine, seconds, rounds, rows: Vec::new() };
    for _ in 0..rounds {
        for wiring in Wiring::ALL {
            measure(project, &programs, wiring, &mut results)?;
        }
    }
    let table = report::compose(&results);
    println!("\n{table}");
    if smoke { Ok(()) } else { report::keep(project, "compose", &results, &table) }
}

fn measure(project: &Project, programs: &Programs, wiring: Wiring, results: &mut Results) -> Result {
    let app = app(project, wiring)?;
    let server = Server::start(|address| {
        let mut command = Command::new(&programs.coracle);
        command.args(["serve", "--addr", &address.to_string()]).arg(&app);
        command
    })?;
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
fn app(project: &Project, wiring: Wiring) -> Result<PathBuf> {
    let folder = project.tools().join("bench").join(wiring.label());
    fs::create_dir_all(&folder)?;
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
