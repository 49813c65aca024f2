//! Whatever goes wrong, the client gets the right status, the request id, and nothing of the inside.

use std::net::SocketAddr;

use support::client::{self, Answer};
use support::{App, Server};

use crate::probe;

/// What every error answer holds.
fn assert_is_error(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    let id = answer.header("x-request-id");
    assert!(!id.is_empty(), "an error carries the request id: {answer:?}");
    assert!(answer.text().contains(id), "the body of an error names the request: {answer:?}");
    for inside in ["wasm", "trap", "panicked", ".rs", "thread"] {
        assert!(!answer.text().contains(inside), "the inside shows outside: {answer:?}");
    }
}

#[tokio::test]
async fn what_no_route_leads_to_is_not_found() {
    let app = App::new(
        r#"
        [app]
        name = "routes"
        [component.hello]
        source = "@hello-rust"
        [[route]]
        path = "/hello"
        methods = ["GET"]
        component = "hello"
        "#,
    );
    let server = Server::start([app.path()]);
    assert_eq!(client::get(server.address, "/hello").await.status, 200);
    assert_is_error(&client::get(server.address, "/other").await, 404);
    assert_is_error(&client::get(server.address, "/hello/").await, 404);
    let refused = client::post(server.address, "/hello", "x").await;
    assert_is_error(&refused, 405);
    assert!(refused.header("allow").contains("GET"), "{refused:?}");
}

#[tokio::test]
async fn guests_that_fail_end_with_their_outcome_and_hurt_nobody() {
    // Far apart: on a busy machine 200 ms of processor time take seconds.
    let (_app, server) = probe("limits = { cpu-time = '200ms', wall-time = '5s', memory = '32 MiB' }");
    let cases = [
        ("/spin", 504, "cpu-deadline"),
        ("/sleep?ms=60000", 504, "wall-deadline"),
        ("/trap", 500, "trap-unreachable"),
        ("/panic", 500, "trap-unreachable"),
        // In Rust's memory the stack lies at the bottom: what overflows it leaves the memory.
        ("/recurse", 500, "trap-memory-out-of-bounds"),
        ("/silent", 502, "invalid-response"),
    ];
    for (path, status, outcome) in cases {
        let answer = client::get(server.address, path).await;
        assert_is_error(&answer, status);
        let line = server.access(answer.header("x-request-id"));
        assert_eq!(support::text(&line, "outcome"), outcome, "{path}: {line}");
        assert_eq!(client::get(server.address, "/random?bytes=1").await.status, 200, "after {path}");
    }
}

#[tokio::test]
async fn memory_ends_inside_the_guest() {
    let (_app, server) = probe("limits = { memory = '32 MiB' }");
    let answer = client::get(server.address, "/grow").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let got: u64 = answer.text().trim().trim_end_matches(" MiB").parse().unwrap();
    assert!((16..32).contains(&got), "a guest that may have 32 MiB got {got}");
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_refused() {
    let (_app, server) = probe("limits = { request-body = '100 kB' }");
    assert_eq!(client::post(server.address, "/body", vec![b'x'; 100_000]).await.status, 200);
    assert_is_error(&client::post(server.address, "/body", vec![b'x'; 100_001]).await, 413);
}

#[tokio::test]
async fn overload_is_shed_at_once_with_a_time_to_come_back() {
    let (_app, server) = probe("limits = { concurrency = 1, queue = 0 }");
    let address = server.address;
    let mut busy = client::http1(address).await;
    let slow = client::request(address, "GET", "/trickle?count=40&ms=50").body(client::empty()).unwrap();
    let slow = busy.send_request(slow).await.unwrap();

    let shed = client::get(address, "/random?bytes=1").await;
    assert_is_error(&shed, 503);
    assert!(shed.header("retry-after").parse::<u32>().is_ok(), "{shed:?}");

    // What was accepted is served to its end, and then there is room again.
    assert!(Answer::read(slow).await.unwrap().text().ends_with("39\n"));
    for _ in 0..100 {
        if client::get(address, "/random?bytes=1").await.status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no room after the slow request ended");
}

/// A guest whose turn ends amid its answer has begun it, and its client finds the connection broken. Soon one is not interrupted.
async fn answered(address: SocketAddr, path: &str) -> Answer {
    for _ in 0..20 {
        let mut sender = client::http1(address).await;
        let request = client::request(address, "GET", path).body(client::empty()).expect("a request");
        if let Ok(response) = sender.send_request(request).await {
            return Answer::read(response).await.expect("a whole answer");
        }
    }
    panic!("no connection that is not broken");
}

#[tokio::test]
async fn a_body_that_the_guest_leaves_is_no_whole_answer() {
    let (_app, server) = probe("");
    for path in ["/unfinished", "/exit?code=0"] {
        let answer = answered(server.address, path).await;
        assert_eq!(answer.status, 502, "{path}: {answer:?}");
        let access = server.access(answer.headers["x-request-id"].to_str().unwrap());
        assert_eq!(access["outcome"], "invalid-response", "{path}: {access}");
    }
}
