//! Ends what takes too long, and everything when the user wants to stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How often it looks. What takes too long may take this much more.
const STEP: Duration = Duration::from_millis(50);

/// Watches processes that are waited for by somebody else.
pub(crate) struct Watchdog {
    watched: Arc<Mutex<BTreeMap<u32, Instant>>>,
    over: Arc<AtomicBool>,
    patience: Duration,
}

impl Watchdog {
    /// Starts to watch; `stop` says that the user wants to stop.
    pub(crate) fn start(patience: Duration, stop: &Arc<AtomicBool>) -> Self {
        let watchdog = Self { watched: Arc::default(), over: Arc::default(), patience };
        let (watched, over, stop) = (Arc::clone(&watchdog.watched), Arc::clone(&watchdog.over), Arc::clone(stop));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(STEP);
                let (now, stop) = (Instant::now(), stop.load(Ordering::Relaxed));
                let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                for (id, _) in watched.iter().filter(|(_, deadline)| stop || **deadline <= now) {
                    kill_group(*id);
                }
            }
        });
        watchdog
    }

    /// Watches a process that leads a group, until the answer is dropped. That has to be before it is waited for.
    pub(crate) fn watch(&self, id: u32) -> Watched<'_> {
        let deadline = Instant::now() + self.patience;
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).insert(id, deadline);
        Watched { watchdog: self, id, deadline }
    }

    /// The longest that anything may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A process that is watched.
pub(crate) struct Watched<'a> {
    watchdog: &'a Watchdog,
    id: u32,
    deadline: Instant,
}

impl Watched<'_> {
    /// Whether it took too long.
    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.watchdog.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Kills a process group.
pub(crate) fn kill_group(id: u32) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process_group(id, Signal::KILL);
    }
}
