//! Guests of several components beside each other: who gets how much of the processors.
//!
//! What is compared is CPU time and not wall time, so that the tests hold on a machine that does other things too.

mod guests;

use std::time::{Duration, Instant};

use coracle_package::limit::Limits;
use coracle_runtime::Outcome;
use coracle_runtime::http::Function;
use futures_util::future::join_all;
use guests::{ask, ask_until, engine, probe};

/// How long guests loop.
const TIME: Duration = Duration::from_secs(4);

/// Limits of guests that loop for as long as their caller stays.
fn endless(weight: u32) -> Limits {
    Limits { weight, cpu_time: None, ..Limits::http() }
}

/// CPU time of `count` such guests.
async fn spin(function: Function, count: usize) -> Duration {
    let end = tokio::time::Instant::now() + TIME;
    let spinning = (0..count).map(|_| {
        let function = function.clone();
        tokio::spawn(async move { ask_until(tokio::time::sleep_until(end), &function, "/spin", None).await })
    });
    let records = join_all(spinning).await.into_iter().map(Result::unwrap);
    records
        .map(|record| {
            assert_eq!(record.outcome, Outcome::Cancelled);
            record.cpu
        })
        .sum()
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_with_many_endless_requests_takes_no_more_than_its_share() {
    let engine = engine(None);
    let (many, few) = (probe(&engine, endless(100)), probe(&engine, endless(100)));
    let (many, few) = tokio::join!(spin(many, 64), spin(few, 4));
    let ratio = ratio(few, many);
    assert!((0.7..1.4).contains(&ratio), "{few:?} of CPU time beside {many:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processors_are_shared_by_weight() {
    let engine = engine(None);
    let (heavy, light) = (probe(&engine, endless(300)), probe(&engine, endless(100)));
    let (heavy, light) = tokio::join!(spin(heavy, 8), spin(light, 8));
    let ratio = ratio(heavy, light);
    assert!((2.2..4.0).contains(&ratio), "{heavy:?} of CPU time beside {light:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_component_does_not_wait_for_its_neighbours_endless_requests() {
    let engine = engine(None);
    let (loud, quiet) = (probe(&engine, endless(100)), probe(&engine, Limits::http()));
    let spinning = tokio::spawn(spin(loud, 64));
    let (began, mut waits) = (Instant::now(), Vec::new());
    while began.elapsed() < TIME / 2 {
        let asked = Instant::now();
        assert_eq!(ask(&quiet, "/env", None).await.outcome, Outcome::Ok);
        waits.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    waits.sort();
    let middle = waits[waits.len() / 2];
    // In a queue of 64 that run for a tick each on two processors it would be 160 ms.
    assert!(middle < Duration::from_millis(60), "{middle:?}");
    spinning.await.unwrap();
}
