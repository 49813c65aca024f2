//! What is in the cache, and what leaves it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::DirEntry;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::record::{self, Record};
use super::source::Memo;
use super::{CODE, Cache, CacheError, RECORD, disk};
use crate::compile::CodeKind;

/// How old a file without its other half must be before it is taken for the remains of a crash, and not for an entry
/// that somebody is writing.
const REMAINS_AFTER: Duration = Duration::from_secs(60 * 60);

/// When a full cache makes room it goes down to nine tenths, so that the next entry need not do it again.
const KEEP_TENTHS: u64 = 9;

/// One component's compiled code.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in the cache.
    pub key: String,
    /// The digest of the component that it was compiled from.
    pub component: String,
    /// The component's file name when it was compiled.
    pub name: Option<String>,
    /// Whether it is a component or a core module.
    pub kind: CodeKind,
    /// What it takes on disk.
    pub bytes: u64,
    /// When it was used last, to the hour.
    pub used: SystemTime,
}

/// What to remove.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prune {
    /// Remove the least recently used entries until no more than this is left, in bytes.
    pub max_bytes: Option<u64>,
    /// Remove what was not used for this long.
    pub older_than: Option<Duration>,
}

/// What was removed and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Entries that were removed.
    pub removed: u64,
    /// What they took on disk, in bytes.
    pub removed_bytes: u64,
    /// What is left, in bytes.
    pub left_bytes: u64,
}

impl Cache {
    /// Every entry, the most recently used first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, CacheError> {
        let mut entries = Vec::new();
        for file in files(&self.directory)? {
            let path = file.path();
            if path.extension() != Some(OsStr::new(RECORD)) {
                continue;
            }
            // What is no entry, or is gone by now, is none.
            let (Some(record), Ok(metadata)) = (Record::read(&path), file.metadata()) else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let bytes = record.stamp.size.saturating_add(metadata.len());
            let Record { key, kind, component, name, .. } = record;
            entries.push(Entry { key, component, name, kind, bytes, used });
        }
        entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.key.cmp(&b.key)));
        Ok(entries)
    }

    /// Removes the entries that `what` names, and what crashes have left.
    ///
    /// A program that runs removed code goes on.
    ///
    /// # Errors
    /// When the folder cannot be read or a file cannot be removed.
    pub fn prune(&self, what: Prune) -> Result<Pruned, CacheError> {
        let now = SystemTime::now();
        let entries = self.list()?;
        let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let target = match what.max_bytes {
            Some(max) if total > max => max / 10 * KEEP_TENTHS,
            _ => u64::MAX,
        };
        let mut pruned = Pruned { left_bytes: total, ..Pruned::default() };
        for entry in entries.iter().rev() {
            let old = what.older_than.is_some_and(|limit| age(now, entry.used) >= limit);
            if old || pruned.left_bytes > target {
                self.remove(&entry.key)?;
                pruned.removed += 1;
                pruned.removed_bytes += entry.bytes;
                pruned.left_bytes -= entry.bytes;
            }
        }
        self.remove_remains(now)?;
        Ok(pruned)
    }

    /// Removes an entry, its record first: code without a record is no entry.
    fn remove(&self, key: &str) -> Result<(), CacheError> {
        for extension in [RECORD, CODE] {
            remove(&self.directory.join(format!("{key}.{extension}")))?;
        }
        Ok(())
    }

    /// Removes what crashes, damage and other versions have left, and what is remembered of components that are gone.
    fn remove_remains(&self, now: SystemTime) -> Result<(), CacheError> {
        let entries = self.list()?;
        let keys: BTreeSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        for file in files(&self.directory)? {
            let path = file.path();
            let ours = matches!(path.extension().and_then(OsStr::to_str), Some(CODE | RECORD))
                || file.file_name().to_string_lossy().starts_with(disk::TEMPORARY);
            let known = path.file_stem().and_then(OsStr::to_str).is_some_and(|stem| keys.contains(stem));
            if ours && !known && file_age(&file, now) >= REMAINS_AFTER {
                remove(&path)?;
            }
        }
        if !self.sources().exists() {
            return Ok(());
        }
        let components: BTreeSet<&str> = entries.iter().map(|entry| entry.component.as_str()).collect();
        for file in files(&self.sources())? {
            let memo: Option<Memo> = record::read(&file.path());
            let known = memo.is_some_and(|memo| components.contains(memo.component.as_str()));
            if !known && file_age(&file, now) >= REMAINS_AFTER {
                remove(&file.path())?;
            }
        }
        Ok(())
    }
}

fn files(directory: &Path) -> Result<Vec<DirEntry>, CacheError> {
    let read = || std::fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>();
    read().map_err(|source| CacheError::io("read", directory, source))
}

/// How long ago a file was written; one that is gone by now needs no removing.
fn file_age(file: &DirEntry, now: SystemTime) -> Duration {
    file.metadata().and_then(|metadata| metadata.modified()).map_or(Duration::ZERO, |modified| age(now, modified))
}

/// A time in the future, after the clock was set back, counts as now.
fn age(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

/// Removes a file; that another process was faster is as good.
fn remove(path: &Path) -> Result<(), CacheError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CacheError::io("remove", path, source)),
        _ => Ok(()),
    }
}
