//! A store in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{MAX_BATCH_BYTES, MAX_PAGE, Page, Store, StoreError, Swap, number};

/// Bytes that one store in memory holds at most, keys, values and [`ENTRY_OVERHEAD`] each: enough for a cache or a
/// test, and little enough that a handful of them fits a small machine.
pub const MAX_MEMORY_STORE: usize = 64 * 1024 * 1024;

/// Bytes counted for an entry beside key and value: what the map and the two allocations cost, rounded up.
pub const ENTRY_OVERHEAD: usize = 128;

/// A store in memory. Locks are held for a look into a map and never across an await.
#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    map: BTreeMap<String, Bytes>,
    size: usize,
}

fn size(key: &str, value: &Bytes) -> usize {
    key.len() + value.len() + ENTRY_OVERHEAD
}

impl Entries {
    fn set(&mut self, key: &str, value: Bytes) -> Result<(), StoreError> {
        let old = self.map.get(key).map_or(0, |old| size(key, old));
        let new = self.size - old + size(key, &value);
        if new > MAX_MEMORY_STORE {
            return Err(StoreError::Full);
        }
        self.size = new;
        // A slice of something larger would keep all of it alive.
        self.map.insert(key.to_owned(), Bytes::copy_from_slice(&value));
        Ok(())
    }

    fn delete(&mut self, key: &str) {
        if let Some(old) = self.map.remove(key) {
            self.size -= size(key, &old);
        }
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Entries are consistent between statements, so a panic elsewhere leaves nothing half done.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.lock().map.get(key).cloned())
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        self.lock().set(key, value)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.lock().delete(key);
        Ok(())
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.lock().map.contains_key(key))
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<Page, StoreError> {
        let start = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.lock();
        let mut rest = entries.map.range::<str, _>((start, Bound::Unbounded)).map(|(key, _)| key.clone());
        let keys: Vec<String> = rest.by_ref().take(MAX_PAGE).collect();
        let cursor = rest.next().and_then(|_| keys.last().cloned());
        Ok(Page { keys, cursor })
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let mut entries = self.lock();
        let sum = number::add(entries.map.get(key).map(Bytes::as_ref), delta)?;
        entries.set(key, number::text(sum))?;
        Ok(sum)
    }

    async fn compare_and_swap(&self, key: &str, expected: Option<Bytes>, value: Bytes) -> Result<Swap, StoreError> {
        let mut entries = self.lock();
        let current = entries.map.get(key);
        if current != expected.as_ref() {
            return Ok(Swap::Changed(current.cloned()));
        }
        entries.set(key, value)?;
        Ok(Swap::Swapped)
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, StoreError> {
        let entries = self.lock();
        let values: Vec<_> = keys.iter().map(|key| entries.map.get(key).cloned()).collect();
        if values.iter().flatten().map(Bytes::len).sum::<usize>() > MAX_BATCH_BYTES {
            return Err(StoreError::BatchTooLarge);
        }
        Ok(values)
    }

    async fn set_many(&self, batch: Vec<(String, Bytes)>) -> Result<(), StoreError> {
        let mut entries = self.lock();
        // Counted as if nothing were replaced: a batch is small beside the store, and all of it goes in or none.
        if entries.size + batch.iter().map(|(key, value)| size(key, value)).sum::<usize>() > MAX_MEMORY_STORE {
            return Err(StoreError::Full);
        }
        batch.into_iter().try_for_each(|(key, value)| entries.set(&key, value))
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let mut entries = self.lock();
        keys.iter().for_each(|key| entries.delete(key));
        Ok(())
    }
}
