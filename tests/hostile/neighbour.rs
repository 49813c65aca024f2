//! The quiet neighbour: another component of the same server, asked steadily while nothing and while everything else
//! happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::client::{self, Answer};

/// The route of the neighbour.
pub const PATH: &str = "/neighbour";

/// One request in so long: enough of them for a p99 in a few seconds, few enough to be no load.
const PACE: Duration = Duration::from_millis(10);

/// Connections that take turns. A request is due when it is due, also while others wait, so that a pause of the server is
/// felt by every request that falls into it and not by one.
const CONNECTIONS: u32 = 16;

/// Visits that go on until they are ended.
pub struct Visits {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Visits {
    /// Begins to ask, in a thread of its own: what the attack does to the client is not the server's fault.
    pub fn begin(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || visit(address, &stop)
        });
        Self { stop, thread }
    }

    /// Ends, and returns the p99 of what the requests took.
    pub fn end(self) -> Duration {
        self.stop.store(true, Relaxed);
        let mut took = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        took.sort();
        let rank = (took.len() * 99).div_ceil(100).max(1) - 1;
        *took.get(rank).expect("the neighbour was asked")
    }
}

fn visit(address: SocketAddr, stop: &AtomicBool) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let began = Instant::now();
    let each = (0..CONNECTIONS).map(|turn| ask_steadily(address, began + PACE * turn, stop));
    runtime.block_on(futures_util::future::join_all(each)).concat()
}

/// Asks by one connection whenever it is its turn, at least once.
async fn ask_steadily(address: SocketAddr, first: Instant, stop: &AtomicBool) -> Vec<Duration> {
    let mut sender = client::http1(address).await;
    let mut due = first;
    let mut took = Vec::new();
    loop {
        tokio::time::sleep_until(due.into()).await;
        let request = client::request(address, "GET", PATH).body(client::empty()).expect("a request");
        let response = sender.send_request(request).await.expect("the neighbour is answered");
        let answer = Answer::read(response).await.expect("the neighbour is answered whole");
        assert_eq!(answer.status, 200, "the neighbour is served: {answer:?}");
        took.push(due.elapsed());
        if stop.load(Relaxed) {
            return took;
        }
        sender.ready().await.expect("the neighbour's connection stays");
        due += PACE * CONNECTIONS;
    }
}
