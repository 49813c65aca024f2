//! What a component was built from: nothing is built again until that changes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use coracle_package::digest::Digest;

use super::component::wit_folder;
use super::{BuildError, Job};
use crate::whole;

/// What lies beside sources and is no input of a build: documents, tests, and what builds and tools leave behind.
const NOT_SOURCES: [&str; 7] = ["README.md", "tests", "target", "node_modules", "__pycache__", super::WORK, ".git"];

/// A build's inputs, and where the digest of those of the last build is kept.
pub(super) struct Stamp<'a> {
    job: &'a Job,
    /// A line for each input.
    inputs: BTreeSet<String>,
    file: PathBuf,
}

impl<'a> Stamp<'a> {
    /// Reads every source.
    pub(super) fn of(job: &'a Job) -> Result<Self, BuildError> {
        let mut inputs = BTreeSet::from([format!("{:?}\n", job.build)]);
        gather(&job.folder, &mut inputs)?;
        // It may lie elsewhere.
        let wit = wit_folder(job);
        if wit.exists() {
            add(&wit, &mut inputs)?;
        }
        Ok(Self { job, inputs, file: job.work.join("stamp") })
    }

    /// Whether the component is there, and was built from the same.
    pub(super) fn is_current(&self) -> bool {
        self.job.output.is_file() && std::fs::read_to_string(&self.file).is_ok_and(|found| found == self.digest())
    }

    fn digest(&self) -> String {
        Digest::of(self.inputs.iter().map(String::as_str).collect::<String>().as_bytes()).to_string()
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
        let digest = if self.inputs.is_subset(&after.inputs) { after.digest() } else { self.digest() };
        std::fs::write(&self.file, digest).map_err(BuildError::io(&self.file))
    }
}

/// Whether a path may be that of a source.
pub(super) fn is_source(path: &Path) -> bool {
    !is_output(path) && !path.iter().any(is_skipped)
}

/// Components are what builds make of sources, wherever they lie.
fn is_output(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm") || whole::is_unfinished(path)
}

fn is_skipped(name: &OsStr) -> bool {
    NOT_SOURCES.iter().any(|skipped| *skipped == name)
}

/// Adds every source below a folder.
fn gather(folder: &Path, inputs: &mut BTreeSet<String>) -> Result<(), BuildError> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for path in entries.map_err(BuildError::io(folder))?.into_iter().map(|entry| entry.path()) {
        if !is_output(&path) && !path.file_name().is_some_and(is_skipped) {
            add(&path, inputs)?;
        }
    }
    Ok(())
}

/// Adds the name and the digest of a file, or of every source below it where it is a folder.
fn add(path: &Path, inputs: &mut BTreeSet<String>) -> Result<(), BuildError> {
    if path.is_dir() {
        return gather(path, inputs);
    }
    match std::fs::read(path) {
        Ok(bytes) => _ = inputs.insert(format!("{} {}\n", path.display(), Digest::of(&bytes))),
        // Editors have files beside sources that come and go.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(BuildError::io(path)(error)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use coracle_package::manifest::{Build, Language};

    use super::*;

    #[test]
    fn wit_beside_the_source_is_an_input() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for folder in ["one/wit", "wit", "work"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        std::fs::write(path("one.wasm"), "").unwrap();
        for (wit, file) in [(None, "one/wit/a.wit"), (Some("../wit"), "wit/a.wit"), (Some("../lone.wit"), "lone.wit")] {
            let (language, wit) = (Language::C, wit.map(PathBuf::from));
            let build = Build { language, folder: "one".into(), wit, world: None, snapshot: false, bindings: None };
            let (folder, output, work) = (path("one"), path("one.wasm"), path("work"));
            let job = Job { name: "one".to_owned(), build, folder, output, work };
            let of = || Stamp::of(&job).unwrap();
            std::fs::write(path(file), "package a:a;").unwrap();
            of().write().unwrap();
            assert!(of().is_current(), "{file}");
            std::fs::write(path(file), "package a:b;").unwrap();
            assert!(!of().is_current(), "{file}");
        }
    }
}
