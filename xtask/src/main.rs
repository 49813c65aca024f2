//! What the project does to itself: `cargo xtask test`, `bench`, `check-targets` and the rest, one module each.
//!
//! This program builds in seconds and links no engine, so that a fresh clone gets to its first message quickly.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod bench;
mod check;
mod dist;
mod fuzz;
mod guests;
mod instructions;
mod packages;
mod project;
mod reference;
mod server;
mod shell;
mod targets;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::project::Project;

/// An error of a task: one line that says what failed, where, and what to do.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
/// What a task returns.
pub(crate) type Result<T = ()> = std::result::Result<T, Error>;

/// Everything the project does to itself.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Bench(bench::Arguments),
    Check(check::Arguments),
    CheckTargets(targets::Arguments),
    Dist(dist::Arguments),
    Fuzz(fuzz::Arguments),
    Guests(guests::Arguments),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[command(hide = true)]
    Link(dist::LinkArguments),
    Reference(reference::Arguments),
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result {
    let project = Project::find()?;
    match task {
        Task::Bench(arguments) => bench::run(&project, &arguments),
        Task::Check(arguments) => check::run(&project, &arguments),
        Task::CheckTargets(arguments) => targets::run(&project, &arguments),
        Task::Dist(_) => dist::run(&project),
        Task::Fuzz(arguments) => fuzz::run(&project, &arguments),
        Task::Guests(arguments) => guests::run(&project, &arguments),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        Task::Link(arguments) => dist::link(&project, &arguments),
        Task::Reference(arguments) => reference::run(&project, &arguments),
        Task::Test(arguments) => test::run(&project, &arguments),
    }
}
