//! The instances of one invocation, beside the one that was called from outside.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use wasmtime::Store;
use wasmtime::component::Instance;

use super::{Inner, Provider};
use crate::current::Current;
use crate::host::{Host, Stdio};
use crate::invocation::Invocation;
use crate::meter::{Exhausted, HostPanicked, Metered, passed};

/// The instances that a store may call: its own invocation's, whichever component of it the store is of.
pub(crate) enum Tree {
    /// Of the component that was called from outside: it holds them all.
    Root(Arc<Parts>),
    /// Of one that provides, and is held itself.
    Part(Weak<Parts>),
}

/// The instances of one invocation.
#[derive(Default)]
pub(crate) struct Parts(Mutex<Vec<(Provider, Cell)>>);

/// One instance, which one caller uses at a time. Locks are taken along the wiring, which has no circles.
pub(super) type Cell = Arc<tokio::sync::Mutex<Part>>;

/// One provider at work in one invocation.
pub(super) struct Part {
    provider: Provider,
    parts: Weak<Parts>,
    current: Arc<Current>,
    pub(super) invocation: Arc<Invocation>,
    /// None until it is first called.
    live: Option<Live>,
}

/// An instance in its store.
pub(super) struct Live {
    pub(super) store: Store<Host>,
    pub(super) instance: Instance,
}

impl Default for Tree {
    fn default() -> Self {
        Self::Root(Arc::default())
    }
}

impl Tree {
    /// The instance of `provider` in the invocation that `caller` is part of.
    pub(super) fn part(&self, provider: &Provider, caller: &Invocation) -> wasmtime::Result<Cell> {
        let parts = match self {
            Self::Root(parts) => Arc::clone(parts),
            Self::Part(parts) => parts.upgrade().ok_or_else(|| wasmtime::format_err!("the invocation has ended"))?,
        };
        let mut all = parts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = all.iter().find(|(other, _)| Arc::ptr_eq(&other.inner, &provider.inner)) {
            return Ok(Arc::clone(cell));
        }
        let invocation = caller.of_part(&provider.inner.name, &provider.inner.authority.limits);
        let part = Part {
            provider: provider.clone(),
            parts: Arc::downgrade(&parts),
            current: Current::of(&invocation),
            invocation,
            live: None,
        };
        let cell: Cell = Arc::new(tokio::sync::Mutex::new(part));
        all.push((provider.clone(), Arc::clone(&cell)));
        Ok(cell)
    }
}

impl Part {
    /// The provider's name in the app.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.provider.inner.name)
    }

    /// Its instance, made now if this is the first call.
    pub(super) async fn start(&mut self, calling: &Arc<Current>) -> wasmtime::Result<&mut Live> {
        if self.live.is_none() {
            self.live = Some(self.instantiate(calling).await?);
        }
        self.live()
    }

    async fn instantiate(&mut self, calling: &Arc<Current>) -> wasmtime::Result<Live> {
        let Inner { engine, authority, component, .. } = &*self.provider.inner;
        loop {
            let mut host = Host::new(engine, authority, &self.current, Stdio::Log, &[])?;
            host.tree = Tree::Part(Weak::clone(&self.parts));
            let mut store = host.into_store(engine, component.engine())?;
            let started = component.instantiate_async(&mut store);
            let started = elsewhere(calling, &self.current, &self.invocation, started).await;
            if !engine.has_made_place(&started) {
                let instance = started.map_err(|error| store.data().not_begun(error))?;
                return Ok(Live { store, instance });
            }
        }
    }

    pub(super) fn live(&mut self) -> wasmtime::Result<&mut Live> {
        self.live.as_mut().ok_or_else(|| wasmtime::format_err!("the provider has not been started"))
    }

    /// Has its guest do something, at its own cost and within its own limits.
    pub(super) async fn run<R>(
        &mut self,
        calling: &Arc<Current>,
        work: impl AsyncFnOnce(&mut Live) -> wasmtime::Result<R>,
    ) -> wasmtime::Result<R> {
        let Some(live) = self.live.as_mut() else { return Err(wasmtime::format_err!("the provider is not there")) };
        elsewhere(calling, &self.current, &self.invocation, work(live)).await
    }
}

/// Polls `work` for `current`, while the clock of those that are `calling` stands still.
async fn elsewhere<R>(
    calling: &Arc<Current>,
    current: &Arc<Current>,
    invocation: &Invocation,
    work: impl Future<Output = wasmtime::Result<R>>,
) -> wasmtime::Result<R> {
    let running = Aside { calling, future: Metered::alone(Arc::clone(current), work) };
    tokio::select! {
        biased;
        result = running => result.unwrap_or_else(|| Err(HostPanicked.into())),
        () = passed(invocation.meter.wall_deadline()) => Err(Exhausted::Wall.into()),
    }
}

/// A future whose polls are not charged to those whose poll they are part of. Its turns are theirs: a tick that interrupts the
/// one interrupts the other.
struct Aside<'a, F> {
    calling: &'a Current,
    future: Metered<F>,
}

impl<F: Future> Future for Aside<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let (_, before) = self.calling.leave();
        let result = Pin::new(&mut self.future).poll(context);
        self.calling.enter();
        if before || self.future.was_interrupted() {
            self.calling.get().meter.interrupt();
        }
        result
    }
}
