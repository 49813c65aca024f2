//! What guests hold: of their own, of the host's, and all of them together.

mod guests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use coracle_package::limit::Limits;
use coracle_runtime::compile::Compiler;
use coracle_runtime::{Engine, EngineOptions, GuestLog, LogStream, Outcome, TrapKind};
use guests::{ask, ask_until, engine, function, probe, reused_probe};

#[tokio::test(flavor = "multi_thread")]
async fn growth_past_the_memory_of_all_guests_fails_in_the_guest_that_grows() {
    let engine = engine(Some(64 << 20));
    let function = probe(&engine, Limits { memory: 256 << 20, ..Limits::http() });
    let greedy = ask(&function, "/grow", None).await;
    // The probe tells how far it came, or dies of it.
    assert!(matches!(greedy.outcome, Outcome::Ok | Outcome::OutOfMemory), "{greedy:?}");
    assert!(greedy.peak_memory > 32 << 20 && greedy.peak_memory < 64 << 20, "{greedy:?}");
    assert_eq!(engine.budget().used(), 0, "all is given back");
    assert!(!engine.budget().is_short());
    assert_eq!(ask(&function, "/", None).await.outcome, Outcome::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_an_instance_the_outcome_is_overload() {
    // For less than what every instance takes, and for that and not for its memories.
    for budget in [1 << 10, 300 << 10] {
        let engine = engine(Some(budget));
        let record = ask(&probe(&engine, Limits::http()), "/", None).await;
        assert_eq!(record.outcome, Outcome::Overload, "{record:?}");
        assert_eq!(engine.budget().used(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_keeps_for_a_guest_is_bounded() {
    let engine = engine(Some(1 << 30));
    let hoarder = wat::parse_str(include_str!("hoard.wat")).unwrap();
    let record = ask(&function(&engine, &hoarder, Limits::http()), "/", None).await;
    assert_eq!(record.outcome, Outcome::OutOfMemory, "{record:?}");
    assert!(record.detail.as_ref().unwrap().contains("the host keeps too much for the guest"), "{record:?}");
    assert_eq!(engine.budget().used(), 0);
    // What the host keeps is part of what all guests hold together.
    let small = self::engine(Some(16 << 20));
    let record = ask(&function(&small, &hoarder, Limits::http()), "/", None).await;
    assert_eq!(record.outcome, Outcome::OutOfMemory, "{record:?}");
    assert_eq!(small.budget().used(), 0);
    // With room for it, nothing is wrong with it but that it loops.
    let limits = Limits { host_memory: 256 << 20, cpu_time: Some(Duration::from_secs(2)), ..Limits::http() };
    let record = ask(&function(&engine, &hoarder, limits), "/", None).await;
    assert_eq!(record.outcome, Outcome::CpuDeadline, "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_random_bytes_than_anybody_needs_end_the_guest() {
    let engine = engine(None);
    let function = probe(&engine, Limits::http());
    assert_eq!(ask(&function, "/random?bytes=1000000", None).await.outcome, Outcome::Ok);
    let record = ask(&function, "/random?bytes=4194305", None).await;
    assert!(matches!(record.outcome, Outcome::Trap(_)), "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_guest_ends_nothing_of_it_stays_charged() {
    let engine = engine(Some(1 << 30));
    let function = probe(&engine, Limits::http());
    let hurried = probe(&engine, Limits { cpu_time: Some(Duration::from_millis(100)), ..Limits::http() });
    for (path, outcome) in [
        ("/", Outcome::Ok),
        ("/trap", Outcome::Trap(TrapKind::Unreachable)),
        ("/panic", Outcome::Trap(TrapKind::Unreachable)),
        ("/spin", Outcome::CpuDeadline),
        ("/recurse", Outcome::Trap(TrapKind::MemoryOutOfBounds)),
        ("/exit?code=1", Outcome::GuestError),
        ("/unfinished", Outcome::InvalidResponse),
        ("/silent", Outcome::InvalidResponse),
        ("/bytes?count=9", Outcome::Ok),
    ] {
        let record = ask(if path == "/spin" { &hurried } else { &function }, path, None).await;
        assert_eq!(record.outcome, outcome, "{path}: {record:?}");
        assert_eq!(engine.budget().used(), 0, "{path}");
    }
    // Its caller leaves.
    let held = tokio::time::timeout(Duration::from_millis(300), ask(&function, "/sleep?ms=60000", None)).await;
    assert!(held.is_err());
    assert_eq!(engine.budget().used(), 0, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_wait_make_room_for_one_at_work() {
    let roomy = engine(None);
    let function = reused_probe(&roomy);
    assert_eq!(ask(&function, "/", None).await.outcome, Outcome::Ok);
    let one = roomy.budget().used();
    assert!(one > 0, "the instance waits");
    drop(function);
    assert_eq!(roomy.budget().used(), 0);

    // Two that wait, and half of the room that a third one needs.
    let engine = engine(Some(2 * one + one / 2));
    let (first, second) = (reused_probe(&engine), reused_probe(&engine));
    for function in [&first, &second] {
        assert_eq!(ask(function, "/", None).await.outcome, Outcome::Ok);
    }
    // A tick may have found some more at one of them.
    let waiting = || (engine.budget().used() + one / 2) / one;
    assert_eq!(waiting(), 2);
    assert_eq!(ask(&probe(&engine, Limits::http()), "/", None).await.outcome, Outcome::Ok);
    assert_eq!(waiting(), 1, "one has gone");
    drop(first);
    assert_eq!(waiting(), 1, "it was the one that waited longest");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_waits_makes_room_for_one_that_grows_and_one_at_work_does_not() {
    let roomy = engine(None);
    let spare = reused_probe(&roomy);
    assert_eq!(ask(&spare, "/", None).await.outcome, Outcome::Ok);
    let one = roomy.budget().used();

    // One that waits, one at work, and one that grows, which has room for little more than to begin.
    let engine = engine(Some(4 * one));
    let (spare, busy, greedy) = (reused_probe(&engine), probe(&engine, Limits::http()), probe(&engine, Limits::http()));
    assert_eq!(ask(&spare, "/", None).await.outcome, Outcome::Ok);
    let held = || (engine.budget().used() + one / 2) / one;
    let grown = async {
        while held() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let greedy = ask(&greedy, "/grow", None).await;
        assert!(matches!(greedy.outcome, Outcome::Ok | Outcome::OutOfMemory), "{greedy:?}");
        assert!(greedy.peak_memory > 2 * one, "it had the room of the one that waited: {greedy:?}");
        assert_eq!(held(), 1, "only the one at work is left");
    };
    let busy = ask_until(grown, &busy, "/sleep?ms=60000", None).await;
    assert_eq!(busy.outcome, Outcome::Cancelled, "it was at work until its caller left: {busy:?}");
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_wait_take_no_places_from_others() {
    let engine = Engine::new(EngineOptions::server(2), Compiler::InProcess).unwrap();
    let waiting = reused_probe(&engine);
    assert_eq!(ask(&waiting, "/", None).await.outcome, Outcome::Ok);
    let one = engine.budget().used();
    let both = tokio::join!(ask(&waiting, "/sleep?ms=500", None), ask(&waiting, "/sleep?ms=500", None));
    assert_eq!((both.0.outcome, both.1.outcome), (Outcome::Ok, Outcome::Ok));
    let held = || (engine.budget().used() + one / 2) / one;
    assert_eq!(held(), 2, "both places are taken");
    let other = ask(&probe(&engine, Limits::http()), "/", None).await;
    assert_eq!(other.outcome, Outcome::Ok, "{other:?}");
    assert_eq!(held(), 1, "one has gone for it");
}

/// Host code with a fault, which it has once: while that is cleaned up, what is left of the guest's output comes too.
#[derive(Default)]
struct Panics(AtomicBool);

impl GuestLog for Panics {
    fn line(&self, _: LogStream<'_>, _: &str) {
        assert!(self.0.swap(true, Relaxed), "on purpose");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_host_leaves_nothing_charged() {
    let engine = engine(Some(1 << 30));
    let function = probe(&engine, Limits::http());
    let broken = ask(&function, "/stdout?text=x&lines=3", Some(Arc::<Panics>::default())).await;
    assert_eq!(broken.outcome, Outcome::HostError);
    assert_eq!(engine.budget().used(), 0);
    assert_eq!(ask(&function, "/stdout?text=x&lines=3", None).await.outcome, Outcome::Ok);
}
