//! `cargo xtask bench`: ours and the peers, in turn, in one run, over the same guests.
//!
//! A number here means something only beside the others of its run. Every result says on which machine it was taken, how
//! busy that was, and how far the rounds lay apart; a run in which an answer was wrong gives no result at all.

mod compose;
mod compute;
mod contender;
mod http;
mod kernels;
mod limits;
mod load;
mod machine;
mod overload;
mod peers;
mod report;
mod run;
mod start;
mod started;

use clap::{Args, Subcommand};

use self::run::Run;
use crate::Result;
use crate::project::Project;

/// Measure against peers, side by side, and write the results and tables down
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Measure for moments only, allow a busy machine, and keep no result: does the bench itself work?
    #[arg(long, global = true)]
    smoke: bool,
}

#[derive(Subcommand)]
enum What {
    Http(http::Arguments),
    Start(start::Arguments),
    Compute(compute::Arguments),
    Limits(limits::Arguments),
    Overload(overload::Arguments),
    Compose(compose::Arguments),
    /// Write the tables anew from the results that are kept
    Render,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    if !cfg!(target_os = "linux") {
        return Err("benches read processor time and memory from /proc: they run on Linux only".into());
    }
    let begin = || Run::begin(project, arguments.smoke);
    match &arguments.what {
        What::Http(arguments) => http::run(&begin()?, arguments),
        What::Start(arguments) => start::run(&begin()?, arguments),
        What::Compute(arguments) => compute::run(&begin()?, arguments),
        What::Limits(arguments) => limits::run(&begin()?, arguments),
        What::Overload(arguments) => overload::run(&begin()?, arguments),
        What::Compose(arguments) => compose::run(&begin()?, arguments),
        What::Render => report::render(project),
    }
}
