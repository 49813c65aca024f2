//! Other systems do not tell what was written, and there are no [`Places`].

use std::sync::Arc;

use wasmtime::component::Component;

use crate::engine::Engine;

/// None.
pub(crate) enum Places {}

impl Places {
    pub(crate) fn of(_: &Engine, _: &Component) -> Option<Arc<Self>> {
        None
    }

    pub(crate) async fn tend(self: &Arc<Self>, _: u64) {
        match **self {}
    }
}
