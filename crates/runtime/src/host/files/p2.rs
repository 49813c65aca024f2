//! WASI 0.2.

use std::fs::File;
use std::future::Future;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types as p2;
use wasmtime_wasi::p2::{DynOutputStream, FsError, FsResult};

use super::borrow;
use super::counted::{Counted, CountedP2, growth};
use super::quota::{Charge, Exceeded, Quota};
use crate::host::Host;
use crate::invocation::Refusal;

/// The version that wasmtime-wasi 48 registers; the linker finds it for every compatible import.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

type Open = (Resource<Descriptor>, p2::PathFlags, String, p2::OpenFlags, p2::DescriptorFlags);
type At = (Resource<Descriptor>, String);
type Move = (Resource<Descriptor>, String, Resource<Descriptor>, String);
type Link = (Resource<Descriptor>, p2::PathFlags, String, Resource<Descriptor>, String);
type Stream = Resource<DynOutputStream>;
type Answer<'a, T> = Box<dyn Future<Output = wasmtime::Result<(Result<T, p2::ErrorCode>,)>> + Send + 'a>;
type Store<'a> = StoreContextMut<'a, Host>;

/// Puts ours before the functions by which a guest enters, changes or fills a path.
pub(in crate::host) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async("[method]descriptor.open-at", |mut store: Store<'_>, open: Open| {
        Box::new(async move {
            let host = store.data_mut();
            let asked = open.2.clone();
            let opened = open_at(host, open).await;
            answer(host, Some(asked), opened)
        }) as Answer<'_, Resource<Descriptor>>
    })?;
    types.func_wrap_async("[method]descriptor.create-directory-at", |mut store: Store<'_>, at: At| {
        Box::new(async move {
            let host = store.data_mut();
            let made = create_directory_at(host, at.0, at.1.clone()).await;
            answer(host, Some(at.1), made)
        }) as Answer<'_, ()>
    })?;
    types.func_wrap_async("[method]descriptor.unlink-file-at", |mut store: Store<'_>, at: At| {
        Box::new(async move {
            let host = store.data_mut();
            let removed = p2::HostDescriptor::unlink_file_at(&mut host.filesystem(), at.0, at.1.clone()).await;
            answer(host, Some(at.1), removed)
        }) as Answer<'_, ()>
    })?;
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store: Store<'_>, (folder, old, new): (Resource<Descriptor>, String, String)| {
            Box::new(async move {
                let host = store.data_mut();
                let linked = symlink_at(host, folder, old, new).await;
                answer(host, None, linked)
            }) as Answer<'_, ()>
        },
    )?;
    types.func_wrap_async("[method]descriptor.link-at", |mut store: Store<'_>, link: Link| {
        Box::new(async move {
            let host = store.data_mut();
            let linked = link_at(host, link).await;
            answer(host, None, linked)
        }) as Answer<'_, ()>
    })?;
    types.func_wrap_async("[method]descriptor.rename-at", |mut store: Store<'_>, (from, old, to, new): Move| {
        Box::new(async move {
            let host = store.data_mut();
            let moved = if host.quotas.are_together(&from, &to) {
                p2::HostDescriptor::rename_at(&mut host.filesystem(), from, old, to, new).await
            } else {
                Err(p2::ErrorCode::CrossDevice.into())
            };
            answer(host, None, moved)
        }) as Answer<'_, ()>
    })?;
    link_writes(linker)
}

fn link_writes(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async(
        "[method]descriptor.set-size",
        |mut store: Store<'_>, (descriptor, size): (Resource<Descriptor>, u64)| {
            Box::new(async move {
                let host = store.data_mut();
                let set = set_size(host, descriptor, size).await;
                answer(host, None, set)
            }) as Answer<'_, ()>
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.write",
        |mut store: Store<'_>, (descriptor, bytes, position): (Resource<Descriptor>, Vec<u8>, u64)| {
            Box::new(async move {
                let host = store.data_mut();
                let written = write(host, descriptor, bytes, position).await;
                answer(host, None, written)
            }) as Answer<'_, u64>
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store: Store<'_>, (descriptor, position): (Resource<Descriptor>, u64)| {
            let host = store.data_mut();
            let stream = p2::HostDescriptor::write_via_stream(&mut host.filesystem(), borrow(&descriptor), position);
            let stream = stream.and_then(|stream| counted(host, &descriptor, stream, Some(position)));
            answer(host, None, stream)
        },
    )?;
    types.func_wrap(
        "[method]descriptor.append-via-stream",
        |mut store: Store<'_>, (descriptor,): (Resource<Descriptor>,)| {
            let host = store.data_mut();
            let stream = p2::HostDescriptor::append_via_stream(&mut host.filesystem(), borrow(&descriptor));
            let stream = stream.and_then(|stream| counted(host, &descriptor, stream, None));
            answer(host, None, stream)
        },
    )?;
    types.func_wrap("filesystem-error-code", |mut store: Store<'_>, (error,): (Resource<wasmtime::Error>,)| {
        let host = store.data_mut();
        if host.table.get(&error)?.is::<Exceeded>() {
            return Ok((Some(p2::ErrorCode::Quota),));
        }
        Ok((p2::Host::filesystem_error_code(&mut host.filesystem(), error)?,))
    })
}

