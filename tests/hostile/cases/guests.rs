//! Guests that take what they can get: processor time, memory, calls of the host.

use std::time::Duration;

use support::App;

use crate::case::{Ask, Case};
use crate::command::Run;
use crate::guest::Guest;

const PROBE: Guest = Guest::Sample("probe-rust");

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
        Case::asking("loop in start", Guest::Text("start-loop.wat"), ENDLESS).manifest(CPU_LIMIT).run_as(ENDLESS_RUN),
        Case::asking("bulk-memory burn", Guest::Text("bulk-memory.wat"), ENDLESS)
            .manifest(CPU_LIMIT)
            .growth(192)
            .run_as(ENDLESS_RUN),
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
        wired("a wired provider that loops", Ask { cpu: None, ..ENDLESS }, |app| {
            app.write("provider.wasm", Guest::Text("loop.wat").bytes());
        })
        .beside("[component.provider]\nsource = 'provider.wasm'\nlimits = { cpu-time = '300ms' }"),
        wired(
            "a wired provider that takes all memory",
            Ask { status: 500, outcome: "out-of-memory", ..Ask::default() },
            |app| app.write("provider.wasm", Guest::Text("memory-grow.wat").bytes()),
        )
        .beside("[component.provider]\nsource = 'provider.wasm'\nlimits = { memory = '16 MiB' }"),
        Case::asking(
            "table.grow bomb",
            Guest::Text("table-grow.wat"),
            Ask { status: 500, outcome: "out-of-memory", ..Ask::default() },
        )
        .run_as(Run { flags: &[], arguments: &[], exit: 134, says: "ran out of memory", memory: 256 }),
        Case::asking(
            "unbounded recursion",
            Guest::Text("recursion.wat"),
            Ask { status: 500, outcome: "trap-stack-overflow", ..Ask::default() },
        )
        .run_as(Run { flags: &[], arguments: &[], exit: 134, says: "stack", memory: 256 }),
        lift("a list of 40,000,000 bytes", "/lift?bytes=40000000", &["--", "lift", "bytes=40000000"]),
        lift("a list of 4,000,000 lists", "/lift?items=4000000", &["--", "lift", "items=4000000"]),
        lift("a string of 40,000,000 bytes", "/lift?name=40000000", &["--", "lift", "name=40000000"]),
        Case::asking(
            "resource-handle flood",
            PROBE,
            Ask { path: "/handles?count=10000000", status: 500, outcome: "trap-other", ..Ask::default() },
        )
        .run_as(Run {
            flags: &[],
            arguments: &["--", "handles", "count=10000000"],
            exit: 134,
            says: "no free keys",
            memory: 256,
        }),
        Case::asking(
            "4 GB of random bytes, 64 KiB at a time",
            PROBE,
            Ask { path: "/entropy?bytes=4294967296", ..ENDLESS },
        )
        .manifest(CPU_LIMIT)
        .run_as(Run { arguments: &["--", "entropy", "bytes=4294967296"], ..ENDLESS_RUN }),
        Case::asking(
            "4 GB of random bytes, in one call",
            PROBE,
            Ask { path: "/random?bytes=4294967296", status: 500, outcome: "trap-other", ..Ask::default() },
        )
        .run_as(Run {
            flags: &[],
            arguments: &["--", "random", "bytes=4294967296"],
            exit: 134,
            says: "exceeds limit",
            memory: 128,
        }),
    ]
}

/// A component that has another one do the attack, which stays apart from it.
fn wired(name: &'static str, ask: Ask, prepare: fn(&App)) -> Case {
    Case::asking(name, Guest::Text("wired.wat"), ask)
        .manifest("imports = { 'hostile:wired/api' = 'provider' }")
        .prepare(prepare)
}

/// More in one call than one call may hand to the host: the guest has it, and the host never does.
fn lift(name: &'static str, path: &'static str, arguments: &'static [&'static str]) -> Case {
    Case::asking(name, PROBE, Ask { count: 1, path, status: 500, outcome: "trap-other", ..Ask::default() })
        // What the guest has made before it hands it over.
        .growth(192)
        .run_as(Run { flags: &[], arguments, exit: 134, says: "too much data", memory: 300 })
}
