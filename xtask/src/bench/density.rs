//! `cargo xtask bench density`: many functions in one process, none of which anybody asks.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::contender;
use super::machine::Machine;
use super::report::{Report, count, mib};
use super::run::Run;
use crate::Result;
use crate::server::{self, Memory, Server};

/// The function that all are made of, and the part of it that is another one in each.
const GUEST: &str = "hello-c";
const GREETING: &[u8] = b"Hello from C!\n";

/// How many there are: as many as one app may have.
const FUNCTIONS: usize = 1_000;

/// How long a server rests before it is looked at.
const REST: Duration = Duration::from_secs(2);

/// Many functions in one process: the memory of each while nobody asks, and the time of its first answer
#[derive(Args)]
pub(super) struct Arguments {}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) functions: usize,
    /// Of a process with one function, and with all of them, before the first request to any but one.
    pub(super) one: Memory,
    pub(super) all: Memory,
    /// After each has answered once.
    pub(super) asked: Memory,
    /// Of first answers, from connecting to the end of the body, in microseconds.
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) longest: u64,
}

pub(super) fn run(run: &Run, _: &Arguments) -> Result {
    let functions = run.pick(FUNCTIONS, 10);
    let guest = fs::read(run.project.sample(GUEST)?)?;
    let app = |count| app(run, &guest, count);
    // What is compiled for this is nothing that the user's cache should hold. Coracle makes the folder itself, private to its user.
    let cache = run.scratch("density-cache")?.join("code");
    let start = |app: &Path| start(run, app, &cache);
    // The first start compiles.
    drop(start(&app(functions)?)?);
    let one = idle(&start(&app(1)?)?)?;
    let server = start(&app(functions)?)?;
    let all = idle(&server)?;
    let mut took = Vec::new();
    for index in 1..functions {
        let began = Instant::now();
        let answer = server::get(server.address, &path(index))?;
        took.push(u64::try_from(began.elapsed().as_micros())?);
        if answer.body.as_bytes() != greeting(index) {
            return Err(format!("function {index} answered {:?}", answer.body).into());
        }
    }
    took.sort_unstable();
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len() - 1)).copied().unwrap_or_default();
    let (p50, p99, longest) = (at(50), at(99), at(100));
    let asked = idle(&server)?;
    let machine = run.machine.clone();
    run.finish(&Results { machine, functions, one, all, asked, p50, p99, longest })
}

fn start(run: &Run, app: &Path, cache: &Path) -> Result<Server> {
    Server::start(|address| {
        let mut command = contender::coracle(run, app, address);
        command.env("CORACLE_CACHE", cache);
        Ok(command)
    })
}

fn idle(server: &Server) -> Result<Memory> {
    thread::sleep(REST);
    server.memory()
}

/// What function number `index` answers: as long as what it stands for.
fn greeting(index: usize) -> Vec<u8> {
    format!("Hello, {index:06}\n").into_bytes()
}

fn path(index: usize) -> String {
    if index == 0 { "/*".to_owned() } else { format!("/{index}") }
}

/// An app of `count` functions that differ in what they answer; the first one answers at every path that is no other's.
fn app(run: &Run, guest: &[u8], count: usize) -> Result<std::path::PathBuf> {
    let folder = run.scratch(&format!("density-{count}"))?;
    let at = guest.windows(GREETING.len()).position(|window| window == GREETING);
    let at = at.ok_or_else(|| format!("{GUEST} holds no greeting"))?;
    let mut manifest = "[app]\nname = \"density\"\n".to_owned();
    for index in 0..count {
        let mut component = guest.to_vec();
        component.splice(at..at + GREETING.len(), greeting(index));
        fs::write(folder.join(format!("{index}.wasm")), component)?;
        // Writing to a string does not fail.
        let _ = write!(
            manifest,
            "\n[component.f{index}]\nsource = \"{index}.wasm\"\n\n[[route]]\npath = \"{}\"\ncomponent = \"f{index}\"\n",
            path(index)
        );
    }
    fs::write(folder.join("coracle.toml"), manifest)?;
    Ok(folder)
}

impl Results {
    /// What one more function holds of private memory, in KiB.
    pub(super) fn each_kib(&self) -> f64 {
        self.each(|memory| memory.private_kib)
    }

    fn each(&self, part: fn(&Memory) -> u64) -> f64 {
        (count(part(&self.all)) - count(part(&self.one))) / count(self.functions as u64 - 1)
    }
}

impl Report for Results {
    const NAME: &'static str = "density";

    fn table(&self) -> String {
        let Self { machine, functions, one, all, asked, p50, p99, longest } = self;
        let milliseconds = |microseconds: &u64| count(*microseconds) / 1000.0;
        let row = |what: &str, memory: &Memory| {
            let Memory { private_kib, dirty_kib, resident_kib, .. } = *memory;
            format!("| {what} | {} | {} | {} |\n", mib(private_kib), mib(dirty_kib), mib(resident_kib))
        };
        format!(
            "{machine}\n\n| functions | private, MiB | written, MiB | resident, MiB |\n|---|---:|---:|---:|\n{}{}{}\n\
             Each function beyond the first: {:.1} KiB of private memory, of which {:.1} KiB were written. First answer of each: {:.2} ms (median), {:.2} ms (99th \
             percentile), {:.2} ms (the longest).\n",
            row("1, idle", one),
            row(&format!("{functions}, idle"), all),
            row(&format!("{functions}, each asked once"), asked),
            self.each_kib(),
            self.each(|memory| memory.dirty_kib),
            milliseconds(p50),
            milliseconds(p99),
            milliseconds(longest)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_greeting_is_as_long_as_the_one_it_stands_for() {
        for index in [0, 7, FUNCTIONS, 999_999] {
            assert_eq!(greeting(index).len(), GREETING.len());
        }
    }
}
