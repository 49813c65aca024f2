//! What differs between systems, each in a file of its own and with a plain fallback.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Reload, Terminate, raise_open_files};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{Reload, Terminate, raise_open_files};

#[cfg(not(unix))]
mod plain;
#[cfg(not(any(unix, windows)))]
pub(crate) use plain::{Reload, Terminate, raise_open_files};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{memory, usage};

#[cfg(not(target_os = "linux"))]
mod no_usage;
#[cfg(not(target_os = "linux"))]
pub(crate) use no_usage::{memory, usage};

/// What the process uses.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing tells it there"))]
pub(crate) struct Usage {
    pub(crate) resident_bytes: u64,
    pub(crate) cpu: std::time::Duration,
    pub(crate) open_files: u64,
}
