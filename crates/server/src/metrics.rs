//! What the server counts, by Prometheus's conventions, under the prefix `coracle_`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use coracle_daemon::metrics::{Collector, Counter, EncodeLabelSet, Family, Gauge, Histogram, Metrics as Registry};
use coracle_daemon::metrics::{DescriptorEncoder, Unit, write_gauge};
use coracle_runtime::{Budget, Outcome, ProviderRecord, Record};
use http::StatusCode;

/// The metrics of a server. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) connections: Gauge,
    pub(crate) in_flight: Gauge,
    pub(crate) evicted: Counter,
    pub(crate) handshake_failures: Counter,
    pub(crate) reloads: Family<ReloadLabels, Counter>,
    /// By the first digit of the status; the last one counts clients that left before they were answered.
    requests: [Counter; 6],
    invocations: Family<OutcomeLabels, Counter>,
    duration: Family<ComponentLabels, Histogram, fn() -> Histogram>,
    cpu: Family<ComponentLabels, Counter<f64, AtomicU64>>,
    shed: Family<ComponentLabels, Counter>,
    peak_memory: Family<ComponentLabels, Gauge>,
    dropped_lines: Family<ComponentLabels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabels {
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ComponentLabels {
    component: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    component: String,
    outcome: &'static str,
}

/// How a reload of the configuration went.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct ReloadLabels {
    pub(crate) result: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new("coracle");
        let requests: Family<StatusLabels, Counter> = registry.make("http_requests", "Requests answered, by status");
        let of = |status| requests.get_or_create_owned(&StatusLabels { status });
        Self {
            connections: registry.make("http_connections", "Connections open"),
            in_flight: registry.make("http_requests_in_flight", "Requests whose responses are not sent yet"),
            evicted: registry.make("connections_evicted", "Idle connections closed to make room for others"),
            handshake_failures: registry.make("tls_handshake_failures", "TLS handshakes that failed"),
            reloads: registry.make("reloads", "Times the configuration was read again"),
            requests: ["1xx", "2xx", "3xx", "4xx", "5xx", "none"].map(of),
            invocations: registry.make("invocations", "Invocations that ended, by outcome"),
            duration: registry.durations("invocation_duration", "Time from the call of a guest to its end"),
            cpu: registry.make("invocation_cpu_seconds", "CPU time of guests and of the host on their behalf"),
            shed: registry.make("requests_shed", "Requests turned away because too many were served"),
            peak_memory: registry.make("invocation_peak_memory_bytes", "The most memory that one invocation held"),
            dropped_lines: registry.make("guest_log_lines_dropped", "Log lines of guests that were dropped"),
            registry,
        }
    }

    /// Shows the memory of all guests.
    pub(crate) fn watch(&self, budget: &Budget) {
        self.registry.register_collector(GuestMemory(budget.clone()));
    }

    /// Counts a request; none: its client left before it was answered.
    pub(crate) fn request(&self, status: Option<StatusCode>) {
        let class = status.map_or(5, |status| usize::from(status.as_u16() / 100).clamp(1, 5) - 1);
        self.requests[class].inc();
    }

    /// Counts what a component used that worked for an invocation of another one.
    pub(crate) fn provided(&self, provider: &ProviderRecord) {
        let labels = ComponentLabels { component: provider.name.to_string() };
        self.cpu.get_or_create_owned(&labels).inc_by(provider.cpu.as_secs_f64());
        raise(&self.peak_memory.get_or_create_owned(&labels), provider.peak_memory);
        if provider.dropped_log_lines > 0 {
            self.dropped_lines.get_or_create_owned(&labels).inc_by(provider.dropped_log_lines);
        }
    }

    /// The metrics of one component, looked up once so that a request need not.
    pub(crate) fn component(&self, name: &str) -> ComponentMetrics {
        let labels = ComponentLabels { component: name.to_owned() };
        let outcomes = Outcome::ALL.map(|outcome| {
            let labels = OutcomeLabels { component: name.to_owned(), outcome: outcome.as_str() };
            (outcome, self.invocations.get_or_create_owned(&labels))
        });
        ComponentMetrics {
            outcomes: outcomes.into(),
            duration: self.duration.get_or_create_owned(&labels),
            cpu: self.cpu.get_or_create_owned(&labels),
            shed: self.shed.get_or_create_owned(&labels),
            peak_memory: self.peak_memory.get_or_create_owned(&labels),
            dropped_lines: self.dropped_lines.get_or_create_owned(&labels),
        }
    }
}

/// The metrics of one component.
#[derive(Clone, Debug)]
pub(crate) struct ComponentMetrics {
    pub(crate) shed: Counter,
    outcomes: Arc<[(Outcome, Counter)]>,
    duration: Histogram,
    cpu: Counter<f64, AtomicU64>,
    peak_memory: Gauge,
    dropped_lines: Counter,
}

impl ComponentMetrics {
    /// Counts an invocation that ended.
    pub(crate) fn ended(&self, record: &Record) {
        if let Some((_, counter)) = self.outcomes.iter().find(|(outcome, _)| *outcome == record.outcome) {
            counter.inc();
        }
        self.duration.observe(record.wall.as_secs_f64());
        self.cpu.inc_by(record.cpu.as_secs_f64());
        raise(&self.peak_memory, record.peak_memory);
        if record.dropped_log_lines > 0 {
            self.dropped_lines.inc_by(record.dropped_log_lines);
        }
    }
}

/// Has `gauge` show the most that there was.
fn raise(gauge: &Gauge, to: u64) {
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    if to > gauge.get() {
        gauge.set(to);
    }
}

/// The memory of all guests, read when it is asked for.
#[derive(Debug)]
struct GuestMemory(Budget);

impl Collector for GuestMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut bytes = |name, help, value| write_gauge(&mut encoder, name, help, Some(&Unit::Bytes), value);
        bytes("guest_memory", "Memory that all guests together hold", self.0.used())?;
        match self.0.limit() {
            Some(limit) => bytes("guest_memory_limit", "Memory that all guests together may hold", limit),
            None => Ok(()),
        }
    }
}
