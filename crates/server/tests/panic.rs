//! A panic in host code ends the invocation that it happened in, with a counted outcome, and nothing else.
//!
//! It is provoked where the host is open to others: a subscriber of the log that panics over one line of a guest.

mod running;

use coracle_server::Source;
use running::{get, start, status};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The line over which the host panics.
const LAST_STRAW: &str = "the-last-straw";

struct Fragile;

impl<S: Subscriber> Layer<S> for Fragile {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Reader);
    }
}

struct Reader;

impl Visit for Reader {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        assert!(field.name() != "message" || format!("{value:?}") != LAST_STRAW, "the log breaks");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_host_ends_its_invocation_alone() {
    tracing_subscriber::registry().with(Fragile).init();
    let probe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/probe-rust/probe-rust.wasm");
    let running = start(|config| config.source = Source::at(probe.as_ref())).await;
    assert_eq!(status(&get(running.address, "/stdout?text=fine").await), 200);

    let answer = get(running.address, &format!("/stdout?text={LAST_STRAW}")).await;
    assert_eq!(status(&answer), 500, "{answer}");
    assert!(answer.contains("the server failed to run the function"), "{answer}");
    assert!(!answer.contains("the log breaks"), "{answer}");

    assert_eq!(status(&get(running.address, "/stdout?text=fine").await), 200, "the server goes on");
    let metrics = get(running.admin, "/metrics").await;
    let counted = "coracle_invocations_total{component=\"probe-rust\",outcome=\"host-error\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}
