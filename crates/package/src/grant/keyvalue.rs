//! Key-value stores: `NAME=BACKEND`, with `memory`, `redb:PATH` or `redis://...` as the backend.

use std::fmt;
use std::path::PathBuf;

/// A key-value store and the name under which the guest opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueGrant {
    /// The name.
    pub name: String,
    /// What keeps the values.
    pub backend: KeyValueBackend,
}

/// What keeps the values of a key-value store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueBackend {
    /// The process's memory: gone when it ends.
    Memory,
    /// A redb file, written durably. A relative path is kept as it was written.
    Redb(PathBuf),
    /// A Redis server.
    Redis(RedisUrl),
    /// The manifest secret with this name holds the backend's text, for URLs with a password. Only a manifest can say this.
    Secret(String),
}

/// The URL of a Redis server, which may hold a password: neither `Debug` nor `Display` shows that.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The whole URL, for the client that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redis://***")
    }
}
