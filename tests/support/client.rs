//! A plain HTTP client, close enough to the wire that a test can break off where it likes.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What is sent as the body of a request.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body whose length is known.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body made of frames, sent as fast as the other side takes them.
pub fn frames(frames: impl Stream<Item = Frame<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(frames.map(Ok)).boxed_unsync()
}

/// A body that is sent piece by piece; dropping the sender ends it.
pub fn channel() -> (Sender<Bytes, io::Error>, Body) {
    let (sender, body) = Channel::new(1);
    (sender, body.boxed_unsync())
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its trailers, empty where there are none.
    pub trailers: HeaderMap,
}

impl Answer {
    /// Reads a response to its end.
    pub async fn read(response: Response<Incoming>) -> Result<Self, hyper::Error> {
        let (parts, body) = response.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Ok(Self { status: parts.status, headers: parts.headers, body: collected.to_bytes(), trailers })
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    /// A header field as text, empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header field of text"))
    }
}

/// Opens an HTTP/1.1 connection. It is closed when the sender is dropped.
pub async fn http1(address: SocketAddr) -> http1::SendRequest<Body> {
    http1_over(TcpStream::connect(address).await.expect("the server accepts")).await
}

/// Speaks HTTP/1.1 over a stream, such as one of TLS.
pub async fn http1_over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> http1::SendRequest<Body> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("an HTTP/1.1 connection");
    tokio::spawn(connection);
    sender
}

/// Speaks HTTP/2 over a stream, without TLS by prior knowledge.
pub async fn http2_over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> http2::SendRequest<Body> {
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("an HTTP/2 connection");
    tokio::spawn(connection);
    sender
}

/// A request to the server at `address`, to be finished with headers and a body.
pub fn request(address: SocketAddr, method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", address.to_string())
}

/// Sends one request on a connection of its own, and reads the answer to its end.
pub async fn send(address: SocketAddr, request: Request<Body>) -> Answer {
    let mut sender = http1(address).await;
    let response = sender.send_request(request).await.expect("an answer");
    Answer::read(response).await.expect("a whole answer")
}

/// `GET path`.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, request(address, "GET", path).body(empty()).expect("a request")).await
}

/// `POST path` with a body.
pub async fn post(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> Answer {
    send(address, request(address, "POST", path).body(full(body)).expect("a request")).await
}
