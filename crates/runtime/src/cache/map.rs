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

/// Gives back the pages of a cache entry that were read to load it: of most code a process has, little is run at one time.
/// They come back from the file, or the kernel's cache of it, as they are touched.
///
/// # Preconditions
/// The code comes from [`from_file`].
#[cfg(target_os = "linux")]
pub(super) fn let_go(code: &Code) -> std::io::Result<()> {
    let image = match code {
        Code::Module(module) => module.image_range(),
        Code::Component(component) => component.image_range(),
    };
    let length = image.end.addr() - image.start.addr();
    // SAFETY: the pages are those of the mapped file, by the precondition, and hold what it holds: nothing is ever written to them,
    // since the engine takes no image that has relocations, and makes it read-only before it is used.
    match unsafe { libc::madvise(image.start.cast_mut().cast(), length, libc::MADV_DONTNEED) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Other systems write such pages out when memory is short.
#[cfg(not(target_os = "linux"))]
pub(super) fn let_go(_: &Code) -> std::io::Result<()> {
    Ok(())
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
