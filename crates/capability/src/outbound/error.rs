//! How an outgoing request fails.

use std::error::Error;
use std::io;

use super::BoxError;
use crate::net::{Refused, ResolveError};

/// Why a request got no response, or not all of one. The kinds are those of `wasi:http`'s `error-code`; the sources are
/// for the log, since they may name what the guest was not told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The policy refuses the name or its addresses.
    #[error(transparent)]
    Refused(Refused),
    /// The request has no absolute `http` or `https` URI with a plain host.
    #[error("the URI of the request is not valid: {0}")]
    UriInvalid(&'static str),
    /// The method cannot be sent this way.
    #[error("the method of the request is not possible")]
    MethodInvalid,
    /// A header of the request could be read in two ways.
    #[error("the headers of the request are not valid: {0}")]
    HeadersInvalid(&'static str),
    /// The name was not resolved in time.
    #[error("the host name could not be resolved in time")]
    DnsTimeout,
    /// The look-up failed.
    #[error("the host name could not be resolved")]
    DnsError(#[source] BoxError),
    /// The name has no address.
    #[error("the host name has no address")]
    DestinationNotFound,
    /// No address could be connected to.
    #[error("the destination cannot be reached")]
    DestinationUnavailable(#[source] BoxError),
    /// The destination refuses connections.
    #[error("the destination refused the connection")]
    ConnectionRefused,
    /// Connecting took too long.
    #[error("connecting took too long")]
    ConnectionTimeout,
    /// All connections that this client may have are busy.
    #[error("all connections are in use")]
    ConnectionLimitReached,
    /// The connection ended before the response did.
    #[error("the connection ended early")]
    ConnectionTerminated(#[source] BoxError),
    /// The TLS handshake failed.
    #[error("TLS failed")]
    TlsProtocolError(#[source] BoxError),
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted")]
    TlsCertificateError(#[source] BoxError),
    /// The server ended TLS with an alert: its number.
    #[error("the server sent TLS alert {0}")]
    TlsAlertReceived(u8),
    /// The head of the response did not come in time.
    #[error("the response did not start in time")]
    ResponseTimeout,
    /// The next piece of the response's body did not come in time.
    #[error("the response stalled")]
    ReadTimeout,
    /// The head of the response is too large.
    #[error("the headers of the response are too large")]
    ResponseHeadersTooLarge,
    /// The response ended before it was complete.
    #[error("the response is not complete")]
    ResponseIncomplete(#[source] BoxError),
    /// What came was not HTTP.
    #[error("the server broke the HTTP protocol")]
    ProtocolError(#[source] BoxError),
    /// The body of the request failed where it comes from.
    #[error("the body of the request failed")]
    RequestBody(#[source] BoxError),
}

impl From<ResolveError> for OutboundError {
    fn from(error: ResolveError) -> OutboundError {
        match error {
            ResolveError::Refused(refused) => OutboundError::Refused(refused),
            ResolveError::Invalid(_) => OutboundError::UriInvalid("the host is not a name"),
            ResolveError::NotFound(_) => OutboundError::DestinationNotFound,
            ResolveError::TimedOut(_) => OutboundError::DnsTimeout,
            ResolveError::Failed(..) => OutboundError::DnsError(Box::new(error)),
        }
    }
}

impl From<hyper::Error> for OutboundError {
    fn from(error: hyper::Error) -> OutboundError {
        if error.is_parse_too_large() {
            return OutboundError::ResponseHeadersTooLarge;
        }
        if error.is_user() {
            return OutboundError::RequestBody(Box::new(error));
        }
        // What is wrong with a body's framing comes as an error of input.
        let framing = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
        if error.is_incomplete_message() || framing == Some(io::ErrorKind::UnexpectedEof) {
            return OutboundError::ResponseIncomplete(Box::new(error));
        }
        if error.is_parse() || matches!(framing, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) {
            return OutboundError::ProtocolError(Box::new(error));
        }
        OutboundError::ConnectionTerminated(Box::new(error))
    }
}

/// What a failed TLS handshake says.
pub(super) fn from_tls(error: io::Error) -> OutboundError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            OutboundError::TlsCertificateError(Box::new(error))
        }
        Some(rustls::Error::AlertReceived(alert)) => OutboundError::TlsAlertReceived(u8::from(*alert)),
        Some(_) => OutboundError::TlsProtocolError(Box::new(error)),
        None => OutboundError::ConnectionTerminated(Box::new(error)),
    }
}
