//! Requests from outside: to end, to end now, to read configuration again.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use crate::platform;

/// How far a shutdown has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Running,
    Requested,
    Now,
}

/// Whether the program is to end. Clones see the same.
///
/// The first request means: take nothing new, and let what is in flight finish. The second means: stop now.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stage: Arc<watch::Sender<Stage>>,
}

/// Listens for requests to end: SIGTERM and SIGINT on Unix, Ctrl-C and its kin on Windows. From now on these no longer
/// end the process by themselves. Call it once, inside the runtime.
///
/// # Errors
/// What the system says.
pub fn shutdown() -> io::Result<Shutdown> {
    let mut terminate = platform::Terminate::install()?;
    let shutdown = Shutdown::default();
    let requested = shutdown.clone();
    tokio::spawn(async move {
        loop {
            terminate.requested().await;
            requested.request();
        }
    });
    Ok(shutdown)
}

impl Shutdown {
    /// Requests the end, as a signal does; once more, and it is to be now.
    pub fn request(&self) {
        self.stage.send_modify(|stage| {
            *stage = match stage {
                Stage::Running => Stage::Requested,
                Stage::Requested | Stage::Now => Stage::Now,
            }
        });
    }

    /// Whether the end was requested.
    pub fn is_requested(&self) -> bool {
        *self.stage.borrow() >= Stage::Requested
    }

    /// Waits until the end is requested.
    pub async fn requested(&self) {
        self.reached(Stage::Requested).await;
    }

    /// Waits until the end is requested a second time.
    pub async fn now(&self) {
        self.reached(Stage::Now).await;
    }

    async fn reached(&self, wanted: Stage) {
        // The sender lives in `self`, so waiting cannot fail.
        drop(self.stage.subscribe().wait_for(|stage| *stage >= wanted).await);
    }
}

/// Requests to read configuration and certificates again: SIGHUP on Unix; elsewhere there are none.
pub struct Reload(platform::Reload);

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reload")
    }
}

impl Reload {
    /// Listens. From now on SIGHUP no longer ends the process. Call it inside the runtime.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> io::Result<Reload> {
        platform::Reload::install().map(Reload)
    }

    /// Waits for the next request.
    pub async fn requested(&mut self) {
        self.0.requested().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_request_means_now() {
        let shutdown = Shutdown::default();
        assert!(!shutdown.is_requested());
        shutdown.request();
        shutdown.clone().requested().await;
        assert!(shutdown.is_requested());
        let now = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.now().await }
        });
        tokio::task::yield_now().await;
        assert!(!now.is_finished());
        shutdown.request();
        now.await.unwrap();
    }
}
