//! What holds where a system has nothing of its own.

use std::io;

use crate::files::OpenFiles;

pub(crate) fn raise_open_files() -> io::Result<OpenFiles> {
    Ok(OpenFiles { before: u64::MAX, now: u64::MAX })
}

/// Requests to end: none reach the process.
#[cfg(not(windows))]
pub(crate) struct Terminate;

#[cfg(not(windows))]
impl Terminate {
    pub(crate) fn install() -> io::Result<Terminate> {
        Ok(Terminate)
    }

    pub(crate) async fn requested(&mut self) {
        std::future::pending().await
    }
}

/// Requests to read configuration again: none reach the process.
pub(crate) struct Reload;

impl Reload {
    pub(crate) fn install() -> io::Result<Reload> {
        Ok(Reload)
    }

    pub(crate) async fn requested(&mut self) {
        std::future::pending().await
    }
}
