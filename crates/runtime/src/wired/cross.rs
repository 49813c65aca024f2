//! One call from one component to another.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{ComponentExportIndex, Val};
use wasmtime::{AsContextMut, StoreContextMut};

use super::Provider;
use super::part::{Cell, Live, Part};
use super::value::{Load, give, pass, take_back};
use crate::current::Current;
use crate::host::Host;
use crate::invocation::Invocation;
use crate::limiter::{Crossing, Full, NoRoom};
use crate::outcome::Outcome;
use crate::trap;

/// A function of one component that another one calls.
pub(super) struct Edge {
    pub(super) from: Arc<str>,
    pub(super) provider: Provider,
    /// The interface and the function, as the caller names them.
    pub(super) function: String,
    pub(super) index: ComponentExportIndex,
}

/// A provider failed, and with it the call that it was part of.
#[derive(Debug, thiserror::Error)]
#[error("`{to}` failed ({outcome}) when `{from}` called {function}: {detail}")]
pub(crate) struct Failed {
    from: Arc<str>,
    to: Arc<str>,
    function: String,
    /// How the provider ended.
    pub(crate) outcome: Outcome,
    detail: String,
}

/// A call carries more than the host may keep for one of the two.
#[derive(Debug, thiserror::Error)]
#[error(
    "the {what} take {} of the host's memory on their way, and `host-memory` of `{of}` allows {} in all; pass smaller pieces or \
     a resource, raise the limit, or fuse the two",
    mebibytes(*.bytes), mebibytes(*.limit)
)]
pub(crate) struct TooMuch {
    what: &'static str,
    bytes: u64,
    of: Arc<str>,
    limit: u64,
}

/// To a tenth, rounded up: what is over a limit is more than it.
fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Calls the provider's function with what the caller gave, and gives the caller what comes back.
pub(super) async fn cross(
    edge: &Edge,
    mut caller: StoreContextMut<'_, Host>,
    parameters: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let began = Instant::now();
    let (calling, cell) = reach(caller.data(), &edge.provider)?;
    let load = Load::of(parameters);
    // What came back from calls before this one has arrived.
    caller.data_mut().let_pass();
    let arguments = hold(caller.data_mut(), &edge.from, "arguments", load.bytes);
    let provider = &edge.provider.inner.name;
    let arguments = arguments.map_err(|error| failed(&edge.from, &edge.function, provider, &calling.get(), &error))?;
    let mut part = cell.lock().await;
    let used = part.invocation.meter.cpu();
    let ended = call(edge, &mut caller, &calling, (&mut part, &cell), (parameters, load), results).await;
    let ended = ended.map_err(|error| failed(&edge.from, &edge.function, provider, &part.invocation, &error));
    // What the provider lacked explains the failure of the whole, if it comes to that.
    part.invocation.refusals().into_iter().for_each(|refusal| calling.get().refuse(refusal));
    let outcome = ended.as_ref().err().map_or(Outcome::Ok, |failed| failed.outcome);
    tracing::debug!(
        target: "coracle::edge",
        from = &*edge.from,
        to = &*edge.provider.inner.name,
        function = edge.function,
        traceparent = part.invocation.traceparent,
        wall_us = began.elapsed().as_micros(),
        cpu_us = part.invocation.meter.cpu().saturating_sub(used).as_micros(),
        peak_memory = part.invocation.meter.memory_peak(),
        %outcome,
        "crossed"
    );
    let came = ended?;
    caller.data_mut().crossed([arguments, came]);
    Ok(())
}

/// Whom the caller works for, and the provider's instance in that invocation.
fn reach(host: &Host, provider: &Provider) -> wasmtime::Result<(Arc<Current>, Cell)> {
    let cell = host.tree.part(provider, &host.current.get())?;
    Ok((Arc::clone(&host.current), cell))
}

/// Returns what is charged to the caller for the results.
async fn call(
    edge: &Edge,
    caller: &mut StoreContextMut<'_, Host>,
    calling: &Arc<Current>,
    (part, cell): (&mut Part, &Cell),
    (parameters, load): (&[Val], Load),
    results: &mut [Val],
) -> wasmtime::Result<Crossing> {
    part.start(calling).await?;
    // The engine's own copy, and one with resources as the provider has them.
    let copies = load.bytes.saturating_mul(if load.resources { 2 } else { 1 });
    let name = part.name();
    let live = part.live()?;
    let copies = hold(live.store.data_mut(), &name, "arguments", copies)?;
    let mut lent = Vec::new();
    let mut given = Cow::Borrowed(parameters);
    if load.resources {
        pass(given.to_mut(), caller, &mut live.store.as_context_mut(), cell, &mut lent)?;
    }
    let called = part.run(calling, async |Live { store, instance }| {
        let missing = || wasmtime::format_err!("an export of the component's type is missing in its instance");
        let function = instance.get_func(&mut *store, edge.index).ok_or_else(missing)?;
        function.call_async(store, &given, results).await
    });
    called.await?;
    drop((given, copies));
    let live = part.live()?;
    // Nor does the provider need what others gave it for this call, and no tick of its own would say so.
    live.store.data_mut().let_pass();
    take_back(&mut live.store.as_context_mut(), lent)?;
    let came = Load::of(results);
    let held = hold(caller.data_mut(), &edge.from, "results", came.bytes)?;
    if came.resources {
        give(results, &mut live.store.as_context_mut(), caller, cell)?;
    }
    Ok(held)
}

/// Charges what crosses to the component called `of`.
fn hold(host: &mut Host, of: &Arc<str>, what: &'static str, bytes: u64) -> wasmtime::Result<Crossing> {
    host.hold(bytes).map_err(|full| match full {
        Full::Limit(limit) => TooMuch { what, bytes, of: Arc::clone(of), limit }.into(),
        Full::Budget => NoRoom.into(),
    })
}

/// The guest `from` that held another component's resource, as what `function` says, has dropped it.
pub(super) async fn drop_handle(
    from: Arc<str>,
    function: String,
    mut store: StoreContextMut<'_, Host>,
    number: u32,
) -> wasmtime::Result<()> {
    let handle = store.data_mut().handles.remove(number)?;
    if !handle.owned {
        return Ok(());
    }
    let calling = Arc::clone(&store.data().current);
    // With its owner the resource has gone too.
    let Some(owner) = handle.owner.upgrade() else { return Ok(()) };
    let mut owner = owner.lock().await;
    let resource = handle.resource;
    let dropped = owner.run(&calling, async |Live { store, .. }| resource.resource_drop_async(store).await).await;
    Ok(dropped.map_err(|error| failed(&from, &function, &owner.name(), &owner.invocation, &error))?)
}

fn failed(from: &Arc<str>, function: &str, to: &Arc<str>, invocation: &Invocation, error: &wasmtime::Error) -> Failed {
    let outcome = match trap::classify(error, invocation) {
        // A provider that leaves in the middle of a call has not answered it.
        Outcome::Ok => Outcome::GuestError,
        outcome => outcome,
    };
    Failed {
        from: Arc::clone(from),
        to: Arc::clone(to),
        function: function.to_owned(),
        outcome,
        detail: trap::describe(error),
    }
}
