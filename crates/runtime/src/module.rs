//! Core modules as they are: WASI preview 1 without an adapter between, so that exit codes and errors are the guest's own.

use std::sync::Arc;

use wasmtime::{Caller, ExternType, Linker, Module, Store};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p1::{self, WasiP1Ctx};

use crate::authority::Authority;
use crate::command::StartError;
use crate::current::Current;
use crate::engine::Engine;
use crate::host::{self, Network, Stdio};
use crate::invocation::Refusal;
use crate::limiter::Limiter;
use crate::meter::{EPOCHS_PER_SLICE, go_on};

/// The module that preview 1 is imported from.
pub(crate) const PREVIEW1: &str = "wasi_snapshot_preview1";

/// Preview 1's `EBADF`: there is no such descriptor. A guest counts its folders until it meets this.
pub(crate) const BAD_DESCRIPTOR: i32 = 8;

/// The export by which a command is started.
pub(crate) const START: &str = "_start";

/// The export by which a library prepares itself before its first call.
pub(crate) const INITIALIZE: &str = "_initialize";

/// The state of one store of a core module.
pub(crate) struct Preview1 {
    wasi: WasiP1Ctx,
    limiter: Limiter,
    current: Arc<Current>,
}

impl Preview1 {
    pub(crate) fn store(
        engine: &Engine,
        authority: &Arc<Authority>,
        current: &Arc<Current>,
        arguments: &[String],
    ) -> wasmtime::Result<Store<Self>> {
        let limits = &authority.limits;
        let network = Arc::new(Network::new(Arc::clone(authority), Arc::clone(current)));
        let wasi = host::wasi(authority, current, &network, Stdio::Inherit, arguments)?.build_p1();
        let limiter = Limiter::new(Arc::clone(current), limits, engine.budget())?;
        let mut store = Store::new(engine.wasm(), Self { wasi, limiter, current: Arc::clone(current) });
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(EPOCHS_PER_SLICE);
        store.epoch_deadline_callback(|mut store| {
            store.data().current.check()?;
            let Self { wasi, limiter, .. } = store.data_mut();
            limiter.keep(host::held(wasi.ctx().table))?;
            Ok(go_on())
        });
        store.set_hostcall_fuel(usize::try_from(limits.call_bytes).unwrap_or(usize::MAX));
        if engine.options().fuel {
            store.set_fuel(limits.fuel.unwrap_or(u64::MAX))?;
        }
        Ok(store)
    }
}

/// Everything that a core module may import.
pub(crate) fn link(engine: &Engine, module: &Module, authority: &Authority) -> Result<Linker<Preview1>, StartError> {
    if authority.directories.iter().any(|directory| directory.quota.is_some()) {
        return Err(StartError::Quota);
    }
    let mut linker = Linker::new(engine.wasm());
    p1::add_to_linker_async(&mut linker, |state: &mut Preview1| &mut state.wasi).map_err(StartError::Engine)?;
    let missing = module.imports().find(|import| {
        let known = matches!(import.ty(), ExternType::Func(_)) && import.module() == PREVIEW1;
        !known
    });
    if authority.directories.is_empty() {
        // WASI's own answer would be the same. It is given here so that the host sees that folders were asked for.
        linker
            .allow_shadowing(true)
            .func_wrap(PREVIEW1, "fd_prestat_get", |caller: Caller<'_, Preview1>, _: i32, _: i32| {
                caller.data().current.get().refuse(Refusal::Folders);
                BAD_DESCRIPTOR
            })
            .map_err(StartError::Engine)?;
    }
    match missing {
        Some(import) => Err(StartError::Import { name: format!("{}.{}", import.module(), import.name()) }),
        None => Ok(linker),
    }
}
