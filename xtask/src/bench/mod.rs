//! `cargo xtask bench`: ours and the peers, in turn, in one run, over the same guests.
//!
//! A number here means something only beside the others of its run. Every result says on which machine it was taken, how
//! busy that was, and how far the rounds lay apart; a run in which an answer was wrong gives no result at all.

mod compose;
mod compute;
mod contender;
mod density;
mod first;
mod http;
mod kernels;
mod limits;
mod load;
mod machine;
mod memory;
mod overload;
mod peers;
mod plot;
mod report;
mod run;
mod start;
mod started;
mod targets;

use clap::{Args, Subcommand};

use self::run::Run;
use crate::project::Project;
use crate::{Result, instructions};

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
    Memory(memory::Arguments),
    Compute(compute::Arguments),
    Limits(limits::Arguments),
    Density(density::Arguments),
    Overload(overload::Arguments),
    Compose(compose::Arguments),
    Instructions(instructions::Arguments),
    All(All),
    /// Write the tables anew from the results that are kept, and show what of the targets they meet
    Render,
}

/// Everything that there are targets for, with the settings that each bench has by itself
#[derive(Args)]
struct All {}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    if !cfg!(target_os = "linux") {
        return Err("benches read processor time and memory from /proc: they run on Linux only".into());
    }
    let begin = || Run::begin(project, arguments.smoke);
    match &arguments.what {
        What::Http(arguments) => http::run(&begin()?, arguments),
        What::Start(arguments) => start::run(&begin()?, arguments),
        What::Memory(arguments) => memory::run(&begin()?, arguments),
        What::Density(arguments) => density::run(&begin()?, arguments),
        What::Compute(arguments) => compute::run(&begin()?, arguments),
        What::Limits(arguments) => limits::run(&begin()?, arguments),
        What::Overload(arguments) => overload::run(&begin()?, arguments),
        What::Compose(arguments) => compose::run(&begin()?, arguments),
        What::Instructions(arguments) => instructions::run(project, arguments),
        What::All(_) => all(&begin()?),
        What::Render => report::render(project),
    }
}

/// One bench after the other, and then what of the targets is met. The machine has to be quiet before the first: afterwards it is
/// busy with this.
fn all(run: &Run) -> Result {
    http::run(run, &defaults()?)?;
    start::run(run, &defaults()?)?;
    memory::run(run, &defaults()?)?;
    compute::run(run, &defaults()?)?;
    limits::run(run, &defaults()?)?;
    density::run(run, &defaults()?)?;
    run.show_targets()
}

/// The settings that a bench has when nothing is said.
fn defaults<A: Args>() -> Result<A> {
    let command = A::augment_args(clap::Command::new("bench").no_binary_name(true));
    Ok(A::from_arg_matches(&command.try_get_matches_from(std::iter::empty::<&str>())?)?)
}
