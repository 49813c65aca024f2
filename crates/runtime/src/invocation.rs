//! One call of a guest: what it used, what it was refused, what it said, and the one record at its end.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coracle_capability::net;
use coracle_package::limit::Limits;

use crate::log::{GuestLog, LogStream};
use crate::meter::Meter;
use crate::outcome::Outcome;

/// How many refusals are kept: enough to explain a failure, and no way for a guest to fill the host's memory.
const MAX_REFUSALS: usize = 16;

/// Told once how an invocation ended.
pub trait Observer: Send {
    /// Called exactly once, also when the invocation was dropped half way or the host panicked in it.
    fn ended(self: Box<Self>, record: Record);
}

/// What one invocation came to.
#[derive(Clone, Debug)]
pub struct Record {
    /// How it ended.
    pub outcome: Outcome,
    /// Time from the call to the end.
    pub wall: Duration,
    /// CPU time used by the guest and by the host on its behalf.
    pub cpu: Duration,
    /// The most memory held at one time, in bytes: linear memories, heaps and tables, and what was on its way to and from other
    /// components.
    pub peak_memory: u64,
    /// More about a failure, for the log and never for the guest's caller.
    pub detail: Option<String>,
    /// What the guest asked for and was refused.
    pub refusals: Vec<Refusal>,
    /// Log lines that were dropped because the guest wrote too many.
    pub dropped_log_lines: u64,
    /// The components that worked for it and stay apart, each with what it used of its own.
    pub providers: Vec<ProviderRecord>,
}

/// What a component used that worked for an invocation of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRecord {
    /// Its name in the app.
    pub name: Arc<str>,
    /// CPU time used by it and by the host on its behalf.
    pub cpu: Duration,
    /// The most memory held at one time, in bytes: linear memories, heaps and tables, and what was on its way to and from other
    /// components.
    pub peak_memory: u64,
    /// Log lines that were dropped because it wrote too many.
    pub dropped_log_lines: u64,
}

/// Something that the guest asked for and was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A connection or datagram to somewhere.
    Socket(net::Refused),
    /// A look-up of a host name.
    Name(net::Refused),
    /// An outbound HTTP request.
    Request(net::Refused),
    /// A socket that listens here.
    Listen(SocketAddr),
    /// The folders themselves: it asked for them and was granted none.
    Folders,
    /// A path outside of the granted folders, or a change below a read-only one.
    Path(String),
    /// A configuration variable.
    Variable(String),
    /// A key-value store.
    Store(String),
}

/// The state of one invocation that its store, its future and its observer share.
pub(crate) struct Invocation {
    pub(crate) meter: Meter,
    refusals: Mutex<Vec<Refusal>>,
    logs: Option<Arc<dyn GuestLog>>,
    log_lines_left: AtomicU32,
    log_lines_dropped: AtomicU64,
    panicked: AtomicBool,
    /// Of the components that work for this one, by name, in the order in which they were first called.
    parts: Mutex<Vec<(Arc<str>, Arc<Self>)>>,
    /// W3C trace context to pass on with outbound requests, if there is one.
    pub(crate) traceparent: Option<String>,
}

impl Invocation {
    pub(crate) fn new(limits: &Limits, logs: Option<Arc<dyn GuestLog>>, traceparent: Option<String>) -> Self {
        Self {
            meter: Meter::new(limits),
            refusals: Mutex::new(Vec::new()),
            logs,
            log_lines_left: AtomicU32::new(limits.log_lines),
            log_lines_dropped: AtomicU64::new(0),
            panicked: AtomicBool::new(false),
            parts: Mutex::default(),
            traceparent,
        }
    }

    /// Of a component that works for this invocation, at its own cost and within its own limits.
    pub(crate) fn of_part(&self, name: &Arc<str>, limits: &Limits) -> Arc<Self> {
        let logs = self.logs.as_ref().map(|logs| logs.of_part(name).unwrap_or_else(|| Arc::clone(logs)));
        let part = Arc::new(Self::new(limits, logs, self.traceparent.as_deref().map(child)));
        self.parts().push((Arc::clone(name), Arc::clone(&part)));
        part
    }

    fn parts(&self) -> MutexGuard<'_, Vec<(Arc<str>, Arc<Self>)>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every component that worked for this invocation, also by way of others.
    fn providers(&self) -> Vec<ProviderRecord> {
        let of = |(name, part): &(Arc<str>, Arc<Self>)| {
            let own = ProviderRecord {
                name: Arc::clone(name),
                cpu: part.meter.cpu(),
                peak_memory: part.meter.memory_peak(),
                dropped_log_lines: part.log_lines_dropped.load(Relaxed),
            };
            std::iter::once(own).chain(part.providers()).collect::<Vec<_>>()
        };
        self.parts().iter().flat_map(of).collect()
    }

    /// Notes a refusal, once each.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < MAX_REFUSALS && !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }

    /// The host panicked in this invocation.
    pub(crate) fn note_panic(&self) {
        self.panicked.store(true, Relaxed);
    }

    /// What was refused so far.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes a line on, or counts it as dropped when the guest has written its share.
    pub(crate) fn log(&self, stream: LogStream<'_>, text: &str) {
        let Some(logs) = &self.logs else { return };
        let granted = self.log_lines_left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if granted {
            logs.line(stream, text);
        } else {
            self.log_lines_dropped.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn record(&self, outcome: Outcome, detail: Option<String>) -> Record {
        Record {
            outcome,
            wall: self.meter.wall(),
            cpu: self.meter.cpu(),
            peak_memory: self.meter.memory_peak(),
            detail,
            refusals: self.refusals(),
            dropped_log_lines: self.log_lines_dropped.load(Relaxed),
            providers: self.providers(),
        }
    }
}

/// A span of its own in the same trace: `00-TRACE-SPAN-FLAGS` with another span.
fn child(traceparent: &str) -> String {
    // A hasher with new keys is as random as a span has to be.
    let span = RandomState::new().hash_one(traceparent) | 1;
    let mut fields: Vec<&str> = traceparent.split('-').collect();
    let span = format!("{span:016x}");
    if let Some(field) = fields.get_mut(2) {
        *field = &span;
    }
    fields.join("-")
}

/// Tells the observer the end exactly once: of the guest that ended, or of the one that was dropped before it could.
pub(crate) struct Reporter {
    invocation: Arc<Invocation>,
    observer: Option<Box<dyn Observer>>,
}

impl Reporter {
    pub(crate) fn new(invocation: Arc<Invocation>, observer: Box<dyn Observer>) -> Self {
        Self { invocation, observer: Some(observer) }
    }

    /// Reports the end.
    pub(crate) fn end(mut self, outcome: Outcome, detail: Option<String>) -> Record {
        self.report(outcome, detail)
    }

    fn report(&mut self, outcome: Outcome, detail: Option<String>) -> Record {
        let record = self.invocation.record(outcome, detail);
        if let Some(observer) = self.observer.take() {
            observer.ended(record.clone());
        }
        record
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if self.observer.is_some() {
            // A panic drops this on its way, before whoever catches it can make a note of it.
            let panicked = std::thread::panicking() || self.invocation.panicked.load(Relaxed);
            self.report(if panicked { Outcome::HostError } else { Outcome::Cancelled }, None);
        }
    }
}
