//! The memory that all guests of a process share.
//!
//! Each guest has a limit of its own; many guests within theirs can still be more than the machine has. So what a guest grows
//! by is charged here too, and growth that would pass the budget fails in the guest that grows, as growth past its own limit
//! does. A host that asks [`Budget::is_short`] before it lets another guest in stops before that happens to those inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The part of a budget that is kept for guests that run already: one in so many. Below that no other guest is let in.
///
/// Reason: those that are inside can end what they began, while the greater part is used.
const KEPT_FOR_RUNNING: u64 = 16;

/// What every instance is charged besides its memories and tables, in bytes.
///
/// Reason: its stack, its tables of handles, a request and an answer with their header fields, and the buffer of one stream.
pub(crate) const INSTANCE_BYTES: u64 = 256 << 10;

/// A bound on what all guests of an engine hold at one time. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// Of `limit` bytes; without one nothing is bounded.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self(Arc::new(Shared { limit: limit.unwrap_or(u64::MAX), used: AtomicU64::new(0) }))
    }

    /// Bytes that guests hold now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Relaxed)
    }

    /// Bytes that they may hold; none where nothing is bounded.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        Some(self.0.limit).filter(|limit| *limit < u64::MAX)
    }

    /// Whether what is left is only for guests that run already.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let Shared { limit, .. } = *self.0;
        self.used() > limit - limit / KEPT_FOR_RUNNING
    }

    /// Holds nothing yet.
    pub(crate) fn hold(&self) -> Held {
        Held { budget: self.clone(), bytes: 0 }
    }
}

/// What one instance holds of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Budget,
    bytes: u64,
}

impl Held {
    /// Takes `bytes` more, if there are so many.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        let Shared { limit, used } = &*self.budget.0;
        let add = |used: u64| used.checked_add(bytes).filter(|total| total <= limit);
        let taken = used.fetch_update(Relaxed, Relaxed, add).is_ok();
        if taken {
            self.bytes += bytes;
        }
        taken
    }

    /// Gives `bytes` of it back.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.used.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back_and_never_passes_the_limit() {
        let budget = Budget::new(Some(160));
        let (mut one, mut other) = (budget.hold(), budget.hold());
        assert!(one.take(100) && other.take(50));
        assert!(!budget.is_short());
        assert!(!other.take(11), "the limit is 160");
        assert!(other.take(10));
        assert!(budget.is_short());
        other.give_back(20);
        assert_eq!(budget.used(), 140);
        drop((one, other));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn without_a_limit_nothing_is_short() {
        let budget = Budget::new(None);
        let mut held = budget.hold();
        assert!(held.take(1 << 60));
        assert!(!held.take(u64::MAX), "more than can be counted");
        assert!(!budget.is_short());
    }
}
