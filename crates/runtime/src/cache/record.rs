//! What is known about an entry's code: its digest, and the file as it was when the digest was last compared.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use coracle_package::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{CacheError, disk};
use crate::compile::CodeKind;

/// The most that a record can be, in bytes: ten times what one takes.
const MAX_BYTES: u64 = 8 << 10;

/// What an entry's code should be. On disk it is the hexadecimal digest of its JSON, a line feed, and its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The entry's name, so that a record that was copied over another's is found out.
    pub(super) key: String,
    pub(super) kind: CodeKind,
    /// Which of the two engines it is for.
    pub(super) concurrent: bool,
    /// The SHA-256 of the code.
    pub(super) digest: String,
    pub(super) stamp: Stamp,
    /// The digest of the component that it was compiled from.
    pub(super) component: String,
    /// A name of that component for people.
    pub(super) name: Option<String>,
}

impl Record {
    /// Reads a record; `None` when there is none that is whole.
    pub(super) fn read(path: &Path) -> Option<Self> {
        read(path)
    }

    /// Writes the record in one step.
    pub(super) fn write(&self, directory: &Path, path: &Path) -> Result<(), CacheError> {
        write(directory, path, self)
    }
}

/// Reads what [`write()`] wrote; `None` when there is nothing whole and private.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let stamp = Stamp::of(path).ok()?;
    if !stamp.is_private() || stamp.size > MAX_BYTES {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let (digest, json) = bytes.split_at_checked(DIGEST_LENGTH)?;
    let json = json.strip_prefix(b"\n")?;
    if Digest::of(json).hex().as_bytes() != digest {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// Writes `value` in one step, with a digest that tells whether it is whole.
pub(super) fn write<T: Serialize>(directory: &Path, path: &Path, value: &T) -> Result<(), CacheError> {
    let json = serde_json::to_vec(value).map_err(|error| CacheError::io("write", path, io::Error::other(error)))?;
    let mut bytes = Digest::of(&json).hex().into_bytes();
    bytes.push(b'\n');
    bytes.extend(json);
    disk::replace(directory, path, &bytes)
}

/// Characters of a hexadecimal SHA-256.
const DIGEST_LENGTH: usize = 64;

/// What the file system says of a file. While this stays the same, so do the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// Whether it is a plain file: not a folder, a link or a device.
    pub(super) plain: bool,
    pub(super) identity: Identity,
}

/// What only some systems can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) owner: u32,
    pub(super) mode: u32,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Nanoseconds since the epoch at which the content was changed last.
    pub(super) modified: i64,
    /// The same for the owner, the mode and the name too; a program cannot set this one back.
    pub(super) changed: i64,
}

impl Stamp {
    /// The stamp of the file at `path` itself, not of what it may link to.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&std::fs::symlink_metadata(path)?))
    }

    /// Whether only this process's user can have written the file.
    pub(super) fn is_private(&self) -> bool {
        self.plain && disk::is_private(&self.identity)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), plain: metadata.is_file(), identity: disk::identity(metadata) }
    }
}
