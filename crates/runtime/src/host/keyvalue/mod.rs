//! `wasi:keyvalue`: the stores that a component was granted, by the names it was granted them under.
//!
//! Two drafts are in use, with the same stores behind them. This file has what they share.

mod draft;
mod draft2;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use coracle_capability::keyvalue::{Page, Store, StoreError};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::{Host, MAX_NAME, start};
use crate::authority::Authority;
use crate::current::Current;
use crate::invocation::Refusal;

/// Bytes of values that the compare-and-swap handles of one guest hold in the host: two of the largest values, since
/// swapping one while another waits is as much as a guest needs.
const MAX_HELD: usize = 16 << 20;

/// Cursors of listings that one bucket handle remembers for the draft in which they are numbers: a guest needs the last.
const MAX_CURSORS: usize = 8;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue",
        world: "coracle:host/keyvalue",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: {
            "wasi:keyvalue/store@0.2.0-draft.bucket": super::Bucket,
            "wasi:keyvalue/store@0.2.0-draft2.bucket": super::Bucket,
            "wasi:keyvalue/atomics@0.2.0-draft2.cas": super::Cas,
        },
    });
}

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    draft::link(linker)?;
    draft2::link(linker)
}

struct KeyValue;

impl HasData for KeyValue {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    authority: &'a Authority,
    current: &'a Current,
    table: &'a mut ResourceTable,
    held: &'a Arc<AtomicUsize>,
}

fn view(host: &mut Host) -> View<'_> {
    View { authority: &host.authority, current: &host.current, table: &mut host.table, held: &host.held }
}

/// An open store.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Bucket {
    store: Arc<dyn Store>,
    /// The last cursors handed out as numbers, each the number of all before it.
    cursors: VecDeque<String>,
    forgotten: u64,
}

impl Bucket {
    fn number(&mut self, cursor: String) -> u64 {
        if self.cursors.len() == MAX_CURSORS {
            self.cursors.pop_front();
            self.forgotten += 1;
        }
        self.cursors.push_back(cursor);
        self.forgotten + self.cursors.len() as u64
    }

    fn cursor(&self, number: u64) -> Result<&str, StoreError> {
        let index = number.checked_sub(self.forgotten + 1).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.cursors.get(index)).map(String::as_str).ok_or(StoreError::InvalidCursor)
    }
}

/// A value that was seen and is to be swapped for another.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Cas {
    store: Arc<dyn Store>,
    key: String,
    seen: Option<Bytes>,
    _held: Held,
}

/// A share of [`MAX_HELD`], until it is dropped.
struct Held {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    fn new(all: &Arc<AtomicUsize>, seen: Option<&Bytes>) -> Result<Self, Fault> {
        let bytes = seen.map_or(0, Bytes::len);
        let add = |held: usize| held.checked_add(bytes).filter(|held| *held <= MAX_HELD);
        all.fetch_update(Relaxed, Relaxed, add).map_err(|_| Fault::HeldTooMuch)?;
        Ok(Self { all: Arc::clone(all), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Relaxed);
    }
}

/// Why the guest does not get what it asked for.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the store is not granted")]
    NotGranted,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("open compare-and-swap handles hold more than {MAX_HELD} bytes of values")]
    HeldTooMuch,
    /// The older draft has no negative numbers.
    #[error("the number is out of range")]
    OutOfRange,
}

impl Fault {
    /// What the guest is told. The text of a store's failure is general; its cause goes to the log only.
    fn text(&self) -> String {
        tracing::debug!(error = self as &dyn std::error::Error, "a key-value operation of a guest failed");
        self.to_string()
    }
}

// The asynchronous ones take the view for themselves: it can move between threads, but not be looked at from two.
impl View<'_> {
    fn open(&mut self, identifier: &str) -> wasmtime::Result<Result<Resource<Bucket>, Fault>> {
        let Some(store) = self.authority.stores.get(identifier) else {
            self.current.get().refuse(Refusal::Store(start(identifier, MAX_NAME).to_owned()));
            return Ok(Err(Fault::NotGranted));
        };
        let bucket = Bucket { store: Arc::clone(store), cursors: VecDeque::new(), forgotten: 0 };
        Ok(Ok(self.table.push(bucket)?))
    }

    fn store(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<Arc<dyn Store>> {
        Ok(Arc::clone(&self.table.get(bucket)?.store))
    }

    async fn get(&mut self, bucket: &Resource<Bucket>, key: &str) -> wasmtime::Result<Result<Option<Vec<u8>>, Fault>> {
        let value = self.store(bucket)?.get(key).await;
        Ok(value.map(|value| value.map(Vec::from)).map_err(Fault::from))
    }

    async fn set(
        &mut self,
        bucket: &Resource<Bucket>,
        key: &str,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Fault>> {
        Ok(self.store(bucket)?.set(key, value.into()).await.map_err(Fault::from))
    }

    async fn delete(&mut self, bucket: &Resource<Bucket>, key: &str) -> wasmtime::Result<Result<(), Fault>> {
        Ok(self.store(bucket)?.delete(key).await.map_err(Fault::from))
    }

    async fn exists(&mut self, bucket: &Resource<Bucket>, key: &str) -> wasmtime::Result<Result<bool, Fault>> {
        Ok(self.store(bucket)?.exists(key).await.map_err(Fault::from))
    }

    async fn list_keys(
        &mut self,
        bucket: &Resource<Bucket>,
        cursor: Option<&str>,
    ) -> wasmtime::Result<Result<Page, Fault>> {
        Ok(self.store(bucket)?.list_keys(cursor).await.map_err(Fault::from))
    }

    async fn increment(
        &mut self,
        bucket: &Resource<Bucket>,
        key: &str,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, Fault>> {
        Ok(self.store(bucket)?.increment(key, delta).await.map_err(Fault::from))
    }

    async fn get_many(
        &mut self,
        bucket: &Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<Vec<u8>>>, Fault>> {
        let values = self.store(bucket)?.get_many(keys).await;
        let values = values.map(|values| values.into_iter().map(|value| value.map(Vec::from)).collect());
        Ok(values.map_err(Fault::from))
    }

    async fn set_many(
        &mut self,
        bucket: &Resource<Bucket>,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), Fault>> {
        let entries = entries.into_iter().map(|(key, value)| (key, value.into())).collect();
        Ok(self.store(bucket)?.set_many(entries).await.map_err(Fault::from))
    }

    async fn delete_many(
        &mut self,
        bucket: &Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), Fault>> {
        Ok(self.store(bucket)?.delete_many(keys).await.map_err(Fault::from))
    }
}
