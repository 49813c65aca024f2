//! This program as its own compiler: components are compiled in a child that is started in a mode of its own.

use std::ffi::OsString;
use std::path::PathBuf;

use coracle_runtime::compile::{self, Compiler};

/// What the child is started with. It is no verb: nobody but this program uses it.
const MODE: &str = "__compile";

/// Has this program compile in a child of its own.
pub(crate) fn own() -> Compiler {
    // The file of a program may have been replaced since it was started. Linux still knows the old one.
    let program = if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() };
    let program = program.unwrap_or_else(|error| {
        tracing::debug!(%error, "this program's own file is not known; taking the one that is found by its name");
        PathBuf::from("coracle")
    });
    Compiler::Child { program, arguments: vec![OsString::from(MODE)] }
}

/// Whether this process is that child.
pub(crate) fn is_wanted() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == MODE)
}

/// Compiles what the parent gives.
pub(crate) fn work() -> bool {
    compile::serve()
}
