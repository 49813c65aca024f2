//! What a compiler's process gives up before it reads a byte from strangers. The one place of this crate that knows systems
//! apart for it: where a system has no way to give something up, the process keeps it, and the limits of its parent hold.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;

use std::io;
use std::process::{Command, ExitStatus};

use super::child::Allowance;

/// How much less urgent compiling is than serving, as a niceness: it takes a core that nobody else wants.
#[cfg(unix)]
const NICENESS: i32 = 5;

/// Prepares the start of a compiler's process: no environment, no folder.
pub(super) fn prepare(command: &mut Command) {
    #[cfg(unix)]
    command.env_clear().current_dir("/");
    // Programs do not start without their environment on Windows.
    #[cfg(not(unix))]
    let _ = command;
}

/// Confines this process for good.
pub(super) fn confine(allowance: &Allowance) -> io::Result<()> {
    #[cfg(unix)]
    unix::limit(allowance)?;
    #[cfg(target_os = "linux")]
    linux::isolate()?;
    #[cfg(not(unix))]
    let _ = allowance;
    Ok(())
}

/// Whether a compiler's process was ended by its limit of CPU time.
pub(super) fn ran_out_of_cpu(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return unix::ran_out_of_cpu(status);
    #[cfg(not(unix))]
    {
        let _ = status;
        false
    }
}
