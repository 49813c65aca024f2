//! Snapshots for builds: the toolchain asks for them, and the runtime takes them.

use std::sync::Arc;

use coracle_runtime::snapshot::{self, SnapshotError};
use coracle_runtime::{Engine, EngineOptions};
use coracle_toolchain::build::{Snapshot, Unfit};

use crate::compiler;
use crate::error::chain;

/// What takes snapshots.
pub(crate) fn taker() -> Snapshot {
    Arc::new(|module, resume| {
        let cannot = |error: &dyn std::error::Error| Unfit::new(format!("no snapshot can be taken: {}", chain(error)));
        let engine = Engine::new(EngineOptions::command(), compiler::own()).map_err(|error| cannot(&error))?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| cannot(&error))?;
        runtime.block_on(snapshot::take(&engine, module, resume)).map_err(|error| unfit(&error))
    })
}

fn unfit(error: &SnapshotError) -> Unfit {
    let mut unfit = Unfit::new(chain(error));
    match error {
        SnapshotError::Stopped { said, calls, hint, .. } => {
            unfit.details = said.iter().chain(calls).cloned().collect();
            unfit.hint.clone_from(hint);
        }
        SnapshotError::Compile(error) => unfit.hint = error.hint().map(str::to_owned),
        SnapshotError::NoFunction(_) => {
            unfit.hint = Some("what goes on from a snapshot is in Go's package `os`: import _ \"os\"".to_owned());
        }
        SnapshotError::Unfit(_) | SnapshotError::Engine(_) => {}
    }
    unfit
}
