//! Instances kept for another invocation.
//!
//! A choice of the manifest and never the default: what one invocation leaves in its instance, the next one finds there.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use coracle_package::manifest;
use wasmtime::Store;
use wasmtime_wasi_http::{p2, p3};

use super::{Inner, Reuse};
use crate::budget::{Budget, Keeper};
use crate::host::Host;

/// An instance and the store that it lives in.
pub(super) struct Instance {
    pub(super) store: Store<Host>,
    pub(super) exports: Exports,
    /// Invocations that it has answered.
    pub(super) served: u32,
}

/// The handler that an instance exports.
pub(super) enum Exports {
    P2(p2::bindings::Proxy),
    P3(p3::bindings::Service),
}

/// The instances of one function that wait for another invocation.
pub(super) struct Spare {
    reuse: manifest::Reuse,
    budget: Budget,
    /// Those that have waited longest first.
    waiting: Mutex<Vec<Waiting>>,
    /// Whether a task looks after those that have waited too long.
    swept: AtomicBool,
}

struct Waiting {
    since: Instant,
    /// By which the budget of all guests knows it.
    number: u64,
    instance: Instance,
}

impl Spare {
    pub(super) fn new(reuse: manifest::Reuse, budget: &Budget) -> Self {
        Self { reuse, budget: budget.clone(), waiting: Mutex::default(), swept: AtomicBool::new(false) }
    }

    /// The instance that waited the shortest time: its memory is still in the caches.
    pub(super) fn take(&self) -> Option<Instance> {
        let Waiting { number, instance, .. } = self.lock().pop()?;
        self.budget.forget_idle(number);
        Some(instance)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what has waited longer than it may, and says whether anything still waits.
    fn sweep(&self) -> bool {
        let mut waiting = self.lock();
        let late = waiting.partition_point(|waiting| waiting.since.elapsed() >= self.reuse.idle);
        let dropped: Vec<_> = waiting.drain(..late).collect();
        let remain = !waiting.is_empty();
        drop(waiting);
        dropped.iter().for_each(|waiting| self.budget.forget_idle(waiting.number));
        remain
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.lock().iter().for_each(|waiting| self.budget.forget_idle(waiting.number));
    }
}

impl Keeper for Inner {
    fn let_go(&self, number: u64) {
        let Reuse::Spare(spare) = &self.reuse else { return };
        let mut waiting = spare.lock();
        let place = waiting.iter().position(|waiting| waiting.number == number);
        let dropped = place.map(|place| waiting.remove(place));
        drop(waiting);
        drop(dropped);
    }
}

impl Inner {
    /// Keeps `instance` if it may serve again.
    pub(super) fn keep(self: &Arc<Self>, mut instance: Instance) {
        instance.served += 1;
        let Reuse::Spare(spare) = &self.reuse else { return };
        // Where memory is short, guests at work need it more than one that waits.
        if instance.served >= spare.reuse.invocations.get() || spare.budget.is_short() {
            return;
        }
        let mut waiting = spare.lock();
        let keeper: Weak<Self> = Arc::downgrade(self);
        // Noted under the lock, so that whoever lets go of it finds it.
        let number = spare.budget.note_idle(keeper);
        waiting.push(Waiting { since: Instant::now(), number, instance });
        drop(waiting);
        if !spare.swept.swap(true, SeqCst) {
            tokio::spawn(sweep(Arc::downgrade(self), spare.reuse.idle));
        }
    }
}

/// Looks after the spare instances of a function for as long as there are any.
async fn sweep(function: Weak<Inner>, idle: std::time::Duration) {
    loop {
        tokio::time::sleep(idle).await;
        let Some(function) = function.upgrade() else { return };
        let Reuse::Spare(spare) = &function.reuse else { return };
        if !spare.sweep() {
            spare.swept.store(false, SeqCst);
            // One that came between the two lines starts no task of its own.
            if spare.lock().is_empty() || spare.swept.swap(true, SeqCst) {
                return;
            }
        }
    }
}
