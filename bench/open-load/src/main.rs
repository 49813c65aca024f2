//! `open-load ADDRESS PATH RATE SECONDS CONNECTIONS` sends RATE requests a second, over as many connections as that takes, and
//! says as a line of JSON what came of them.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

/// How long an answer may take. Longer than any queue here; whoever waits that long has left.
const PATIENCE: Duration = Duration::from_secs(10);

type Connection = SendRequest<Empty<Bytes>>;

struct Load {
    address: String,
    path: String,
    /// Connections that wait for a request.
    idle: RefCell<Vec<Connection>>,
}

/// What came of a request.
enum Outcome {
    /// 200, with its whole body.
    Good,
    /// 503 with a time to come back.
    Shed,
    /// Any other answer.
    Wrong,
    /// No answer: a reset, an end, nothing within [`PATIENCE`].
    Broken,
}

#[derive(Default)]
struct Counts {
    sent: u64,
    /// Not sent, since every connection that there may be was waiting.
    unsent: u64,
    good: u64,
    /// Of the good ones, those that came before the load ended.
    in_time: u64,
    shed: u64,
    wrong: u64,
    broken: u64,
    /// Of the good ones, from when they were due.
    took: Vec<Duration>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    LocalSet::new().run_until(load()).await
}

async fn load() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, rate, seconds, connections] = &arguments[..] else {
        return Err("usage: open-load ADDRESS PATH RATE SECONDS CONNECTIONS".into());
    };
    let (rate, seconds, most): (f64, f64, usize) = (rate.parse()?, seconds.parse()?, connections.parse()?);
    let load = Rc::new(Load { address: address.clone(), path: path.clone(), idle: RefCell::default() });
    let mut counts = Counts::default();
    let mut waiting = JoinSet::new();
    let (began, window) = (Instant::now(), Duration::from_secs_f64(seconds));
    while began.elapsed() < window {
        let due = (began.elapsed().as_secs_f64() * rate) as u64;
        while counts.sent + counts.unsent < due {
            if waiting.len() >= most {
                counts.unsent += 1;
                continue;
            }
            let due = began + Duration::from_secs_f64((counts.sent + counts.unsent) as f64 / rate);
            counts.sent += 1;
            let load = Rc::clone(&load);
            waiting.spawn_local(async move { (load.ask().await, due.elapsed()) });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        while let Some(done) = waiting.try_join_next() {
            counts.add(done?, true);
        }
    }
    while let Some(done) = waiting.join_next().await {
        counts.add(done?, false);
    }
    counts.print(window);
    Ok(())
}

impl Load {
    async fn ask(&self) -> Outcome {
        match tokio::time::timeout(PATIENCE, self.answer()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Outcome::Broken,
        }
    }

    async fn answer(&self) -> Result<Outcome, Box<dyn Error>> {
        let mut connection = self.connection().await?;
        let request = Request::get(&self.path).header("host", &self.address).body(Empty::new())?;
        let response = connection.send_request(request).await?;
        let (status, retry) = (response.status(), response.headers().contains_key("retry-after"));
        response.into_body().collect().await?;
        if connection.ready().await.is_ok() {
            self.idle.borrow_mut().push(connection);
        }
        Ok(match status {
            StatusCode::OK => Outcome::Good,
            StatusCode::SERVICE_UNAVAILABLE if retry => Outcome::Shed,
            _ => Outcome::Wrong,
        })
    }

    /// One that is idle, or a new one.
    async fn connection(&self) -> Result<Connection, Box<dyn Error>> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            match idle {
                Some(connection) if connection.is_ready() => return Ok(connection),
                // The server has closed it.
                Some(_) => {}
                None => break,
            }
        }
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // What goes wrong with it, its requests see.
        tokio::task::spawn_local(async move { connection.await.ok() });
        Ok(sender)
    }
}

impl Counts {
    fn add(&mut self, (outcome, took): (Outcome, Duration), in_time: bool) {
        match outcome {
            Outcome::Good => {
                self.good += 1;
                self.in_time += u64::from(in_time);
                self.took.push(took);
            }
            Outcome::Shed => self.shed += 1,
            Outcome::Wrong => self.wrong += 1,
            Outcome::Broken => self.broken += 1,
        }
    }

    fn print(mut self, window: Duration) {
        self.took.sort_unstable();
        let rank = |percent: usize| {
            let rank = (self.took.len() * percent).div_ceil(100).max(1) - 1;
            self.took.get(rank).map_or(0, Duration::as_micros)
        };
        let (p50, p99) = (rank(50), rank(99));
        let Self { sent, unsent, good, in_time, shed, wrong, broken, .. } = self;
        let per_second = in_time as f64 / window.as_secs_f64();
        println!(
            r#"{{"sent":{sent},"unsent":{unsent},"good":{good},"good_per_second":{per_second:.1},"shed":{shed},"wrong":{wrong},"broken":{broken},"p50":{p50},"p99":{p99}}}"#
        );
    }
}
