//! The memory of all guests together: who comes when it is used up is turned away, and told when to come again.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

mod running;

use std::time::Duration;

use coracle_package::limit::Limits;
use coracle_server::Source;
use running::{get, start, status};

/// Room for one instance of the probe, and not for two.
const BUDGET: u64 = 2 << 20;

/// The value of a metric without labels.
fn value(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_for_another_guest_the_answer_is_503() {
    let running = start(|config| {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/probe-rust/probe-rust.wasm").into();
        let limits = Limits { wall_time: Some(Duration::from_secs(4)), ..Limits::http() };
        config.source = Source::Component { file, grants: Box::default(), limits: Box::new(limits) };
        config.memory = BUDGET;
    })
    .await;
    let (address, admin) = (running.address, running.admin);
    let metrics = get(admin, "/metrics").await;
    assert_eq!(value(&metrics, "coracle_guest_memory_limit_bytes"), BUDGET);
    assert_eq!(value(&metrics, "coracle_guest_memory_bytes"), 0);

    let held = tokio::spawn(async move { get(address, "/sleep?ms=60000").await });
    while value(&get(admin, "/metrics").await, "coracle_guest_memory_bytes") < BUDGET / 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = get(address, "/env").await;
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(refused.to_ascii_lowercase().contains("retry-after: 1\r\n"), "{refused}");
    assert_eq!(status(&held.await.unwrap()), 504, "the one that was inside had its time");

    assert_eq!(status(&get(address, "/env").await), 200, "there is room again");
    let metrics = get(admin, "/metrics").await;
    assert_eq!(value(&metrics, "coracle_guest_memory_bytes"), 0, "all is given back");
    let counted = "coracle_invocations_total{component=\"probe-rust\",outcome=\"overload\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}
