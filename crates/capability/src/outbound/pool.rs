//! Connections that wait for their next request.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::RequestBody;

/// Connections that one client has at once, busy and idle: more than a component makes requests at once, and few beside
/// the descriptors that a process may open.
pub const MAX_CONNECTIONS: usize = 256;

/// Connections that one client keeps for later, to all hosts together. The one idle for longest gives way.
pub const MAX_IDLE: usize = 64;

/// How long an idle connection is kept: below the 60 to 75 seconds after which common servers close theirs, so that
/// rarely a request meets a connection that is just being closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(15);

/// Where connections lead: only a request with the same scheme, host and port may use one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

/// A connection that is ready for a request, or about to be.
#[derive(Debug)]
pub(super) enum Connection {
    /// Carries one request at a time.
    Http1(http1::SendRequest<RequestBody>),
    /// Carries many, and stays in the pool meanwhile.
    Http2(http2::SendRequest<RequestBody>),
}

impl Connection {
    fn is_closed(&self) -> bool {
        match self {
            Connection::Http1(sender) => sender.is_closed(),
            Connection::Http2(sender) => sender.is_closed(),
        }
    }
}

#[derive(Debug)]
struct Idle {
    origin: Origin,
    connection: Connection,
    since: Instant,
}

#[derive(Debug, Default)]
struct State {
    /// The one used last is at the back.
    idle: VecDeque<Idle>,
    sweeping: bool,
}

/// The connections of one client.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    permits: Arc<Semaphore>,
    /// Requests that wait for a permit.
    waiting: AtomicUsize,
}

impl Pool {
    pub(super) fn new() -> Arc<Pool> {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Arc::new(Pool { state: Mutex::default(), permits, waiting: AtomicUsize::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection to `origin`, the one used last.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut state = self.lock();
        state.idle.retain(|idle| !idle.connection.is_closed());
        let index = state.idle.iter().rposition(|idle| idle.origin == *origin)?;
        let idle = state.idle.remove(index)?;
        match idle.connection {
            Connection::Http1(sender) => Some(Connection::Http1(sender)),
            Connection::Http2(sender) => {
                let taken = Connection::Http2(sender.clone());
                let since = Instant::now();
                state.idle.push_back(Idle { origin: idle.origin, connection: Connection::Http2(sender), since });
                Some(taken)
            }
        }
    }

    /// Keeps `connection` for the next request to `origin`, unless a request to elsewhere waits for it to end.
    pub(super) fn put(self: &Arc<Self>, origin: Origin, connection: Connection) {
        if connection.is_closed() || self.waiting.load(Ordering::SeqCst) > 0 {
            return;
        }
        let mut state = self.lock();
        if state.idle.len() >= MAX_IDLE {
            state.idle.pop_front();
        }
        state.idle.push_back(Idle { origin, connection, since: Instant::now() });
        if !std::mem::replace(&mut state.sweeping, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// The right to one more connection, to be dropped with it. Where all are taken, the one idle for longest is closed
    /// for it, and else the first that is done.
    pub(super) async fn permit(&self) -> OwnedSemaphorePermit {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return permit;
        }
        let _waiting = Waiting::new(&self.waiting);
        drop(self.lock().idle.pop_front());
        match Arc::clone(&self.permits).acquire_owned().await {
            Ok(permit) => permit,
            // The semaphore is never closed.
            Err(_closed) => std::future::pending().await,
        }
    }
}

/// Counts one request that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn new(waiting: &AtomicUsize) -> Waiting<'_> {
        waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Closes what has been idle for too long, until nothing is left or the client is gone.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut state = pool.lock();
        state.idle.retain(|idle| idle.since.elapsed() < IDLE_TIMEOUT && !idle.connection.is_closed());
        if state.idle.is_empty() {
            state.sweeping = false;
            return;
        }
    }
}
