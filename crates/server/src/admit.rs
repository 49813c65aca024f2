//! Admission: how many invocations run at one time, and who waits for how long.
//!
//! Overload is shed, not collected. A gate lets a fixed number of invocations through, a bounded number of requests
//! wait a bounded time for their turn, in the order in which they came, and every other one is turned away at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Invocations that the whole server runs at one time.
///
/// Reason: each may hold an instance, a stack and a slot of the engine's pool; a thousand is what a machine of two
/// cores can keep waiting on others' answers, and far beyond what it can compute at once.
pub const MAX_INVOCATIONS: u32 = 1_000;

/// Requests of the whole server that wait for one of [`MAX_INVOCATIONS`].
///
/// Reason: as many again as may run, so that a burst of twice the capacity is served and anything beyond is told so at
/// once.
pub const MAX_WAITING: u32 = 1_000;

/// How long a request waits for one of [`MAX_INVOCATIONS`].
///
/// Reason: that of a component's own queue; a client that waited longer has often left.
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// A bounded number of permits with a bounded queue before it.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    waiting: AtomicU32,
    queue: u32,
    wait: Duration,
}

/// No permit came free in time, or too many wait for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload;

/// Leave to run; given back when it is dropped.
pub type Permit = OwnedSemaphorePermit;

impl Gate {
    /// Lets `permits` through at one time, with a queue of `queue` that waits for at most `wait`.
    pub fn new(permits: u32, queue: u32, wait: Duration) -> Self {
        let permits = usize::try_from(permits).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), waiting: AtomicU32::new(0), queue, wait }
    }

    /// Waits for a permit.
    pub async fn enter(&self) -> Result<Permit, Overload> {
        // The semaphore is fair: while others wait, this fails, and nobody is overtaken.
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.take_place()?;
        match tokio::time::timeout(self.wait, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Overload),
        }
    }

    /// How many wait now.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    fn take_place(&self) -> Result<Place<'_>, Overload> {
        let take = |waiting| (waiting < self.queue).then_some(waiting + 1);
        match self.waiting.fetch_update(Relaxed, Relaxed, take) {
            Ok(_) => Ok(Place(&self.waiting)),
            Err(_) => Err(Overload),
        }
    }
}

/// A place in the queue, given up when the wait ends in whatever way.
struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn beyond_the_queue_the_answer_is_immediate() {
        let gate = Gate::new(1, 1, WAIT);
        let running = gate.enter().await.unwrap();
        let started = Instant::now();
        let (first, second) = tokio::join!(gate.enter(), async {
            let result = gate.enter().await;
            (result, started.elapsed())
        });
        assert_eq!(first.unwrap_err(), Overload);
        assert!(started.elapsed() >= WAIT, "the one in the queue waited its time");
        assert_eq!(second.0.unwrap_err(), Overload);
        assert!(second.1 < WAIT, "the one beyond did not wait");
        assert_eq!(gate.waiting(), 0);
        drop(running);
        drop(gate.enter().await.unwrap());
    }

    #[tokio::test]
    async fn who_waits_is_served_when_a_permit_comes_back() {
        let gate = Gate::new(1, 2, Duration::from_secs(60));
        let running = gate.enter().await.unwrap();
        let (served, ()) = tokio::join!(gate.enter(), async {
            assert_eq!(gate.waiting(), 1);
            drop(running);
        });
        drop(served.unwrap());
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn a_client_that_leaves_gives_its_place_up() {
        let gate = Gate::new(0, 1, Duration::from_secs(60));
        {
            let waiting = gate.enter();
            tokio::pin!(waiting);
            let pending =
                std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
            assert!(pending);
            assert_eq!(gate.waiting(), 1);
        }
        assert_eq!(gate.waiting(), 0);
    }
}
