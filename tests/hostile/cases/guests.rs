//! Guests that take what they can get: processor time, memory, calls of the host.

use std::time::Duration;

use crate::case::{Ask, Case};
use crate::command::Run;
use crate::guest::Guest;

/// The limit of processor time in these cases.
const CPU: Duration = Duration::from_millis(300);

const CPU_LIMIT: &str = "limits = { cpu-time = '300ms' }";

/// What must come of a guest that never ends by itself.
const ENDLESS: Ask = Ask {
    count: 2,
    path: "/",
    status: 504,
    outcome: "cpu-deadline",
    within: Duration::from_secs(10),
    whole: true,
    cpu: Some(CPU),
};

/// The same under `coracle run`.
const ENDLESS_RUN: Run =
    Run { flags: &["--cpu-time", "300ms"], arguments: &[], exit: 124, says: "used up its CPU time", memory: 256 };

pub fn cases() -> Vec<Case> {
    vec![
        Case::asking("endless loop", Guest::Text("loop.wat"), ENDLESS).manifest(CPU_LIMIT).run_as(ENDLESS_RUN),
        Case::asking("host-call flood", Guest::Text("host-calls.wat"), ENDLESS).manifest(CPU_LIMIT).run_as(ENDLESS_RUN),
        Case::asking(
            "memory.grow bomb",
            Guest::Text("memory-grow.wat"),
            Ask { count: 4, status: 500, outcome: "out-of-memory", ..Ask::default() },
        )
        .manifest("limits = { memory = '16 MiB' }")
        .run_as(Run {
            flags: &["--memory", "16MiB"],
            arguments: &[],
            exit: 134,
            says: "ran out of memory",
            memory: 256,
        }),
    ]
}
