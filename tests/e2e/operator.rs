//! What an operator sees: health, metrics, one line for each request, traces across servers.

use support::client;
use support::text;

use crate::probe;

#[tokio::test]
async fn health_and_metrics_are_on_an_address_of_their_own() {
    let (_app, server) = probe("");
    let answer = client::get(server.address, "/random?bytes=1").await;
    assert_eq!(answer.status, 200);
    // The guest may end after its answer, and is counted when it has.
    server.access(answer.header("x-request-id"));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client::get(server.admin, path).await.status, 200, "{path}");
    }
    let metrics = client::get(server.admin, "/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").contains("text"), "{metrics:?}");
    let counted = metrics.text().lines().any(|line| line.contains("outcome=\"ok\"") && line.ends_with(" 1"));
    assert!(counted, "the request is counted:\n{}", metrics.text());
    assert_ne!(client::get(server.address, "/metrics").await.status, 200, "the public address shows none of it");
}

#[tokio::test]
async fn every_request_leaves_one_line_that_says_how_it_went() {
    let (_app, server) = probe("");
    let answer = client::get(server.address, "/random?bytes=4").await;
    let line = server.access(answer.header("x-request-id"));
    for name in ["component", "route", "status", "outcome", "wall_us", "cpu_us", "peak_memory"] {
        assert!(line.get(name).is_some(), "{name} is not in {line}");
    }
    assert_eq!(text(&line, "outcome"), "ok");
    assert_eq!(text(&line, "component"), "probe");
    assert!(line["peak_memory"].as_u64().unwrap() >= 65_536, "{line}");
}

#[tokio::test]
async fn what_a_guest_prints_becomes_log_events_up_to_a_bound() {
    let (_app, server) = probe("limits = { log-lines = 5 }");
    let answer = client::get(server.address, "/stdout?text=hear-me&lines=20").await;
    assert_eq!(answer.status, 200);
    let id = answer.header("x-request-id").to_owned();
    let line = server.access(&id);
    let heard = server.events().iter().filter(|event| event.to_string().contains("hear-me")).count();
    assert_eq!(heard, 5, "{:#?}", server.events());
    assert_eq!(line["dropped_log_lines"], 15, "{line}");
}

#[tokio::test]
async fn a_trace_goes_on_in_the_guest() {
    let (_app, server) = probe("");
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = client::request(server.address, "GET", "/request")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .body(client::empty())
        .unwrap();
    let answer = client::send(server.address, request).await;
    let passed = answer.text().lines().find_map(|line| line.strip_prefix("header traceparent: "));
    let passed = passed.unwrap_or_else(|| panic!("the guest got no traceparent: {}", answer.text()));
    assert!(passed.contains(trace), "{passed}");
    assert!(!passed.contains("b7ad6b7169203331"), "the guest is a span of its own: {passed}");

    let answer = client::get(server.address, "/request").await;
    assert!(answer.text().contains("header traceparent: 00-"), "a trace begins where none was: {}", answer.text());
}
