//! The first phase: who asks, from where, in which trace, and by which name the request is known from here on.

use std::time::Instant;

use coracle_daemon::trace;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{Method, Request, Uri, Version};

use crate::connection::Peer;
use crate::forwarded::{self, TrustedProxies};
use crate::response::{self, REQUEST_ID, ServeError};
use crate::{headers, http1};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest request id that is taken from a proxy, in bytes.
///
/// Reason: twice the longest form in use (UUIDs, traces, ULIDs); it is written into every log line of the request.
const MAX_REQUEST_ID: usize = 128;

/// What is known about a request besides what a guest is given.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: RequestId,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    client: HeaderValue,
    pub(crate) scheme: Scheme,
    pub(crate) traceparent: String,
    pub(crate) began: Instant,
    /// Whether the client would rather read JSON than text.
    pub(crate) json: bool,
}

/// The name of a request: visible ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    fn random() -> Self {
        let mut digits = [0; 32];
        trace::write_hex(&rand::random::<[u8; 16]>(), &mut digits);
        Self(HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("none")))
    }

    /// Taken from a request that a trusted proxy has passed on.
    fn from_proxy(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(REQUEST_ID)?;
        let sound = (1..=MAX_REQUEST_ID).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
        sound.then(|| Self(value.clone()))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl Identity {
    /// Names the request, and puts what was found out into its headers in place of what the client claims.
    pub(crate) fn establish<B>(request: &mut Request<B>, peer: &Peer, trusted: &TrustedProxies) -> Self {
        let (method, uri, version) = (request.method().clone(), request.uri().clone(), request.version());
        let headers = request.headers_mut();
        let json = response::wants_json(headers);
        let client = forwarded::identify(headers, peer, trusted);
        let id = match client.by_proxy {
            true => RequestId::from_proxy(headers),
            false => None,
        }
        .unwrap_or_else(RequestId::random);
        headers.insert(REQUEST_ID, id.header());
        let traceparent = trace(headers);
        headers::strip_request(headers);
        Self {
            id,
            method,
            uri,
            version,
            client: client.name,
            scheme: client.scheme,
            traceparent,
            began: Instant::now(),
            json,
        }
    }

    /// The client's address.
    pub(crate) fn client(&self) -> &str {
        // It was written from an address.
        self.client.to_str().unwrap_or_default()
    }
}

/// Takes up the request's trace, or begins one, with a span of its own, and hands it on in the headers.
fn trace(headers: &mut HeaderMap) -> String {
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let (context, has_parent) = match trace::Context::parent(values(TRACEPARENT)) {
        Some(parent) => (parent.child(), true),
        None => (trace::Context::root(false), false),
    };
    // The state belongs to the parent: without a sound one it means nothing.
    let state = if has_parent { trace::state(values(TRACESTATE)) } else { None };
    let traceparent = context.to_string();
    headers.remove(TRACESTATE);
    if let Some(state) = state.and_then(|state| HeaderValue::try_from(state).ok()) {
        headers.insert(TRACESTATE, state);
    }
    if let Ok(value) = HeaderValue::try_from(traceparent.as_str()) {
        headers.insert(TRACEPARENT, value);
    }
    traceparent
}

/// Checks what must hold of any request before it is routed, and returns the host that it is for.
pub(crate) fn check<B>(request: &mut Request<B>, peer: &Peer) -> Result<Option<Authority>, ServeError> {
    if let Some(violation) = peer.findings.of(request.uri().path()) {
        return Err(ServeError::Violation(violation));
    }
    if *request.method() == Method::CONNECT || *request.method() == Method::TRACE {
        return Err(ServeError::NotImplemented);
    }
    if request.uri().path().len() > http1::head::MAX_TARGET_BYTES {
        return Err(ServeError::Violation(http1::head::Violation::TargetTooLong));
    }
    if headers::has_dot_segments(request.uri().path()) {
        return Err(ServeError::BadRequest("the path must not contain . or .. segments"));
    }
    let authority = headers::authority(request).map_err(ServeError::BadRequest)?;
    if authority.is_none()
        && let Ok(local) = HeaderValue::try_from(peer.local.to_string())
    {
        // HTTP/1.0 need not say: a guest is told the address at which it was asked.
        request.headers_mut().insert(http::header::HOST, local);
    }
    Ok(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn establish(peer: &str, headers: &[(&'static str, &str)]) -> (Identity, HeaderMap) {
        let trusted = TrustedProxies::from(vec!["10.0.0.0/8".parse().unwrap()]);
        let peer = Peer::new(peer.parse().unwrap(), "127.0.0.1:80".parse().unwrap(), false);
        let builder = headers.iter().fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value));
        let mut request = builder.body(()).unwrap();
        let identity = Identity::establish(&mut request, &peer, &trusted);
        (identity, request.headers().clone())
    }

    #[test]
    fn only_a_trusted_proxy_names_requests() {
        let (by_proxy, headers) = establish("10.0.0.1:1", &[("x-request-id", "from-proxy")]);
        assert_eq!(by_proxy.id.as_str(), "from-proxy");
        assert_eq!(headers[REQUEST_ID], "from-proxy");
        for (peer, id) in [("203.0.113.1:1", "from-stranger"), ("10.0.0.1:1", "a b"), ("10.0.0.1:1", &"x".repeat(129))]
        {
            let (identity, headers) = establish(peer, &[("x-request-id", id)]);
            assert_eq!(identity.id.as_str().len(), 32, "{id}");
            assert_eq!(headers[REQUEST_ID], identity.id.as_str());
        }
    }

    #[test]
    fn the_trace_is_taken_up_with_a_span_of_its_own() {
        let (identity, headers) = establish("203.0.113.1:1", &[("traceparent", PARENT), ("tracestate", "a=1")]);
        assert!(identity.traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(!identity.traceparent.contains("b7ad6b7169203331"));
        assert_eq!(headers[TRACEPARENT], identity.traceparent.as_str());
        assert_eq!(headers[TRACESTATE], "a=1");

        let (identity, headers) = establish("203.0.113.1:1", &[("traceparent", "nonsense"), ("tracestate", "a=1")]);
        assert_eq!(identity.traceparent.len(), PARENT.len());
        assert!(!headers.contains_key(TRACESTATE));
    }
}
