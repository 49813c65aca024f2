//! What a module finds around it while its snapshot is taken: as much of WASI preview 1 as a runtime needs to start, with
//! nothing behind it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use coracle_package::limit::Limits;
use sha2::{Digest as _, Sha256};
use wasmtime::{Caller, Extern, ExternType, Linker, Memory, Module, Store};

use crate::current::Current;
use crate::engine::Engine;
use crate::invocation::Invocation;
use crate::limiter::Limiter;
use crate::meter::{EPOCHS_PER_SLICE, go_on};
use crate::module::{BAD_DESCRIPTOR, PREVIEW1};

/// What the clock that only goes forward shows while the snapshot is taken, in nanoseconds: before anything that the clock of
/// an instance shows, which counts from the instance's start. Go takes 0 for a broken clock.
const CLOCK: u64 = 1;

/// How many times the module may wait. Go does so five times, for a millisecond each, before it says what it panicked of; a
/// program that waits for something goes on doing so.
const MAX_WAITS: u32 = 50;

/// How much of what the module writes is kept, in bytes: the message that it dies with.
const MAX_SAID: usize = 16 << 10;

/// Preview 1's answer that all is well.
const SUCCESS: i32 = 0;

/// Preview 1's clock that only goes forward.
const MONOTONIC: i32 = 1;

/// Preview 1's standard output and standard error.
const OUTPUTS: [i32; 2] = [1, 2];

/// The size of preview 1's `fdstat`. All zeros, it is a stream of unknown kind without flags and rights.
const STAT_BYTES: usize = 24;

/// What the module asked for, and a snapshot must not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it draws random numbers")]
    Random,
    #[error("it asks for the time of day")]
    Time,
    #[error("it waits")]
    Wait,
    #[error("it ends itself with code {0}")]
    Exit(i32),
    #[error("it calls `{0}`")]
    Call(String),
}

impl Refused {
    /// What to do about it, if that is known.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Random => {
                Some("all instances would have the same: draw them when they are first needed, or leave `snapshot` out")
            }
            Self::Time => {
                Some("all instances would have the same: ask when it is first needed, or leave `snapshot` out")
            }
            Self::Wait | Self::Call(_) => Some(
                "nothing is granted while a snapshot is taken: do it when it is first needed, or leave `snapshot` out",
            ),
            Self::Exit(_) => None,
        }
    }
}

/// What is known of the module besides its end.
#[derive(Default)]
pub(super) struct Told {
    said: Mutex<Vec<u8>>,
    refused: OnceLock<Refused>,
}

impl Told {
    /// What it wrote, by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).lines().map(str::to_owned).collect()
    }

    /// What it was refused first.
    pub(super) fn refused(&self) -> Option<&Refused> {
        self.refused.get()
    }

    fn say(&self, bytes: &[u8]) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_SAID.saturating_sub(said.len());
        said.extend(bytes.iter().take(room));
    }
}

/// The state of the store.
pub(super) struct Stage {
    limiter: Limiter,
    current: Arc<Current>,
    told: Arc<Told>,
    /// What the runtime seeds its generator with, until it has done so.
    seed: Option<[u8; 32]>,
    /// How many times it may still wait.
    waits: u32,
}

impl Stage {
    pub(super) fn store(
        engine: &Engine,
        invocation: &Arc<Invocation>,
        limits: &Limits,
        module: &[u8],
        told: &Arc<Told>,
    ) -> wasmtime::Result<Store<Self>> {
        let current = Current::of(invocation);
        let limiter = Limiter::new(Arc::clone(&current), limits, engine.budget())?;
        // Tables of hashes that are made now keep keys that come of this: other modules have others, and what is built twice
        // is the same.
        let seed = Some(Sha256::digest(module).into());
        let mut store =
            Store::new(engine.wasm(), Self { limiter, current, told: Arc::clone(told), seed, waits: MAX_WAITS });
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(EPOCHS_PER_SLICE);
        store.epoch_deadline_callback(|store| {
            store.data().current.check()?;
            Ok(go_on())
        });
        Ok(store)
    }

    fn refuse(&self, refused: Refused) -> wasmtime::Error {
        wasmtime::Error::new(self.told.refused.get_or_init(|| refused).clone())
    }
}

