//! One request: checked, given a connection, sent.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use rustls::ClientConfig;
use tokio::time::Instant;

use super::connect::connect;
use super::pool::{Connection, Origin, Pool};
use super::{Options, OutboundError, RequestBody, ResponseBody, Trust};
use crate::net::{Policy, Reason, Refused, Transport};

/// Headers that a response may have.
pub const MAX_RESPONSE_HEADERS: usize = 256;

/// Bytes of a response's headers: what common servers and proxies allow, and more than any API sends.
pub const MAX_RESPONSE_HEADER_BYTES: usize = 64 * 1024;

/// Bytes buffered each way of an HTTP/1.1 connection: room for the largest head.
pub const HTTP1_BUFFER: usize = 128 * 1024;

/// Bytes of response bodies that an HTTP/2 server may send ahead of the guest's reading: fills a line of 100 Mbit/s
/// over 80 ms.
pub const HTTP2_WINDOW: u32 = 1024 * 1024;

/// How long an HTTP/1.1 connection from the pool may take to be ready. It is within microseconds, unless it still sends
/// the body of the request before.
const READY_TIMEOUT: Duration = Duration::from_millis(5);

/// The port of `http` URIs that give none (RFC 9110 section 4.2.1).
const HTTP_PORT: u16 = 80;

/// The port of `https` URIs that give none (RFC 9110 section 4.2.2).
const HTTPS_PORT: u16 = 443;

/// Headers that belong to one connection (RFC 9110 section 7.6.1) or that this client sets itself.
const OWN_HEADERS: [HeaderName; 8] = [
    header::CONNECTION,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What a client is made of.
#[derive(Debug)]
pub(super) struct Inner {
    policy: Policy,
    tls: Arc<ClientConfig>,
    pool: Arc<Pool>,
}

impl Inner {
    pub(super) fn new(policy: Policy, trust: &Trust) -> Inner {
        Inner { policy, tls: trust.config(), pool: Pool::new() }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) async fn send(
        self: Arc<Self>,
        mut request: Request<RequestBody>,
        options: Options,
    ) -> Result<Response<ResponseBody>, OutboundError> {
        let origin = origin(request.uri())?;
        if !self.policy.permits_name(Transport::Http, &origin.host, origin.port) {
            return Err(OutboundError::Refused(Refused {
                transport: Transport::Http,
                host: origin.host,
                port: Some(origin.port),
                reason: Reason::NotGranted,
            }));
        }
        clean(request.headers_mut())?;
        if request.method() == Method::CONNECT {
            return Err(OutboundError::MethodInvalid);
        }
        let uri = request.uri().clone();
        loop {
            let (mut connection, reused) = self.connection(&origin, options.connect_timeout).await?;
            address(&mut request, &uri, &connection)?;
            let sending = tokio::time::timeout(options.first_byte_timeout, exchange(&mut connection, request));
            match sending.await.map_err(|_| OutboundError::ResponseTimeout)? {
                Ok(response) => {
                    check(&response)?;
                    let back = match connection {
                        Connection::Http1(_) => Some((Arc::clone(&self.pool), origin, connection)),
                        // It never left the pool.
                        Connection::Http2(_) => None,
                    };
                    return Ok(response.map(|body| ResponseBody::new(body, options.between_bytes_timeout, back)));
                }
                // The server closed the idle connection before it saw the request: nothing has happened yet.
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(failed.into_error().into()),
                },
            }
        }
    }

    /// A connection to `origin`, and whether it was used before.
    async fn connection(&self, origin: &Origin, timeout: Duration) -> Result<(Connection, bool), OutboundError> {
        while let Some(mut connection) = self.pool.take(origin) {
            let ready = match &mut connection {
                Connection::Http1(sender) => tokio::time::timeout(READY_TIMEOUT, sender.ready()).await,
                Connection::Http2(sender) => Ok(sender.ready().await),
            };
            if let Ok(Ok(())) = ready {
                return Ok((connection, true));
            }
        }
        let started = Instant::now();
        let permit = tokio::time::timeout(timeout, self.pool.permit()).await;
        let permit = permit.map_err(|_| OutboundError::ConnectionLimitReached)?;
        let left = timeout.saturating_sub(started.elapsed());
        let connection = tokio::time::timeout(left, connect(&self.policy, &self.tls, origin, permit)).await;
        let connection = connection.map_err(|_| OutboundError::ConnectionTimeout)??;
        if let Connection::Http2(sender) = &connection {
            self.pool.put(origin.clone(), Connection::Http2(sender.clone()));
        }
        Ok((connection, false))
    }
}

async fn exchange(
    connection: &mut Connection,
    request: Request<RequestBody>,
) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
    match connection {
        Connection::Http1(sender) => sender.try_send_request(request).await,
        Connection::Http2(sender) => sender.try_send_request(request).await,
    }
}

/// Where `uri` leads.
fn origin(uri: &Uri) -> Result<Origin, OutboundError> {
    let tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(_) => return Err(OutboundError::UriInvalid("the scheme is neither http nor https")),
        None => return Err(OutboundError::UriInvalid("there is no scheme")),
    };
    let authority = uri.authority().ok_or(OutboundError::UriInvalid("there is no host"))?;
    if authority.as_str().contains('@') {
        return Err(OutboundError::UriInvalid("a user before the host is not possible"));
    }
    let host = authority.host();
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if host.is_empty() {
        return Err(OutboundError::UriInvalid("there is no host"));
    }
    let port = match authority.port() {
        Some(_) => authority.port_u16().ok_or(OutboundError::UriInvalid("the port is not a number"))?,
        None if tls => HTTPS_PORT,
        None => HTTP_PORT,
    };
    Ok(Origin { tls, host, port })
}

/// Removes the headers that are not the guest's to set, and refuses those that could be read in two ways.
fn clean(headers: &mut HeaderMap) -> Result<(), OutboundError> {
    for name in &OWN_HEADERS {
        headers.remove(name);
    }
    if headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(OutboundError::HeadersInvalid("there is more than one content-length"));
    }
    Ok(())
}

/// Writes the target as the connection's version of HTTP has it.
fn address(request: &mut Request<RequestBody>, uri: &Uri, connection: &Connection) -> Result<(), OutboundError> {
    match connection {
        Connection::Http1(_) => {
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            let host = HeaderValue::from_str(authority).map_err(|_| OutboundError::UriInvalid("there is no host"))?;
            request.headers_mut().insert(header::HOST, host);
            let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            *request.uri_mut() = Uri::from(path);
            *request.version_mut() = Version::HTTP_11;
        }
        Connection::Http2(_) => {
            request.headers_mut().remove(header::HOST);
            *request.uri_mut() = uri.clone();
            *request.version_mut() = Version::HTTP_2;
        }
    }
    Ok(())
}

fn check(response: &Response<Incoming>) -> Result<(), OutboundError> {
    if response.headers().len() > MAX_RESPONSE_HEADERS {
        return Err(OutboundError::ResponseHeadersTooLarge);
    }
    // Nothing was offered to switch to.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(OutboundError::ProtocolError("the server switches protocols unasked".into()));
    }
    Ok(())
}
