//! What a component was built from: nothing is built again until that changes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use coracle_package::digest::Digest;

use super::{BuildError, Job};

/// What lies beside sources and is no input of a build: documents, tests, and what builds and tools leave behind.
const NOT_SOURCES: [&str; 7] = ["README.md", "tests", "target", "node_modules", "__pycache__", super::WORK, ".git"];

/// A build's inputs, and where the digest of those of the last build is kept.
pub(super) struct Stamp<'a> {
    job: &'a Job,
    /// A line for each input.
    inputs: String,
    file: PathBuf,
}

impl<'a> Stamp<'a> {
    /// Reads every source.
    pub(super) fn of(job: &'a Job) -> Result<Self, BuildError> {
        let mut inputs = format!("{:?}\n", job.build);
        gather(&job.folder, &mut inputs)?;
        Ok(Self { job, inputs, file: job.work.join("stamp") })
    }

    /// Whether the component is there, and was built from the same.
    pub(super) fn is_current(&self) -> bool {
        self.job.output.is_file() && std::fs::read_to_string(&self.file).is_ok_and(|found| found == self.digest())
    }

    fn digest(&self) -> String {
        Digest::of(self.inputs.as_bytes()).to_string()
    }

    /// A stamp promises a finished build: while one is under way there is none.
    pub(super) fn remove(&self) -> Result<(), BuildError> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BuildError::io(&self.file)(error)),
            _ => Ok(()),
        }
    }

    /// Marks the build as finished. What the tools added to the sources is an input from now on: files that lock
    /// dependencies. What somebody changed meanwhile was not built, and will be the next time.
    pub(super) fn write(&self) -> Result<(), BuildError> {
        let after = Self::of(self.job)?;
        let now: BTreeSet<&str> = after.inputs.lines().collect();
        let unchanged = self.inputs.lines().all(|input| now.contains(input));
        let digest = if unchanged { after.digest() } else { self.digest() };
        std::fs::write(&self.file, digest).map_err(BuildError::io(&self.file))
    }
}

/// Whether a path may be that of a source.
pub(super) fn is_source(path: &Path) -> bool {
    !is_output(path) && !path.iter().any(is_skipped)
}

/// Components are what builds make of sources, wherever they lie.
fn is_output(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm" || extension == "wasm-new")
}

fn is_skipped(name: &OsStr) -> bool {
    NOT_SOURCES.iter().any(|skipped| *skipped == name)
}

/// Adds the name and the digest of every source below a folder.
fn gather(folder: &Path, inputs: &mut String) -> Result<(), BuildError> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = entries.map_err(BuildError::io(folder))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        if is_output(&path) || path.file_name().is_some_and(is_skipped) {
            continue;
        }
        if path.is_dir() {
            gather(&path, inputs)?;
        } else {
            let bytes = std::fs::read(&path).map_err(BuildError::io(&path))?;
            inputs.push_str(&format!("{} {}\n", path.display(), Digest::of(&bytes)));
        }
    }
    Ok(())
}
