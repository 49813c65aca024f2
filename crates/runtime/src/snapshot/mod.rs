//! A language runtime's start-up work, done once when a component is built.
//!
//! A reactor is started with nothing granted: no argument, variable, folder or file, a clock that stands still, and no
//! randomness but a seed that its own bytes give. What its memory and globals hold after that is what the new module starts
//! with. What was fixed so has to be read again in every instance: the module's own function for that, which its toolchain
//! put there, takes the place of `_initialize`. A module that asks for more than its runtime needs to start is refused,
//! since what it learnt would be the same in every instance.
//!
//! `wasmtime-wizer` finds what has changed and writes the module; its documentation says what modules it takes.

mod stage;

use std::sync::Arc;
use std::time::Duration;

use coracle_package::limit::Limits;
use coracle_package::unit::{format_duration, format_size};
use wasmparser::ValType;
use wasmtime::{Instance, Module, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, Wizer};

use crate::compile::{self, Code, CompileError};
use crate::current::Current;
use crate::engine::Engine;
use crate::invocation::Invocation;
use crate::module::INITIALIZE;
use crate::outcome::Outcome;
use crate::session::{Finished, Observation, Session};
use stage::{Refused, Stage, Told};

/// CPU time of the start-up work. Go's own takes some milliseconds; what a program computes once for all may take longer.
pub const CPU_TIME: Duration = Duration::from_secs(20);

/// Wall time of the start-up work. It waits for nothing; this is for busy machines.
pub const WALL_TIME: Duration = Duration::from_secs(120);

/// Memory that the start-up work may have, in bytes. What is in it is in the component, and in every instance.
pub const MEMORY: u64 = 256 << 20;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The module is not one that starts and goes on in two steps.
    #[error("it exports no function `{0}`, by which a snapshot is taken or goes on")]
    NoFunction(String),
    /// The module has something whose state cannot be written down.
    #[error("its state cannot be written down: {0:#}")]
    Unfit(wasmtime::Error),
    /// The module cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The engine failed before the module had begun.
    #[error("the engine cannot start it: {0:#}")]
    Engine(wasmtime::Error),
    /// Its start-up work did not come to its end.
    #[error("its start-up work cannot be in a snapshot: {reason}")]
    Stopped {
        /// Why, in one line.
        reason: String,
        /// What it wrote, by line.
        said: Vec<String>,
        /// Where it was, the innermost call first.
        calls: Vec<String>,
        /// What to do about it, if that is known.
        hint: Option<String>,
    },
}

/// Starts the reactor `module`, and returns a module that is started already. Its `_initialize` is what `module` exports as
/// `resume`.
///
/// # Errors
/// When the module is no such reactor, asks for what a snapshot must not hold, or passes [`CPU_TIME`], [`WALL_TIME`] or
/// [`MEMORY`].
pub async fn take(engine: &Engine, module: &[u8], resume: &str) -> Result<Vec<u8>, SnapshotError> {
    take_within(engine, module, resume, limits()).await
}

fn limits() -> Limits {
    Limits { memory: MEMORY, cpu_time: Some(CPU_TIME), wall_time: Some(WALL_TIME), ..Limits::command() }
}

async fn take_within(engine: &Engine, module: &[u8], resume: &str, limits: Limits) -> Result<Vec<u8>, SnapshotError> {
    let mut wizer = Wizer::new();
    wizer.func_rename(INITIALIZE, resume);
    let (context, instrumented) = wizer.instrument(module).map_err(SnapshotError::Unfit)?;
    let code = match compile::load(engine, None, &instrumented, &())? {
        Code::Module(code) => code,
        Code::Component(_) => return Err(SnapshotError::NoFunction(INITIALIZE.to_owned())),
    };
    for name in [INITIALIZE, resume] {
        if code.get_export(name).is_none_or(|export| export.func().is_none()) {
            return Err(SnapshotError::NoFunction(name.to_owned()));
        }
    }
    let invocation = Arc::new(Invocation::new(&limits, None, None));
    let told = Arc::new(Told::default());
    let store = Stage::store(engine, &invocation, &limits, module, &told).map_err(SnapshotError::Engine)?;
    let linker = stage::link(engine, &code).map_err(SnapshotError::Engine)?;
    let session = Session::new(engine, store, Current::of(&invocation), None, Observation::default());
    let (finished, snapshot) = session
        .run(&limits, async |store| {
            let instance = start(&linker, &code, store).await?;
            wizer.snapshot(&context, &mut Started { store, instance }).await
        })
        .await;
    snapshot.ok_or_else(|| stopped(finished, &told))
}

async fn start(
    linker: &wasmtime::Linker<Stage>,
    code: &Module,
    store: &mut Store<Stage>,
) -> wasmtime::Result<Instance> {
    let instance = linker.instantiate_async(&mut *store, code).await?;
    instance.get_typed_func::<(), ()>(&mut *store, INITIALIZE)?.call_async(store, ()).await?;
    Ok(instance)
}

fn stopped(finished: Finished, told: &Told) -> SnapshotError {
    let hint = match (told.refused(), finished.record.outcome) {
        // A program that is out of memory says so, and leaves.
        (Some(refused), outcome) if outcome != Outcome::OutOfMemory => refused.hint().map(str::to_owned),
        (None, Outcome::WallDeadline) => {
            Some(format!("it may take {}: build again where the machine is less busy", format_duration(WALL_TIME)))
        }
        (None, Outcome::CpuDeadline) | (_, Outcome::OutOfMemory) => Some(format!(
            "it may have {} of CPU time and {} of memory: leave large work to the first call",
            format_duration(CPU_TIME),
            format_size(MEMORY)
        )),
        _ => None,
    };
    SnapshotError::Stopped {
        reason: finished.reason.unwrap_or_else(|| finished.record.outcome.to_string()),
        said: told.lines(),
        // Where a program that ended by itself was says nothing beside its own words.
        calls: match told.refused() {
            Some(Refused::Exit(_)) => Vec::new(),
            _ => finished.stack.map(|stack| stack.lines()).unwrap_or_default(),
        },
        hint,
    }
}

/// An instance that is started, as its state is read.
struct Started<'a> {
    store: &'a mut Store<Stage>,
    instance: Instance,
}

impl InstanceState for Started<'_> {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let value = self.instance.get_global(&mut *self.store, name).map(|global| global.get(&mut *self.store));
        match value {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            // The trait has no other way to say so. A panic ends the session, and nothing else.
            _ => unreachable!("instrumented modules export every global that can change, and none holds a reference"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut *self.store, name) {
            Some(memory) => contents(memory.data(&*self.store)),
            None => unreachable!("instrumented modules export every memory"),
        }
    }
}

#[cfg(test)]
mod tests;
