//! Signals and limits of Unix systems.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::files::OpenFiles;

/// The limit that systems take at most although they name a higher one, such as macOS's `OPEN_MAX`.
const COMMON_MAXIMUM: u64 = 10_240;

pub(crate) fn raise_open_files() -> io::Result<OpenFiles> {
    let limit = getrlimit(Resource::Nofile);
    let number = |value: Option<u64>| value.unwrap_or(u64::MAX);
    let before = number(limit.current);
    let raise = |current| setrlimit(Resource::Nofile, Rlimit { current, ..limit });
    if before == number(limit.maximum) {
        return Ok(OpenFiles { before, now: before });
    }
    match raise(limit.maximum) {
        Err(_) if before < COMMON_MAXIMUM => raise(Some(COMMON_MAXIMUM))?,
        result => result?,
    }
    Ok(OpenFiles { before, now: number(getrlimit(Resource::Nofile).current) })
}

/// Requests to end: SIGTERM and SIGINT.
pub(crate) struct Terminate {
    term: Signal,
    interrupt: Signal,
}

impl Terminate {
    pub(crate) fn install() -> io::Result<Terminate> {
        Ok(Terminate { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(crate) async fn requested(&mut self) {
        tokio::select! {
            Some(()) = self.term.recv() => {}
            Some(()) = self.interrupt.recv() => {}
            else => std::future::pending().await,
        }
    }
}

/// Requests to read configuration again: SIGHUP.
pub(crate) struct Reload(Signal);

impl Reload {
    pub(crate) fn install() -> io::Result<Reload> {
        Ok(Reload(signal(SignalKind::hangup())?))
    }

    pub(crate) async fn requested(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
