//! The connections that are open, and which of them may go when there is no room for another.
//!
//! A client that opens connections and leaves them alone could otherwise take all places, and keep every other client out
//! for as long as an idle connection is kept. Where there is no room, those that have been idle for the longest time are
//! closed: to be idle is to have no request under way, also amid a head that does not end.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::connection::Peer;

/// The share of all connections that is closed at one time, as a divisor.
///
/// Reason: to find them means to look at all of them, which so happens once for some hundreds of new clients.
const SHARE: usize = 64;

/// A connection is idle for so long before it may be closed to make room.
///
/// Reason: a client that has just connected, or reads an answer to ask for more, must get its turn on any line.
pub const LEAST_IDLE: Duration = Duration::from_secs(1);

/// All open connections of a server.
#[derive(Debug, Default)]
pub(crate) struct Open {
    peers: Mutex<HashMap<usize, Arc<Peer>>>,
}

/// A connection in the list, until it is dropped.
pub(crate) struct Entry {
    open: Arc<Open>,
    key: usize,
}

impl Open {
    /// Puts a connection into the list.
    pub(crate) fn enter(self: &Arc<Self>, peer: &Arc<Peer>) -> Entry {
        // Unique for as long as the list holds the peer.
        let key = Arc::as_ptr(peer).addr();
        self.lock().insert(key, Arc::clone(peer));
        Entry { open: Arc::clone(self), key }
    }

    /// Asks the connections that have been idle for the longest time to end, and says how many.
    pub(crate) fn make_room(&self) -> usize {
        let peers = self.lock();
        let is_idle = |peer: &&Arc<Peer>| peer.in_flight.load(Relaxed) == 0 && peer.idle() >= LEAST_IDLE;
        let mut idle: Vec<_> = peers.values().filter(is_idle).map(|peer| (peer.idle(), peer)).collect();
        let count = idle.len().min(peers.len().div_ceil(SHARE));
        if count < idle.len() {
            idle.select_nth_unstable_by(count, |one, other| other.0.cmp(&one.0));
        }
        idle[..count].iter().for_each(|(_, peer)| peer.leave.notify_one());
        count
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.open.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_go_and_the_busy_stay() {
        let open = Arc::new(Open::default());
        let address = "127.0.0.1:1".parse().unwrap();
        let peers: Vec<_> = (0..130).map(|_| Arc::new(Peer::new(address, address, false))).collect();
        let _entries: Vec<_> = peers.iter().map(|peer| open.enter(peer)).collect();
        assert_eq!(open.make_room(), 0, "all have just come");
        std::thread::sleep(LEAST_IDLE + Duration::from_millis(10));
        peers[0].in_flight.store(1, Relaxed);
        peers[1..100].iter().for_each(|peer| peer.begin_idle());
        assert_eq!(open.make_room(), 130_usize.div_ceil(SHARE));
        let told = |peer: &Arc<Peer>| futures_util::FutureExt::now_or_never(peer.leave.notified()).is_some();
        assert!(!peers[..100].iter().any(told));
        assert_eq!(peers[100..].iter().filter(|peer| told(peer)).count(), 130_usize.div_ceil(SHARE));
    }
}
