//! Headers at the border between the connection and the guest, in both directions.
//!
//! The rules:
//! - Headers that belong to one connection ([`HOP_BY_HOP`]) pass in neither direction: on the way in they are dropped,
//!   and what a guest sets of them is dropped as well, since the connection is not the guest's. Names that `Connection`
//!   lists beyond those are kept: removing what a client names would let it remove what a proxy in front has added.
//! - `Expect` is answered by the connection, and dropped.
//! - A guest's response must have a final status and at most one `Content-Length`, which agrees with the body where the
//!   body's length is known. Anything else is [`Outcome::InvalidResponse`](coracle_runtime::Outcome::InvalidResponse).
//! - `x-request-id` is the server's.

use http::header::{self, HeaderMap, HeaderName};
use http::uri::Authority;
use http::{Method, Request, Response, Version};
use http_body::Body;

/// Headers of one connection (RFC 9110, 7.6.1, and the old ones that are still met).
pub(crate) const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// Takes out of a request what is not for a guest.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(header::EXPECT);
}

/// Checks a guest's response, and takes out of it what is not a guest's to say.
pub(crate) fn check_response<B: Body>(response: &mut Response<B>, method: &Method) -> Result<(), &'static str> {
    if response.status().is_informational() {
        return Err("an informational status (1xx) is no answer");
    }
    let length = response.body().size_hint().exact();
    let headers = response.headers_mut();
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    let mut declared = headers.get_all(header::CONTENT_LENGTH).iter();
    if let Some(value) = declared.next() {
        if declared.next().is_some() {
            return Err("more than one content-length");
        }
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let value = digits.and_then(|text| text.parse::<u64>().ok()).ok_or("a content-length that is no number")?;
        // The answer to HEAD declares the length of a body that it does not have.
        if *method != Method::HEAD && length.is_some_and(|length| length != value) {
            return Err("a content-length that is not the body's");
        }
    }
    Ok(())
}

/// The host that a request is for, from its target or its `Host` header: the name and port as they were sent.
///
/// # Errors
/// Fixed words where two readers may disagree about the host.
pub(crate) fn authority<B>(request: &Request<B>) -> Result<Option<Authority>, &'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err("a request must have exactly one Host header");
    }
    let authority = match (request.uri().authority(), host) {
        (None, None) if request.version() == Version::HTTP_10 => return Ok(None),
        (None, None) => return Err("a request must name its host"),
        (Some(target), None) => target.clone(),
        (None, Some(host)) => Authority::try_from(host.as_bytes()).map_err(|_| "the Host header is malformed")?,
        (Some(target), Some(host)) if host.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes()) => {
            target.clone()
        }
        (Some(_), Some(_)) => return Err("the request's target and its Host header name different hosts"),
    };
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if authority.host().is_empty()
        || authority.as_str().contains('@')
        || (!port.is_empty() && authority.port_u16().is_none())
    {
        return Err("the Host header is malformed");
    }
    Ok(Some(authority))
}

/// Whether a path has `.` or `..` segments, plain or percent-encoded. Clients resolve them before they send (RFC 3986,
/// 5.2.4); one that did not may be after a path that something in front has not seen.
pub(crate) fn has_dot_segments(path: &str) -> bool {
    fn is_dot_segment(mut segment: &[u8]) -> bool {
        let mut dots = 0;
        while let Some((first, rest)) = segment.split_first() {
            segment = match (first, rest) {
                (b'.', _) => rest,
                (b'%', [b'2', b'e' | b'E', rest @ ..]) => rest,
                _ => return false,
            };
            dots += 1;
        }
        dots == 1 || dots == 2
    }
    path.as_bytes().split(|byte| matches!(byte, b'/' | b'\\')).any(is_dot_segment)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dot_segments_are_found_in_every_spelling() {
        for path in ["/..", "/a/../b", "/./", "/%2e%2E/b", "/.%2e", "/a/.", "/..\\b"] {
            assert!(has_dot_segments(path), "{path}");
        }
        for path in ["/", "/a.b/..c", "/...", "/.well-known/x", "/%2ea", "/a%2fb"] {
            assert!(!has_dot_segments(path), "{path}");
        }
    }

    #[test]
    fn the_host_is_beyond_doubt_or_refused() {
        let request = |target: &str, hosts: &[&str]| {
            let builder =
                hosts.iter().fold(Request::builder().uri(target), |builder, host| builder.header("host", *host));
            authority(&builder.body(()).unwrap()).map(|authority| authority.map(|authority| authority.to_string()))
        };
        assert_eq!(request("/", &["a.example:80"]), Ok(Some("a.example:80".into())));
        assert_eq!(request("/", &["[::1]:80"]), Ok(Some("[::1]:80".into())));
        assert_eq!(request("http://a.example/", &[]), Ok(Some("a.example".into())));
        assert_eq!(request("http://a.example/", &["A.example"]), Ok(Some("a.example".into())));
        for (target, hosts) in [
            ("/", &[][..]),
            ("/", &["a", "a"]),
            ("http://a/", &["b"]),
            ("/", &["user@a"]),
            ("/", &["a b"]),
            ("/", &["a:"]),
            ("/", &["a:99999"]),
            ("/", &[":80"]),
        ] {
            assert!(request(target, hosts).is_err(), "{target} {hosts:?}");
        }
    }

    #[test]
    fn a_guest_does_not_steer_the_connection() {
        let response = |headers: &[(&str, &str)], body: &'static str| {
            let builder =
                headers.iter().fold(Response::builder(), |builder, (name, value)| builder.header(*name, *value));
            builder.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
        };
        let mut stripped = response(&[("connection", "close"), ("transfer-encoding", "chunked"), ("x", "y")], "ab");
        assert_eq!(check_response(&mut stripped, &Method::GET), Ok(()));
        assert_eq!(stripped.headers().len(), 1);

        let length = |values: &[&str], method| {
            let headers: Vec<_> = values.iter().map(|value| ("content-length", *value)).collect();
            check_response(&mut response(&headers, "ab"), &method).is_ok()
        };
        assert!(length(&["2"], Method::GET));
        assert!(length(&["7"], Method::HEAD));
        for wrong in [&["7"][..], &["2", "2"], &["+2"], &["2, 2"], &[""], &["99999999999999999999"]] {
            assert!(!length(wrong, Method::GET), "{wrong:?}");
        }
    }

    proptest! {
        /// Reason: the host comes from strangers and is looked up in tables and written to logs.
        #[test]
        fn any_host_is_survived(host in "\\PC{0,40}") {
            if let Ok(request) = Request::builder().uri("/").header("host", host.as_bytes()).body(()) {
                let _ = authority(&request);
            }
        }
    }
}
