//! From an origin to a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;

use super::OutboundError;
use super::error::from_tls;
use super::pool::{Connection, Origin};
use super::send::{HTTP1_BUFFER, HTTP2_WINDOW, MAX_RESPONSE_HEADER_BYTES, MAX_RESPONSE_HEADERS};
use crate::net::{Policy, Transport, literal};

/// How long one address is tried alone before the next is tried beside it (RFC 8305 section 5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How often an HTTP/2 connection in use is asked whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long the answer may take.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Resolves, connects and shakes hands; the connection holds `permit` until it ends. The address that the policy permitted is the one connected to; the name goes
/// into TLS.
pub(super) async fn connect(
    policy: &Policy,
    tls: &Arc<ClientConfig>,
    origin: &Origin,
    permit: OwnedSemaphorePermit,
) -> Result<Connection, OutboundError> {
    let addresses = policy.resolve(Transport::Http, &origin.host, origin.port).await?;
    let stream = reach(addresses).await?;
    stream.set_nodelay(true).map_err(|error| OutboundError::ConnectionTerminated(Box::new(error)))?;
    if !origin.tls {
        return http1(stream, permit).await;
    }
    let stream = TlsConnector::from(Arc::clone(tls)).connect(server_name(&origin.host)?, stream).await;
    let stream = stream.map_err(from_tls)?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http2(stream, permit).await,
        _ => http1(stream, permit).await,
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, OutboundError> {
    match literal(host) {
        Some(address) => Ok(ServerName::IpAddress(address.into())),
        None => ServerName::try_from(host.to_owned()).map_err(|_| OutboundError::UriInvalid("the host is not a name")),
    }
}

/// Connects to the first of `addresses` that answers, each tried a little after the one before.
async fn reach(addresses: Vec<SocketAddr>) -> Result<TcpStream, OutboundError> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(TcpStream::connect(address));
        }
        let finished = if waiting.len() == 0 {
            attempts.next().await
        } else {
            match select(attempts.next(), std::pin::pin!(tokio::time::sleep(ATTEMPT_DELAY))).await {
                Either::Left((finished, _)) => finished,
                Either::Right(_) => continue,
            }
        };
        match finished {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last = Some(error),
            None => return Err(unreachable_because(last)),
        }
    }
}

fn unreachable_because(last: Option<io::Error>) -> OutboundError {
    match last {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => OutboundError::ConnectionRefused,
        Some(error) if error.kind() == io::ErrorKind::TimedOut => OutboundError::ConnectionTimeout,
        Some(error) => OutboundError::DestinationUnavailable(Box::new(error)),
        None => OutboundError::DestinationNotFound,
    }
}

async fn http1<T>(stream: T, permit: OwnedSemaphorePermit) -> Result<Connection, OutboundError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HTTP1_BUFFER)
        .max_header_size(MAX_RESPONSE_HEADER_BYTES)
        .max_headers(MAX_RESPONSE_HEADERS)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(drive(connection, permit));
    Ok(Connection::Http1(sender))
}

async fn http2<T>(stream: T, permit: OwnedSemaphorePermit) -> Result<Connection, OutboundError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(HTTP2_WINDOW)
        .initial_connection_window_size(HTTP2_WINDOW)
        .max_header_list_size(u32::try_from(MAX_RESPONSE_HEADER_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(drive(connection, permit));
    Ok(Connection::Http2(sender))
}

/// Moves the bytes of a connection until it ends. Whoever waits for a response is told of a failure there; here it is
/// only noted.
async fn drive(connection: impl Future<Output = hyper::Result<()>>, permit: OwnedSemaphorePermit) {
    if let Err(error) = connection.await {
        tracing::debug!(error = &error as &dyn std::error::Error, "an outgoing connection ended with an error");
    }
    drop(permit);
}
