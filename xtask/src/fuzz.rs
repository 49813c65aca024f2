//! `cargo xtask fuzz`: libFuzzer over the targets of `fuzz/`, for a bounded time each.
//!
//! `cargo fuzz` does the same with a nightly compiler and address sanitizer. What is fuzzed here is safe Rust, so coverage
//! alone finds what there is to find (panics, endless loops, too much memory), and the user's own compiler can do that.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::project::Project;
use crate::{Result, shell};

/// What makes LLVM report to libFuzzer which edges and comparisons a run went through.
const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Ccodegen-units=1",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Seconds that one input may take: the parsers under test take microseconds.
const ONE_INPUT: u32 = 5;

/// Targets that drive the whole program: a server, or a process for each input.
const WHOLE: [&str; 2] = ["requests", "components"];

/// Seconds that one input of those may take: their own bounds are shorter, and say more.
const ONE_RUN: u32 = 120;

/// Memory that a target may take, in MiB.
const MEMORY: u32 = 2048;

/// Fuzz the parsers and whatever else reads what strangers write
#[derive(Args)]
pub(crate) struct Arguments {
    /// Which targets; all when none is named
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Show the targets and run nothing
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    let manifest = project.root.join("fuzz").join("Cargo.toml");
    let targets = targets(&manifest)?;
    if arguments.list {
        println!("{}", targets.join("\n"));
        return Ok(());
    }
    if let Some(unknown) = arguments.targets.iter().find(|target| !targets.contains(target)) {
        return Err(format!("there is no fuzz target {unknown:?}; there are {}", targets.join(", ")).into());
    }
    let folder = build(project, &manifest)?;
    // The program has the workspace's own profile, with its assertions.
    shell::run(project.cargo().args(["build", "--quiet", "--workspace", "--bin", "coracle"]))?;
    let mut failed = Vec::new();
    for target in targets {
        if !arguments.targets.is_empty() && !arguments.targets.contains(&target) {
            continue;
        }
        println!("=== {target}: {} s", arguments.seconds);
        if let Err(error) = fuzz(project, &folder, &target, arguments.seconds) {
            println!("=== {target}: {error}");
            failed.push(target);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("found something in {}", failed.join(", ")).into()) }
}

fn targets(manifest: &Path) -> Result<Vec<String>> {
    let metadata = cargo_metadata::MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
    let binaries = metadata.packages.iter().flat_map(|package| &package.targets).filter(|target| target.is_bin());
    Ok(binaries.map(|target| target.name.clone()).collect())
}

/// Builds every target, and returns the folder they are in.
fn build(project: &Project, manifest: &Path) -> Result<PathBuf> {
    let version = shell::output(project.command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let folder = project.target()?.join("fuzz");
    let mut cargo = project.cargo();
    // Naming the target keeps build scripts and macros out of it.
    cargo.args(["build", "--release", "--bins", "--target", host, "--target-dir"]).arg(&folder);
    cargo.arg("--manifest-path").arg(manifest).env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    // An overflow is a finding, not a wrap.
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true").env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    shell::run(&mut cargo)?;
    Ok(folder.join(host).join("release"))
}

fn fuzz(project: &Project, folder: &Path, target: &str, seconds: u32) -> Result {
    // What was found interesting is kept between runs; what breaks is kept to be turned into a test.
    let corpus = project.root.join("fuzz").join("corpus").join(target);
    // What the tree keeps to start from; libFuzzer reads the folders after the first and leaves them alone.
    let seeds = project.root.join("fuzz").join("seeds").join(target);
    let artifacts = project.root.join("fuzz").join("artifacts").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut command = project.command(folder.join(format!("{target}{}", std::env::consts::EXE_SUFFIX)));
    let one_input = if WHOLE.contains(&target) { ONE_RUN } else { ONE_INPUT };
    command.env("CORACLE", project.coracle("debug")?);
    command.arg(&corpus).arg(&seeds).arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={one_input}"));
    command.arg(format!("-rss_limit_mb={MEMORY}")).args(["-print_final_stats=1", "-verbosity=0"]);
    shell::run(&mut command)
}
