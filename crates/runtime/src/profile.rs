//! A profile of a guest: which of its functions were on the stack at each tick of the clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{AsContext, GuestProfiler, Store};

use crate::compile::Code;
use crate::engine::Engine;
use crate::invocation::Invocation;
use crate::meter::{TICK, go_on};

/// Takes samples of a guest, for a file in the Firefox Profiler's format.
#[derive(Clone)]
pub(crate) struct Profiler(Arc<Mutex<Option<GuestProfiler>>>);

impl Profiler {
    pub(crate) fn new(engine: &Engine, code: &Code, name: &str) -> wasmtime::Result<Self> {
        let profiler = match code {
            Code::Module(module) => {
                let modules = [(name.to_owned(), module.clone())];
                GuestProfiler::new(engine.wasm(), name, TICK, modules)
            }
            Code::Component(component) => {
                GuestProfiler::new_component(component.engine(), name, TICK, component.clone(), [])
            }
        };
        Ok(Self(Arc::new(Mutex::new(Some(profiler?)))))
    }

    /// Takes a sample whenever the guest is interrupted.
    pub(crate) fn watch<T>(&self, store: &mut Store<T>, invocation: &Arc<Invocation>) {
        let (profiler, invocation) = (self.clone(), Arc::clone(invocation));
        let mut last = Duration::ZERO;
        store.epoch_deadline_callback(move |store| {
            let now = invocation.meter.cpu();
            if let Some(profiler) = profiler.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                profiler.sample(store.as_context(), now.saturating_sub(last));
            }
            last = now;
            invocation.meter.check()?;
            Ok(go_on())
        });
    }

    /// The profile's file.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        let profiler = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let mut file = Vec::new();
        match profiler.finish(&mut file) {
            Ok(()) => Some(file),
            Err(error) => {
                tracing::error!(%error, "the profile cannot be written");
                None
            }
        }
    }
}
