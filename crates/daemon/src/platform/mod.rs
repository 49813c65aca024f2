//! What differs between systems, each in a file of its own and with a plain fallback.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Terminate, raise_open_files, reload_requests};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{Terminate, raise_open_files, reload_requests};

#[cfg(not(any(unix, windows)))]
mod plain;
#[cfg(not(any(unix, windows)))]
pub(crate) use plain::{Terminate, raise_open_files, reload_requests};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::usage;

#[cfg(not(target_os = "linux"))]
mod no_usage;
#[cfg(not(target_os = "linux"))]
pub(crate) use no_usage::usage;
