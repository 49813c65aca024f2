//! The quiet neighbour: another component of the same server, asked steadily while nothing and while everything else
//! happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;
use support::client::{self, Answer, Body};

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
    thread: Option<JoinHandle<Vec<Duration>>>,
}

impl Visits {
    /// Begins to ask, in a thread of its own: what the attack does to the client is not the server's fault.
    pub fn begin(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || visit(address, &stop)
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends, and returns the p99 of what the requests took.
    pub fn end(mut self) -> Duration {
        self.stop.store(true, Relaxed);
        let thread = self.thread.take().expect("it ends once");
        let mut took = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        took.sort();
        let rank = (took.len() * 99).div_ceil(100).max(1) - 1;
        *took.get(rank).expect("the neighbour was asked")
    }
}

/// Where a case fails, the visits end before their server does.
impl Drop for Visits {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // The case itself has failed already.
            let _ = thread.join();
        }
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
        // A server may close a connection between two requests; a client then opens another.
        if sender.ready().await.is_err() {
            sender = client::http1(address).await;
        }
        let answer = match ask(address, &mut sender).await {
            Ok(answer) => answer,
            Err(_) => {
                sender = client::http1(address).await;
                ask(address, &mut sender).await.expect("the neighbour is answered")
            }
        };
        assert_eq!(answer.status, 200, "the neighbour is served: {answer:?}");
        took.push(due.elapsed());
        if stop.load(Relaxed) {
            return took;
        }
        due += PACE * CONNECTIONS;
    }
}

async fn ask(address: SocketAddr, sender: &mut SendRequest<Body>) -> Result<Answer, hyper::Error> {
    let request = client::request(address, "GET", PATH).body(client::empty()).expect("a request");
    Answer::read(sender.send_request(request).await?).await
}
