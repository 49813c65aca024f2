//! The `coracle` program that the tests drive.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of the `coracle` program of this tree, built now where it is older than its sources.
///
/// `CORACLE` in the environment names another one, such as a release build or an installed one.
pub fn coracle() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var_os("CORACLE").map_or_else(build, PathBuf::from)).clone()
}

fn build() -> PathBuf {
    // All of the workspace decides the features of what it shares: building one crate alone would build the engine anew.
    let mut cargo = Command::new(env!("CARGO"));
    // Cargo tells a test about its package. Build scripts (ring's) are run again where that differs from the last time, and
    // all that builds on them with them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let status = cargo
        .current_dir(crate::root())
        .args(["build", "--quiet", "--workspace", "--bin", "coracle"])
        .status()
        .expect("cargo starts");
    assert!(status.success(), "`cargo build --workspace --bin coracle` failed");
    // target/debug/deps/<this test> -> target/debug/coracle
    let test = std::env::current_exe().expect("a running program has a path");
    let folder = test.ancestors().nth(2).expect("tests are built into target/<profile>/deps");
    folder.join(format!("coracle{}", std::env::consts::EXE_SUFFIX))
}
