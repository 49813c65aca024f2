//! Nothing of an instance is seen by the one that has its place after it: no memory, no global, no table, no handle.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

mod guests;

use std::time::Duration;

use coracle_package::limit::Limits;
use coracle_runtime::compile::Compiler;
use coracle_runtime::http::Function;
use coracle_runtime::{Engine, EngineOptions, Outcome, TrapKind};
use guests::{ask, ask_until, function};

/// How the guest says that it found something.
const FOUND: Outcome = Outcome::Trap(TrapKind::Arithmetic);

/// What is written over before the end, in bytes: a word, some pages, more than is kept resident, and all there is and can be had.
const LEFT: [u32; 4] = [8, 30_000, 1_200_000, 40 << 16];

fn guest(engine: &Engine, left: u32, end: &str) -> Function {
    let text = include_str!("isolation.wat").replace("{LEFT}", &left.to_string()).replace("{END}", end);
    let limits = Limits { cpu_time: Some(Duration::from_millis(200)), ..Limits::http() };
    function(engine, &wat::parse_str(text).unwrap(), limits)
}

/// One instance at a time: each has the place of the one before it.
fn one_place() -> Engine {
    Engine::new(EngineOptions::server(1), Compiler::InProcess).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_an_instance_ends_the_next_finds_nothing() {
    for left in LEFT {
        let engine = one_place();
        for (end, outcome) in [
            ("", Outcome::InvalidResponse),
            ("(unreachable)", Outcome::Trap(TrapKind::Unreachable)),
            ("(drop (i32.load (i32.const -4)))", Outcome::Trap(TrapKind::MemoryOutOfBounds)),
            ("(call $recurse)", Outcome::Trap(TrapKind::StackOverflow)),
            ("(loop $ever (br $ever))", Outcome::CpuDeadline),
        ] {
            let guest = guest(&engine, left, end);
            for turn in 0..3 {
                let record = ask(&guest, "/", None).await;
                assert_eq!(record.outcome, outcome, "{left} bytes, {end}, turn {turn}: {record:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cancelled_instance_left_is_not_found() {
    for left in LEFT {
        let engine = one_place();
        let (guest, looking) = (guest(&engine, left, "(loop $ever (br $ever))"), guest(&engine, left, ""));
        for _ in 0..3 {
            let gone = ask_until(tokio::time::sleep(Duration::from_millis(60)), &guest, "/", None).await;
            assert_eq!(gone.outcome, Outcome::Cancelled, "{left} bytes: {gone:?}");
            // By the same code and by other code.
            for (guest, outcome) in [(&guest, Outcome::CpuDeadline), (&looking, Outcome::InvalidResponse)] {
                let record = ask(guest, "/", None).await;
                assert_eq!(record.outcome, outcome, "{left} bytes: {record:?}");
            }
        }
    }
}

/// The search is one that finds: what the instance itself left.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_finds_what_it_left_itself() {
    let engine = one_place();
    for left in LEFT {
        let record = ask(&guest(&engine, left, "(call $look)"), "/", None).await;
        assert_eq!(record.outcome, FOUND, "{left} bytes: {record:?}");
    }
    for found in
        ["(global.set $mark (i32.const 7)) (table.set $table (i32.const 5) (ref.null func))", "(drop (call $make))"]
    {
        let record = ask(&guest(&engine, 8, &format!("{found} (call $look)")), "/", None).await;
        assert_eq!(record.outcome, FOUND, "{found}: {record:?}");
    }
}