/// Links everything that the module imports: what a runtime needs to start, and the rest to a refusal.
pub(super) fn link(engine: &Engine, module: &Module) -> wasmtime::Result<Linker<Stage>> {
    let mut linker = Linker::new(engine.wasm());
    // A module may import the same function more than once.
    linker.allow_shadowing(true);
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let known = if from == PREVIEW1 { name } else { "" };
        match known {
            "args_sizes_get" | "environ_sizes_get" => linker.func_wrap(from, name, no_texts)?,
            "args_get" | "environ_get" => linker.func_wrap(from, name, |_: i32, _: i32| SUCCESS)?,
            "clock_time_get" => linker.func_wrap(from, name, clock)?,
            "random_get" => linker.func_wrap(from, name, random)?,
            // What an adapter answers for standard streams, too.
            "fd_prestat_get" | "fd_fdstat_set_flags" => {
                linker.func_wrap(from, name, |_: i32, _: i32| BAD_DESCRIPTOR)?
            }
            "fd_fdstat_get" => linker.func_wrap(from, name, stat)?,
            "fd_write" => linker.func_wrap(from, name, write)?,
            "sched_yield" => linker.func_wrap(from, name, || SUCCESS)?,
            "poll_oneoff" => linker.func_wrap(from, name, wait)?,
            "proc_exit" => linker.func_wrap(from, name, exit)?,
            _ => {
                let ExternType::Func(ty) = import.ty() else { continue };
                let call = format!("{from}.{name}");
                linker.func_new(from, name, ty, move |caller, _, _| {
                    Err(caller.data().refuse(Refused::Call(call.clone())))
                })?
            }
        };
    }
    Ok(linker)
}

/// There are no arguments and no variables.
fn no_texts(mut caller: Caller<'_, Stage>, count: i32, bytes: i32) -> wasmtime::Result<i32> {
    put(&mut caller, count, &[0; 4])?;
    put(&mut caller, bytes, &[0; 4])
}

fn clock(mut caller: Caller<'_, Stage>, clock: i32, _precision: i64, time: i32) -> wasmtime::Result<i32> {
    match clock {
        MONOTONIC => put(&mut caller, time, &CLOCK.to_le_bytes()),
        _ => Err(caller.data().refuse(Refused::Time)),
    }
}

/// The first to ask is the runtime itself, before any of the program's own code runs.
fn random(mut caller: Caller<'_, Stage>, to: i32, length: i32) -> wasmtime::Result<i32> {
    match caller.data_mut().seed.take() {
        Some(seed) if usize::try_from(length).is_ok_and(|length| length <= seed.len()) => {
            let seed: Vec<u8> = seed.into_iter().take(usize::try_from(length)?).collect();
            put(&mut caller, to, &seed)
        }
        _ => Err(caller.data().refuse(Refused::Random)),
    }
}

fn stat(mut caller: Caller<'_, Stage>, descriptor: i32, stat: i32) -> wasmtime::Result<i32> {
    match descriptor {
        0..=2 => put(&mut caller, stat, &[0; STAT_BYTES]),
        _ => Ok(BAD_DESCRIPTOR),
    }
}

fn write(
    mut caller: Caller<'_, Stage>,
    descriptor: i32,
    pieces: i32,
    count: i32,
    written: i32,
) -> wasmtime::Result<i32> {
    if !OUTPUTS.contains(&descriptor) {
        return Ok(BAD_DESCRIPTOR);
    }
    let memory = memory(&mut caller)?;
    let told = Arc::clone(&caller.data().told);
    let bytes = memory.data(&caller);
    let mut total = 0_u32;
    for piece in 0..u64::from(count.cast_unsigned()) {
        let entry = u64::from(pieces.cast_unsigned()) + 8 * piece;
        let (start, length) = (word(bytes, entry)?, word(bytes, entry + 4)?);
        told.say(slice(bytes, start.into(), length.into())?);
        total = total.saturating_add(length);
    }
    put(&mut caller, written, &total.to_le_bytes())
}

/// Nothing happens meanwhile, and no time passes.
fn wait(mut caller: Caller<'_, Stage>, _: i32, _: i32, _: i32, events: i32) -> wasmtime::Result<i32> {
    match caller.data().waits.checked_sub(1) {
        Some(left) => {
            caller.data_mut().waits = left;
            put(&mut caller, events, &[0; 4])
        }
        None => Err(caller.data().refuse(Refused::Wait)),
    }
}

fn exit(caller: Caller<'_, Stage>, code: i32) -> wasmtime::Result<()> {
    Err(caller.data().refuse(Refused::Exit(code)))
}

/// Writes into the module's memory.
fn put(caller: &mut Caller<'_, Stage>, at: i32, bytes: &[u8]) -> wasmtime::Result<i32> {
    let memory = memory(caller)?;
    memory.write(caller, usize::try_from(at.cast_unsigned())?, bytes)?;
    Ok(SUCCESS)
}

fn memory(caller: &mut Caller<'_, Stage>) -> wasmtime::Result<Memory> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    memory.ok_or_else(|| wasmtime::format_err!("it exports no memory that WASI could use"))
}

fn word(bytes: &[u8], at: u64) -> wasmtime::Result<u32> {
    let mut word = [0; 4];
    word.copy_from_slice(slice(bytes, at, 4)?);
    Ok(u32::from_le_bytes(word))
}

fn slice(bytes: &[u8], at: u64, length: u64) -> wasmtime::Result<&[u8]> {
    let (start, end) = (usize::try_from(at)?, usize::try_from(at.saturating_add(length))?);
    bytes.get(start..end).ok_or_else(|| wasmtime::format_err!("it names memory that it does not have"))
}
