//! `wasi:config`: the variables and secrets that a component was granted.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use super::{Host, MAX_NAME, start};
use crate::invocation::Refusal;

/// The interface under every name that it has had; the functions are the same.
const NAMES: [&str; 4] = [
    "wasi:config/store@0.2.0-rc.1",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:config/store@0.2.0-draft",
    "wasi:config/runtime@0.2.0-draft",
];

/// The interface's errors. Variables are resolved before a guest starts, so that none occurs.
#[derive(ComponentType, Lower)]
#[component(variant)]
#[expect(dead_code, reason = "the interface has them")]
enum Error {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for interface in NAMES {
        let mut interface = linker.instance(interface)?;
        interface.func_wrap("get", |store: StoreContextMut<'_, Host>, (key,): (String,)| {
            let host = store.data();
            let value = host.authority.variables.get(&key).map(|value| value.expose().to_owned());
            if value.is_none() {
                host.current.get().refuse(Refusal::Variable(start(&key, MAX_NAME).to_owned()));
            }
            Ok((Ok::<_, Error>(value),))
        })?;
        interface.func_wrap("get-all", |store: StoreContextMut<'_, Host>, (): ()| {
            let authority = Arc::clone(&store.data().authority);
            let pair =
                |(key, value): (&String, &coracle_capability::secret::Secret)| (key.clone(), value.expose().to_owned());
            Ok((Ok::<_, Error>(authority.variables.iter().map(pair).collect::<Vec<_>>()),))
        })?;
    }
    Ok(())
}
