//! What is in flight, and waiting for it to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Counts what is in flight. Clones count together.
#[derive(Clone, Debug)]
pub struct Drain {
    in_flight: Arc<watch::Sender<usize>>,
}

/// One thing in flight, until it is dropped.
#[derive(Debug)]
#[must_use = "what is in flight ends when this is dropped"]
pub struct Guard {
    in_flight: Arc<watch::Sender<usize>>,
}

impl Default for Drain {
    fn default() -> Drain {
        Drain { in_flight: Arc::new(watch::Sender::new(0)) }
    }
}

impl Drain {
    /// Counts one more.
    pub fn enter(&self) -> Guard {
        self.in_flight.send_modify(|count| *count += 1);
        Guard { in_flight: Arc::clone(&self.in_flight) }
    }

    /// How many are in flight.
    pub fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// Waits until nothing is in flight, or for `limit`, and returns how many were left.
    pub async fn wait(&self, limit: Duration) -> usize {
        let mut count = self.in_flight.subscribe();
        let empty = count.wait_for(|count| *count == 0);
        match tokio::time::timeout(limit, empty).await {
            Ok(_) => 0,
            Err(_elapsed) => self.in_flight(),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.in_flight.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_ends_with_the_last_guard() {
        let drain = Drain::default();
        assert_eq!(drain.wait(Duration::ZERO).await, 0);
        let guards = [drain.enter(), drain.clone().enter()];
        assert_eq!(drain.in_flight(), 2);
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.wait(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(guards);
        assert_eq!(waiting.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_limit_ends_waiting_and_what_is_left_is_counted() {
        let drain = Drain::default();
        let _guards = [drain.enter(), drain.enter(), drain.enter()];
        assert_eq!(drain.wait(Duration::from_millis(5)).await, 3);
    }
}
