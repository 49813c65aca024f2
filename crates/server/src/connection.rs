//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderValue;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::forwarded;
use crate::http1::guard::{Findings, Guard};
use crate::http1::head::MAX_HEAD_BYTES;
use crate::io::{Open, Rewind, Steady};
use crate::request;
use crate::server::Server;

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The buffer of an HTTP/1 connection in each direction, in bytes.
///
/// Reason: twice the largest head, and a good piece of a body for one system call; hyper's 400 KiB times ten thousand
/// connections would be 4 GB.
pub const HTTP1_BUFFER: usize = 2 * MAX_HEAD_BYTES;

/// Requests at one time on one HTTP/2 connection.
///
/// Reason: RFC 9113 asks for 100 at the least, and a browser does not use more.
pub const HTTP2_STREAMS: u32 = 128;

/// Streams that a client may open and reset before they were even looked at.
///
/// Reason: a browser resets a handful when a page is left; more is the rapid-reset attack (CVE-2023-44487). h2's own
/// default.
pub const HTTP2_PENDING_RESETS: usize = 20;

/// Streams that the server may have to reset for a client's errors before the connection is closed.
///
/// Reason: no well-behaved client causes any; enough for a broken one to be told (RUSTSEC-2024-0003).
pub const HTTP2_ERROR_RESETS: usize = 128;

/// What a client may send ahead on one HTTP/2 stream and on a whole connection, in bytes.
///
/// Reason: 100 Mbit/s at 20 ms to one guest, 400 to all of a connection; it bounds what a connection makes the server
/// hold.
pub const HTTP2_WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);

/// What the server holds of one stream's response while its client does not take it, in bytes.
///
/// Reason: times [`HTTP2_STREAMS`] this is 8 MiB for a client that takes nothing.
pub const HTTP2_SEND_BUFFER: usize = 64 * 1024;

/// How often the other end of an HTTP/2 connection is asked whether it is alive, and how long it may take to say so.
///
/// Reason: finds a vanished client well before its request's wall time is up.
pub const HTTP2_PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// Time limits of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The TLS handshake. Default 10 s: some round trips on a bad line.
    pub handshake: Duration,
    /// A request's head, from its first byte to its last. Default 10 s: a head fits into a few packets, so that this
    /// forgives lost ones on a bad line; a client that needs longer holds a connection open on purpose.
    pub head: Duration,
    /// A connection without a request is closed after once to twice this time. Default 60 s: what browsers and proxies
    /// expect.
    pub idle: Duration,
    /// A client that takes nothing of what is sent to it. Default 60 s: as long as a request may run by default. In
    /// HTTP/2, where one stream does not hold up the others, that is once to twice [`Timeouts::idle`].
    pub stall: Duration,
    /// A connection that is closed under an unfinished request is still read for so long: input that is unread when a
    /// socket is closed makes the kernel send a reset, which can overtake the answer that says why. Default 2 s.
    pub linger: Duration,
    /// The whole life of a connection. Default 1 h: long-lived connections then spread over new servers, and nothing
    /// that a client does lasts for ever.
    pub total: Duration,
    /// What is under way when a connection is to end for its age has so long to finish. Default 60 s: as long as a
    /// request may run by default.
    pub grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            total: Duration::from_secs(60 * 60),
            grace: Duration::from_secs(60),
        }
    }
}

/// What the requests of one connection share.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The other end of the connection: a client or a proxy.
    pub(crate) address: SocketAddr,
    /// Its address as each of its requests shows it to guests and the log.
    pub(crate) name: HeaderValue,
    /// Our end.
    pub(crate) local: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) findings: Findings,
    /// Requests that began.
    pub(crate) begun: AtomicU64,
    /// Requests whose responses are not sent yet.
    pub(crate) in_flight: AtomicU32,
    /// Pieces of responses that the connection has asked for.
    pub(crate) taken: AtomicU64,
    /// Responses of which the connection has asked for nothing since it was given the last piece: the client is to take
    /// that first.
    pub(crate) untaken: AtomicU32,
    /// Told to end the connection if it is idle, to make room.
    pub(crate) leave: Notify,
    born: Instant,
    /// When the last request ended, in milliseconds since `born`.
    idle_since: AtomicU64,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, local: SocketAddr, tls: bool) -> Self {
        Self {
            address,
            name: forwarded::name(address.ip().to_canonical()),
            local,
            tls,
            findings: Findings::default(),
            begun: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            taken: AtomicU64::new(0),
            untaken: AtomicU32::new(0),
            leave: Notify::new(),
            born: Instant::now(),
            idle_since: AtomicU64::new(0),
        }
    }

    /// A request ended.
    pub(crate) fn begin_idle(&self) {
        self.idle_since.store(self.age(), Relaxed);
    }

    /// How long it has been since a request ended, or since the connection began. Of interest where none is in flight.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.age().saturating_sub(self.idle_since.load(Relaxed)))
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The findings of a peer's guard.
struct OfPeer(Arc<Peer>);

impl AsRef<Findings> for OfPeer {
    fn as_ref(&self) -> &Findings {
        &self.0.findings
    }
}

/// A connection's bytes.
trait Stream: AsyncRead + AsyncWrite + Open + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Open + Unpin + Send + 'static> Stream for S {}

/// Serves one connection to its end.
pub(crate) async fn serve(server: Arc<Server>, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) {
    let ended = tokio::select! {
        ended = begin(&server, stream, peer, tls) => ended,
        () = server.stop.cancelled() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended with an error");
    }
}

