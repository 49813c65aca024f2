//! The HTTP client behind a guest's outgoing requests.
//!
//! A [`Client`] belongs to one policy, and so do its connections: a connection that was checked for one guest is never
//! used by another. What it connects to is an address that the policy permitted, while TLS and the `Host` header carry
//! the name. Connections are kept and used again within stated bounds; bodies stream both ways; redirects are the
//! guest's to follow, each checked like any other request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

use crate::net::Policy;

mod body;
mod connect;
mod error;
mod pool;
mod send;
mod trust;

pub use body::ResponseBody;
pub use connect::ATTEMPT_DELAY;
pub use error::OutboundError;
pub use pool::{IDLE_TIMEOUT, MAX_CONNECTIONS, MAX_IDLE};
pub use send::{HTTP1_BUFFER, HTTP2_WINDOW, MAX_RESPONSE_HEADER_BYTES, MAX_RESPONSE_HEADERS};
pub use trust::{Trust, TrustError};

/// The error underneath, of a request body or a library.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body on its way out.
pub type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// How long the steps of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// To look the name up, connect and shake hands.
    pub connect_timeout: Duration,
    /// From the request being sent to the head of the response.
    pub first_byte_timeout: Duration,
    /// From one piece of the response body to the next.
    pub between_bytes_timeout: Duration,
}

impl Options {
    /// [`Options::connect_timeout`] by default: several lost packets, and far below what a caller waits.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// [`Options::first_byte_timeout`] by default: slow services answer within it; the invocation's own deadline is
    /// usually shorter.
    pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(60);
    /// [`Options::between_bytes_timeout`] by default: as for the first byte.
    pub const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(60);
}

impl Default for Options {
    fn default() -> Options {
        Options {
            connect_timeout: Self::CONNECT_TIMEOUT,
            first_byte_timeout: Self::FIRST_BYTE_TIMEOUT,
            between_bytes_timeout: Self::BETWEEN_BYTES_TIMEOUT,
        }
    }
}

/// Sends requests under one policy. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<send::Inner>,
}

impl Client {
    /// A client for `policy` that trusts servers by `trust`.
    pub fn new(policy: Policy, trust: &Trust) -> Client {
        Client { inner: Arc::new(send::Inner::new(policy, trust)) }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        self.inner.policy()
    }

    /// Sends `request`, whose URI is absolute, and returns the response as soon as its head is there.
    ///
    /// The `Host` header is set from the URI. Dropping the future or the response's body gives the request up.
    ///
    /// # Errors
    /// [`OutboundError`]; [`OutboundError::Refused`] before anything is sent if the policy says no.
    pub async fn send<B, E>(
        &self,
        request: http::Request<B>,
        options: Options,
    ) -> Result<http::Response<ResponseBody>, OutboundError>
    where
        B: http_body::Body<Data = Bytes, Error = E> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        use http_body_util::BodyExt;
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        Arc::clone(&self.inner).send(request, options).await
    }
}
