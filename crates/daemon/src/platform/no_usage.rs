//! What the process uses, where nothing tells cheaply.

use super::Usage;

pub(crate) fn usage() -> Option<Usage> {
    None
}
