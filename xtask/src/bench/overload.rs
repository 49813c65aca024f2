//! `cargo xtask bench overload`: more requests than a server can answer, to Coracle and to `wasmtime serve`.
//!
//! Capacity is what clients get who ask again as soon as they are answered. Then requests come at a multiple of that, due
//! when they are due, as those of many clients do who know nothing of each other.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::http::Contender;
use super::load::{self, Flood};
use super::machine::{self, Machine};
use super::peers::{self, Programs};
use super::{Keep, report};
use crate::Result;
use crate::project::Project;
use crate::server::Server;

/// The function: it computes, for some milliseconds.
const GUEST: &str = "probe-rust";

/// What it is asked: 20,000 random bytes as digits.
const PATH: &str = "/random?bytes=20000";

/// How many clients ask at once to find the capacity.
const CLIENTS: usize = 16;

/// The load, in multiples of the capacity.
const FACTORS: [f64; 5] = [0.5, 1.0, 1.5, 2.0, 4.0];

/// Who answers.
const CONTENDERS: [Contender; 3] = [Contender::Coracle, Contender::Wasmtime, Contender::WasmtimePooled];

/// More requests than a server can answer: goodput, latency, errors and memory from half to four times its capacity
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    keep: Keep,
    /// How long each load goes on
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) seconds: u64,
    pub(super) rows: Vec<Row>,
}

/// One server under one load.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) server: Contender,
    /// Good answers a second to clients who wait for each.
    pub(super) capacity: f64,
    /// Requests a second, in multiples of that.
    pub(super) factor: f64,
    pub(super) flood: Flood,
    /// The most memory that the server held under this load.
    pub(super) peak_kib: u64,
}

pub(super) fn run(project: &Project, arguments: &Arguments) -> Result {
    let smoke = arguments.keep.smoke;
    let programs = Programs::get(project, smoke)?;
    if !smoke {
        machine::must_be_quiet()?;
    }
    let seconds = if smoke { 1 } else { arguments.seconds };
    let machine = Machine::describe(peers::version(&programs.coracle)?, peers::version(&programs.wasmtime)?)?;
    let mut results = Results { machine, seconds, rows: Vec::new() };
    for contender in CONTENDERS {
        measure(project, &programs, contender, &mut results)?;
    }
    let table = report::overload(&results);
    println!("\n{table}");
    if smoke {
        return Ok(());
    }
    report::keep(project, "overload", &results, &table)
}

/// One server, under every load in turn.
fn measure(project: &Project, programs: &Programs, contender: Contender, results: &mut Results) -> Result {
    let file = project.sample(GUEST)?;
    let server = Server::start(|address| contender.command(programs, &file, "", address))?;
    let time = Duration::from_secs(results.seconds);
    load::capacity(project, &server, PATH, CLIENTS, Duration::from_secs(1))?;
    let capacity = load::capacity(project, &server, PATH, CLIENTS, time)?;
    println!("{}: {capacity:.0}/s", contender.label());
    for factor in FACTORS {
        server.forget_peak()?;
        let flood = load::flood(&programs.open_load, &server, PATH, capacity * factor, time)?;
        let peak_kib = server.peak_kib()?;
        println!("{}, {factor} of that: {flood:?}, {} MiB", contender.label(), peak_kib >> 10);
        results.rows.push(Row { server: contender, capacity, factor, flood, peak_kib });
    }
    Ok(())
}
