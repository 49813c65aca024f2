//! Counts and measurements, as Prometheus reads them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue};
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
pub use prometheus_client::registry::{Metric, Unit};

use prometheus_client::encoding::{EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::platform;

/// The media type of the text that [`Metrics::encode`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of durations in seconds: from what a small function takes to what ends at common deadlines. A quantile
/// read from them is off by a factor of 2.5 at most.
pub const DURATION_BUCKETS: [f64; 18] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0,
    60.0,
];

/// Everything that the program counts. Clones are the same.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    process: Arc<Registry>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// No metrics but the process's own, which have the same names in every program. The names of all others start with
    /// `prefix` and an underscore.
    pub fn new(prefix: &str) -> Metrics {
        let mut process = Registry::default();
        process.register_collector(Box::new(Process));
        Metrics { registry: Arc::new(Mutex::new(Registry::with_prefix(prefix))), process: Arc::new(process) }
    }

    /// Makes a metric: a counter, a gauge, or a family of them by labels. The text adds the unit and `_total` to the
    /// name where they belong.
    pub fn make<M: Metric + Clone + Default>(&self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.register(name, help, None, metric.clone());
        metric
    }

    /// Makes a family of histograms of durations in seconds, by labels.
    pub fn durations<L>(&self, name: &str, help: &str) -> Family<L, Histogram, fn() -> Histogram>
    where
        L: EncodeLabelSet + Clone + std::hash::Hash + Eq + fmt::Debug + Send + Sync + 'static,
    {
        let family: Family<L, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS));
        self.register(name, help, Some(Unit::Seconds), family.clone());
        family
    }

    /// Shows a metric that was made elsewhere.
    pub fn register(&self, name: &str, help: &str, unit: Option<Unit>, metric: impl Metric) {
        let mut registry = self.lock();
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, metric),
            None => registry.register(name, help, metric),
        }
    }

    /// Shows what is only known when it is asked for.
    pub fn register_collector(&self, collector: impl Collector) {
        self.lock().register_collector(Box::new(collector));
    }

    /// All metrics as text of the type [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// Where a metric cannot be written.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut encoded = String::new();
        text::encode_registry(&mut encoded, &self.process)?;
        text::encode_registry(&mut encoded, &self.lock())?;
        text::encode_eof(&mut encoded)?;
        Ok(encoded)
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        // Registering is one push, so a panic elsewhere leaves nothing half done.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a gauge of a [`Collector`].
///
/// # Errors
/// Where it cannot be written.
pub fn write_gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
}

/// The process's own figures, where the system tells them.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(usage) = platform::usage() else { return Ok(()) };
        let mut gauge = |name, help, unit, value| write_gauge(&mut encoder, name, help, unit, value);
        gauge("process_resident_memory", "Memory in use.", Some(&Unit::Bytes), usage.resident_bytes)?;
        gauge("process_open_fds", "Open files and sockets.", None, usage.open_files)?;
        let cpu = ConstCounter::new(usage.cpu.as_secs_f64());
        let help = "Processor time used.";
        cpu.encode(encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), cpu.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
    struct Labels {
        component: String,
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::new("coracle");
        let requests: Family<Labels, Counter> = metrics.make("requests", "Requests taken");
        requests.get_or_create(&Labels { component: "a\"b\n".into() }).inc();
        let seconds = metrics.durations::<Labels>("request_duration", "Time taken");
        seconds.get_or_create(&Labels { component: "c".into() }).observe(0.003);
        let in_flight: Gauge = metrics.make("in_flight", "Requests in flight");
        in_flight.set(7);
        let text = metrics.encode().unwrap();
        for line in [
            "# TYPE coracle_requests counter",
            r#"coracle_requests_total{component="a\"b\n"} 1"#,
            r#"coracle_request_duration_seconds_bucket{le="0.0025",component="c"} 0"#,
            r#"coracle_request_duration_seconds_bucket{le="0.005",component="c"} 1"#,
            "coracle_in_flight 7",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line}\n---\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_tells_what_it_uses() {
        let text = Metrics::new("coracle").encode().unwrap();
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 100_000.0);
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_cpu_seconds_total ") >= 0.0);
    }
}
