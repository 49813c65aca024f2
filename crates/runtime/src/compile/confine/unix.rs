//! Limits of a process.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Resource, Rlimit, Signal, nice, setrlimit};

use super::super::child::Allowance;

/// What bounds memory best: on Linux the private memory that can be written, since threads and allocators reserve far more
/// address space than they use; elsewhere address space is all that there is to bound.
#[cfg(target_os = "linux")]
const MEMORY: Resource = Resource::Data;
#[cfg(not(target_os = "linux"))]
const MEMORY: Resource = Resource::As;

pub(super) fn limit(allowance: &Allowance) -> io::Result<()> {
    let at_most = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    // No picture of memory is left behind, no file is written, and no more than that is opened.
    at_most(Resource::Core, 0)?;
    at_most(Resource::Fsize, 0)?;
    let seconds = allowance.cpu.as_secs().max(1);
    // At the first one the system says which limit it was; at the second it does not ask.
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds + 1) })?;
    match at_most(MEMORY, allowance.memory) {
        // macOS has no such limit for a process that is above it already, as every one is.
        Err(_) if cfg!(target_os = "macos") => {}
        result => result?,
    }
    nice(super::NICENESS)?;
    Ok(())
}

pub(super) fn ran_out_of_cpu(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::XCPU.as_raw())
}
