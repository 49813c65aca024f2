//! `cargo xtask bench overload`: more requests than a server can answer, to Coracle and to `wasmtime serve`.
//!
//! Capacity is what clients get who ask again as soon as they are answered. Then requests come at a multiple of that, due
//! when they are due, as those of many clients do who know nothing of each other.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::contender::Contender;
use super::load::{self, Flood};
use super::machine::Machine;
use super::plot::{self, Line};
use super::report::{Plot, Report, count, mib};
use super::run::Run;
use crate::Result;

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

pub(super) fn run(run: &Run, arguments: &Arguments) -> Result {
    let seconds = run.pick(arguments.seconds, 1);
    let mut results = Results { machine: run.machine.clone(), seconds, rows: Vec::new() };
    for contender in CONTENDERS {
        measure(run, contender, &mut results)?;
    }
    run.finish(&results)
}

/// One server, under every load in turn.
fn measure(run: &Run, contender: Contender, results: &mut Results) -> Result {
    let server = contender.start(run, &run.project.sample(GUEST)?, "")?;
    let time = Duration::from_secs(results.seconds);
    load::capacity(run.project, &server, PATH, CLIENTS, Duration::from_secs(1))?;
    let capacity = load::capacity(run.project, &server, PATH, CLIENTS, time)?;
    println!("{}: {capacity:.0}/s", contender.label());
    for factor in FACTORS {
        server.forget_peak()?;
        let flood = load::flood(&run.programs.open_load, &server, PATH, capacity * factor, time)?;
        let peak_kib = server.peak_kib()?;
        println!("{}, {factor} of that: {flood:?}, {} MiB", contender.label(), peak_kib >> 10);
        results.rows.push(Row { server: contender, capacity, factor, flood, peak_kib });
    }
    Ok(())
}

impl Report for Results {
    const NAME: &'static str = "overload";

    fn table(&self) -> String {
        let mut text = format!(
            "{} Client and server share the cores; each load for {} s. Capacity: good answers a second to 16 clients who ask \
             again as soon as they are answered.\n\n\
             | server | load, of its capacity | requests a second | good answers a second | of its capacity | p50, ms \
             | p99, ms | 503 | other errors | broken | not sent | most memory, MiB |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
            self.machine, self.seconds
        );
        for Row { server, capacity, factor, flood, peak_kib } in &self.rows {
            let milliseconds = |microseconds: u64| count(microseconds) / 1000.0;
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {} | {factor} | {:.0} | {:.0} | {:.2} | {:.1} | {:.1} | {} | {} | {} | {} | {} |",
                server.label(),
                capacity * factor,
                flood.good_per_second,
                flood.good_per_second / capacity,
                milliseconds(flood.p50),
                milliseconds(flood.p99),
                flood.shed,
                flood.wrong,
                flood.broken,
                flood.unsent,
                mib(*peak_kib),
            );
        }
        text
    }

    /// Good answers over the load, both as shares of the capacity.
    fn plot(&self) -> Option<Plot> {
        let lines = CONTENDERS.into_iter().map(|server| {
            let rows = self.rows.iter().filter(|row| row.server == server);
            Line {
                name: server.label().to_owned(),
                points: rows.map(|row| (row.factor, row.flood.good_per_second / row.capacity)).collect(),
                ours: server == Contender::Coracle,
            }
        });
        let title = "Good answers under load, of the server's capacity";
        let across = "requests, in multiples of the capacity";
        Some(Plot { title, svg: plot::lines(title, across, &lines.collect::<Vec<_>>()) })
    }
}
