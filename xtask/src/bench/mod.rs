//! `cargo xtask bench`: ours and the peers, in turn, in one run, over the same guests.
//!
//! A number here means something only beside the others of its run. Every result says on which machine it was taken, how
//! busy that was, and how far the rounds lay apart; a run in which an answer was wrong gives no result at all.

mod compose;
mod http;
mod load;
mod machine;
mod overload;
mod peers;
mod report;
mod start;

use clap::{Args, Subcommand};

use crate::Result;
use crate::project::Project;

/// Measure against peers, side by side, and write the results and tables down
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Http(http::Arguments),
    Start(start::Arguments),
    Overload(overload::Arguments),
    Compose(compose::Arguments),
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    if !cfg!(target_os = "linux") {
        return Err("benches read processor time and memory from /proc: they run on Linux only".into());
    }
    match &arguments.what {
        What::Http(arguments) => http::run(project, arguments),
        What::Start(arguments) => start::run(project, arguments),
        What::Overload(arguments) => overload::run(project, arguments),
        What::Compose(arguments) => compose::run(project, arguments),
    }
}

/// Whether results are kept: a bench that only has to show that it works must not overwrite real numbers.
#[derive(Args)]
struct Keep {
    /// Measure for moments only, allow a busy machine, and keep no result: does the bench itself work?
    #[arg(long)]
    smoke: bool,
}
