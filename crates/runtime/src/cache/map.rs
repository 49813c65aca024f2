//! The one place where compiled code becomes code that runs.
#![allow(unsafe_code, reason = "compiled code is trusted because it lies in our own cache")]

use std::path::Path;

use wasmtime::Module;
use wasmtime::component::Component;

use crate::compile::{Code, CodeKind};

/// Maps a cache entry.
///
/// # Preconditions
/// The caller has found that the file is private to this user and is the one whose digest was compared.
pub(super) fn from_file(engine: &wasmtime::Engine, kind: CodeKind, path: &Path) -> wasmtime::Result<Code> {
    // SAFETY: the engine asks that the file is what it serialised and does not change while it is mapped.
    // - It is: its digest was taken over the output of the engine's compiler (see `from_bytes`) and compared with the file when that was written, and
    //   again if the file's owner, mode, size, times or inode differed since. The engine checks its version and settings.
    // - It does not change: the cache never writes to an entry's file in place (a new one is renamed over it, pruning
    //   unlinks it, and a mapping outlives both), and no other user can reach it, because the folder and the file are
    //   this user's alone. A process of this user that writes to it could as well write to this program.
    unsafe {
        Ok(match kind {
            CodeKind::Module => Code::Module(Module::deserialize_file(engine, path)?),
            CodeKind::Component => Code::Component(Component::deserialize_file(engine, path)?),
        })
    }
}

/// Takes code that was compiled a moment ago and could not be kept.
///
/// # Preconditions
/// The bytes come from the engine's compiler, and nobody else could write to them on the way.
pub(super) fn from_bytes(engine: &wasmtime::Engine, kind: CodeKind, bytes: &[u8]) -> wasmtime::Result<Code> {
    // SAFETY: the engine asks that the bytes are what it serialised; they are, by the precondition. They were made in this
    // process, or came over a pipe from a child that is this same program. A component that took the compiler over could
    // answer with other code: docs/threat-model.md says what that child can and cannot do besides.
    unsafe {
        Ok(match kind {
            CodeKind::Module => Code::Module(Module::deserialize(engine, bytes)?),
            CodeKind::Component => Code::Component(Component::deserialize(engine, bytes)?),
        })
    }
}
