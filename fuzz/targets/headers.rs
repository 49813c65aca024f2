//! Headers at the border, from the bytes of a connection to what a guest sees and back: whatever the strict check lets
//! pass, hyper's parser reads the same way; what reaches a guest says what is true; and where the stream is cut changes
//! nothing.
//!
//! The modules are taken in by their files, since to link the whole server would build the engine too.

#![no_main]
#![allow(dead_code, reason = "of the modules below a target uses its part")]

#[path = "../../crates/server/src/forwarded.rs"]
mod forwarded;
#[path = "../../crates/server/src/http1/framing.rs"]
mod framing;
#[path = "../../crates/server/src/http1/head.rs"]
mod head;
#[path = "../../crates/server/src/headers.rs"]
mod headers;
#[path = "../../crates/daemon/src/trace.rs"]
mod trace;

/// What `forwarded` asks of a connection.
mod connection {
    pub(crate) struct Peer {
        pub(crate) address: std::net::SocketAddr,
        pub(crate) name: http::HeaderValue,
        pub(crate) tls: bool,
    }
}

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use connection::Peer;
use forwarded::TrustedProxies;
use framing::Framing;
use head::{BodyFraming, MAX_HEADER_LINES, Violation};
use http::header::{CONTENT_LENGTH, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, Version};
use libfuzzer_sys::fuzz_target;

/// A peer that is a trusted proxy.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fuzz_target!(|input: &[u8]| {
    let Some((cut, stream)) = input.split_first() else { return };
    cut_changes_nothing(stream, usize::from(*cut));
    let Some(head) = first_head(stream) else { return };
    let Ok(framing) = head::check(head) else { return };
    let Some(request) = read_as_hyper_does(head) else { return };
    body_is_beyond_doubt(&request, framing);
    host_is_beyond_doubt(&request);
    guest_sees_what_is_true(request.headers());
    guest_does_not_steer(request.headers());
    trace_passes_whole(request.headers());
});

/// Everything that is passed on of a stream that comes in these pieces, and what is wrong with the rest.
fn pass<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Violation>) {
    let (mut framing, mut out) = (Framing::default(), Vec::new());
    for piece in pieces {
        let passed = framing.feed(piece);
        out.extend_from_slice(&passed.held);
        out.extend_from_slice(&piece[..passed.bytes]);
        if passed.violation.is_some() {
            return (out, passed.violation);
        }
    }
    (out, None)
}

/// The verdict does not depend on where the stream is cut. How much of a bad line of a chunk has passed by then does, since
/// those are passed on as they come.
fn cut_changes_nothing(stream: &[u8], cut: usize) {
    let (whole, verdict) = pass([stream]);
    let (first, second) = stream.split_at(cut.min(stream.len()));
    for (out, violation) in [pass([first, second]), pass(stream.chunks(1))] {
        assert_eq!(violation.is_some(), verdict.is_some(), "{violation:?} {verdict:?}");
        assert!(out.starts_with(&whole) && stream.starts_with(&out));
        assert!(verdict.is_some() || out == whole);
    }
}

/// The head that a stream starts with, its empty line included.
fn first_head(stream: &[u8]) -> Option<&[u8]> {
    let start = if stream.starts_with(b"\r\n") { 2 } else { 0 };
    let end = stream[start..].windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(&stream[..start + end + 4])
}

/// The request that hyper makes of a head, unless it refuses it.
fn read_as_hyper_does(head: &[u8]) -> Option<Request<()>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADER_LINES];
    let mut parsed = httparse::Request::new(&mut fields);
    let status = parsed.parse(head).ok()?;
    assert_eq!(status, httparse::Status::Complete(head.len()), "both see the same end of the head");
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut request = Request::builder().version(version).method(parsed.method?).uri(parsed.path?).body(()).ok()?;
    for field in parsed.headers.iter() {
        let (name, value) = (HeaderName::from_bytes(field.name.as_bytes()), HeaderValue::from_bytes(field.value));
        request.headers_mut().append(name.expect("the check accepts only names"), value.expect("and only values"));
    }
    Some(request)
}

fn body_is_beyond_doubt(request: &Request<()>, framing: BodyFraming) {
    let lengths: Vec<_> = request.headers().get_all(CONTENT_LENGTH).iter().collect();
    let encodings: Vec<_> = request.headers().get_all(TRANSFER_ENCODING).iter().collect();
    match (framing, lengths.as_slice(), encodings.as_slice()) {
        (BodyFraming::Length(0), [], []) => {}
        (BodyFraming::Length(length), [value], []) => {
            assert_eq!(number(value), Some(length));
        }
        (BodyFraming::Chunked, [], [value]) => assert!(value.as_bytes().eq_ignore_ascii_case(b"chunked")),
        (framing, ..) => panic!("{framing:?} of {lengths:?} and {encodings:?}"),
    }
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

fn host_is_beyond_doubt(request: &Request<()>) {
    let hosts = request.headers().get_all(HOST).iter().count();
    assert!(hosts == 1 || (hosts == 0 && request.version() == Version::HTTP_10));
    if let Ok(Some(authority)) = headers::authority(request) {
        assert!(!authority.host().is_empty() && !authority.as_str().contains('@'));
    }
    if !headers::has_dot_segments(request.uri().path()) {
        let plain = request.uri().path().to_ascii_lowercase().replace("%2e", ".");
        assert!(!plain.split('/').any(|segment| segment == "." || segment == ".."));
    }
}

fn guest_sees_what_is_true(received: &HeaderMap) {
    let trusted = TrustedProxies::from(vec![PROXY.into()]);
    for peer in [PROXY, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))] {
        let mut seen = received.clone();
        let name = forwarded::name(peer);
        let connected = Peer { address: SocketAddr::new(peer, 1), name: name.clone(), tls: false };
        let client = forwarded::identify(&mut seen, &connected, &trusted);
        headers::strip_request(&mut seen);
        let told: Vec<_> = seen.get_all("x-forwarded-for").iter().collect();
        assert_eq!(told, [&client.name]);
        assert!(!seen.contains_key(FORWARDED) && headers::HOP_BY_HOP.iter().all(|name| !seen.contains_key(name)));
        if peer != PROXY {
            assert_eq!((client.name, client.by_proxy), (name, false));
            assert!(!seen.contains_key("x-forwarded-host"));
        }
    }
}

fn guest_does_not_steer(answered: &HeaderMap) {
    let mut response = Response::new(http_body_util::Full::new(bytes::Bytes::from_static(b"ab")));
    *response.headers_mut() = answered.clone();
    if headers::check_response(&mut response, &Method::GET).is_ok() {
        assert!(headers::HOP_BY_HOP.iter().all(|name| !response.headers().contains_key(name)));
        assert!(response.headers().get_all(CONTENT_LENGTH).iter().all(|length| number(length) == Some(2)));
    }
}

fn trace_passes_whole(received: &HeaderMap) {
    let all =
        |name: &str| -> Vec<Vec<u8>> { received.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect() };
    if let Some(context) = trace::Context::parent(all("traceparent").iter().map(Vec::as_slice)) {
        assert_eq!(context.to_string().parse(), Ok(context));
    }
    if let Some(state) = trace::state(all("tracestate").iter().map(Vec::as_slice)) {
        assert!(!state.is_empty() && state.len() <= trace::MAX_STATE);
        assert_eq!(trace::state([state.as_bytes()]).as_deref(), Some(state.as_str()));
    }
}
