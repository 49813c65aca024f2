//! The last phase: one line and one count for each request, whatever became of it.
//!
//! Two things must be known for the line: what the client was answered, and, where a guest ran, how its invocation
//! ended. Either can come first (a guest goes on while its answer streams; a client leaves while its guest runs), and
//! whichever comes last writes the line. Both are guards: a dropped handler is an answer that was not given.

use std::sync::{Arc, Mutex, PoisonError};

use coracle_runtime::{GuestLog, LogLevel, LogStream, Observer, Outcome, ProviderRecord, Record};
use http::StatusCode;

use crate::admit::Permit;
use crate::app::Component;
use crate::identify::{Identity, RequestId};
use crate::metrics::Metrics;
use crate::response::ServeError;

/// What is going to be written about one request. Dropped without [`Access::answered`], it says that the client left
/// before there was an answer.
pub(crate) struct Access {
    line: Arc<Line>,
    done: bool,
}

struct Line {
    identity: Arc<Identity>,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    route: Option<Arc<str>>,
    component: Option<Arc<Component>>,
    answer: Option<Answer>,
    record: Option<Record>,
}

/// What the client got.
#[derive(Clone, Copy)]
struct Answer {
    /// None: it left before there was one.
    status: Option<StatusCode>,
    /// The name of the error in place of the guest's own answer.
    error: Option<&'static str>,
}

impl Access {
    pub(crate) fn new(identity: Arc<Identity>, metrics: Metrics) -> Self {
        Self { line: Arc::new(Line { identity, metrics, state: Mutex::default() }), done: false }
    }

    pub(crate) fn routed(&self, route: &Arc<str>) {
        self.line.change(|state| state.route = Some(Arc::clone(route)));
    }

    /// A guest is about to run; the permits go back when it has ended.
    pub(crate) fn invocation(&self, component: &Arc<Component>, permits: [Permit; 2]) -> Box<dyn Observer> {
        self.line.change(|state| state.component = Some(Arc::clone(component)));
        Box::new(Invocation { line: Arc::clone(&self.line), component: Arc::clone(component), _permits: permits })
    }

    /// Where the guest's own words go.
    pub(crate) fn guest_log(&self, component: &Component) -> Arc<dyn GuestLog> {
        Arc::new(GuestLines { request: self.line.identity.id.clone(), component: Arc::clone(&component.name) })
    }

    pub(crate) fn answered(mut self, status: StatusCode, error: Option<&ServeError>) {
        self.done = true;
        self.line.answer(Answer { status: Some(status), error: error.map(ServeError::code) });
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if !self.done {
            self.line.answer(Answer { status: None, error: Some(Outcome::Cancelled.as_str()) });
        }
    }
}

impl Line {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, answer: Answer) {
        self.change(|state| {
            state.answer = Some(answer);
            self.write_when_known(state);
        });
    }

    fn write_when_known(&self, state: &State) {
        let Some(answer) = state.answer else { return };
        let ran = state.component.is_some();
        if ran && state.record.is_none() {
            return;
        }
        let identity = &*self.identity;
        let record = state.record.as_ref();
        let outcome = answer.error.or(record.map(|record| record.outcome.as_str())).unwrap_or(Outcome::Ok.as_str());
        let wall = record.map_or_else(|| identity.began.elapsed(), |record| record.wall);
        let refused =
            record.filter(|record| !record.refusals.is_empty()).map(|record| format!("{:?}", record.refusals));
        let providers = record.map_or(&[][..], |record| &record.providers);
        self.metrics.request(answer.status);
        tracing::info!(
            target: "coracle::access",
            request_id = identity.id.as_str(),
            client = %identity.client(),
            method = identity.method.as_str(),
            path = identity.uri.path(),
            protocol = ?identity.version,
            route = state.route.as_deref(),
            component = state.component.as_ref().map(|component| &*component.name),
            status = answer.status.map(|status| status.as_u16()),
            outcome,
            wall_us = micros(wall),
            cpu_us = record.map(|record| micros(record.cpu)),
            peak_memory = record.map(|record| record.peak_memory),
            dropped_log_lines = record.map(|record| record.dropped_log_lines).filter(|lines| *lines > 0),
            providers = (!providers.is_empty()).then(|| used(providers)),
            providers_cpu_us =
                (!providers.is_empty()).then(|| micros(providers.iter().map(|provider| provider.cpu).sum())),
            refused,
            detail = record.and_then(|record| record.detail.as_deref()),
        );
    }
}

/// What each provider used, in one field: events have no lists.
fn used(providers: &[ProviderRecord]) -> String {
    let one = |provider: &ProviderRecord| {
        let ProviderRecord { name, cpu, peak_memory, dropped_log_lines } = provider;
        let dropped = match dropped_log_lines {
            0 => String::new(),
            lines => format!(" dropped_log_lines={lines}"),
        };
        format!("{name} cpu_us={} peak_memory={peak_memory}{dropped}", micros(*cpu))
    };
    providers.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

struct Invocation {
    line: Arc<Line>,
    component: Arc<Component>,
    _permits: [Permit; 2],
}

impl Observer for Invocation {
    fn ended(self: Box<Self>, record: Record) {
        self.component.metrics.ended(&record);
        record.providers.iter().for_each(|provider| self.line.metrics.provided(provider));
        self.line.change(|state| {
            state.record = Some(record);
            self.line.write_when_known(state);
        });
    }
}

/// A guest's output as events of the log, beside those of the host.
struct GuestLines {
    request: RequestId,
    component: Arc<str>,
}

impl GuestLog for GuestLines {
    fn of_part(&self, name: &str) -> Option<Arc<dyn GuestLog>> {
        Some(Arc::new(Self { request: self.request.clone(), component: name.into() }))
    }

    fn line(&self, stream: LogStream<'_>, text: &str) {
        let (request_id, component) = (self.request.as_str(), &*self.component);
        macro_rules! event {
            ($level:ident, $stream:expr, $context:expr) => {
                tracing::$level!(
                    target: "coracle::guest",
                    request_id, component, stream = $stream, context = $context, "{text}"
                )
            };
        }
        match stream {
            LogStream::Stdout => event!(info, "stdout", None::<&str>),
            LogStream::Stderr => event!(info, "stderr", None::<&str>),
            LogStream::Log(level, context) => {
                let context = Some(context).filter(|context| !context.is_empty());
                match level {
                    LogLevel::Trace => event!(trace, "log", context),
                    LogLevel::Debug => event!(debug, "log", context),
                    LogLevel::Info => event!(info, "log", context),
                    LogLevel::Warn => event!(warn, "log", context),
                    LogLevel::Error | LogLevel::Critical => event!(error, "log", context),
                }
            }
        }
    }
}
