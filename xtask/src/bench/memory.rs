//! `cargo xtask bench memory`: what a server holds while nobody asks, and for each request that waits.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::contender::{self, Contender};
use super::load;
use super::machine::Machine;
use super::report::{Report, count, mib};
use super::run::Run;
use crate::Result;
use crate::server::{self, Memory, Server};

/// The function that nobody asks, and who serves it.
const IDLE: &str = "hello-c";
const IDLERS: [Contender; 5] =
    [Contender::Coracle, Contender::Wasmtime, Contender::WasmtimePooled, Contender::WasmCloud, Contender::Native];

/// How long a server rests before it is looked at.
const REST: Duration = Duration::from_secs(25);

/// The function that waits: for a clock, which takes nothing but what every request takes.
const WAITING: &str = "probe-rust";
const WAITERS: [Contender; 3] = [Contender::Coracle, Contender::Wasmtime, Contender::WasmtimePooled];

/// How long each request waits, in milliseconds, and how long after the first of them the server is looked at: by then all of them
/// have come, and none has been answered.
const WAIT: u64 = 8_000;
const LOOK: Duration = Duration::from_secs(5);

/// How many requests wait at one time.
pub(super) const REQUESTS: u64 = 1_000;

/// What servers are told to let in: more than wait.
const ROOM: &str = "2000";

/// Of `wasmtime serve`, which has a pool by default: places for as many.
const PLACES: &str = "pooling-total-component-instances=2000,pooling-total-core-instances=8000,pooling-total-memories=2000,\
                      pooling-total-tables=8000,pooling-total-stacks=2000";

/// Memory: of a server that nobody asks, and for each of a thousand requests that wait
#[derive(Args)]
pub(super) struct Arguments {}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) idle: Vec<Idle>,
    pub(super) waiting: Vec<Waiting>,
}

/// A server with one small function, after one answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Idle {
    pub(super) server: Contender,
    pub(super) memory: Memory,
}

/// A server before and while [`REQUESTS`] requests wait.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) server: Contender,
    /// Requests that wait.
    pub(super) requests: u64,
    pub(super) before: Memory,
    pub(super) during: Memory,
}

pub(super) fn run(run: &Run, _: &Arguments) -> Result {
    let mut results = Results { machine: run.machine.clone(), idle: Vec::new(), waiting: Vec::new() };
    let guest = run.project.sample(IDLE)?;
    for server in IDLERS {
        let started = server.start(run, &guest, "Hello from C!\n")?;
        thread::sleep(REST);
        let memory = started.memory()?;
        println!("{}: {memory:?}", server.label());
        results.idle.push(Idle { server, memory });
    }
    for server in WAITERS {
        let waiting = wait(run, server).map_err(|error| format!("{}: {error}", server.label()))?;
        println!("{}: {waiting:?}", server.label());
        results.waiting.push(waiting);
    }
    run.finish(&results)
}

fn wait(run: &Run, contender: Contender) -> Result<Waiting> {
    let server = Server::start(|address| roomy(run, contender, address))?;
    // One answer first: what the program itself needs for it is no request's.
    server::get(server.address, "/sleep?ms=1")?;
    let before = server.memory()?;
    let path = format!("/sleep?ms={WAIT}");
    let (flood, during) = thread::scope(|scope| {
        let program = &run.programs.open_load;
        let load = scope.spawn(|| load::flood(program, &server, &path, count(REQUESTS), Duration::from_secs(1)));
        thread::sleep(LOOK);
        let during = server.memory();
        (load.join(), during)
    });
    let flood = flood.map_err(|_| "the load panicked")??;
    // Requests come by the clock, which may leave the last of them out.
    if flood.good != flood.sent || flood.unsent > 0 || flood.sent * 100 < REQUESTS * 95 {
        return Err(format!("not all of {REQUESTS} requests were sent and answered: {flood:?}").into());
    }
    Ok(Waiting { server: contender, requests: flood.sent, before, during: during? })
}

/// A server that lets all of the requests in.
fn roomy(run: &Run, contender: Contender, address: SocketAddr) -> Result<Command> {
    let guest = run.project.sample(WAITING)?;
    if contender == Contender::Coracle {
        let file = run.scratch("waiting")?.join("coracle.toml");
        let manifest = format!(
            "[app]\nname = \"waiting\"\n\n[component.guest]\nsource = '{}'\nlimits = {{ concurrency = {ROOM} }}\n\n\
             [[route]]\npath = \"/*\"\ncomponent = \"guest\"\n",
            guest.display()
        );
        fs::write(&file, manifest)?;
        let mut command = contender::coracle(run, &file, address);
        command.args(["--max-invocations", ROOM]);
        return Ok(command);
    }
    let mut command = contender.command(run, &guest, "", address)?;
    command.args(["--max-concurrent-requests", ROOM, "--max-concurrent-connections", ROOM, "-O", PLACES]);
    Ok(command)
}

impl Waiting {
    /// What each request holds, in KiB, of memory that no other process has a part of.
    pub(super) fn each_kib(&self) -> f64 {
        (count(self.during.private_kib) - count(self.before.private_kib)) / count(self.requests)
    }
}

impl Report for Results {
    const NAME: &'static str = "memory";

    fn table(&self) -> String {
        let mut text = format!(
            "{}\n\nWith one small function, after one answer and {} s of rest:\n\n\
             | server | resident, MiB | its part of it, MiB | private, MiB | written, MiB |\n|---|---:|---:|---:|---:|\n",
            self.machine,
            REST.as_secs()
        );
        for Idle { server, memory } in &self.idle {
            let Memory { resident_kib, proportional_kib, private_kib, dirty_kib } = *memory;
            // Writing to a string does not fail, here and below.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                server.label(),
                mib(resident_kib),
                mib(proportional_kib),
                mib(private_kib),
                mib(dirty_kib)
            );
        }
        let _ = write!(
            text,
            "\nBefore and while about {REQUESTS} requests wait:\n\n\
             | server | private before, MiB | private, MiB | resident, MiB | private a request, KiB | against `wasmtime serve` \
             |\n|---|---:|---:|---:|---:|---:|\n"
        );
        let peer = self.waiting(Contender::Wasmtime);
        for waiting in &self.waiting {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {:.1} | {:.2} |",
                waiting.server.label(),
                mib(waiting.before.private_kib),
                mib(waiting.during.private_kib),
                mib(waiting.during.resident_kib),
                waiting.each_kib(),
                waiting.each_kib() / peer.map_or(f64::NAN, Waiting::each_kib)
            );
        }
        text
    }
}

impl Results {
    pub(super) fn idle(&self, server: Contender) -> Option<&Idle> {
        self.idle.iter().find(|idle| idle.server == server)
    }

    pub(super) fn waiting(&self, server: Contender) -> Option<&Waiting> {
        self.waiting.iter().find(|waiting| waiting.server == server)
    }
}
