//! Candidates as something that can be run: processes, servers, components.

mod http;
mod prepare;
mod process;
mod server;
mod watchdog;

pub(crate) use http::{Client, Connection, Request, Target};
pub(crate) use prepare::{Ready, Run, prepare};
pub(crate) use process::{Entry, Process, before_exec};
pub(crate) use server::{Deployment, Running};
pub(crate) use watchdog::Watchdog;

/// Why there is no figure.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The candidate did not do what it should: what, and more lines.
    Failed(String, Vec<String>),
    /// The user pressed Ctrl-C.
    Stopped,
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self::Failed(what, Vec::new())
    }
}
