//! `timed PROGRAM ARGUMENTS` runs a program, whose output passes through, and writes to standard error as its last line how many
//! microseconds of processor time it took, user and kernel, over all of its threads.

use std::error::Error;
use std::process::{Command, ExitCode};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("usage: timed PROGRAM ARGUMENTS")?;
    let status = Command::new(program).args(arguments).status()?;
    // It is the only child there ever was.
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    eprintln!("{}", (usage.user_time() + usage.system_time()).num_microseconds());
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
