//! What the numbers were taken on.

use std::fmt;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Result, shell};

/// How many processes may be ready to run, on average of the last minute, for numbers to be worth keeping.
const QUIET: f64 = 0.7;

/// How long that is waited for: a load of two, which a build leaves behind, is forgotten by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// The machine, as its owner would describe it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_gib: u64,
    pub(super) kernel: String,
    /// Of the last minute, before the first measurement.
    pub(super) load_before: f64,
    /// The day, in UTC.
    pub(super) day: String,
    pub(super) coracle: String,
    pub(super) wasmtime: String,
    pub(super) rust: String,
}

impl Machine {
    pub(super) fn describe(coracle: String, wasmtime: String) -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let memory = fs::read_to_string("/proc/meminfo")?;
        let kib: u64 = value(&memory, "MemTotal").trim_end_matches(" kB").parse()?;
        Ok(Self {
            processor: value(&processors, "model name").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: kib.div_ceil(1024 * 1024),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load_before: load()?,
            day: shell::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_owned(),
            coracle,
            wasmtime,
            rust: shell::output(Command::new("rustc").arg("--version"))?.trim().to_owned(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gib, kernel, load_before, day, coracle, wasmtime, rust } = self;
        write!(
            formatter,
            "Measured on {day}: {processor}, {cores} cores, {memory_gib} GiB, Linux {kernel}, load {load_before} before; \
             {coracle}, {wasmtime}, {rust}."
        )
    }
}

/// Refuses to measure on a machine that does something else. What was just built here is waited out.
pub(super) fn wait_until_quiet() -> Result {
    let began = Instant::now();
    loop {
        let load = load()?;
        if load <= QUIET {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(
                format!("the load of the last minute is {load}, above {QUIET}: measure on a quiet machine").into()
            );
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn load() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// The first value of a key in a file of `key: value` lines.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| (name.trim() == key).then_some(value.trim()))
        .unwrap_or("unknown")
}
