//! Where things are: the root of the tree, its tools folder, its build folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// The tree this program was built from.
pub(crate) struct Project {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
}

impl Project {
    /// Finds the tree: `cargo run` says where the crate is, and the root is one up.
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().ok_or("the folder of xtask has no parent")?.to_owned();
        if root.join("Cargo.toml").is_file() {
            Ok(Self { root })
        } else {
            Err(format!("{} holds no Cargo.toml: start this as `cargo xtask` inside the tree", root.display()).into())
        }
    }

    /// What is fetched for tests, guests and benches: ignored by git, safe to delete, cached between runs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// Cargo's build folder, wherever the user's settings put it.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        let metadata = cargo_metadata::MetadataCommand::new().current_dir(&self.root).no_deps().exec()?;
        Ok(metadata.target_directory.into_std_path_buf())
    }

    /// The `coracle` program of a build profile, whose folder is `debug`, `release` or `dist`.
    pub(crate) fn coracle(&self, profile: &str) -> Result<PathBuf> {
        Ok(self.target()?.join(profile).join(format!("coracle{}", std::env::consts::EXE_SUFFIX)))
    }

    /// A built sample, whether it is kept in the tree or was built by `cargo xtask guests`.
    pub(crate) fn sample(&self, name: &str) -> Result<PathBuf> {
        let file = name.rsplit_once('/').map_or(name, |(_, last)| last);
        let path = self.root.join("samples").join(name).join(format!("{file}.wasm"));
        if path.is_file() {
            return Ok(path);
        }
        Err(format!("{} is not there: build it with `cargo xtask guests {name}`", path.display()).into())
    }

    /// The same `cargo` that runs this program, in the root of the tree.
    pub(crate) fn cargo(&self) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(Path::new(&cargo));
        // Cargo tells this program about its own package. Build scripts (ring's) are run again where that differs from the
        // last time, and all that builds on them with them.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command
    }

    /// A program, in the root of the tree.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.root);
        command
    }
}
