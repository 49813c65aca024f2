//! Guests that look for what another invocation was given: in all the memory they can have, and behind every handle.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use http::Request;
use support::client::{self, full};

use crate::case::{Case, Seen};
use crate::guest::Guest;
use crate::stage::Stage;

const PROBE: Guest = Guest::Sample("probe-rust");

/// What one invocation is given, and no other may find.
const CANARY: &str = "yellow-bird-of-the-first-caller";

/// What the attacked component itself is given, to see that a search finds what is there.
const CONTROL: &str = "grey-bird-of-this-very-component";

/// Handles are small numbers: a guest of the probe's kind never has more than a dozen at a time.
const HANDLES: u32 = 48;

const KINDS: [&str; 5] = ["request", "fields", "body", "stream", "descriptor"];

/// Another component, used again as the attacked one is.
const VICTIM: &str = r#"
    [component.victim]
    source = "@probe-rust"
    reuse = { invocations = 100000 }
    limits = { memory = '16 MiB' }
    [[route]]
    path = "/victim/*"
    component = "victim"
"#;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("another invocation's canary", PROBE, |stage| async move { fresh(&stage).await })
            .manifest("limits = { memory = '16 MiB' }"),
        Case::new(
            "another component's canary, instances used again",
            PROBE,
            |stage| async move { reused(&stage).await },
        )
        .manifest("reuse = { invocations = 100000 }\nlimits = { memory = '16 MiB' }")
        .beside(VICTIM),
    ]
}

/// A fresh instance finds nothing of an invocation before it, nor of one beside it.
async fn fresh(stage: &Arc<Stage>) -> Seen {
    hide(stage, "/hide", CANARY).await;
    let beside = format!("/sleep?ms=1000&canary={CANARY}");
    let (_, time) = join(stage.ask(&beside), search_all(stage)).await;
    Seen { outcome: "not found".to_owned(), time }
}

/// An instance that is used again keeps what its own component was given, as its manifest chose, and no other's.
async fn reused(stage: &Arc<Stage>) -> Seen {
    hide(stage, "/hide", CONTROL).await;
    hide(stage, "/victim/hide", CANARY).await;
    let found = stage.ask(&format!("/search?for={}", digits(CONTROL))).await;
    assert!(found.status == 200 && !found.body.starts_with("found 0 "), "a search finds what is there: {}", found.body);
    let time = search_all(stage).await;
    let found = stage.ask(&format!("/victim/search?for={}", digits(CANARY))).await;
    assert!(!found.body.starts_with("found 0 "), "it was there all the time: {}", found.body);
    Seen { outcome: "not found".to_owned(), time }
}

async fn hide(stage: &Stage, path: &str, canary: &str) {
    let request = client::request(stage.address, "POST", path).header("x-canary", canary);
    let request: Request<_> = request.body(full(canary.to_owned())).expect("a request");
    let asked = stage.send(request).await;
    assert_eq!((asked.status, asked.body.trim()), (200, "hidden"));
}

/// Looks in memory and behind every handle, and returns how long the slowest look took.
async fn search_all(stage: &Stage) -> Duration {
    let asked = stage.ask(&format!("/search?for={}", digits(CANARY))).await;
    assert_eq!((asked.status, asked.outcome.as_str()), (200, "ok"), "{}", asked.line);
    assert!(asked.body.starts_with("found 0 in "), "{}", asked.body);
    let mut time = asked.time;
    for kind in KINDS {
        for number in 0..HANDLES {
            let asked = stage.ask(&format!("/handle?kind={kind}&number={number}")).await;
            // A number that is none ends the guest, and so does one of another kind; the rest are its own.
            assert!(matches!(asked.outcome.as_str(), "ok" | "trap-component-model" | "trap-other"), "{}", asked.line);
            assert!(!asked.body.contains(CANARY), "{kind} {number}: {}", asked.body);
            time = time.max(asked.time);
        }
    }
    time
}

/// In hexadecimal digits, so that the request for it is not what is found.
fn digits(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
