//! Compiled code, kept between runs.
//!
//! Compiled code is trusted code: the engine maps it and jumps into it. So an entry is named by everything it depends on
//! (the component's digest, the engine, its settings and the target), lies in a folder that only its user may enter, and
//! is read whole and compared with its digest when it is written, and again whenever its file is not exactly the one that
//! was last compared (owner, mode, size, times, inode). An entry that does not hold is built again without a word. While
//! nothing has changed, using an entry costs a few system calls.
//!
//! An entry is two files: `KEY.code`, which the engine maps, and `KEY.record`, which says what it should be. Both are
//! written aside, flushed and renamed, the record last: a crash at any point leaves the old entry, the new one, or code
//! without a record, which is no entry.

mod disk;
mod key;
mod map;
mod prune;
mod record;
mod source;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub use prune::{Entry, Prune, Pruned};

use crate::compile::{Built, Code, CodeKind, CompileError};
use crate::engine::Engine;
use coracle_package::digest::Digest;
pub(crate) use key::Key;
use record::{Record, Stamp};
pub(crate) use source::Source;

/// How much compiled code is kept by default, in bytes. A Python component takes 33 MB, a small one 100 kB: room for all
/// that one developer runs, and no surprise on a laptop's disk.
pub const DEFAULT_MAX_BYTES: u64 = 2 << 30;

/// How exact the time of last use is. Noting it costs a system call, which need not be paid at every start.
const USE_RESOLUTION: Duration = Duration::from_secs(60 * 60);

/// Why compiled code cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder cannot be made, read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, such as "read".
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could write code that this user would run.
    #[error("the cache folder `{}` {why}", path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A folder of compiled code, private to its user and bounded in size.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
    max_bytes: u64,
}

impl Cache {
    /// Opens the cache in `directory`, and makes the folder where it is missing.
    ///
    /// # Errors
    /// [`CacheError::NotPrivate`] when the folder belongs to somebody else or is open to others.
    pub fn open(directory: &Path) -> Result<Self, CacheError> {
        disk::private_directory(directory)?;
        Ok(Self { directory: directory.to_owned(), max_bytes: DEFAULT_MAX_BYTES })
    }

    /// Keeps at most `max_bytes`.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// The folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The code for `key`; built, and kept for the next time, when there is none that holds.
    ///
    /// Of several processes and threads that want the same code at once, one builds it and the others wait for it.
    pub(crate) fn code(
        &self,
        engine: &Engine,
        key: &Key,
        subject: &Subject<'_>,
        build: impl FnOnce() -> Result<Built, CompileError>,
    ) -> Result<Code, CompileError> {
        if let Some(code) = self.find(engine, key, subject.kind)? {
            return Ok(code);
        }
        // Where locks do not work (some network file systems) the same code is built twice, which harms nobody.
        let lock = self.lock(key).inspect_err(|error| tracing::debug!(%error, "the code cache cannot be locked")).ok();
        if let Some(code) = self.find(engine, key, subject.kind)? {
            return Ok(code);
        }
        let built = build()?;
        if let Err(error) = self.store(key, &built, subject) {
            tracing::debug!(%error, "compiled code cannot be kept");
        }
        drop(lock);
        match self.find(engine, key, subject.kind)? {
            Some(code) => Ok(code),
            None => unkept(engine, subject.kind, &built),
        }
    }

    /// The code for `key`, if there is an entry and it holds.
    ///
    /// # Errors
    /// When it holds, and this machine cannot run the engine that it is for.
    pub(crate) fn find(&self, engine: &Engine, key: &Key, kind: CodeKind) -> Result<Option<Code>, CompileError> {
        let Some(concurrent) = self.holding(key, kind) else { return Ok(None) };
        let wasm = engine.wasm_for(concurrent)?;
        let code = match map::from_file(wasm, kind, &self.code_path(key)) {
            Ok(code) => code,
            Err(error) => {
                tracing::debug!(%error, "a cache entry cannot be mapped");
                return Ok(None);
            }
        };
        // A command runs at once, and a server has many functions of which most wait.
        if engine.options().pool.is_some()
            && let Err(error) = map::let_go(&code)
        {
            tracing::debug!(%error, "pages of a cache entry are kept");
        }
        Ok(Some(code))
    }

