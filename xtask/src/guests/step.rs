//! One piece of work that is done once: it says what it does and how long it took, and is skipped for as long as
//! nothing that it depends on has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::Result;

/// What lies beside sources and is no input of a build: documents, tests, and what builds leave behind.
const NOT_SOURCES: [&str; 5] = ["README.md", "tests", "target", "node_modules", "__pycache__"];

/// A step and everything that its result depends on.
pub(crate) struct Step {
    name: String,
    /// The file that holds the digest of the inputs the outputs were made from.
    stamp: PathBuf,
    inputs: Sha256,
    outputs: Vec<PathBuf>,
    force: bool,
}

impl Step {
    /// A step that keeps its stamp at a path of its own, and a name that tells a person what is done.
    pub(crate) fn new(stamp: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self { name: name.into(), stamp: stamp.into(), inputs: Sha256::new(), outputs: Vec::new(), force: false }
    }

    /// Does the work whether or not it was done before.
    pub(crate) fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Something the result depends on: a version, an argument, a text.
    pub(crate) fn input(mut self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        self.inputs.update(text.len().to_le_bytes());
        self.inputs.update(text);
        self
    }

    /// A file that the result depends on, or a folder with every source in it.
    pub(crate) fn source(mut self, path: &Path) -> Result<Self> {
        if path.is_dir() {
            let mut entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let name = entry.file_name();
                if !NOT_SOURCES.iter().any(|skipped| *skipped == name) && !is_built(&entry.path()) {
                    self = self.input(name.as_encoded_bytes()).source(&entry.path())?;
                }
            }
            Ok(self)
        } else {
            let content = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(self.input(content))
        }
    }

    /// A file or folder that is there once the step was done.
    pub(crate) fn output(mut self, path: impl Into<PathBuf>) -> Self {
        self.outputs.push(path.into());
        self
    }

    /// Whether the work was done before with the same inputs.
    pub(crate) fn is_done(&self) -> bool {
        self.outputs.iter().all(|output| output.exists())
            && fs::read_to_string(&self.stamp).is_ok_and(|found| found.trim_end() == self.digest())
    }

    fn digest(&self) -> String {
        self.inputs.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Does the work unless it was done before with the same inputs. True when it was done now.
    pub(crate) fn run(self, work: impl FnOnce() -> Result) -> Result<bool> {
        if self.is_done() && !self.force {
            return Ok(false);
        }
        println!("{} ...", self.name);
        let start = Instant::now();
        // A stamp promises a finished step: while the work is under way there is none.
        if self.stamp.exists() {
            fs::remove_file(&self.stamp)?;
        }
        work().map_err(|error| format!("{}: {error}", self.name))?;
        if let Some(missing) = self.outputs.iter().find(|output| !output.exists()) {
            return Err(format!("{}: ended well, but {} is not there", self.name, missing.display()).into());
        }
        fs::create_dir_all(self.stamp.parent().ok_or("a stamp has no folder")?)?;
        fs::write(&self.stamp, self.digest() + "\n")?;
        println!("{}: {:.1} s", self.name, start.elapsed().as_secs_f64());
        Ok(true)
    }
}

/// Components are what builds make of sources, wherever they lie.
fn is_built(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_and_again_when_an_input_changes() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        let result = folder.path().join("result");
        fs::write(&source, "one").unwrap();
        let step = || Step::new(folder.path().join("stamps/copy"), "copy").source(&source).unwrap().output(&result);
        let copy = || Ok(fs::copy(&source, &result).map(|_| ())?);

        assert!(step().run(copy).unwrap(), "never done before");
        assert!(!step().run(copy).unwrap(), "nothing changed");
        assert!(step().force(true).run(copy).unwrap(), "asked for");
        fs::write(&source, "two").unwrap();
        assert!(step().run(copy).unwrap(), "the source changed");
        fs::remove_file(&result).unwrap();
        assert!(step().run(copy).unwrap(), "the result is gone");
    }

    #[test]
    fn failed_work_is_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let step = || Step::new(folder.path().join("stamp"), "fail");
        assert_eq!(step().run(|| Err("no".into())).unwrap_err().to_string(), "fail: no");
        assert!(step().run(|| Ok(())).unwrap());
    }

    #[test]
    fn the_ends_of_inputs_count() {
        let folder = tempfile::tempdir().unwrap();
        let step = || Step::new(folder.path().join("stamp"), "ends");
        assert!(step().input("ab").input("c").run(|| Ok(())).unwrap());
        assert!(step().input("a").input("bc").run(|| Ok(())).unwrap());
    }
}
