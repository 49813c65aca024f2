//! Commands: guests that are started, do their work and leave with a code.

use std::future::poll_fn;
use std::sync::Arc;

use wasmtime::Module;
use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi::{p2, p3};

use crate::app::Guest;
use crate::authority::Authority;
use crate::compile::Code;
use crate::current::Current;
use crate::engine::{Engine, EngineError};
use crate::host::{Host, Stdio};
use crate::invocation::Invocation;
use crate::module::{self, Preview1, START};
use crate::profile::Profiler;
use crate::session::{Finished, Observation, Session};
use crate::wired::{self, Import, WireError};

/// The interface by which a component is started, without its version.
const RUN: &str = "wasi:cli/run@";

/// Why a guest could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It imports something that no host of its kind has.
    #[error("it imports `{name}`, which Coracle does not have")]
    Import {
        /// The import.
        name: String,
    },
    /// It imports an interface that Coracle has, in another form.
    #[error("it does not fit Coracle's interfaces: {0:#}")]
    Mismatch(wasmtime::Error),
    /// It is a core module, and a folder is granted with a quota.
    #[error("a quota holds for components, and this is a core module")]
    Quota,
    /// It is no command.
    #[error("it is not a command: it {}", describe_exports(exports))]
    NotACommand {
        /// What it exports instead.
        exports: Vec<String>,
        /// Whether it answers HTTP requests.
        http: bool,
    },
    /// The engine failed before the guest had begun.
    #[error("the engine cannot start it: {0:#}")]
    Engine(wasmtime::Error),
    /// The same.
    #[error(transparent)]
    Link(#[from] EngineError),
    /// It cannot be wired to those that provide for it.
    #[error(transparent)]
    Wire(#[from] WireError),
}

fn describe_exports(exports: &[String]) -> String {
    match exports {
        [] => "exports nothing".to_owned(),
        exports => format!("exports {}", exports.join(", ")),
    }
}

impl StartError {
    /// What to do about it, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Quota => Some("make a component of it, or grant the folder without a quota".into()),
            Self::NotACommand { http: true, .. } => Some("it answers HTTP requests: `coracle serve` runs it".into()),
            Self::NotACommand { exports, .. } if exports.is_empty() => {
                Some("a command exports `wasi:cli/run`, or `_start` as a core module".into())
            }
            Self::NotACommand { .. } => Some("`--invoke 'NAME(ARGUMENTS)'` calls an exported function".into()),
            Self::Wire(error) => error.hint().map(str::to_owned),
            Self::Import { name } if name.contains("@0.3.0-rc-") => Some(crate::compile::RELEASE_CANDIDATE_HINT.into()),
            Self::Import { name } if name.starts_with("wasi_unstable.") => {
                Some("it was built for a WASI of 2019: build it again with current tools".into())
            }
            Self::Import { name } if name.starts_with("env.") => {
                Some("the linker left it open: link the library that defines it".into())
            }
            Self::Import { name } if name.contains('/') && !name.starts_with("wasi:") => {
                Some("another component may: a `coracle.toml` wires the two, and is run in its place".into())
            }
            _ => None,
        }
    }
}

/// Runs a command to its end, with the process's own standard streams.
///
/// `arguments` begin with the program's own name.
///
/// # Errors
/// When it cannot be started. How it ended after that is in [`Finished`].
pub async fn run(
    engine: &Engine,
    guest: &Guest,
    arguments: &[String],
    observation: Observation,
) -> Result<Finished, StartError> {
    let Guest { code, authority, .. } = guest;
    let current = Current::of(&Arc::new(Invocation::new(&authority.limits, observation.logs.clone(), None)));
    let profiler = profiler(engine, code, &observation)?;
    match code {
        Code::Module(module) => {
            if module.get_export(START).is_none() {
                let exports = module.exports().filter(|export| export.ty().func().is_some());
                let exports = exports.map(|export| format!("`{}`", export.name())).collect();
                return Err(StartError::NotACommand { exports, http: false });
            }
            let store = Preview1::store(engine, authority, &current, arguments).map_err(StartError::Engine)?;
            let session = Session::new(engine, store, current, profiler, observation);
            run_module(engine, module, authority, session).await
        }
        Code::Component(component) => {
            let store = Host::new(engine, authority, &current, Stdio::Inherit, arguments)
                .and_then(|host| host.into_store(engine, component.engine()))
                .map_err(StartError::Engine)?;
            let linked = link_component(engine, component, &observation.name, &guest.imports)?;
            let session = Session::new(engine, store, current, profiler, observation);
            run_component(engine, guest, linked, session).await
        }
    }
}

