//! `cargo xtask bench start`: how long a small command takes from its start to its end, and a server to its first answer.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::first::{self, First};
use super::machine::Machine;
use super::report::Report;
use super::run::Run;
use crate::{Result, shell};

/// Whom the others are compared to.
pub(super) const PEER: &str = "`wasmtime run hello.cwasm`";

/// Who is compared.
pub(super) const OURS: &str = "`coracle run hello.wasm`, cached";

/// The sample that is run: a command that writes three lines.
const GUEST: &str = "command-c";

/// A small command, from its start to its end, and servers to their first answer; all compiled before
#[derive(Args)]
pub(super) struct Arguments {
    /// How often each command is started
    #[arg(long, default_value_t = 300)]
    times: usize,
    /// How often each server is started; slow ones a third of that
    #[arg(long, default_value_t = 60)]
    servers: usize,
}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) times: usize,
    pub(super) rows: Vec<Row>,
    #[serde(default)]
    pub(super) servers: Vec<First>,
}

/// One program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) program: String,
    pub(super) median_ms: f64,
    pub(super) p10_ms: f64,
    pub(super) p90_ms: f64,
}

/// A program that is started over and over.
struct Starter {
    label: &'static str,
    command: Command,
    times: Vec<Duration>,
}

pub(super) fn run(run: &Run, arguments: &Arguments) -> Result {
    let (times, servers) = run.pick((arguments.times, arguments.servers), (5, 2));
    let mut starters = starters(run)?;

    // The first start of each fills caches, and says what all must print.
    let mut expected = None;
    for starter in &mut starters {
        let output = shell::output(&mut starter.command)?;
        let expected = expected.get_or_insert_with(|| output.clone());
        if output != *expected {
            return Err(format!("{} printed {output:?}, not {expected:?}", starter.label).into());
        }
    }
    // In turn, so that whatever else the machine does meets all of them.
    for _ in 0..times {
        for starter in &mut starters {
            shell::measured(&mut starter.command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let began = Instant::now();
            let status = starter.command.status()?;
            starter.times.push(began.elapsed());
            if !status.success() {
                return Err(format!("`{}` failed: {status}", shell::line(&starter.command)).into());
            }
        }
    }
    let rows = starters.into_iter().map(Starter::row).collect();
    run.finish(&Results { machine: run.machine.clone(), times, rows, servers: first::measure(run, servers)? })
}

impl Starter {
    fn row(mut self) -> Row {
        self.times.sort();
        let at = |percent: usize| {
            let time = self.times.get(self.times.len() * percent / 100);
            time.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
        };
        Row { program: self.label.to_owned(), median_ms: at(50), p10_ms: at(10), p90_ms: at(90) }
    }
}

fn starters(run: &Run) -> Result<Vec<Starter>> {
    let Run { project, programs, .. } = run;
    let (guest, folder) = (project.sample(GUEST)?, run.scratch("start")?);
    let compiled = folder.join("hello.cwasm");
    shell::run(Command::new(&programs.wasmtime).arg("compile").arg(&guest).arg("-o").arg(&compiled))?;
    let native = folder.join("hello");
    let source = project.root.join("samples").join(GUEST).join("command.c");
    shell::run(Command::new("cc").args(["-O2", "-o"]).arg(&native).arg(source))?;
    // Guests get no environment, and say so.
    let mut native = Command::new(native);
    native.env_clear();

    let mut coracle = Command::new(&programs.coracle);
    coracle.arg("run").arg(&guest);
    let mut wasmtime = Command::new(&programs.wasmtime);
    wasmtime.args(["run", "--allow-precompiled"]).arg(&compiled);
    let mut uncompiled = Command::new(&programs.wasmtime);
    uncompiled.arg("run").arg(&guest);
    let starter = |label, command| Starter { label, command, times: Vec::new() };
    Ok(vec![
        starter(OURS, coracle),
        starter(PEER, wasmtime),
        starter("`wasmtime run hello.wasm`", uncompiled),
        starter("native, the same source by the system's compiler", native),
    ])
}

impl Report for Results {
    const NAME: &'static str = "start";

    fn table(&self) -> String {
        let mut text = format!(
            "{} {} starts of each, in turn; wall time from start to end of the process.\n\n\
             | program | median, ms | 10th percentile | 90th percentile | against `wasmtime run` |\n\
             |---|---:|---:|---:|---:|\n",
            self.machine, self.times
        );
        let peer = self.median(PEER).unwrap_or(f64::NAN);
        for Row { program, median_ms, p10_ms, p90_ms } in &self.rows {
            let against = median_ms / peer;
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {program} | {median_ms:.2} | {p10_ms:.2} | {p90_ms:.2} | {against:.2} |");
        }
        text + &first::table(&self.servers)
    }
}

impl Results {
    /// The median of a program, in milliseconds.
    pub(super) fn median(&self, program: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.program == program).map(|row| row.median_ms)
    }
}
