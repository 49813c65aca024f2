//! `wasi:keyvalue@0.2.0-draft`: cursors are numbers, and so are counters, without a sign.

use wasmtime::component::{Linker, Resource};

use super::bindings::wasi::keyvalue0_2_0_draft::{atomics, batch, store};
use super::{Bucket, Fault, Host, KeyValue, View, view};

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
        cursor: Option<u64>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let cursor =
            match cursor.map(|number| self.table.get(&bucket).map(|bucket| bucket.cursor(number).map(str::to_owned))) {
                None => None,
                Some(known) => match known? {
                    Ok(cursor) => Some(cursor),
                    Err(unknown) => return Ok(Err(Fault::from(unknown).into())),
                },
            };
        Ok(match View::list_keys(self, &bucket, cursor.as_deref()).await? {
            Ok(page) => {
                let bucket = self.table.get_mut(&bucket)?;
                Ok(store::KeyResponse { keys: page.keys, cursor: page.cursor.map(|cursor| bucket.number(cursor)) })
            }
            Err(fault) => Err(fault.into()),
        })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, store::Error>> {
        let Ok(delta) = i64::try_from(delta) else { return Ok(Err(Fault::OutOfRange.into())) };
        let sum = View::increment(self, &bucket, &key, delta).await?;
        Ok(sum.and_then(|sum| u64::try_from(sum).map_err(|_| Fault::OutOfRange)).map_err(Into::into))
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<(String, Vec<u8>)>>, store::Error>> {
        let values = View::get_many(self, &bucket, keys.clone()).await?;
        let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        Ok(values.map(|values| keys.into_iter().zip(values).map(pair).collect()).map_err(Into::into))
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
