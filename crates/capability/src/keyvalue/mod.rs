//! Key-value stores.
//!
//! A [`Store`] has the operations of `wasi:keyvalue`: single keys, atomic changes and batches. [`open`] gives one for a
//! [`Backend`]: in memory, in a file (redb, durable before a write is acknowledged) or in Redis. All of them behave
//! alike, by one suite of tests, within the same bounds.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::secret::Secret;

mod bounded;
mod memory;
mod number;
mod redb;
mod redis;

pub use bounded::{MAX_BATCH_BYTES, MAX_BATCH_KEYS, MAX_KEY, MAX_PAGE, MAX_VALUE};
pub use memory::{ENTRY_OVERHEAD, MAX_MEMORY_STORE};
pub use redb::{CACHE_SIZE, MAX_GROUP, MAX_QUEUE, MAX_STORE_FILE};
pub use redis::{CONNECT_TIMEOUT, RECONNECT_MAX_DELAY, RESPONSE_TIMEOUT};

/// A key-value store.
///
/// Every write is durable, as far as the backend goes, when its future is done. A future that is dropped may or may not
/// have had its effect.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// The value of `key`.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// Sets `key` to `value`.
    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError>;

    /// Removes `key`; it need not be there.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Whether there is a value for `key`.
    async fn exists(&self, key: &str) -> Result<bool, StoreError>;

    /// Some of the keys, at most [`MAX_PAGE`] or as many as the backend finds at once, from `cursor` on or from the
    /// start. A key that is there all the while is listed at least once; the order is the backend's.
    async fn list_keys(&self, cursor: Option<&str>) -> Result<Page, StoreError>;

    /// Adds `delta` to the decimal number at `key`, where nothing is zero, and returns the sum.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError>;

    /// Sets `key` to `value` if its value is `expected`, where `None` is no value.
    async fn compare_and_swap(&self, key: &str, expected: Option<Bytes>, value: Bytes) -> Result<Swap, StoreError>;

    /// The values of `keys`, in their order.
    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// Sets all of `entries`, or none of them if it fails.
    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), StoreError>;

    /// Removes all of `keys`, or none of them if it fails.
    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError>;
}

/// Some of the keys of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys; may be empty although there are more.
    pub keys: Vec<String>,
    /// Where to go on, if there may be more. Opaque: only good for the store that gave it.
    pub cursor: Option<String>,
}

/// What a compare-and-swap did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The value was as expected and is changed.
    Swapped,
    /// The value is another, this one, and was not changed.
    Changed(Option<Bytes>),
}

/// Why a store cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A key is empty.
    #[error("the key is empty")]
    EmptyKey,
    /// A key is too long.
    #[error("the key is {0} bytes long and at most {MAX_KEY} are possible")]
    KeyTooLong(usize),
    /// A value is too large, in the store or on its way to it.
    #[error("the value is larger than {MAX_VALUE} bytes")]
    ValueTooLarge,
    /// Too many keys, or too many bytes of values, at once.
    #[error("the batch is larger than {MAX_BATCH_KEYS} keys or {MAX_BATCH_BYTES} bytes of values")]
    BatchTooLarge,
    /// The store is full.
    #[error("the store is full")]
    Full,
    /// The value to increment is not a decimal number of 64 bits with a sign.
    #[error("the value is not a number")]
    NotANumber,
    /// The sum does not fit 64 bits with a sign.
    #[error("the number is out of range")]
    OutOfRange,
    /// The cursor is not one of this store.
    #[error("the cursor is not valid")]
    InvalidCursor,
    /// A value or a key in the store is of a kind that this interface does not have; another program put it there.
    #[error("the store holds something else at this key")]
    WrongKind,
    /// The store cannot be reached; trying again later may work.
    #[error("the store cannot be reached")]
    Unavailable(#[source] BoxError),
    /// The store did not answer in time.
    #[error("the store did not answer in time")]
    TimedOut,
    /// The store failed. The source is for the log.
    #[error("the store failed")]
    Failed(#[source] BoxError),
}

/// The error underneath, of whichever backend.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where a store keeps its data.
#[derive(Clone, PartialEq, Eq)]
pub enum Backend {
    /// In memory: gone with the process, and each opening is a store of its own.
    Memory,
    /// In this file, which is made if it is not there. Openings of the same file within one process share it; another
    /// process cannot open it meanwhile.
    Redb(PathBuf),
    /// In Redis, at a `redis://` address, which may hold a password.
    Redis(Secret),
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backend::Memory => f.write_str("memory"),
            Backend::Redb(path) => write!(f, "redb:{}", path.display()),
            Backend::Redis(_) => f.write_str("redis://***"),
        }
    }
}

/// Opens a store. A file is opened at once; Redis is connected to when it is first used, and again when the connection
/// breaks. May block on the file system for a moment.
///
/// # Errors
/// [`OpenError`].
pub fn open(backend: &Backend) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match backend {
        Backend::Memory => Arc::new(bounded::Bounded(memory::Memory::default())),
        Backend::Redb(path) => redb::Redb::open(path)?,
        Backend::Redis(address) => Arc::new(bounded::Bounded(redis::Redis::new(address.expose())?)),
    })
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the file open.
    #[error("the key-value file {0} is in use by another process")]
    InUse(PathBuf),
    /// The file cannot be opened, or is no such store.
    #[error("the key-value file {0} cannot be opened")]
    File(PathBuf, #[source] BoxError),
    /// The address is none that can be used. The text never holds the address, which may hold a password.
    #[error("the Redis address is not valid: {0}")]
    Address(String),
}
