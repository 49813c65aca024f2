//! System calls that no kept library has in a safe form that knows every signal (`nix` has no name for real-time ones): tracing,
//! waiting with the kernel's own words, and usage of children.

#![allow(unsafe_code, reason = "each call below is one system call on plain numbers, argued at its place")]

use std::io;

/// Why a traced process stopped, or that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is about to end; its memory is still there.
    Ending,
    /// Another event that was asked for.
    Event,
    /// A signal is about to be delivered.
    Signal(i32),
    /// It has ended.
    Ended,
}

/// Has this process traced by the thread that started it, from its next program on. Safe between fork and exec.
pub(crate) fn trace_me() -> io::Result<()> {
    // SAFETY: with PTRACE_TRACEME the other arguments are ignored; no memory is passed.
    done(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) })
}

/// Has a stopped process stop again before it ends, and has those that it starts traced too; all end with this thread.
pub(crate) fn follow_to_the_end(process: i32) -> io::Result<()> {
    let options =
        libc::PTRACE_O_TRACEEXIT | libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK | libc::PTRACE_O_EXITKILL;
    // SAFETY: with PTRACE_SETOPTIONS the last argument is a set of flags, passed as a number; no memory is passed.
    done(unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, process, 0, libc::c_long::from(options)) })
}

/// Lets a stopped process go on, with a signal or with 0 for none. One that was killed meanwhile is no fault.
pub(crate) fn resume(process: i32, signal: i32) -> io::Result<()> {
    // SAFETY: with PTRACE_CONT the last argument is a signal's number; no memory is passed.
    match done(unsafe { libc::ptrace(libc::PTRACE_CONT, process, 0, libc::c_long::from(signal)) }) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result,
    }
}

/// Waits for a child of this thread: for one of them, or for any where `process` is -1.
pub(crate) fn wait(process: i32) -> io::Result<(i32, Stop)> {
    let mut status = 0;
    loop {
        // SAFETY: `status` lives until the call returns, and the kernel writes one number to it.
        let found = unsafe { libc::waitpid(process, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        if found >= 0 {
            return Ok((found, stop(status)));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn stop(status: i32) -> Stop {
    if !libc::WIFSTOPPED(status) {
        return Stop::Ended;
    }
    // wait(2) and ptrace(2): an event stands above the signal.
    match status >> 16 {
        0 => Stop::Signal(libc::WSTOPSIG(status)),
        libc::PTRACE_EVENT_EXIT => Stop::Ending,
        _ => Stop::Event,
    }
}

/// The processor time, in user mode and in the kernel, of all children that have been waited for.
pub(crate) fn children_usage() -> io::Result<(libc::timeval, libc::timeval)> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the kernel fills the whole structure, which lives until the call returns.
    done(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) }.into())?;
    // SAFETY: the call succeeded, so the structure is filled.
    let usage = unsafe { usage.assume_init() };
    Ok((usage.ru_utime, usage.ru_stime))
}

fn done(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
