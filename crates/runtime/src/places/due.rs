//! Work that is done by one at a time, and not again before its time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// When it is time again.
pub(crate) struct Due {
    made: Instant,
    /// In milliseconds since `made`; [`u64::MAX`] while somebody is at it.
    at: AtomicU64,
}

impl Default for Due {
    fn default() -> Self {
        Self { made: Instant::now(), at: AtomicU64::new(0) }
    }
}

impl Due {
    /// Whether it is time, which is said to one until [`Due::after`].
    pub(super) fn begin(&self) -> bool {
        let at = self.at.load(Relaxed);
        self.now() >= at && self.at.compare_exchange(at, u64::MAX, Relaxed, Relaxed).is_ok()
    }

    /// It is time again after `pause`.
    pub(super) fn after(&self, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.at.store(self.now().saturating_add(pause), Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_begins_and_nobody_before_it_is_time_again() {
        let due = Due::default();
        assert!(due.begin());
        assert!(!due.begin());
        due.after(Duration::from_hours(1));
        assert!(!due.begin());
        due.after(Duration::ZERO);
        assert!(due.begin());
    }
}
