//! Components that attack whoever compiles them. The server is given each in place of a good one, which goes on serving.

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::hostile_code::{deep_types, long_body, many_exports, nested_loops, wide_types};
use support::{App, text};

use crate::case::{Case, Seen};
use crate::command::Run;
use crate::guest::Guest;
use crate::stage::Stage;

/// What serves before, and has to serve after.
const GOOD: Guest = Guest::Sample("hello-rust");

/// How soon a component must be refused, generously: a compiler is stopped at its limits of memory and CPU time.
const REFUSED: Duration = Duration::from_secs(60);

/// The code with which `coracle run` ends where a component cannot be used.
const UNUSABLE: i32 = 65;

pub fn cases() -> Vec<Case> {
    vec![
        case("100,000 exports", || many_exports(100_000), "exports, more than the 50000"),
        // The file itself, twice: as it is read and as the compiler's process is given it.
        case("a 50 MB body of code", || long_body(50_000_000), "bytes in one function, more than").growth(160),
        case("types 40,000 deep", || deep_types(40_000), "type nesting is too deep"),
        case("types 2^30 wide", || wide_types(30), "effective type size exceeds the limit"),
        case("a compiler's bomb", || nested_loops(500, 2_000), "needs more memory than"),
    ]
}

fn case(name: &'static str, make: fn() -> Vec<u8>, says: &'static str) -> Case {
    let guest = Guest::Made(make);
    Case::new(name, guest, move |stage| async move { refused(&stage, guest, says).await })
        .prepare(|app: &App| app.write("attacked.wasm", GOOD.bytes()))
        .run_as(Run { flags: &[], arguments: &[], exit: UNUSABLE, says, memory: 256 })
}

async fn refused(stage: &Arc<Stage>, guest: Guest, says: &str) -> Seen {
    let before = stage.server.events().len();
    let began = Instant::now();
    stage.app.write("attacked.wasm", guest.bytes());
    let refusal = "the new version is not used; the one before goes on serving";
    let since =
        |what: &str| stage.server.events().into_iter().skip(before).find(|event| text(event, "message").contains(what));
    stage.event("that it refuses the new version", || since(refusal)).await;
    let time = began.elapsed();
    assert!(since(says).is_some(), "it says why: {:?}", stage.server.events().split_off(before));
    assert!(time < REFUSED, "it took {time:?}");
    let asked = stage.ask("/").await;
    assert_eq!((asked.status, asked.outcome.as_str()), (200, "ok"), "the version before serves: {}", asked.body);
    Seen { outcome: "not compiled".to_owned(), time }
}
