//! Whom an instance works for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::invocation::Invocation;
use crate::meter::{Exhausted, thread_time};

/// The invocations that an instance works for: one, another one each time the instance is used again, or several at once
/// where its reuse allows that.
pub(crate) struct Current(Mutex<Calls>);

struct Calls {
    /// The oldest first. Never empty: the last one stays when it has ended, until there is another.
    calls: Vec<Arc<Invocation>>,
    /// Whether the one that is left has ended.
    ended: bool,
    /// Whether the guest is being polled, on this thread.
    polled: bool,
    /// What the thread's clock said when it was read last in this poll.
    read: u64,
}

impl Current {
    /// Of an instance that works for `invocation` alone.
    pub(crate) fn of(invocation: &Arc<Invocation>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Calls { calls: vec![Arc::clone(invocation)], ended: false, polled: false, read: 0 })))
    }

    /// The one that the instance works for. Of several it is the oldest: the engine does not say for which of them the
    /// guest calls the host.
    pub(crate) fn get(&self) -> Arc<Invocation> {
        Arc::clone(&self.lock().calls[0])
    }

    /// Whether there is only one.
    pub(crate) fn is_one(&self) -> bool {
        self.lock().calls.len() == 1
    }

    /// Calls `visit` with each.
    pub(crate) fn each(&self, visit: impl FnMut(&Arc<Invocation>)) {
        self.lock().calls.iter().for_each(visit);
    }

    /// Works for `invocation` and no other from now on.
    pub(crate) fn set(&self, invocation: Arc<Invocation>) {
        self.change(|calls| (calls.calls, calls.ended) = (vec![invocation], false));
    }

    /// Works for `invocation` too.
    pub(crate) fn add(&self, invocation: Arc<Invocation>) {
        let mut calls = self.lock();
        // The only one is charged from where the last one's end was, or the poll's begin. To read the thread's clock is a
        // call of the kernel.
        if std::mem::take(&mut calls.ended) {
            let read = calls.read;
            calls.end(read);
            calls.calls = vec![invocation];
            if calls.polled {
                calls.begin(read);
            }
            return;
        }
        drop(calls);
        self.change(|calls| calls.calls.push(invocation));
    }

    /// Works for `invocation` no longer.
    pub(crate) fn remove(&self, invocation: &Arc<Invocation>) {
        self.change(|calls| {
            match &calls.calls[..] {
                [last] => calls.ended = Arc::ptr_eq(last, invocation),
                _ => calls.calls.retain(|call| !Arc::ptr_eq(call, invocation)),
            }
            invocation.meter.settle();
        });
    }

    /// A poll of the guest begins: its CPU time is shared among all, in equal parts. Returns the thread's clock.
    pub(crate) fn enter(&self) -> u64 {
        let mut calls = self.lock();
        calls.polled = true;
        calls.begin(thread_time());
        calls.read
    }

    /// The poll ends. Returns the thread's clock, and whether a tick interrupted the guest.
    pub(crate) fn leave(&self) -> (u64, bool) {
        let mut calls = self.lock();
        calls.polled = false;
        let interrupted = calls.calls.iter().filter(|call| call.meter.take_interrupted()).count() > 0;
        calls.end(thread_time());
        (calls.read, interrupted)
    }

    /// Whether a tick has interrupted the guest in this poll.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.lock().calls.iter().any(|call| call.meter.is_interrupted())
    }

    /// Whether the wall time of any is over.
    pub(crate) fn is_late(&self) -> bool {
        let calls = self.lock();
        !calls.ended && calls.calls.iter().any(|call| call.meter.is_late())
    }

    /// Asked at every tick of a running guest: whether it may go on.
    pub(crate) fn check(&self) -> Result<(), Exhausted> {
        self.lock().calls.iter().try_for_each(|call| call.meter.check())
    }

    /// Changes who there is; a poll under way is charged to those who were there before, up to now.
    fn change(&self, change: impl FnOnce(&mut Calls)) {
        let mut calls = self.lock();
        if !calls.polled {
            return change(&mut calls);
        }
        let now = thread_time();
        calls.end(now);
        change(&mut calls);
        // What is done for nobody counts for nobody: from the next poll on, at the next tick at the latest, it counts
        // against the limit of the last one again.
        if !calls.ended {
            calls.begin(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// Charges all of them from `now` on.
    fn begin(&mut self, now: u64) {
        self.read = now;
        let share = self.calls.len() as u64;
        self.calls.iter().for_each(|call| call.meter.enter(now, share));
    }

    /// Charges none of them from `now` on.
    fn end(&mut self, now: u64) {
        self.read = now;
        self.calls.iter().for_each(|call| call.meter.leave(now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use coracle_package::limit::Limits;

    use super::*;

    fn invocation() -> Arc<Invocation> {
        Arc::new(Invocation::new(&Limits::http(), None, None))
    }

    fn work() {
        let until = thread_time() + 2_000_000;
        while thread_time() < until {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn what_is_told_of_one_that_has_ended_is_what_it_used_until_then() {
        let (one, two) = (invocation(), invocation());
        let current = Current::of(&one);
        current.enter();
        work();
        current.remove(&one);
        let used = one.meter.cpu();
        assert!(used.as_millis() >= 2, "{used:?}");
        work();
        current.leave();
        current.enter();
        work();
        assert_eq!(one.meter.cpu(), used);
        current.add(Arc::clone(&two));
        work();
        current.leave();
        assert_eq!(one.meter.cpu(), used);
        // From another thread, whose clock is another one.
        assert_eq!(std::thread::scope(|scope| scope.spawn(|| one.meter.cpu()).join().unwrap()), used);
        assert!(two.meter.cpu().as_millis() >= 4, "{:?}", two.meter.cpu());
    }

    #[test]
    fn an_instance_that_goes_on_for_nobody_uses_up_the_last_ones_time() {
        let limits = Limits { cpu_time: Some(Duration::from_millis(3)), ..Limits::http() };
        let one = Arc::new(Invocation::new(&limits, None, None));
        let current = Current::of(&one);
        current.remove(&one);
        assert_eq!(current.check(), Ok(()));
        for _ in 0..2 {
            current.enter();
            work();
            current.leave();
        }
        assert_eq!(current.check(), Err(Exhausted::Cpu));
    }
}
