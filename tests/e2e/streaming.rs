//! Bodies stream both ways, with back-pressure, and end when either side leaves.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Frame;
use support::client;
use support::{App, Server};

/// Sent by the test of memory: many times what may be kept of it. `CORACLE_TEST_BODY` takes another number of bytes.
const BODY: u64 = 256 << 20;

/// By how much a server may grow while a body of any length passes: buffers, an instance, what the allocator keeps.
const FLAT: u64 = 48 << 20;

/// One piece of a body.
const PIECE: usize = 64 << 10;

fn echo() -> (App, Server) {
    let app = App::new(
        r#"
        [app]
        name = "echo"
        [component.echo]
        source = "@echo-rust"
        limits = { request-body = "8 GiB", wall-time = "10m", cpu-time = "10m" }
        [[route]]
        path = "/*"
        component = "echo"
        "#,
    );
    let server = Server::start([app.path()]);
    (app, server)
}

#[tokio::test]
async fn an_answer_begins_before_the_request_ends() {
    let (_app, server) = echo();
    let (mut send, body) = client::channel();
    let mut sender = client::http1(server.address).await;
    let request = client::request(server.address, "POST", "/").body(body).unwrap();
    send.send_data("first".into()).await.unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    assert_eq!(next(&mut response).await, "first");
    send.send_data("second".into()).await.unwrap();
    assert_eq!(next(&mut response).await, "second");
    drop(send);
    assert!(response.frame().await.is_none(), "the end of one is the end of the other");
}

#[tokio::test]
async fn trailers_pass() {
    let (_app, server) = echo();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "abc".parse().unwrap());
    let frames = [Frame::data(Bytes::from("body")), Frame::trailers(trailers)];
    let body = client::frames(futures_util::stream::iter(frames));
    let request = client::request(server.address, "POST", "/")
        .header("trailer", "x-checksum")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = client::send(server.address, request).await;
    assert_eq!(answer.text(), "body");
    assert_eq!(answer.trailers.get("x-checksum").map(|value| value.as_bytes()), Some(&b"abc"[..]), "{answer:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_long_body_passes_with_flat_memory() {
    let (_app, server) = echo();
    let length = std::env::var("CORACLE_TEST_BODY").map_or(BODY, |bytes| bytes.parse().unwrap());
    // The first request compiles, maps and allocates what every later one uses too.
    assert_eq!(client::post(server.address, "/", vec![b'x'; 1 << 20]).await.body.len(), 1 << 20);
    let before = server.resident();

    let piece = Bytes::from(vec![b'x'; PIECE]);
    let pieces = length / PIECE as u64;
    let frames = futures_util::stream::iter((0..pieces).map(move |_| Frame::data(piece.clone())));
    let request = client::request(server.address, "POST", "/").body(client::frames(frames)).unwrap();
    let mut sender = client::http1(server.address).await;
    let mut response = sender.send_request(request).await.unwrap();
    let (mut received, mut most) = (0, 0);
    let mut frames: u64 = 0;
    while let Some(frame) = response.frame().await {
        received += frame.unwrap().data_ref().map_or(0, Bytes::len) as u64;
        frames += 1;
        if frames.is_multiple_of(256) {
            most = most.max(server.resident());
        }
    }
    assert_eq!(received, pieces * PIECE as u64);
    let grown = most.saturating_sub(before);
    assert!(grown < FLAT, "the server grew by {} MiB while {} MiB passed", grown >> 20, length >> 20);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_reads_nothing_holds_the_guest_back() {
    let (_app, server) = probe_with_time();
    client::get(server.address, "/bytes?count=1000000").await;
    let before = server.resident();
    let mut sender = client::http1(server.address).await;
    let request = client::request(server.address, "GET", "/bytes?count=400000000").body(client::empty()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = server.resident().saturating_sub(before);
    assert!(grown < FLAT, "the server keeps {} MiB for a client that does not read", grown >> 20);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 400_000_000, "and nothing is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_its_guest() {
    let (_app, server) = probe_with_time();
    let mut sender = client::http1(server.address).await;
    let request = client::request(server.address, "GET", "/trickle?count=100000&ms=10").body(client::empty()).unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    next(&mut response).await;
    drop((response, sender));
    let line = server.access(&id);
    assert_eq!(support::text(&line, "outcome"), "cancelled", "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_answer_cancels_its_guest() {
    let (_app, server) = probe_with_time();
    let mut sender = client::http1(server.address).await;
    let request = client::request(server.address, "GET", "/sleep?ms=600000").body(client::empty()).unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(500), sender.send_request(request)).await;
    assert!(waiting.is_err(), "the guest sleeps for ten minutes");
    drop(sender);
    server.wait_for("that the guest was cancelled", |event| support::text(event, "outcome") == "cancelled");
}

/// Reason: half a document that looks whole is worse than an error.
#[tokio::test]
async fn an_answer_whose_guest_is_ended_is_not_taken_for_whole() {
    let (_app, server) = crate::probe("limits = { wall-time = '1s', cpu-time = '300ms' }");
    for path in ["/trickle?count=100000&ms=50", "/bytes?count=1000000000000"] {
        let mut sender = client::http1(server.address).await;
        let request = client::request(server.address, "GET", path).body(client::empty()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let mut body = response.into_body();
        let broken = loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken, "{path}");
    }
}

fn probe_with_time() -> (App, Server) {
    crate::probe("limits = { wall-time = '15m', cpu-time = '1m' }")
}

async fn next(response: &mut http::Response<hyper::body::Incoming>) -> Bytes {
    response.frame().await.expect("more of the body").expect("a good connection").into_data().expect("data")
}