async fn open_at(host: &mut Host, open: Open) -> FsResult<Resource<Descriptor>> {
    let (folder, path_flags, path, open_flags, flags) = open;
    let quota = host.quotas.of(&folder);
    let mut files = host.filesystem();
    let _charge = match &quota {
        Some(quota) if open_flags.contains(p2::OpenFlags::CREATE) => {
            let there = p2::HostDescriptor::stat_at(&mut files, borrow(&folder), path_flags, path.clone()).await;
            Some(charge(quota, 0, u64::from(there.is_err())).await?)
        }
        _ => None,
    };
    let opened = p2::HostDescriptor::open_at(&mut files, folder, path_flags, path, open_flags, flags).await?;
    host.quotas.opened(&host.table, &opened, quota);
    Ok(opened)
}

async fn create_directory_at(host: &mut Host, folder: Resource<Descriptor>, path: String) -> FsResult<()> {
    let _charge = charge_in(host.quotas.of(&folder), 0, 1).await?;
    p2::HostDescriptor::create_directory_at(&mut host.filesystem(), folder, path).await
}

async fn symlink_at(host: &mut Host, folder: Resource<Descriptor>, old: String, new: String) -> FsResult<()> {
    let _charge = charge_in(host.quotas.of(&folder), old.len() as u64, 1).await?;
    p2::HostDescriptor::symlink_at(&mut host.filesystem(), folder, old, new).await
}

async fn link_at(host: &mut Host, link: Link) -> FsResult<()> {
    let (from, flags, old, to, new) = link;
    if !host.quotas.are_together(&from, &to) {
        return Err(p2::ErrorCode::CrossDevice.into());
    }
    let _charge = charge_in(host.quotas.of(&to), 0, 1).await?;
    p2::HostDescriptor::link_at(&mut host.filesystem(), from, flags, old, to, new).await
}

async fn set_size(host: &mut Host, descriptor: Resource<Descriptor>, size: u64) -> FsResult<()> {
    let _charge = charge_write(host.counted_file(&descriptor), size, 0).await?;
    p2::HostDescriptor::set_size(&mut host.filesystem(), descriptor, size).await
}

async fn write(host: &mut Host, descriptor: Resource<Descriptor>, bytes: Vec<u8>, position: u64) -> FsResult<u64> {
    let _charge = charge_write(host.counted_file(&descriptor), position, bytes.len() as u64).await?;
    p2::HostDescriptor::write(&mut host.filesystem(), descriptor, bytes, position).await
}

async fn charge_write(
    counted: Option<(Arc<Quota>, Arc<File>)>,
    position: u64,
    length: u64,
) -> FsResult<Option<Charge>> {
    let Some((quota, file)) = counted else { return Ok(None) };
    let growth = growth(&file, Some(position), length).map_err(p2::ErrorCode::from)?;
    charge(&quota, growth, 0).await.map(Some)
}

async fn charge_in(quota: Option<Arc<Quota>>, bytes: u64, files: u64) -> FsResult<Option<Charge>> {
    match quota {
        Some(quota) => charge(&quota, bytes, files).await.map(Some),
        None => Ok(None),
    }
}

async fn charge(quota: &Arc<Quota>, bytes: u64, files: u64) -> FsResult<Charge> {
    quota.charge(bytes, files).await.map_err(|Exceeded| p2::ErrorCode::Quota.into())
}

/// The stream, counted where its file is in a folder with a quota.
fn counted(
    host: &mut Host,
    descriptor: &Resource<Descriptor>,
    stream: Stream,
    position: Option<u64>,
) -> FsResult<Stream> {
    let Some((quota, file)) = host.counted_file(descriptor) else { return Ok(stream) };
    let stream = host.table.delete(stream)?;
    let counted: DynOutputStream = Box::new(CountedP2::Ready(Counted::new(stream, file, quota, position)));
    Ok(host.table.push(counted)?)
}

/// What the guest gets; where it names a path, a refusal is noted on the way.
fn answer<T>(host: &Host, path: Option<String>, result: FsResult<T>) -> wasmtime::Result<(Result<T, p2::ErrorCode>,)> {
    match result.map_err(FsError::downcast) {
        Ok(value) => Ok((Ok(value),)),
        Err(Ok(code)) => {
            let refused = matches!(code, p2::ErrorCode::NotPermitted | p2::ErrorCode::Access | p2::ErrorCode::ReadOnly);
            if let (true, Some(path)) = (refused, path) {
                host.current.get().refuse(Refusal::Path(path));
            }
            Ok((Err(code),))
        }
        Err(Err(trap)) => Err(trap),
    }
}
