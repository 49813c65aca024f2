//! `cargo xtask bench start`: how long a small command takes from its start to its end.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::machine::{self, Machine};
use super::peers::{self, Programs};
use super::{Keep, report};
use crate::project::Project;
use crate::{Result, shell};

/// Whom the others are compared to.
pub(super) const PEER: &str = "`wasmtime run hello.cwasm`";

/// The sample that is run: a command that writes three lines.
const GUEST: &str = "command-c";

/// A small command, from its start to its end, compiled before
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    keep: Keep,
    /// How often each program is started
    #[arg(long, default_value_t = 300)]
    times: usize,
}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) times: usize,
    pub(super) rows: Vec<Row>,
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
struct Contender {
    label: &'static str,
    command: Command,
    times: Vec<Duration>,
}

pub(super) fn run(project: &Project, arguments: &Arguments) -> Result {
    let smoke = arguments.keep.smoke;
    let programs = Programs::get(project, smoke)?;
    if !smoke {
        machine::must_be_quiet()?;
    }
    let times = if smoke { 5 } else { arguments.times };
    let mut contenders = contenders(project, &programs)?;

    // The first start of each fills caches, and says what all must print.
    let mut expected = None;
    for contender in &mut contenders {
        let output = shell::output(&mut contender.command)?;
        let expected = expected.get_or_insert_with(|| output.clone());
        if output != *expected {
            return Err(format!("{} printed {output:?}, not {expected:?}", contender.label).into());
        }
    }
    // In turn, so that whatever else the machine does meets all of them.
    for _ in 0..times {
        for contender in &mut contenders {
            contender.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let began = Instant::now();
            let status = contender.command.status()?;
            contender.times.push(began.elapsed());
            if !status.success() {
                return Err(format!("`{}` failed: {status}", shell::line(&contender.command)).into());
            }
        }
    }
    let machine = Machine::describe(peers::version(&programs.coracle)?, peers::version(&programs.wasmtime)?)?;
    let results = Results { machine, times, rows: contenders.into_iter().map(Contender::row).collect() };
    let table = report::start(&results);
    println!("\n{table}");
    if smoke { Ok(()) } else { report::keep(project, "start", &results, &table) }
}

impl Contender {
    fn row(mut self) -> Row {
        self.times.sort();
        let at = |percent: usize| {
            let time = self.times.get(self.times.len() * percent / 100);
            time.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
        };
        Row { program: self.label.to_owned(), median_ms: at(50), p10_ms: at(10), p90_ms: at(90) }
    }
}

fn contenders(project: &Project, programs: &Programs) -> Result<Vec<Contender>> {
    let guest = project.sample(GUEST)?;
    let folder = project.tools().join("bench");
    fs::create_dir_all(&folder)?;
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
    let contender = |label, command| Contender { label, command, times: Vec::new() };
    Ok(vec![
        contender("`coracle run hello.wasm`, cached", coracle),
        contender(PEER, wasmtime),
        contender("`wasmtime run hello.wasm`", uncompiled),
        contender("native, the same source by the system's compiler", native),
    ])
}
