//! The bounds that all stores share, in one place before every backend.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Page, Store, StoreError, Swap};

/// Longest key, in bytes: longer than paths and digests that serve as keys, and short enough that a full page of them is
/// about a megabyte.
pub const MAX_KEY: usize = 1024;

/// Largest value, in bytes. Larger things belong into files or blobs: a value is in memory whole, in the guest and here.
pub const MAX_VALUE: usize = 8 * 1024 * 1024;

/// Keys in one page of a listing.
pub const MAX_PAGE: usize = 1000;

/// Keys in one batch: as many as in a page.
pub const MAX_BATCH_KEYS: usize = 1000;

/// Bytes of values in one batch, there or back: two of the largest values.
pub const MAX_BATCH_BYTES: usize = 2 * MAX_VALUE;

/// A store that is asked for nothing beyond the bounds.
#[derive(Debug)]
pub(super) struct Bounded<S>(pub(super) S);

fn check_key(key: &str) -> Result<(), StoreError> {
    match key.len() {
        0 => Err(StoreError::EmptyKey),
        1..=MAX_KEY => Ok(()),
        length => Err(StoreError::KeyTooLong(length)),
    }
}

fn check_value(value: &Bytes) -> Result<(), StoreError> {
    if value.len() > MAX_VALUE { Err(StoreError::ValueTooLarge) } else { Ok(()) }
}

fn check_keys<'a>(keys: impl ExactSizeIterator<Item = &'a String>) -> Result<(), StoreError> {
    if keys.len() > MAX_BATCH_KEYS {
        return Err(StoreError::BatchTooLarge);
    }
    keys.into_iter().try_for_each(|key| check_key(key))
}

#[async_trait]
impl<S: Store> Store for Bounded<S> {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        check_key(key)?;
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        check_key(key)?;
        check_value(&value)?;
        self.0.set(key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        check_key(key)?;
        self.0.delete(key).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        check_key(key)?;
        self.0.exists(key).await
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<Page, StoreError> {
        // A cursor is at most a key.
        if cursor.is_some_and(|cursor| cursor.is_empty() || cursor.len() > MAX_KEY) {
            return Err(StoreError::InvalidCursor);
        }
        self.0.list_keys(cursor).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        check_key(key)?;
        self.0.increment(key, delta).await
    }

    async fn compare_and_swap(&self, key: &str, expected: Option<Bytes>, value: Bytes) -> Result<Swap, StoreError> {
        check_key(key)?;
        check_value(&value)?;
        self.0.compare_and_swap(key, expected, value).await
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, StoreError> {
        check_keys(keys.iter())?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.0.get_many(keys).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), StoreError> {
        check_keys(entries.iter().map(|(key, _)| key))?;
        entries.iter().try_for_each(|(_, value)| check_value(value))?;
        if entries.iter().map(|(_, value)| value.len()).sum::<usize>() > MAX_BATCH_BYTES {
            return Err(StoreError::BatchTooLarge);
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.0.set_many(entries).await
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        check_keys(keys.iter())?;
        if keys.is_empty() {
            return Ok(());
        }
        self.0.delete_many(keys).await
    }
}