    /// Whether there is an entry for `key` that holds, and which engine it is for ([`Engine::wasm_for`]).
    fn holding(&self, key: &Key, kind: CodeKind) -> Option<bool> {
        let record_path = self.record_path(key);
        let record = Record::read(&record_path)?;
        if record.key != key.to_string() || record.kind != kind {
            return None;
        }
        let code_path = self.code_path(key);
        let stamp = Stamp::of(&code_path).ok()?;
        if !stamp.is_private() {
            return None;
        }
        let concurrent = record.concurrent;
        if stamp != record.stamp {
            // Touched, copied or restored since; or damaged. Only its bytes can tell.
            if disk::digest(&code_path).ok()? != record.digest {
                return None;
            }
            let renewed = Record { stamp, ..record };
            if let Err(error) = renewed.write(&self.directory, &record_path) {
                tracing::debug!(%error, "a cache record cannot be renewed");
            }
        }
        note_use(&record_path);
        Some(concurrent)
    }

    /// Writes an entry, then makes room for it.
    fn store(&self, key: &Key, built: &Built, subject: &Subject<'_>) -> Result<(), CacheError> {
        let code_path = self.code_path(key);
        let digest = Digest::of(&built.code).hex();
        disk::replace(&self.directory, &code_path, &built.code)?;
        let stamp = Stamp::of(&code_path).map_err(|source| CacheError::io("read", &code_path, source))?;
        if disk::digest(&code_path).map_err(|source| CacheError::io("read", &code_path, source))? != digest {
            let source = io::Error::new(io::ErrorKind::InvalidData, "what was read is not what was written");
            return Err(CacheError::io("keep", &code_path, source));
        }
        let record = Record {
            key: key.to_string(),
            kind: subject.kind,
            concurrent: built.concurrent,
            digest,
            stamp,
            component: subject.component.to_owned(),
            name: subject.name.map(str::to_owned),
        };
        record.write(&self.directory, &self.record_path(key))?;
        disk::flush_directory(&self.directory);
        self.prune(Prune { max_bytes: Some(self.max_bytes), older_than: None })?;
        Ok(())
    }

    /// Waits until no other process or thread builds code whose key begins as this one does.
    ///
    /// There are 256 lock files for all keys: they need never be removed, which no lock file survives without a race, and
    /// two different components seldom wait for each other.
    fn lock(&self, key: &Key) -> Result<File, CacheError> {
        let directory = self.directory.join("locks");
        disk::private_directory(&directory)?;
        let path = directory.join(key.shard());
        let file = disk::open_lock(&path).map_err(|source| CacheError::io("open", &path, source))?;
        file.lock().map_err(|source| CacheError::io("lock", &path, source))?;
        Ok(file)
    }

    /// Where the digests of large components are remembered.
    fn sources(&self) -> PathBuf {
        self.directory.join("sources")
    }

    fn code_path(&self, key: &Key) -> PathBuf {
        self.directory.join(format!("{key}.{CODE}"))
    }

    fn record_path(&self, key: &Key) -> PathBuf {
        self.directory.join(format!("{key}.{RECORD}"))
    }
}

/// The extension of compiled code.
const CODE: &str = "code";
/// The extension of what is known about it.
const RECORD: &str = "record";

/// Code that the engine's compiler gave a moment ago, and that is not kept.
pub(crate) fn unkept(engine: &Engine, kind: CodeKind, built: &Built) -> Result<Code, CompileError> {
    let wasm = engine.wasm_for(built.concurrent)?;
    map::from_bytes(wasm, kind, &built.code).map_err(CompileError::Load)
}

/// What an entry was built from.
pub(crate) struct Subject<'a> {
    pub(crate) kind: CodeKind,
    /// The digest of the component.
    pub(crate) component: &'a str,
    /// A name for people, such as its file's.
    pub(crate) name: Option<&'a str>,
}

impl CacheError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// The record's own time of change is the time of last use.
fn note_use(record: &Path) {
    let now = SystemTime::now();
    let last = std::fs::metadata(record).and_then(|metadata| metadata.modified());
    if last.is_ok_and(|last| now.duration_since(last).is_ok_and(|age| age < USE_RESOLUTION)) {
        return;
    }
    let noted = File::options().write(true).open(record).and_then(|file| file.set_modified(now));
    if let Err(error) = noted {
        tracing::debug!(%error, "the last use of a cache entry cannot be noted");
    }
}
