//! How many files the process may have open: sockets count as files.

use std::io;

use crate::platform;

/// The limit of open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// What it was.
    pub before: u64,
    /// What it is now. `u64::MAX` where the system has no limit.
    pub now: u64,
}

/// Raises the process's own limit of open files as far as the system lets it. Systems start programs with as few as 256,
/// while a server needs one for every connection.
///
/// # Errors
/// What the system says; the limit is then as it was.
pub fn raise_open_files() -> io::Result<OpenFiles> {
    platform::raise_open_files()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_never_lowers_and_holds() {
        let first = raise_open_files().unwrap();
        assert!(first.now >= first.before);
        let second = raise_open_files().unwrap();
        assert_eq!(second, OpenFiles { before: first.now, now: first.now });
    }
}
