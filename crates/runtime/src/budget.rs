//! The memory that all guests of a process share.
//!
//! Each guest has a limit of its own; many guests within theirs can still be more than the machine has. So what a guest grows
//! by is charged here too, and growth that would pass the budget fails in the guest that grows, as growth past its own limit
//! does. A host that asks [`Budget::has_room`] before it lets another guest in stops before that happens to those inside.
//! Instances that only wait for another invocation go before anything is denied to one at work, the longest waiting first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
    idle: Mutex<Idle>,
    /// Held while an instance that waited goes.
    going: Mutex<()>,
}

/// Who keeps instances that wait, by the order in which these began to.
#[derive(Debug, Default)]
struct Idle {
    next: u64,
    keepers: BTreeMap<u64, Weak<dyn Keeper>>,
}

/// Keeps instances for another invocation, and can do without them.
pub(crate) trait Keeper: Send + Sync {
    /// Drops the one that was noted as `number`, if it still waits.
    fn let_go(&self, number: u64);
}

impl Budget {
    /// Of `limit` bytes; without one nothing is bounded.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        let (limit, used) = (limit.unwrap_or(u64::MAX), AtomicU64::new(0));
        Self(Arc::new(Shared { limit, used, idle: Mutex::default(), going: Mutex::default() }))
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

    /// Whether another guest may be let in; instances that only wait for work make room for it first.
    #[must_use]
    pub fn has_room(&self) -> bool {
        while self.is_short() {
            if !self.make_room() {
                return !self.is_short();
            }
        }
        true
    }

    /// An instance of `keeper` waits from now on. Returns the number by which it is known.
    pub(crate) fn note_idle(&self, keeper: Weak<dyn Keeper>) -> u64 {
        let mut idle = self.idle();
        idle.next += 1;
        let number = idle.next;
        idle.keepers.insert(number, keeper);
        number
    }

    /// The instance that was noted as `number` waits no longer.
    pub(crate) fn forget_idle(&self, number: u64) {
        self.idle().keepers.remove(&number);
    }

    /// Has the instance that waited longest dropped, and says whether there was one.
    pub(crate) fn make_room(&self) -> bool {
        // One after the other: who finds nobody left finds also what the last one gave back.
        let _going = self.0.going.lock().unwrap_or_else(PoisonError::into_inner);
        // This lock is not held meanwhile: to drop an instance takes long.
        let oldest = self.idle().keepers.pop_first();
        let Some((number, keeper)) = oldest else { return false };
        if let Some(keeper) = keeper.upgrade() {
            keeper.let_go(number);
        }
        true
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Takes `bytes` more, if there are so many or instances that wait can make room for them.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        let Shared { limit, used, .. } = &*self.budget.0;
        let add = |used: u64| used.checked_add(bytes).filter(|total| total <= limit);
        // More than there is at all is no reason to drop anything.
        let possible = self.bytes.checked_add(bytes).is_some_and(|total| total <= *limit);
        let taken = || used.fetch_update(Relaxed, Relaxed, add).is_ok();
        while !taken() {
            if possible && self.budget.make_room() {
                continue;
            }
            // Another thread may have had the last one go.
            if possible && taken() {
                break;
            }
            return false;
        }
        self.bytes += bytes;
        true
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

    /// One held piece, by the number under which it waits.
    struct Kept(Mutex<Option<(u64, Held)>>);

    impl Keeper for Kept {
        fn let_go(&self, number: u64) {
            let mut kept = self.0.lock().unwrap();
            if kept.as_ref().is_some_and(|(own, _)| *own == number) {
                kept.take();
            }
        }
    }

    fn kept(budget: &Budget, bytes: u64) -> Arc<Kept> {
        let mut held = budget.hold();
        assert!(held.take(bytes));
        let kept = Arc::new(Kept(Mutex::new(None)));
        let keeper: Weak<Kept> = Arc::downgrade(&kept);
        let number = budget.note_idle(keeper);
        *kept.0.lock().unwrap() = Some((number, held));
        kept
    }

    #[test]
    fn those_that_wait_make_room_the_oldest_first() {
        let budget = Budget::new(Some(160));
        let (_gone, older, newer) = (drop(kept(&budget, 10)), kept(&budget, 50), kept(&budget, 50));
        let mut held = budget.hold();
        assert!(!held.take(161), "nobody can make room for that");
        assert!(older.0.lock().unwrap().is_some());
        assert!(held.take(100));
        assert!(older.0.lock().unwrap().is_none() && newer.0.lock().unwrap().is_some());
        assert_eq!(budget.used(), 150);
        assert!(held.take(5) && budget.is_short() && budget.has_room(), "the other one goes too");
        assert!(newer.0.lock().unwrap().is_none());
        assert!(held.take(50) && !budget.has_room());
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
