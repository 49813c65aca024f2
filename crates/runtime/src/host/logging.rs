//! `wasi:logging`: a guest's own messages, for the log.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use super::{Host, bytes, start};
use crate::log::{LogLevel, LogStream};

/// The interface as it was drafted, and without a version, as some toolchains import it.
const NAMES: [&str; 2] = ["wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"];

/// Longest context, in bytes: it is a word that groups messages.
const MAX_CONTEXT: usize = 256;

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes them of the guest's numbers")]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
            Level::Critical => Self::Critical,
        }
    }
}

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for interface in NAMES {
        linker.instance(interface)?.func_wrap("log", log)?;
    }
    Ok(())
}

fn log(store: StoreContextMut<'_, Host>, (level, context, message): (Level, String, String)) -> wasmtime::Result<()> {
    let host = store.data();
    let longest = bytes(host.authority.limits.log_line);
    let stream = LogStream::Log(level.into(), start(&context, MAX_CONTEXT));
    host.current.get().log(stream, start(&message, longest));
    Ok(())
}
