//! `wasi:keyvalue@0.2.0-draft2`: cursors are text, counters have a sign, and values can be compared and swapped.

use std::sync::Arc;

use coracle_capability::keyvalue::Swap;
use wasmtime::component::{Linker, Resource};

use super::bindings::wasi::keyvalue0_2_0_draft2::{atomics, batch, store};
use super::{Bucket, Cas, Fault, Held, Host, KeyValue, View, view};

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, KeyValue>(linker, view)?;
    atomics::add_to_linker::<_, KeyValue>(linker, view)?;
    batch::add_to_linker::<_, KeyValue>(linker, view)
}

impl From<Fault> for store::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotGranted => Self::AccessDenied,
            fault => Self::Other(fault.text()),
        }
    }
}

impl From<Fault> for atomics::CasError {
    fn from(fault: Fault) -> Self {
        Self::StoreError(fault.into())
    }
}

impl store::Host for View<'_> {
    async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        Ok(self.open(&identifier)?.map_err(Into::into))
    }
}

impl store::HostBucket for View<'_> {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(View::get(self, &bucket, &key).await?.map_err(Into::into))
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(View::set(self, &bucket, &key, value).await?.map_err(Into::into))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(View::delete(self, &bucket, &key).await?.map_err(Into::into))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, store::Error>> {
        Ok(View::exists(self, &bucket, &key).await?.map_err(Into::into))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let page = View::list_keys(self, &bucket, cursor.as_deref()).await?;
        Ok(page.map(|page| store::KeyResponse { keys: page.keys, cursor: page.cursor }).map_err(Into::into))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::HostCas for View<'_> {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, store::Error>> {
        let store = self.store(&bucket)?;
        let seen = match store.get(&key).await {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(Fault::from(error).into())),
        };
        match Held::new(self.held, seen.as_ref()) {
            Ok(held) => Ok(Ok(self.table.push(Cas { store, key, seen, _held: held })?)),
            Err(fault) => Ok(Err(fault.into())),
        }
    }

    /// The value that the handle saw, and that a swap expects.
    async fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(Ok(self.table.get(&cas)?.seen.as_ref().map(|seen| seen.to_vec())))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        Ok(View::increment(self, &bucket, &key, delta).await?.map_err(Into::into))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let Cas { store, key, seen, _held } = self.table.delete(cas)?;
        let seen = match Arc::clone(&store).compare_and_swap(&key, seen, value.into()).await {
            Ok(Swap::Swapped) => return Ok(Ok(())),
            Ok(Swap::Changed(now)) => now,
            Err(error) => return Ok(Err(Fault::from(error).into())),
        };
        drop(_held);
        match Held::new(self.held, seen.as_ref()) {
            Ok(held) => {
                let retry = self.table.push(Cas { store, key, seen, _held: held })?;
                Ok(Err(atomics::CasError::CasFailed(retry)))
            }
            Err(fault) => Ok(Err(fault.into())),
        }
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>, store::Error>> {
        let values = View::get_many(self, &bucket, keys.clone()).await?;
        Ok(values.map(|values| keys.into_iter().zip(values).collect()).map_err(Into::into))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(View::set_many(self, &bucket, entries).await?.map_err(Into::into))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(View::delete_many(self, &bucket, keys).await?.map_err(Into::into))
    }
}
