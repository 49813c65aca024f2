//! One guest in a process of its own, from its store to its end: under its limits, on the clock where one is needed, and
//! with what is kept of it when it fails.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use coracle_package::limit::Limits;
use wasmtime::{Store, Trap, WasmCoreDump};
use wasmtime_wasi::I32Exit;

use crate::compile::Code;
use crate::current::Current;
use crate::engine::Engine;
use crate::invocation::{Invocation, Record};
use crate::log::GuestLog;
use crate::meter::{Exhausted, HostPanicked, Metered, passed};
use crate::outcome::{Outcome, TrapKind};
use crate::profile::Profiler;
use crate::stack::CallStack;
use crate::trap;
use crate::wired::Failed;

/// The code that a guest leaves with when it says that it failed and nothing more exact.
const FAILURE: i32 = 1;

/// Toolchains of mid-2026 called themselves 0.3 and passed asynchronous calls in another way.
const OLD_ABI_HINT: &str =
    "components for WASI 0.3 that were built before it was final trap like this: build it again with current tools";

/// Completes when somebody wants the guest to end.
pub type Cancel = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is wanted of a run besides its result.
#[derive(Default)]
pub struct Observation {
    /// The guest's name, in its profile and core dump.
    pub name: String,
    /// Whether to take a profile.
    pub profile: bool,
    /// Ends the guest early.
    pub cancel: Option<Cancel>,
    /// Receives what the guest logs. Its standard streams are those of this process.
    pub logs: Option<Arc<dyn GuestLog>>,
}

/// How a guest ended.
#[derive(Debug)]
pub struct Finished {
    /// Its outcome and what it cost.
    pub record: Record,
    /// The code it left with, if it left by itself.
    pub exit_code: Option<i32>,
    /// Where it was when it was stopped, if it did not leave by itself.
    pub stack: Option<CallStack>,
    /// Why it was stopped, in one line.
    pub reason: Option<String>,
    /// Which call of another component it failed in, and how, if that is why.
    pub provider: Option<String>,
    /// Whether what it used up was fuel.
    pub out_of_fuel: bool,
    /// A picture of its memory, if the engine takes one of a guest that traps.
    pub coredump: Option<Vec<u8>>,
    /// Its profile, if one was wanted.
    pub profile: Option<Vec<u8>>,
    /// What is left of it. Freeing its memory takes a while, which a process that ends next can save.
    _remains: Remains,
}

/// A store whose guest has ended.
struct Remains(#[expect(dead_code, reason = "it is only dropped")] Box<dyn Send>);

impl fmt::Debug for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remains")
    }
}

/// Raised in place of the guest's own end when its end was asked for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the guest was told to end")]
struct Cancelled;

/// A store, and all that watches over it.
pub(crate) struct Session<T: 'static> {
    engine: Engine,
    pub(crate) store: Store<T>,
    /// Whom the store's instance works for.
    current: Arc<Current>,
    invocation: Arc<Invocation>,
    profiler: Option<Profiler>,
    observation: Observation,
}

impl<T: Send> Session<T> {
    pub(crate) fn new(
        engine: &Engine,
        mut store: Store<T>,
        current: Arc<Current>,
        profiler: Option<Profiler>,
        observation: Observation,
    ) -> Self {
        let invocation = current.get();
        if let Some(profiler) = &profiler {
            profiler.watch(&mut store, &invocation);
        }
        Self { engine: engine.clone(), store, current, invocation, profiler, observation }
    }

    /// Runs `guest` until it ends or has to.
    pub(crate) async fn run<R>(
        mut self,
        limits: &Limits,
        guest: impl AsyncFnOnce(&mut Store<T>) -> wasmtime::Result<R>,
    ) -> (Finished, Option<R>) {
        let timed = limits.cpu_time.is_some() || limits.wall_time.is_some();
        // Without a clock a guest is never interrupted: it has the process to itself.
        let watched = timed || self.profiler.is_some() || self.observation.cancel.is_some();
        let clock = watched.then(|| self.engine.run_clock());
        let running = Metered::alone(Arc::clone(&self.current), guest(&mut self.store));
        let deadline = self.invocation.meter.wall_deadline();
        let cancel = self.observation.cancel.take();
        let result = tokio::select! {
            biased;
            () = cancelled(cancel) => Err(Cancelled.into()),
            result = running => result.unwrap_or_else(|| Err(HostPanicked.into())),
            () = passed(deadline) => Err(Exhausted::Wall.into()),
        };
        drop(clock);
        self.finish(result)
    }

    fn finish<R>(mut self, result: wasmtime::Result<R>) -> (Finished, Option<R>) {
        let profile = self.profiler.take().and_then(Profiler::finish);
        let error = match result {
            Ok(value) => {
                let record = self.invocation.record(Outcome::Ok, None);
                let finished = Finished {
                    record,
                    exit_code: Some(0),
                    stack: None,
                    reason: None,
                    provider: None,
                    out_of_fuel: false,
                    coredump: None,
                    profile,
                    _remains: Remains(Box::new(self.store)),
                };
                return (finished, Some(value));
            }
            Err(error) => error,
        };
        let exit_code = error.downcast_ref::<I32Exit>().map(|exit| exit.0);
        let outcome =
            if error.is::<Cancelled>() { Outcome::Cancelled } else { trap::classify(&error, &self.invocation) };
        let coredump = match (exit_code, error.downcast_ref::<WasmCoreDump>()) {
            (None, Some(dump)) => Some(dump.serialize(&mut self.store, &self.observation.name)),
            _ => None,
        };
        let left = exit_code.is_some();
        let finished = Finished {
            record: self.invocation.record(outcome, (!left).then(|| trap::describe(&error))),
            exit_code,
            stack: (!left).then(|| CallStack::of(&error)).flatten(),
            reason: (!left).then(|| reason(&error)),
            provider: error.downcast_ref::<Failed>().map(ToString::to_string),
            out_of_fuel: error.downcast_ref::<Trap>() == Some(&Trap::OutOfFuel),
            coredump,
            profile,
            _remains: Remains(Box::new(self.store)),
        };
        (finished, None)
    }
}

impl Finished {
    /// What to do about a guest that was stopped, if that is known.
    #[must_use]
    pub fn hint(&self, code: &Code) -> Option<&'static str> {
        let Outcome::Trap(TrapKind::ComponentModel | TrapKind::Other) = self.record.outcome else { return None };
        let Code::Component(component) = code else { return None };
        let ty = component.component_type();
        let asynchronous = ty
            .imports(component.engine())
            .chain(ty.exports(component.engine()))
            .any(|(name, _)| name.rsplit_once('@').is_some_and(|(_, version)| version.starts_with("0.3.")));
        asynchronous.then_some(OLD_ABI_HINT)
    }

    /// The end of a guest whose own result says that it failed.
    pub(crate) fn failed(mut self) -> Self {
        self.record.outcome = Outcome::GuestError;
        self.exit_code = Some(FAILURE);
        self
    }
}

/// The innermost message, without the prefix that says what the reader knows.
fn reason(error: &wasmtime::Error) -> String {
    let message = error.root_cause().to_string();
    message.strip_prefix("wasm trap: ").map_or_else(|| message.clone(), str::to_owned)
}

/// Completes when `cancel` does; never, without one.
async fn cancelled(cancel: Option<Cancel>) {
    match cancel {
        Some(cancel) => cancel.await,
        None => std::future::pending().await,
    }
}
