//! Nothing of an instance is seen by the one that has its place after it: no memory, no global, no table, no handle.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

mod guests;

use std::time::Duration;

use coracle_package::limit::Limits;
use coracle_runtime::cache::Cache;
use coracle_runtime::compile::Compiler;
use coracle_runtime::http::Function;
use coracle_runtime::{Engine, EngineOptions, Outcome, TrapKind};
use guests::{ask, ask_until, function};

/// How the guest says that it found something.
const FOUND: Outcome = Outcome::Trap(TrapKind::Arithmetic);

/// What is written over before the end, in bytes: a word, some pages, more than is kept resident, and all there is and can be had.
const LEFT: [u32; 4] = [8, 30_000, 1_200_000, 40 << 16];

fn guest(engine: &Engine, left: u32, end: &str) -> Function {
    function(engine, &component(left, end), limits())
}

fn component(left: u32, end: &str) -> Vec<u8> {
    wat::parse_str(include_str!("isolation.wat").replace("{LEFT}", &left.to_string()).replace("{END}", end)).unwrap()
}

fn limits() -> Limits {
    Limits { cpu_time: Some(Duration::from_millis(200)), ..Limits::http() }
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

/// Page faults of this thread, as the kernel counts them.
#[cfg(target_os = "linux")]
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The name is in brackets; behind it the tenth field of all is the eighth (proc_pid_stat(5)).
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(7).unwrap().parse().unwrap()
}

/// On one thread, whose page faults are counted. Needs Linux 6.7, which tells what was written.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn pages_that_are_kept_between_those_that_were_written_hold_nothing_either() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("cache")).unwrap();
    let options = EngineOptions { memory: Some(1 << 30), ..EngineOptions::server(1) };
    for left in LEFT {
        let engine = Engine::new(options, Compiler::InProcess).unwrap();
        let mapped = |left, end| guests::mapped(&engine, &cache, &component(left, end), limits());
        let scattering = mapped(left, "(call $scatter)");
        let mut taken = Vec::new();
        for turn in 0..8 {
            let before = faults();
            let record = ask(&scattering, "/", None).await;
            taken.push(faults() - before);
            assert_eq!(record.outcome, Outcome::InvalidResponse, "{left} bytes, turn {turn}: {record:?}");
            // Until there may be another look.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // 214 pages are written in as many ranges, if not more. What grew is given back, and faulted in again.
        let grown = if left == LEFT[3] { 24 * 16 } else { 0 };
        assert!(taken[0] > 200 && taken[4..].iter().min() < Some(&(grown + 60)), "{left} bytes: {taken:?}");
        // By the same code, whatever its end, and by other code.
        for (end, outcome) in [
            ("(call $scatter) (unreachable)", Outcome::Trap(TrapKind::Unreachable)),
            ("(call $scatter) (loop $ever (br $ever))", Outcome::CpuDeadline),
            ("", Outcome::InvalidResponse),
        ] {
            let other = mapped(left, end);
            for guest in [&other, &scattering, &other] {
                let record = ask(guest, "/", None).await;
                let expected = if std::ptr::eq(guest, &other) { outcome } else { Outcome::InvalidResponse };
                assert_eq!(record.outcome, expected, "{left} bytes, {end}: {record:?}");
            }
        }
    }
}
