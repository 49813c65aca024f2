//! Where a case is played: the server with the attacked component and its neighbour, and what is seen of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use support::client::{self, Body};
use support::{App, Server};

/// Words that no answer may hold: they are of the inside. The paths of this machine come to them.
const INSIDE: [&str; 8] = ["wasmtime", "wasm trap", "wasm `", "backtrace", "panicked", ".rs:", "/proc/", "/.cargo/"];

/// How long the record of an invocation may take to come after its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much of an answer is kept to be looked at, in bytes.
const KEPT: usize = 64 << 10;

/// A server under attack.
pub struct Stage {
    /// The server.
    pub server: Server,
    /// Where it answers.
    pub address: SocketAddr,
    inside: Vec<String>,
    /// The app that is served. The attacked component is `attacked.wasm`, and the server takes a new one over.
    pub app: App,
}

/// What came of one request.
pub struct Asked {
    /// The status.
    pub status: u16,
    /// The outcome, by the access line.
    pub outcome: String,
    /// From the request to the whole answer.
    pub time: Duration,
    /// The access line.
    pub line: Value,
    /// Its header fields.
    pub headers: HeaderMap,
    /// The beginning of its body.
    pub body: String,
    /// Whether the answer came to its end.
    pub whole: bool,
}

impl Stage {
    /// Serves `app`.
    pub fn set(app: App, flags: &[&str]) -> Self {
        let mut arguments: Vec<_> = ["--watch"].iter().chain(flags).map(Into::into).collect();
        arguments.push(app.path().as_os_str().to_owned());
        let server = Server::start(arguments);
        let paths = [support::root(), app.path()].map(|path| path.display().to_string());
        let home = std::env::var("HOME").ok().filter(|home| home.len() > 1);
        let inside = INSIDE.map(str::to_owned).into_iter().chain(paths).chain(home).collect();
        Self { address: server.address, server, inside, app }
    }

    /// Sends `GET path` on a connection of its own, and looks at all that comes of it.
    pub async fn ask(&self, path: &str) -> Asked {
        self.send(client::request(self.address, "GET", path).body(client::empty()).expect("a request")).await
    }

    /// Sends a request on a connection of its own, and looks at all that comes of it.
    pub async fn send(&self, request: Request<Body>) -> Asked {
        let began = Instant::now();
        let mut sender = client::http1(self.address).await;
        let response = sender.send_request(request).await.expect("an answer");
        let (parts, mut incoming) = response.into_parts();
        let (mut kept, mut whole) = (Vec::new(), true);
        while let Some(frame) = incoming.frame().await {
            let Ok(frame) = frame else {
                whole = false;
                break;
            };
            let data = frame.data_ref().map_or(&[][..], |data| data);
            kept.extend_from_slice(&data[..data.len().min(KEPT - kept.len())]);
        }
        let time = began.elapsed();
        self.saw(format!("{:?}", parts.headers).as_bytes());
        self.saw(&kept);
        let id = parts.headers.get("x-request-id").expect("every answer carries its request's id");
        let line = self.access(id.to_str().expect("an id of text")).await;
        let outcome = support::text(&line, "outcome").to_owned();
        let body = String::from_utf8_lossy(&kept).into_owned();
        Asked { status: parts.status.as_u16(), outcome, time, line, headers: parts.headers, body, whole }
    }

    /// The access line of a request, as soon as there is one.
    pub async fn access(&self, request_id: &str) -> Value {
        self.event(&format!("how {request_id} went"), || self.server.find_access(request_id)).await
    }

    /// Waits for something in the log.
    pub async fn event(&self, what: &str, find: impl Fn() -> Option<Value>) -> Value {
        let began = Instant::now();
        loop {
            if let Some(event) = find() {
                return event;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not say {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Looks for anything of the inside in bytes that a client was sent.
    pub fn saw(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if let Some(word) = self.inside.iter().find(|word| text.contains(*word)) {
            panic!("`{word}` shows outside, in: {text}");
        }
    }
}
