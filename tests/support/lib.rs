//! What the tests share: where the tree is, and the programs they drive.

use std::path::{Path, PathBuf};

/// The root of the tree.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the tree")
}

mod app;
pub mod client;
pub mod hostile_code;
#[cfg(target_os = "linux")]
mod memory;
mod program;
mod server;

pub use app::{App, sample};
#[cfg(target_os = "linux")]
pub use memory::peak_memory;
pub use program::coracle;
pub use server::{Server, text};

/// Every file below `folder` whose name ends with `.extension`, in order; nothing that git ignores.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !matches!(&*name, "target" | "node_modules") && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
