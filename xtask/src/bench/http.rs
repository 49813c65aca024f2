//! `cargo xtask bench http`: one small function behind HTTP, by Coracle, by its peers, and by hyper alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::contender::Contender::{self, *};
use super::load::{self, Sample};
use super::machine::Machine;
use super::plot::{self, Bar};
use super::report::{Plot, Report, Spread, count, mib};
use super::run::Run;
use super::started;
use crate::Result;
use crate::server;

/// How many clients ask at once.
const ALL: &[usize] = &[1, 16, 64];
/// Where one number of clients says enough.
const SOME: &[usize] = &[16];

/// A function, by the name of its sample, and who serves it to how many clients.
type Plan = (&'static str, &'static [(Contender, &'static [usize])]);

/// The hello of [`started`], whose runtime the build has started.
pub(super) const STARTED: &str = "hello-go, `snapshot = true`";

const SLOW: &[(Contender, &[usize])] =
    &[(Coracle, SOME), (Wasmtime, SOME), (WasmtimePooled, SOME), (WasmtimePagemap, SOME)];

const PLANS: [Plan; 7] = [
    (
        "hello-c",
        &[
            (Coracle, ALL),
            (Wasmtime, ALL),
            (WasmtimePooled, ALL),
            (WasmtimePagemap, ALL),
            (WasmCloud, &[16, 64]),
            (Native, ALL),
        ],
    ),
    ("hello-rust", &[(Coracle, ALL), (Wasmtime, ALL), (WasmtimePooled, ALL), (WasmtimePagemap, ALL)]),
    ("hello-go", SLOW),
    (STARTED, SLOW),
    ("hello-javascript", SLOW),
    ("hello-python", SLOW),
    (
        "hello-rust-p3",
        &[(Coracle, SOME), (CoracleReuse, SOME), (Wasmtime, SOME), (WasmtimePooled, SOME), (WasmtimePagemap, SOME)],
    ),
];

/// One small function behind HTTP: requests a second, processor time of each, latency, memory
#[derive(Args)]
pub(super) struct Arguments {
    /// How long one measurement takes
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// How often everything is measured: the table shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
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

pub(super) fn run(run: &Run, arguments: &Arguments) -> Result {
    let (seconds, rounds) = run.pick((arguments.seconds, arguments.rounds), (1, 1));
    let mut results = Results { machine: run.machine.clone(), seconds, rounds, rows: Vec::new() };
    // A first start of each, so that no round compiles.
    let mut expected = BTreeMap::new();
    for plan in PLANS {
        for (contender, _) in plan.1 {
            check(run, plan.0, *contender, &mut expected)?;
        }
    }
    for round in 1..=rounds {
        for (guest, servers) in PLANS {
            let body = expected.get(guest).map(String::as_str).unwrap_or_default();
            for (contender, clients) in servers {
                measure(run, guest, *contender, clients, body, &mut results)
                    .map_err(|error| format!("round {round}, {guest}, {}: {error}", contender.label()))?;
            }
        }
    }
    run.finish(&results)
}

/// The component of a plan.
fn file(run: &Run, guest: &str) -> Result<PathBuf> {
    if guest == STARTED { started::component(run) } else { run.project.sample(guest) }
}

/// All servers of a guest answer what the first of them did.
fn check(
    run: &Run,
    guest: &'static str,
    contender: Contender,
    expected: &mut BTreeMap<&'static str, String>,
) -> Result {
    println!("{guest}: {} starts", contender.label());
    let body = expected.get(guest).cloned().unwrap_or_default();
    let server = contender.start(run, &file(run, guest)?, &body)?;
    let answer = server::get(server.address, "/")?.body;
    let expected = expected.entry(guest).or_insert_with(|| answer.clone());
    if answer == *expected {
        return Ok(());
    }
    Err(format!("{} answered {answer:?}, not {expected:?}", contender.label()).into())
}

/// One round of one server: each number of clients in turn.
fn measure(
    run: &Run,
    guest: &str,
    contender: Contender,
    clients: &[usize],
    body: &str,
    results: &mut Results,
) -> Result {
    let server = contender.start(run, &file(run, guest)?, body)?;
    let answer = server::get(server.address, "/")?;
    if answer.body != body {
        return Err(format!("it answered {:?}, not {body:?}", answer.body).into());
    }
    let idle_kib = server.resident_kib()?;
    for connections in clients {
        let load = |time| load::measure(run.project, &server, "/", *connections, time, answer.bytes);
        // What is only slow at first (pools, caches, the processor's own clock) is not what is asked here.
        load(Duration::from_secs(1))?;
        let sample = load(Duration::from_secs(results.seconds))?;
        println!(
            "{guest}, {connections:>2} clients, {}: {:.0}/s, {:.1} us of processor time each",
            contender.label(),
            sample.per_second,
            sample.cpu_microseconds
        );
        results.add(guest, contender, *connections, idle_kib, sample);
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

    /// The guests, in the order in which they were asked.
    fn guests(&self) -> Vec<&str> {
        let mut guests: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !guests.contains(&row.guest.as_str()) {
                guests.push(&row.guest);
            }
        }
        guests
    }

    /// The rounds of one value; NaN where it was not measured.
    pub(super) fn of(&self, guest: &str, server: Contender, connections: usize, value: fn(&Sample) -> f64) -> Spread {
        let same = |row: &&Row| row.guest == guest && row.server == server && row.connections == connections;
        Spread::of(self.rows.iter().filter(same).flat_map(|row| &row.samples).map(value))
    }
}

impl Report for Results {
    const NAME: &'static str = "http";

    /// A table for each guest.
    fn table(&self) -> String {
        let mut text = format!(
            "{} Client and server share the cores; {} rounds of {} s, medians (processor time with the lowest and highest \
             round).\n",
            self.machine, self.rounds, self.seconds
        );
        for guest in self.guests() {
            // Writing to a string does not fail, here and below.
            let _ = write!(
                text,
                "\n**{guest}**\n\n\
                 | clients | server | processor time, us a request | against `wasmtime serve` | requests a second | p50, us \
                 | p99, us | resident after the first answer, MiB | after load |\n|---:|---|---:|---:|---:|---:|---:|---:|---:|\n"
            );
            let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.guest == guest).collect();
            rows.sort_by_key(|row| (row.connections, row.server));
            for row in rows {
                let Row { server, connections, .. } = *row;
                let of = |value: fn(&Sample) -> f64| self.of(guest, server, connections, value);
                let cpu = of(|sample| sample.cpu_microseconds);
                let peer = self.of(guest, Wasmtime, connections, |sample| sample.cpu_microseconds);
                let _ = writeln!(
                    text,
                    "| {connections} | {} | {:.1} ({:.1} to {:.1}) | {:.2} | {:.0} | {:.0} | {:.0} | {} | {} |",
                    server.label(),
                    cpu.median,
                    cpu.lowest,
                    cpu.highest,
                    cpu.median / peer.median,
                    of(|sample| sample.per_second).median,
                    of(|sample| count(sample.p50_microseconds)).median,
                    of(|sample| count(sample.p99_microseconds)).median,
                    mib(row.idle_kib),
                    mib(row.samples.iter().map(|sample| sample.resident_kib).max().unwrap_or_default()),
                );
            }
        }
        text
    }

    /// Processor time with 16 clients, which every guest was asked by.
    fn plot(&self) -> Option<Plot> {
        let cpu = |guest: &str, server| self.of(guest, server, 16, |sample| sample.cpu_microseconds).median;
        let groups = self.guests().into_iter().map(|guest| {
            let mut rows: Vec<&Row> =
                self.rows.iter().filter(|row| row.guest == guest && row.connections == 16).collect();
            rows.sort_by_key(|row| row.server);
            let bars = rows.into_iter().map(|row| {
                let value = cpu(guest, row.server) / cpu(guest, Wasmtime);
                Bar {
                    name: row.server.label().to_owned(),
                    value,
                    number: format!("{value:.2}, {:.0} us", cpu(guest, row.server)),
                    ours: matches!(row.server, Coracle | CoracleReuse),
                }
            });
            (guest.to_owned(), bars.collect())
        });
        let title = "Processor time of a request, 16 clients; `wasmtime serve` is 1, and less is better";
        Some(Plot { title, svg: plot::bars(title, &groups.collect::<Vec<_>>()) })
    }
}
