//! Knows a component's digest from the file's stamp, so that a large file need not be read at every start.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use coracle_package::digest::Digest;
use serde::{Deserialize, Serialize};

use super::record::{self, Stamp};
use super::{Cache, disk};
use crate::compile::CodeKind;

/// From which size on a file's digest is remembered, in bytes: reading and hashing less takes under a millisecond.
const WORTHWHILE: u64 = 1 << 20;

/// How long a file must have been unchanged for its stamp to be relied on: clocks of file systems are coarse (two seconds
/// on FAT), and within one step two changes look like one.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// A large component's file, and where its digest is remembered.
pub(crate) struct Source<'a> {
    cache: &'a Cache,
    memo: PathBuf,
    stamp: Stamp,
}

/// What is remembered of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memo {
    stamp: Stamp,
    pub(super) component: String,
    kind: CodeKind,
}

impl<'a> Source<'a> {
    /// The file at `path`, if remembering its digest is worthwhile and its stamp can be relied on.
    pub(crate) fn new(cache: &'a Cache, path: &Path) -> Option<Self> {
        let path = fs::canonicalize(path).ok()?;
        let metadata = fs::symlink_metadata(&path).ok()?;
        let stamp = Stamp::from(&metadata);
        let age = SystemTime::now().duration_since(disk::last_change(&metadata)?).ok()?;
        if stamp.size < WORTHWHILE || !stamp.plain || age < SETTLED_AFTER {
            return None;
        }
        let name = Digest::of(path.as_os_str().as_encoded_bytes()).hex();
        Some(Self { cache, memo: cache.sources().join(format!("{name}.{}", super::RECORD)), stamp })
    }

    /// The digest and kind of the component, if the file is the one that they were taken from.
    pub(crate) fn known(&self) -> Option<(String, CodeKind)> {
        let memo: Memo = record::read(&self.memo)?;
        (memo.stamp == self.stamp).then_some((memo.component, memo.kind))
    }

    /// Remembers them. To fail at it costs the next start a few milliseconds.
    pub(crate) fn remember(&self, component: &str, kind: CodeKind) {
        let memo = Memo { stamp: self.stamp, component: component.to_owned(), kind };
        let written = disk::private_directory(&self.cache.sources())
            .and_then(|()| record::write(&self.cache.sources(), &self.memo, &memo));
        if let Err(error) = written {
            tracing::debug!(%error, "a component's digest cannot be remembered");
        }
    }
}
