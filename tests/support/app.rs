//! Apps of the tests' own: a manifest in a folder that goes away with the test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder with a manifest, ready to be served.
pub struct App {
    folder: TempDir,
}

impl App {
    /// Writes a manifest. Samples are named by `source = "@echo-rust"`.
    pub fn new(manifest: &str) -> Self {
        let app = Self { folder: tempfile::tempdir().expect("a folder for a test") };
        app.write("coracle.toml", with_samples(manifest));
        app
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the app, whole or not at all, as deployments do.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        let new = path.with_extension("new");
        std::fs::write(&new, content).expect("a file of a test");
        std::fs::rename(&new, &path).expect("a file of a test");
    }
}

/// A built sample; the samples in Rust and C are kept in the tree.
pub fn sample(name: &str) -> PathBuf {
    let path = crate::root().join("samples").join(name).join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is not there: build it with `cargo xtask guests {name}`", path.display());
    path
}

/// Replaces each `"@NAME"` by the path of a sample.
fn with_samples(manifest: &str) -> String {
    let mut text = String::new();
    for (index, part) in manifest.split("\"@").enumerate() {
        match part.split_once('"') {
            Some((name, rest)) if index > 0 => {
                let path = sample(name);
                text.push_str(&format!("'{}'{rest}", path.display()));
            }
            _ => text.push_str(part),
        }
    }
    text
}
