//! The kernels of `bench/kernels`: computing and nothing else, by programs that are told how often to do it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::report::{Spread, count};
use super::run::Run;
use crate::guests::c;
use crate::{Result, shell};

/// Every kernel, and how often it does its work: some 0.4 s of a native program.
const KERNELS: [(&str, u32); 7] =
    [("sha256", 800), ("nbody", 7000), ("matmul", 600), ("blur", 50), ("json", 1500), ("trees", 60), ("sort", 60)];

/// By how much less a smoke test does.
const SMOKE: u32 = 50;

/// Limits far above what a kernel takes: they are watched, and never met.
const LIMITS: [&str; 4] = ["--cpu-time", "10m", "--wall-time", "1h"];

/// A deadline of the peer's, likewise, and what code needs to be stopped by it.
const DEADLINE: &str = "timeout=3600s";
const STOPPABLE: &str = "epoch-interruption=y";

/// How a kernel is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Way {
    Native,
    Coracle,
    /// Without any limit.
    Wasmtime,
    WasmtimeDeadline,
}

impl Way {
    fn command(self, run: &Run, built: &Built) -> Command {
        let wasmtime = |flags: &[&str], code: &Path| {
            let mut command = Command::new(&run.programs.wasmtime);
            command.args(["run", "--allow-precompiled"]).args(flags).arg(code);
            command
        };
        match self {
            Self::Native => Command::new(&built.native),
            Self::Coracle => {
                let mut command = Command::new(&run.programs.coracle);
                command.arg("run").args(LIMITS).arg(&built.module).arg("--");
                command
            }
            Self::Wasmtime => wasmtime(&[], &built.code),
            Self::WasmtimeDeadline => wasmtime(&["-W", DEADLINE], &built.code_with_deadline),
        }
    }
}

/// All kernels, all ways.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Timed {
    pub(super) machine: Machine,
    pub(super) rounds: usize,
    pub(super) rows: Vec<Row>,
}

/// One kernel, one way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) kernel: String,
    pub(super) way: Way,
    /// Processor time of each round, less that of a program which is told to do nothing.
    pub(super) microseconds: Vec<u64>,
}

/// A kernel, in every form that a way needs.
struct Built {
    native: PathBuf,
    module: PathBuf,
    code: PathBuf,
    code_with_deadline: PathBuf,
}

/// Runs every kernel in every way, in turn, round by round. All ways have to print the same.
pub(super) fn measure(run: &Run, rounds: usize, ways: &[Way]) -> Result<Timed> {
    let mut timed = Timed { machine: run.machine.clone(), rounds, rows: Vec::new() };
    let mut kernels = Vec::new();
    for (kernel, times) in KERNELS {
        let (built, times) = (build(run, kernel)?, run.pick(times, times.div_ceil(SMOKE)));
        let expected = once(run, Way::Native, &built, times)?.0;
        for way in ways {
            // The first of each fills caches.
            let found = once(run, *way, &built, times)?.0;
            if found != expected {
                return Err(format!("{kernel}, {way:?}: printed {found:?}, not {expected:?}").into());
            }
        }
        kernels.push((kernel, built, times));
    }
    for round in 1..=rounds {
        for (kernel, built, times) in &kernels {
            for way in ways {
                let (start, whole) = (once(run, *way, built, 0)?.1, once(run, *way, built, *times)?.1);
                println!("round {round}: {kernel}, {way:?}: {whole} us, and {start} us of start");
                timed.add(kernel, *way, whole.saturating_sub(start));
            }
        }
    }
    Ok(timed)
}

/// What a kernel prints, and how many microseconds of processor time it takes.
fn once(run: &Run, way: Way, built: &Built, times: u32) -> Result<(String, u64)> {
    let mut kernel = way.command(run, built);
    kernel.arg(times.to_string());
    let mut timed = Command::new(&run.programs.timed);
    timed.arg(kernel.get_program()).args(kernel.get_args());
    let output = shell::measured(&mut timed).stdin(Stdio::null()).output()?;
    let said = String::from_utf8(output.stderr)?;
    if !output.status.success() {
        return Err(format!("`{}` failed: {said}", shell::line(&kernel)).into());
    }
    let microseconds = said.lines().last().unwrap_or_default().parse()?;
    Ok((String::from_utf8(output.stdout)?, microseconds))
}

fn build(run: &Run, kernel: &str) -> Result<Built> {
    let folder = run.scratch("kernels")?;
    let file = |name: &str| folder.join(format!("{kernel}{name}"));
    let built = Built {
        native: file(""),
        module: file(".wasm"),
        code: file(".cwasm"),
        code_with_deadline: file("-deadline.cwasm"),
    };
    let source = run.project.root.join("bench").join("kernels").join(kernel).with_extension("c");
    c::Toolchain::get(run.project)?.build_twins(&source, &built.native, &built.module)?;
    for (flags, code) in [([].as_slice(), &built.code), (["-W", STOPPABLE].as_slice(), &built.code_with_deadline)] {
        let mut compile = Command::new(&run.programs.wasmtime);
        shell::run(compile.arg("compile").args(flags).arg(&built.module).arg("-o").arg(code))?;
    }
    Ok(built)
}

impl Timed {
    fn add(&mut self, kernel: &str, way: Way, microseconds: u64) {
        match self.rows.iter_mut().find(|row| row.kernel == kernel && row.way == way) {
            Some(row) => row.microseconds.push(microseconds),
            None => self.rows.push(Row { kernel: kernel.to_owned(), way, microseconds: vec![microseconds] }),
        }
    }

    /// The kernels, in their order.
    pub(super) fn kernels(&self) -> impl Iterator<Item = &str> {
        KERNELS.iter().map(|(kernel, _)| *kernel).filter(|kernel| self.rows.iter().any(|row| row.kernel == *kernel))
    }

    /// The rounds of one kernel and way, in milliseconds.
    pub(super) fn milliseconds(&self, kernel: &str, way: Way) -> Spread {
        let rows = self.rows.iter().filter(|row| row.kernel == kernel && row.way == way);
        Spread::of(rows.flat_map(|row| &row.microseconds).map(|microseconds| count(*microseconds) / 1000.0))
    }

    /// How much longer one way takes than another, kernel by kernel.
    pub(super) fn ratios(&self, way: Way, other: Way) -> Vec<f64> {
        let median = |kernel, way| self.milliseconds(kernel, way).median;
        self.kernels().map(|kernel| median(kernel, way) / median(kernel, other)).collect()
    }

    /// A cell of a table: the median, the lowest and the highest round.
    pub(super) fn cell(&self, kernel: &str, way: Way) -> String {
        let Spread { lowest, median, highest } = self.milliseconds(kernel, way);
        format!("{median:.0} ({lowest:.0} to {highest:.0})")
    }
}

/// The mean of ratios.
pub(super) fn geometric_mean(ratios: &[f64]) -> f64 {
    let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (sum / count(ratios.len() as u64)).exp()
}

/// The largest of ratios; NaN where there is none.
pub(super) fn worst(ratios: &[f64]) -> f64 {
    ratios.iter().copied().reduce(f64::max).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_and_half_are_level() {
        assert!((geometric_mean(&[2.0, 0.5]) - 1.0).abs() < 1e-12);
        assert!((geometric_mean(&[3.0]) - 3.0).abs() < 1e-12);
        assert!(geometric_mean(&[]).is_nan() && worst(&[]).is_nan());
        assert_eq!(worst(&[1.5, 2.5, 2.0]), 2.5);
    }
}
