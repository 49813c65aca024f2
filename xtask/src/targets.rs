//! `cargo xtask check-targets`: type-checks the workspace for systems this machine is not.
//!
//! Where `rustup` has the target it is used. Where it cannot fetch one, the standard library is checked from source along
//! with everything else, by Debian's compiler, which comes with sources. C code (ring's, the engine's) is compiled by zig,
//! which brings the headers of every system. Nothing is linked and nothing runs: docs/platforms.md says what that leaves open.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::guests::{pypi, sysroot};
use crate::project::Project;
use crate::{Result, shell};

/// A C compiler for every target, from PyPI.
const ZIG: &str = "ziglang==0.17.1";

/// The systems that are promised beside the one this is developed on, each with zig's name for it.
const TARGETS: [(&str, &str); 3] = [
    ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu"),
    ("x86_64-pc-windows-gnu", "x86_64-windows-gnu"),
    ("aarch64-apple-darwin", "aarch64-macos"),
];

/// Type-check the workspace for Windows, macOS and Linux on arm64
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these targets
    #[arg(value_name = "TARGET", value_parser = PossibleValuesParser::new(TARGETS.map(|(triple, _)| triple)))]
    targets: Vec<String>,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    let zig = zig(project)?;
    let mut failed = Vec::new();
    for (triple, system) in TARGETS {
        if !arguments.targets.is_empty() && !arguments.targets.iter().any(|target| target == triple) {
            continue;
        }
        println!("=== {triple}");
        let began = Instant::now();
        let result = check(project, &zig, triple, system);
        let seconds = began.elapsed().as_secs();
        match result {
            Ok(()) => println!("=== {triple}: checked in {seconds} s"),
            Err(error) => {
                println!("=== {triple}: failed after {seconds} s: {error}");
                failed.push(triple);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("does not check for {}", failed.join(", ")).into()) }
}

fn check(project: &Project, zig: &Path, triple: &str, system: &str) -> Result {
    let mut cargo = project.cargo();
    cargo.args(["check", "--workspace", "--lib", "--bins", "--keep-going", "--target", triple]);
    if !has_library(triple)? {
        // The compiler and the library's sources must be of one age.
        cargo.env("RUSTC", sysroot::compiler(project)?).env("RUSTC_BOOTSTRAP", "1");
        cargo.arg("-Zbuild-std=std,panic_unwind");
    }
    let folder = project.target()?.join("check-targets");
    let variable = triple.replace('-', "_");
    cargo.env(format!("CC_{variable}"), compiler(&folder, zig, system)?);
    cargo.env(format!("AR_{variable}"), tool(&folder, zig, "zig-ar", "ar")?);
    // The standard library names functions of Windows by import libraries, which this writes.
    tool(&folder, zig, "x86_64-w64-mingw32-dlltool", "dlltool")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    cargo.env("PATH", std::env::join_paths([folder.clone()].into_iter().chain(std::env::split_paths(&path)))?);
    // Build scripts ask Xcode where macOS's headers are, unless told; zig has its own.
    cargo.env("SDKROOT", &folder);
    shell::run(cargo.arg("--target-dir").arg(&folder))
}

/// Whether the user's own toolchain has a standard library for the target.
fn has_library(triple: &str) -> Result<bool> {
    let folder = shell::output(Command::new("rustc").args(["--print", "target-libdir", "--target", triple]))?;
    Ok(Path::new(folder.trim()).is_dir())
}

/// zig, from PyPI.
pub(crate) fn zig(project: &Project) -> Result<PathBuf> {
    let zig = pypi::fetch(project, ZIG)?.join("ziglang").join("zig");
    pypi::make_executable(&zig)?;
    Ok(zig)
}

/// A program that build scripts can call as the C compiler of a target: they name the target as clang does, zig does not.
fn compiler(folder: &Path, zig: &Path, system: &str) -> Result<PathBuf> {
    let script = format!(
        "#!/bin/sh\n\
         for word; do\n  shift\n  case $word in --target=*) ;; *) set -- \"$@\" \"$word\" ;; esac\ndone\n\
         exec '{}' cc -target {system} \"$@\"\n",
        zig.display()
    );
    write_program(folder.join(format!("cc-{system}")), &script)
}

/// One of zig's tools as a program of its own.
fn tool(folder: &Path, zig: &Path, name: &str, tool: &str) -> Result<PathBuf> {
    write_program(folder.join(name), &format!("#!/bin/sh\nexec '{}' {tool} \"$@\"\n", zig.display()))
}

fn write_program(path: PathBuf, script: &str) -> Result<PathBuf> {
    fs::create_dir_all(path.parent().ok_or("a program has no folder")?)?;
    fs::write(&path, script)?;
    pypi::make_executable(&path)?;
    Ok(path)
}
