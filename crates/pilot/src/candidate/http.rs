//! Requests to servers on this machine, one connection after the other or many at a time, on one thread.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::Trouble;
use crate::answer::Answer;
use crate::number::count;
use crate::plan::Input;

/// How long is waited until a server that did not answer yet is asked again.
const AGAIN: Duration = Duration::from_millis(1);

/// Where a server, or one of its apps, is reached.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) port: u16,
    /// The name in the request's `Host`.
    pub(crate) host: String,
}

/// A request that can be sent often.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: http::Method,
    path: String,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Request {
    /// The request that an input stands for.
    pub(crate) fn of(input: &Input, body: Bytes) -> Result<Self, String> {
        let method = http::Method::from_bytes(input.method.as_bytes());
        let method = method.map_err(|_| format!("{:?} is not a method", input.method))?;
        let mut headers = http::HeaderMap::new();
        for (name, value) in &input.headers {
            let parsed = http::HeaderName::from_bytes(name.as_bytes()).ok().zip(value.parse().ok());
            let (name, value) = parsed.ok_or_else(|| format!("{name:?} is not a header field with a value"))?;
            headers.insert(name, value);
        }
        Ok(Self { method, path: input.path.clone(), headers, body })
    }

    fn to(&self, target: &Target) -> Result<http::Request<Full<Bytes>>, String> {
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().map_err(|_| format!("{:?} is not a path", self.path))?;
        *request.headers_mut() = self.headers.clone();
        let host = target.host.parse().map_err(|_| format!("{:?} is not a host", target.host))?;
        request.headers_mut().insert(http::header::HOST, host);
        Ok(request)
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    target: Target,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(target: &Target) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot connect: {error}");
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        // What goes wrong on the connection is told to whoever waits for an answer on it.
        tokio::spawn(connection);
        Ok(Self { target: target.clone(), sender })
    }

    async fn send(&mut self, request: &Request) -> Result<Answer, String> {
        let request = request.to(&self.target)?;
        let response = self.sender.send_request(request).await.map_err(|error| reason(&error))?;
        // Success is 0, as it is of a process: a server may take the place of a command.
        let code = if response.status() == 200 { 0 } else { response.status().as_u16().into() };
        let body = response.into_body().collect().await.map_err(|error| reason(&error))?;
        Ok(Answer { code, body: body.to_bytes().to_vec() })
    }
}

/// An error of the HTTP library with what caused it.
fn reason(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("no answer: {error}{cause}")
}

/// What sends requests.
pub(crate) struct Client {
    runtime: Runtime,
    patience: Duration,
}

impl Client {
    pub(crate) fn new(patience: Duration) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, patience })
    }

    /// Opens a connection.
    pub(crate) fn connect(&self, target: &Target) -> Result<Connection, Trouble> {
        Ok(self.runtime.block_on(Connection::open(target))?)
    }

    /// Sends a request and waits for the whole answer. The connection is opened anew where the server closed it, which is not
    /// timed.
    pub(crate) fn call(&self, connection: &mut Connection, request: &Request) -> Result<(Answer, f64), Trouble> {
        self.runtime.block_on(async {
            if connection.sender.ready().await.is_err() {
                *connection = Connection::open(&connection.target.clone()).await?;
            }
            let began = Instant::now();
            match tokio::time::timeout(self.patience, connection.send(request)).await {
                Ok(answer) => Ok((answer?, began.elapsed().as_secs_f64())),
                Err(_) => Err(self.late()),
            }
        })
    }

    fn late(&self) -> Trouble {
        format!("no answer within {}", coracle_package::unit::format_duration(self.patience)).into()
    }

    /// Asks servers that are only starting until each has answered, and says when each had, from `began`. One that does not
    /// within the patience has not answered; neither has any after `stop`.
    pub(crate) fn first_answers(
        &self,
        targets: &[Target],
        request: &Request,
        began: Instant,
        stop: impl Fn() -> bool,
    ) -> Vec<Result<(Answer, f64), String>> {
        let deadline = began + self.patience;
        let stop = &stop;
        let ask = |target: &Target| {
            let target = target.clone();
            async move {
                loop {
                    let asked = async { Connection::open(&target).await?.send(request).await };
                    let last = match tokio::time::timeout_at(deadline.into(), asked).await {
                        // A server that is not ready yet says so by this status, as load balancers understand it.
                        Ok(Ok(answer)) if answer.code != 503 => return Ok((answer, began.elapsed().as_secs_f64())),
                        Ok(Ok(_)) => "only 503 as its answer".to_owned(),
                        Ok(Err(error)) => error,
                        Err(_) => "no answer".to_owned(),
                    };
                    if Instant::now() >= deadline || stop() {
                        return Err(last);
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        self.runtime.block_on(futures(targets.iter().map(ask)))
    }

    /// As [`Client::first_answers`], of one server.
    pub(crate) fn first_answer(
        &self,
        targets: &[Target],
        request: &Request,
        began: Instant,
        stop: impl Fn() -> bool,
    ) -> Result<(Answer, f64), String> {
        let first = self.first_answers(&targets[..targets.len().min(1)], request, began, stop).pop();
        first.unwrap_or_else(|| Err("no server was started".to_owned()))
    }

    /// Sends requests on several connections at a time for a while; the answer is how many ended well, and in how many seconds.
    pub(crate) fn saturate(
        &self,
        target: &Target,
        request: &Request,
        concurrency: u32,
        window: Duration,
    ) -> Result<(u64, f64), Trouble> {
        let began = Instant::now();
        let worker = |_| async move {
            let mut connection = Connection::open(target).await?;
            let mut done = 0_usize;
            while began.elapsed() < window {
                let answer = connection.send(request).await?;
                if answer.code >= 500 {
                    return Err(format!("status {} at saturation", answer.code));
                }
                done += 1;
            }
            Ok(done)
        };
        let all = async { tokio::time::timeout(window + self.patience, futures((0..concurrency).map(worker))).await };
        let done = self.runtime.block_on(all).map_err(|_| self.late())?;
        let done = done.into_iter().sum::<Result<usize, String>>()?;
        Ok((count(done), began.elapsed().as_secs_f64()))
    }
}

/// Runs futures at the same time on this thread.
async fn futures<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(futures).await
}