async fn begin(server: &Arc<Server>, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) -> Ended {
    let local = stream.local_addr()?;
    let peer = Arc::new(Peer::new(peer, local, tls.is_some()));
    let _entry = server.open.enter(&peer);
    let stall = server.timeouts.stall;
    match tls {
        None => detect(server, Steady::new(stream, stall), peer).await,
        // On the heap, so that a connection without TLS does not hold room for what TLS needs; HTTP/2 likewise, below.
        Some(tls) => Box::pin(secure(server, stream, peer, tls)).await,
    }
}

async fn secure(server: &Arc<Server>, stream: TcpStream, peer: Arc<Peer>, tls: TlsAcceptor) -> Ended {
    let handshake = tokio::select! {
        handshake = tokio::time::timeout(server.timeouts.handshake, tls.accept(stream)) => handshake,
        () = server.drain.cancelled() => return Ok(()),
        () = peer.leave.notified() => return Ok(()),
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        failed => {
            server.metrics.handshake_failures.inc();
            failed??;
            return Ok(());
        }
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = Steady::new(stream, server.timeouts.stall);
    match is_http2 {
        true => Box::pin(serve_http2(server, Rewind::new(stream, Bytes::new()), peer)).await,
        false => detect(server, stream, peer).await,
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Tells the protocols apart by their first bytes.
async fn detect<S: Stream>(server: &Arc<Server>, mut stream: S, peer: Arc<Peer>) -> Ended {
    let mut begun = Vec::with_capacity(1024);
    // A connection that says nothing is idle, one that has begun must go on.
    let mut patience = server.timeouts.idle;
    while begun.len() < PREFACE.len() && PREFACE.starts_with(&begun) {
        let read = tokio::select! {
            read = tokio::time::timeout(patience, stream.read_buf(&mut begun)) => read,
            () = server.drain.cancelled() => return Ok(()),
            () = peer.leave.notified() => return Ok(()),
        };
        match read {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(Ok(_)) => patience = server.timeouts.head,
            Ok(Err(error)) => return Err(error.into()),
        }
    }
    match begun.starts_with(PREFACE) {
        true => Box::pin(serve_http2(server, Rewind::new(stream, begun.into()), peer)).await,
        false => serve_http1(server, stream, begun, peer).await,
    }
}

async fn serve_http1<S: Stream>(server: &Arc<Server>, stream: S, begun: Vec<u8>, peer: Arc<Peer>) -> Ended {
    let guard = Guard::new(stream, &begun, OfPeer(Arc::clone(&peer)), server.timeouts);
    drop(begun);
    let service =
        service_fn(|request| request::handle(Arc::clone(server), Arc::clone(&peer), request).map(Ok::<_, Infallible>));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The guard keeps this time.
        .header_read_timeout(None)
        .max_buf_size(HTTP1_BUFFER)
        .serve_connection(TokioIo::new(guard), service);
    drive(server, &peer, pin!(connection)).await
}

async fn serve_http2<S: Stream>(server: &Arc<Server>, stream: Rewind<S>, peer: Arc<Peer>) -> Ended {
    let service =
        service_fn(|request| request::handle(Arc::clone(server), Arc::clone(&peer), request).map(Ok::<_, Infallible>));
    // The requests of one connection run beside each other, so that here each has a task of its own.
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS)
        .max_local_error_reset_streams(HTTP2_ERROR_RESETS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(HTTP2_WINDOWS.0)
        .initial_connection_window_size(HTTP2_WINDOWS.1)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .keep_alive_interval(HTTP2_PING.0)
        .keep_alive_timeout(HTTP2_PING.1)
        .serve_connection(TokioIo::new(stream), service);
    drive(server, &peer, pin!(connection)).await
}

/// Sees a connection through to its end: it is asked to finish when the server drains, when it is idle, and when it is
/// old. It is ended at once when its client takes nothing of what it asked for, and when it is idle and there is no room
/// for others.
async fn drive<C: Graceful>(server: &Server, peer: &Peer, mut connection: Pin<&mut C>) -> Ended {
    let timeouts = server.timeouts;
    let born = Instant::now();
    let mut look = pin!(tokio::time::sleep(timeouts.idle.min(timeouts.total)));
    let mut seen = (0, 0);
    let mut finishing = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended.map_err(Into::into),
            () = server.drain.cancelled(), if !finishing => {
                finishing = true;
                connection.as_mut().finish();
                // The server itself ends the wait.
                look.as_mut().reset(born + timeouts.total + timeouts.grace);
            }
            () = peer.leave.notified() => {
                if peer.in_flight.load(Relaxed) == 0 {
                    return Ok(());
                }
            }
            () = look.as_mut() => {
                if finishing {
                    return Ok(());
                }
                let now = (peer.begun.load(Relaxed), peer.taken.load(Relaxed));
                let nothing_new = std::mem::replace(&mut seen, now) == now;
                if nothing_new && peer.untaken.load(Relaxed) > 0 {
                    return Ok(());
                }
                let is_idle = nothing_new && peer.in_flight.load(Relaxed) == 0 && !peer.findings.is_in_head();
                if is_idle || born.elapsed() >= timeouts.total {
                    finishing = true;
                    connection.as_mut().finish();
                    look.as_mut().reset(Instant::now() + timeouts.grace);
                } else {
                    let next = Instant::now() + timeouts.idle;
                    look.as_mut().reset(next.min(born + timeouts.total));
                }
            }
        }
    }
}

/// A connection that can be asked to take no more requests.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S, B> Graceful for http1::Connection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Graceful for http2::Connection<I, S, E>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what a function of four arguments returns, in bytes.
    fn size<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_and_a_request_take_little_room() {
        let connection = size(serve);
        assert!(connection <= 3 << 10, "a connection takes {connection} bytes");
        let request = size(|server, peer, request, ()| request::handle(server, peer, request));
        assert!(request <= 3 << 10, "a request takes {request} bytes");
    }
}
