//! `cargo xtask bench http`: one small function behind HTTP, by Coracle, by `wasmtime serve`, and by hyper alone.

use std::net::SocketAddr;
use std::path::Path;
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

/// The functions that are asked, by the names of their samples.
const GUESTS: [&str; 2] = ["hello-c", "hello-rust"];

/// How many clients ask at once.
const CONNECTIONS: [usize; 3] = [1, 16, 64];

/// What makes `wasmtime serve` fastest with small guests: memory, tables and stacks come from a pool and stay resident.
const POOLED: &str = "pooling-allocator=y,pooling-memory-keep-resident=16777216,pooling-table-keep-resident=1048576,\
                      pooling-async-stack-keep-resident=131072";

/// The same, with only those pages reset that were written: better for some guests, worse for others.
const PAGEMAP: &str = "pooling-pagemap-scan=y";

/// One small function behind HTTP: requests a second, processor time of each, latency, memory
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

/// Who answers, in the order in which each round measures them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Contender {
    Coracle,
    Wasmtime,
    WasmtimePooled,
    WasmtimePagemap,
    Native,
}

impl Contender {
    pub(super) const ALL: [Self; 5] =
        [Self::Coracle, Self::Wasmtime, Self::WasmtimePooled, Self::WasmtimePagemap, Self::Native];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Coracle => "`coracle serve`",
            Self::Wasmtime => "`wasmtime serve`",
            Self::WasmtimePooled => "`wasmtime serve`, pooling, resident",
            Self::WasmtimePagemap => "`wasmtime serve`, the same with PAGEMAP_SCAN",
            Self::Native => "hyper, native",
        }
    }

    pub(super) fn command(self, programs: &Programs, guest: &Path, body: &str, address: SocketAddr) -> Command {
        let address = address.to_string();
        let wasmtime = |settings: &[&str]| {
            let mut command = Command::new(&programs.wasmtime);
            command.args(["serve", "-S", "cli", "--addr", &address]);
            command.args(settings.iter().flat_map(|setting| ["-O", setting])).arg(guest);
            command
        };
        match self {
            Self::Coracle => {
                let mut command = Command::new(&programs.coracle);
                command.args(["serve", "--addr", &address]).arg(guest);
                command
            }
            Self::Wasmtime => wasmtime(&[]),
            Self::WasmtimePooled => wasmtime(&[POOLED]),
            Self::WasmtimePagemap => wasmtime(&[POOLED, PAGEMAP]),
            Self::Native => {
                let mut command = Command::new(&programs.native);
                command.args([&address, body]);
                command
            }
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

/// All rounds of one guest, one server and one number of clients.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) guest: String,
    pub(super) server: Contender,
    pub(super) connections: usize,
    /// Resident after one answer.
    pub(super) idle_kib: u64,
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
    for round in 0..rounds {
        for guest in GUESTS {
            measure(project, &programs, guest, round, &mut results)?;
        }
    }
    let table = report::http(&results);
    println!("\n{table}");
    if smoke {
        return Ok(());
    }
    report::keep(project, "http", &results, &table)
}

/// One round over one guest: each server with each number of clients, in turn.
fn measure(project: &Project, programs: &Programs, guest: &str, round: usize, results: &mut Results) -> Result {
    let file = project.sample(guest)?;
    let mut expected: Option<String> = None;
    for contender in Contender::ALL {
        let body = expected.as_deref().unwrap_or_default();
        let server = Server::start(|address| contender.command(programs, &file, body, address))?;
        let answer = server::get(server.address, "/")?;
        let expected = expected.get_or_insert_with(|| answer.body.clone());
        if answer.body != *expected {
            return Err(format!("{} answered {:?}, not {expected:?}", contender.label(), answer.body).into());
        }
        let idle_kib = server.resident_kib()?;
        for connections in CONNECTIONS {
            // What is only slow at first (pools, caches, the processor's own clock) is not what is asked here.
            load::measure(project, &server, "/", connections, Duration::from_secs(1), answer.bytes)?;
            let time = Duration::from_secs(results.seconds);
            let sample = load::measure(project, &server, "/", connections, time, answer.bytes)
                .map_err(|error| format!("{} with {guest}, {connections} clients: {error}", contender.label()))?;
            println!(
                "round {round}: {guest}, {connections:>2} clients, {}: {:.0}/s, {:.1} us of processor time each",
                contender.label(),
                sample.per_second,
                sample.cpu_microseconds
            );
            results.add(guest, contender, connections, idle_kib, sample);
        }
    }
    Ok(())
}

impl Results {
    fn add(&mut self, guest: &str, server: Contender, connections: usize, idle_kib: u64, sample: Sample) {
        let same = |row: &&mut Row| row.guest == guest && row.server == server && row.connections == connections;
        match self.rows.iter_mut().find(same) {
            Some(row) => row.samples.push(sample),
            None => {
                let guest = guest.to_owned();
                self.rows.push(Row { guest, server, connections, idle_kib, samples: vec![sample] });
            }
        }
    }
}
