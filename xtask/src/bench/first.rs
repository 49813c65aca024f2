//! How long servers take from their start to their first answer, with code that was compiled before.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::contender::Contender::{self, Coracle, Native, Wasmtime};
use super::report::Spread;
use super::run::Run;
use crate::Result;
use crate::server::{self, Server};

/// The functions, and who serves them. Native servers answer the first of them.
const SERVED: [(&str, &[Contender]); 3] = [
    ("hello-c", &[Coracle, Wasmtime, Native]),
    ("hello-javascript", &[Coracle, Wasmtime]),
    ("hello-python", &[Coracle, Wasmtime]),
];

/// By how much less slow ones are started.
const LESS: usize = 3;

/// How often a server is asked whether it is there.
const STEP: Duration = Duration::from_micros(200);

/// A server and its function.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct First {
    pub(super) guest: String,
    pub(super) server: Contender,
    /// From the start of the process to the end of the first answer, of each start.
    pub(super) milliseconds: Vec<f64>,
}

/// Starts every server over and over, in turn.
pub(super) fn measure(run: &Run, times: usize) -> Result<Vec<First>> {
    let mut all = Vec::new();
    for (place, (guest, servers)) in SERVED.into_iter().enumerate() {
        let mut rows: Vec<First> = servers.iter().map(|server| First::new(guest, *server)).collect();
        let mut body = String::new();
        for row in &rows {
            // The first of each compiles, and says what all must answer.
            let answer = start(run, row, &body)?.0;
            if body.is_empty() {
                body.clone_from(&answer);
            }
            if answer != body {
                return Err(format!("{guest}: {} answered {answer:?}, not {body:?}", row.server.label()).into());
            }
        }
        for _ in 0..if place == 0 { times } else { times.div_ceil(LESS) } {
            for row in &mut rows {
                let took = start(run, row, &body)?.1;
                row.milliseconds.push(took.as_secs_f64() * 1000.0);
            }
        }
        all.append(&mut rows);
    }
    Ok(all)
}

/// What a server answers, and after how long.
fn start(run: &Run, row: &First, body: &str) -> Result<(String, Duration)> {
    let guest = run.project.sample(&row.guest)?;
    let (server, took) = Server::start_timed(|address| row.server.command(run, &guest, body, address), STEP)?;
    Ok((server::get(server.address, "/")?.body, took))
}

impl First {
    fn new(guest: &str, server: Contender) -> Self {
        Self { guest: guest.to_owned(), server, milliseconds: Vec::new() }
    }
}

/// The median of a server and its function, in milliseconds.
pub(super) fn median(rows: &[First], guest: &str, server: Contender) -> Option<f64> {
    let row = rows.iter().find(|row| row.guest == guest && row.server == server)?;
    Some(Spread::of(row.milliseconds.iter().copied()).median)
}

pub(super) fn table(rows: &[First]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = "\nServers, from the start of the process to the end of the first answer:\n\n\
                    | function | server | starts | median, ms | lowest | highest | against `wasmtime serve` |\n\
                    |---|---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for First { guest, server, milliseconds } in rows {
        let Spread { lowest, median: middle, highest } = Spread::of(milliseconds.iter().copied());
        let against = middle / median(rows, guest, Wasmtime).unwrap_or(f64::NAN);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {guest} | {} | {} | {middle:.2} | {lowest:.2} | {highest:.2} | {against:.2} |",
            server.label(),
            milliseconds.len()
        );
    }
    text
}