async fn run_module(
    engine: &Engine,
    module: &Module,
    authority: &Authority,
    session: Session<Preview1>,
) -> Result<Finished, StartError> {
    let linker = module::link(engine, module, authority)?;
    let (finished, _) = session
        .run(&authority.limits, async |store| {
            let instance = linker.instantiate_async(&mut *store, module).await?;
            let start = instance.get_typed_func::<(), ()>(&mut *store, START)?;
            start.call_async(store, ()).await
        })
        .await;
    Ok(finished)
}

async fn run_component(
    engine: &Engine,
    guest: &Guest,
    linked: InstancePre<Host>,
    session: Session<Host>,
) -> Result<Finished, StartError> {
    let version = run_version(linked.component())?;
    let _clock = guest.clock(engine);
    let (finished, said) = session
        .run(&guest.authority.limits, async |store| {
            let instance = linked.instantiate_async(&mut *store).await?;
            if version.starts_with("0.2.") {
                let command = p2::bindings::Command::new(&mut *store, &instance)?;
                return command.wasi_cli_run().call_run(store).await;
            }
            let command = p3::bindings::Command::new(&mut *store, &instance)?;
            store
                .run_concurrent(async |accessor| {
                    let said = command.wasi_cli_run().call_run(accessor).await?;
                    // Tasks that the guest has left running belong to the command: its output may be among them.
                    poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                    Ok(said)
                })
                .await?
        })
        .await;
    Ok(match said {
        Some(Err(())) => finished.failed(),
        _ => finished,
    })
}

/// The version of `wasi:cli/run` that a component exports.
fn run_version(component: &Component) -> Result<String, StartError> {
    let ty = component.component_type();
    let names: Vec<&str> = ty.exports(component.engine()).map(|(name, _)| name).collect();
    match names.iter().find_map(|name| name.strip_prefix(RUN)) {
        Some(version) => Ok(version.to_owned()),
        None => Err(StartError::NotACommand {
            http: names.iter().any(|name| name.starts_with("wasi:http/")),
            exports: names.iter().map(|name| format!("`{name}`")).collect(),
        }),
    }
}

/// Links a component, called `name`, to the host's interfaces and to those that provide for it.
pub(crate) fn link_component(
    engine: &Engine,
    component: &Component,
    name: &str,
    imports: &[Import],
) -> Result<InstancePre<Host>, StartError> {
    let linker = match imports {
        [] => engine.linker_for(component)?,
        imports => wired::link(engine, name, component, imports)?,
    };
    linker.instantiate_pre(component).map_err(|error| match missing_import(&error) {
        Some(name) => StartError::Import { name },
        None => StartError::Mismatch(error),
    })
}

/// The import that the engine says it has not found.
///
/// The engine gives it in words only; a test holds them.
fn missing_import(error: &wasmtime::Error) -> Option<String> {
    let missing = error.chain().any(|cause| {
        let cause = cause.to_string();
        cause.contains("was not found in the linker") || cause.contains("matching implementation was not found")
    });
    let message = error.to_string();
    let name = message.split('`').nth(1)?;
    missing.then(|| name.to_owned())
}

pub(crate) fn profiler(
    engine: &Engine,
    code: &Code,
    observation: &Observation,
) -> Result<Option<Profiler>, StartError> {
    let profiler = observation.profile.then(|| Profiler::new(engine, code, &observation.name));
    profiler.transpose().map_err(StartError::Engine)
}
