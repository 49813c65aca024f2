//! What the process uses and may use, where nothing tells cheaply.

use super::Usage;

pub(crate) fn usage() -> Option<Usage> {
    None
}

pub(crate) fn memory() -> Option<u64> {
    None
}
