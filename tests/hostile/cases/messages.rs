//! Guests that answer, write and ask in ways that no host should carry on: too many header fields, lines that are no
//! lines, times that no clock can add up, answers without an end.

use std::sync::Arc;
use std::time::Duration;

use crate::case::{Ask, Case, Seen};
use crate::command::Run;
use crate::guest::Guest;
use crate::stage::Stage;

const PROBE: Guest = Guest::Sample("probe-rust");

/// The limit of memory of a `coracle run` in these cases, in MiB.
const RUN_MEMORY: u64 = 128;

pub fn cases() -> Vec<Case> {
    vec![
        // One more than the type that holds them can: within the limit of bytes, which the manifest has raised.
        Case::asking(
            "32,769 headers, by a guest",
            PROBE,
            Ask { count: 2, path: "/headers?count=32769", status: 500, outcome: "trap-other", ..Ask::default() },
        )
        .manifest("limits = { headers = '64 MiB' }")
        .run_as(Run {
            flags: &[],
            arguments: &["--", "headers", "count=32769"],
            exit: 134,
            says: "total size of fields exceeds limit",
            memory: RUN_MEMORY,
        }),
        Case::asking("timers of 0, 2^63 and 2^64 - 1 ns", PROBE, Ask { path: "/timers", ..Ask::default() })
            .run_as(Run { flags: &[], arguments: &["--", "timers"], exit: 0, says: "[0, 1] of 6", memory: RUN_MEMORY }),
        Case::new("timeouts of 0, 2^63 and 2^64 - 1 ns", PROBE, |stage| async move { timeouts(&stage).await })
            .manifest("grants = { net = ['http://127.0.0.1:*'] }"),
        Case::asking("log flood", PROBE, Ask { count: 2, path: "/stdout?text=flood&lines=100000", ..Ask::default() })
            .run_as(Run {
                flags: &["--wall-time", "30s"],
                arguments: &["--", "stdout", "text=flood", "lines=100000"],
                exit: 0,
                says: "written",
                memory: RUN_MEMORY,
            }),
        Case::asking(
            "log flood of control characters",
            PROBE,
            Ask { count: 2, path: "/stderr?text=flood%0dflood%00%1b[2J&lines=100000", ..Ask::default() },
        ),
        Case::new("CR and LF in header values", PROBE, |stage| async move { line_breaks(&stage).await })
            .manifest("grants = { net = ['http://127.0.0.1:*'] }"),
        Case::asking(
            "a response that trickles",
            PROBE,
            Ask {
                count: 30,
                path: "/trickle?count=1000000&ms=50",
                status: 200,
                outcome: "wall-deadline",
                whole: false,
                ..Ask::default()
            },
        )
        .manifest("limits = { wall-time = '2s' }"),
        Case::asking(
            "a response without an end",
            PROBE,
            Ask {
                count: 4,
                path: "/bytes?count=1000000000000000",
                status: 200,
                outcome: "cpu-deadline",
                whole: false,
                ..Ask::default()
            },
        )
        .manifest("limits = { cpu-time = '300ms' }"),
    ]
}

/// Each timeout in an outbound request that is granted, to the server itself.
async fn timeouts(stage: &Stage) -> Seen {
    let mut time = Duration::ZERO;
    for timeout in ["0", "9223372036854775808", "18446744073709551615"] {
        let path = format!("/outbound?timeout={timeout}&url=http://{}/random", stage.address);
        let asked = stage.ask(&path).await;
        // No time at all is too short, unless everything was there already; which of the times is over first is chance, and
        // each is told in words of its own.
        let good = asked.status == 200 || (timeout == "0" && asked.body.to_lowercase().contains("timeout"));
        assert!(good && asked.outcome == "ok", "{timeout} ns: {} {}", asked.body, asked.line);
        time = time.max(asked.time);
    }
    Seen { outcome: "ok".to_owned(), time }
}

/// A guest that puts line breaks where a response, or another server's request, would be split.
async fn line_breaks(stage: &Arc<Stage>) -> Seen {
    let mut time = Duration::ZERO;
    for broken in ["a%0d%0ax-split:%20yes", "a%0ax-split:%20yes", "a%0dx-split:%20yes", "a%00b"] {
        let url = format!("http://{}/{broken}", stage.address);
        for path in [
            format!("/header?name=x-broken&value={broken}"),
            format!("/header?name={broken}&value=x"),
            format!("/outbound?url={url}"),
            format!("/outbound?url=http://127.0.0.1{broken}:{}/", stage.address.port()),
        ] {
            let asked = stage.ask(&path).await;
            assert!(matches!(asked.status, 400 | 403), "{path}: {} {}", asked.status, asked.body);
            assert!(!asked.headers.contains_key("x-split"), "{path}: {:?}", asked.headers);
            time = time.max(asked.time);
        }
    }
    Seen { outcome: "refused in the guest".to_owned(), time }
}
