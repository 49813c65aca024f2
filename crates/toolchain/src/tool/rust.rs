//! The parts of a Rust toolchain.

use std::path::Path;
use std::process::Command;

/// What guests in Rust are compiled for: its linker makes components by itself.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Whether a compiler has the standard library of the target.
pub(super) fn has_target(rustc: &Path) -> bool {
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}
