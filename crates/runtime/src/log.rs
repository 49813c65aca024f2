//! Where a guest's own words go: its standard output and error, and what it logs.

use std::sync::Arc;

/// Receives what one invocation of a guest writes. The runtime bounds how much arrives.
pub trait GuestLog: Send + Sync {
    /// One line without its end, or one `wasi:logging` message.
    fn line(&self, stream: LogStream<'_>, text: &str);

    /// Receives what another component writes that works for the same invocation; without one, this does.
    fn of_part(&self, _name: &str) -> Option<Arc<dyn GuestLog>> {
        None
    }
}

/// Which way a line of a guest's came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream<'a> {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// `wasi:logging`, with the guest's level and context.
    Log(LogLevel, &'a str),
}

/// The levels of `wasi:logging`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Finest detail.
    Trace,
    /// Detail for whoever writes the guest.
    Debug,
    /// What happens in normal work.
    Info,
    /// Something unexpected that the guest got over.
    Warn,
    /// A failure.
    Error,
    /// A failure that the guest does not survive.
    Critical,
}
