//! A run: answers first, then memory, warm-up, rounds, saturation, storms and idle copies.

mod check;
mod environment;
mod load;
mod machine;
mod once;
mod rounds;
mod session;
mod size;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::plan::Plan;
use crate::record::{Ended, Measurements};

/// What a run needs of its surroundings.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The `coracle` program that components are run by.
    pub coracle: PathBuf,
    /// What it says of its version and build.
    pub version: String,
    /// A folder of its own for compiled code: empty at first, so that a first start is one.
    pub cache: PathBuf,
    /// Where programs are looked for.
    pub search_path: std::ffi::OsString,
}

/// Is told how far a run is.
pub trait Progress: Send + Sync {
    /// A part of the run begins, which takes this many steps.
    fn begin(&self, part: &str, steps: u64);
    /// One step is done.
    fn step(&self);
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct RunError {
    /// What is wrong.
    pub what: String,
    /// More lines.
    pub details: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl RunError {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), details: Vec::new(), hint: None }
    }
}

/// Measures what a plan says. When `stop` becomes true the run ends soon, with what was measured until then.
///
/// # Errors
/// The machine does not give what measuring takes, or the candidate of today cannot be run: nothing can be compared.
pub fn run(
    plan: &Plan,
    seed: u64,
    tools: &Tools,
    progress: &dyn Progress,
    stop: &Arc<AtomicBool>,
) -> Result<Measurements, RunError> {
    let mut session = session::Session::new(plan, seed, tools, progress, stop)?;
    session.check()?;
    session.measure_memory();
    let mut servers = session.start_servers();
    session.warm_up(&mut servers);
    let mut ended = session.rounds(&mut servers);
    session.read_servers(&servers);
    if ended != Ended::Interrupted {
        session.saturate(&mut servers);
    }
    drop(servers);
    if ended != Ended::Interrupted {
        session.storms();
        session.idle_copies();
        session.count_instructions();
    }
    if session.is_stopped() {
        ended = Ended::Interrupted;
    }
    Ok(session.finish(ended))
}
