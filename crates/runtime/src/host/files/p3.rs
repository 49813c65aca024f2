//! WASI 0.3.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Access, Accessor, FutureReader, Linker, Resource, StreamReader};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::HostDescriptor;
use wasmtime_wasi::p3::bindings::filesystem::types as p3;
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

use super::borrow;
use super::counted::{Counted, CountedP3, growth};
use super::quota::{Charge, Exceeded, Quota};
use crate::host::Host;
use crate::invocation::Refusal;

/// The version that wasmtime-wasi 48 registers; the linker finds it for every compatible import.
const TYPES: &str = "wasi:filesystem/types@0.3.0";

type Open = (Resource<Descriptor>, p3::PathFlags, String, p3::OpenFlags, p3::DescriptorFlags);
type At = (Resource<Descriptor>, String);
type Symlink = (Resource<Descriptor>, String, String);
type Move = (Resource<Descriptor>, String, Resource<Descriptor>, String);
type Link = (Resource<Descriptor>, p3::PathFlags, String, Resource<Descriptor>, String);
type Done = FutureReader<Result<(), p3::ErrorCode>>;
type Answer<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<(Result<T, p3::ErrorCode>,)>> + Send + 'a>>;
type Files = Accessor<Host, WasiFilesystem>;

/// Puts ours before the functions by which a guest enters, changes or fills a path.
pub(in crate::host) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_concurrent("[method]descriptor.open-at", |accessor, open: Open| -> Answer<'_, _> {
        Box::pin(async move {
            let asked = open.2.clone();
            answer(accessor, Some(asked), open_at(accessor, open).await)
        })
    })?;
    types.func_wrap_concurrent("[method]descriptor.create-directory-at", |accessor, at: At| -> Answer<'_, ()> {
        Box::pin(async move {
            let asked = at.1.clone();
            answer(accessor, Some(asked), create_directory_at(accessor, at).await)
        })
    })?;
    types.func_wrap_concurrent("[method]descriptor.symlink-at", |accessor, link: Symlink| -> Answer<'_, ()> {
        Box::pin(async move { answer(accessor, None, symlink_at(accessor, link).await) })
    })?;
    types.func_wrap_concurrent("[method]descriptor.link-at", |accessor, link: Link| -> Answer<'_, ()> {
        Box::pin(async move { answer(accessor, None, link_at(accessor, link).await) })
    })?;
    types.func_wrap_concurrent("[method]descriptor.rename-at", |accessor, to: Move| -> Answer<'_, ()> {
        Box::pin(async move { answer(accessor, None, rename_at(accessor, to).await) })
    })?;
    types.func_wrap_concurrent(
        "[method]descriptor.set-size",
        |accessor, (descriptor, size): (Resource<Descriptor>, u64)| -> Answer<'_, ()> {
            Box::pin(async move { answer(accessor, None, set_size(accessor, descriptor, size).await) })
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |store: StoreContextMut<'_, Host>,
         (descriptor, data, position): (Resource<Descriptor>, StreamReader<u8>, u64)| {
            write_via_stream(store, descriptor, data, Some(position))
        },
    )?;
    types.func_wrap(
        "[method]descriptor.append-via-stream",
        |store: StoreContextMut<'_, Host>, (descriptor, data): (Resource<Descriptor>, StreamReader<u8>)| {
            write_via_stream(store, descriptor, data, None)
        },
    )
}

async fn open_at(accessor: &Accessor<Host>, open: Open) -> FilesystemResult<Resource<Descriptor>> {
    let (folder, path_flags, path, open_flags, flags) = open;
    let files = files(accessor);
    let quota = quota(accessor, &folder);
    let _charge = match &quota {
        Some(quota) if open_flags.contains(p3::OpenFlags::CREATE) => {
            let there = <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::stat_at(
                &files,
                borrow(&folder),
                path_flags,
                path.clone(),
            );
            Some(charge(quota, 0, u64::from(there.await.is_err())).await?)
        }
        _ => None,
    };
    let opened = <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::open_at(
        &files, folder, path_flags, path, open_flags, flags,
    );
    let opened = opened.await?;
    accessor.with(|mut access| {
        let host = access.data_mut();
        host.quotas.opened(&host.table, &opened, quota);
    });
    Ok(opened)
}

async fn create_directory_at(accessor: &Accessor<Host>, (folder, path): At) -> FilesystemResult<()> {
    let _charge = charge_in(accessor, &folder, 0, 1).await?;
    <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::create_directory_at(&files(accessor), folder, path).await
}

async fn symlink_at(accessor: &Accessor<Host>, (folder, old, new): Symlink) -> FilesystemResult<()> {
    let _charge = charge_in(accessor, &folder, old.len() as u64, 1).await?;
    <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::symlink_at(&files(accessor), folder, old, new).await
}

async fn link_at(accessor: &Accessor<Host>, (from, flags, old, to, new): Link) -> FilesystemResult<()> {
    are_together(accessor, &from, &to)?;
    let _charge = charge_in(accessor, &to, 0, 1).await?;
    <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::link_at(&files(accessor), from, flags, old, to, new).await
}

async fn rename_at(accessor: &Accessor<Host>, (from, old, to, new): Move) -> FilesystemResult<()> {
    are_together(accessor, &from, &to)?;
    <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::rename_at(&files(accessor), from, old, to, new).await
}

async fn set_size(accessor: &Accessor<Host>, descriptor: Resource<Descriptor>, size: u64) -> FilesystemResult<()> {
    let found = accessor.with(|mut access| access.data_mut().counted_file(&descriptor));
    let _charge = match found {
        Some((quota, file)) => {
            let growth = growth(&file, Some(size), 0).map_err(p3::ErrorCode::from)?;
            Some(charge(&quota, growth, 0).await?)
        }
        None => None,
    };
    <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::set_size(&files(accessor), descriptor, size).await
}

fn write_via_stream(
    mut store: StoreContextMut<'_, Host>,
    descriptor: Resource<Descriptor>,
    data: StreamReader<u8>,
    position: Option<u64>,
) -> wasmtime::Result<(Done,)> {
    let host = store.data_mut();
    let Some((quota, file)) = host.counted_file(&descriptor) else {
        let access = Access::<_, WasiFilesystem>::new(store, Host::filesystem);
        let done = match position {
            Some(position) => <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::write_via_stream(
                access, descriptor, data, position,
            ),
            None => <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::append_via_stream(access, descriptor, data),
        };
        return Ok((done?,));
    };
    // The stream that 0.2 has writes the same way.
    let mut files = host.filesystem();
    let stream = match position {
        Some(position) => HostDescriptor::write_via_stream(&mut files, descriptor, position),
        None => HostDescriptor::append_via_stream(&mut files, descriptor),
    };
    let stream = host.table.delete(stream.map_err(wasmtime::Error::from)?)?;
    let (done, result) = oneshot::channel();
    data.pipe(&mut store, CountedP3::new(Counted::new(stream, file, quota, position), done))?;
    Ok((FutureReader::new(&mut store, result)?,))
}

fn files(accessor: &Accessor<Host>) -> Files {
    accessor.with_getter::<WasiFilesystem>(Host::filesystem)
}

fn quota(accessor: &Accessor<Host>, descriptor: &Resource<Descriptor>) -> Option<Arc<Quota>> {
    accessor.with(|mut access| access.data_mut().quotas.of(descriptor))
}

fn are_together(
    accessor: &Accessor<Host>,
    one: &Resource<Descriptor>,
    other: &Resource<Descriptor>,
) -> FilesystemResult<()> {
    match accessor.with(|mut access| access.data_mut().quotas.are_together(one, other)) {
        true => Ok(()),
        false => Err(p3::ErrorCode::CrossDevice.into()),
    }
}

async fn charge_in(
    accessor: &Accessor<Host>,
    folder: &Resource<Descriptor>,
    bytes: u64,
    files: u64,
) -> FilesystemResult<Option<Charge>> {
    match quota(accessor, folder) {
        Some(quota) => charge(&quota, bytes, files).await.map(Some),
        None => Ok(None),
    }
}

async fn charge(quota: &Arc<Quota>, bytes: u64, files: u64) -> FilesystemResult<Charge> {
    quota.charge(bytes, files).await.map_err(|Exceeded| p3::ErrorCode::Quota.into())
}

/// What the guest gets; where it names a path, a refusal is noted on the way.
fn answer<T>(
    accessor: &Accessor<Host>,
    path: Option<String>,
    result: FilesystemResult<T>,
) -> wasmtime::Result<(Result<T, p3::ErrorCode>,)> {
    match result.map_err(FilesystemError::downcast) {
        Ok(value) => Ok((Ok(value),)),
        Err(Ok(code)) => {
            let refused = matches!(code, p3::ErrorCode::NotPermitted | p3::ErrorCode::Access | p3::ErrorCode::ReadOnly);
            if let (true, Some(path)) = (refused, path) {
                accessor.with(|mut access| access.data_mut().current.get().refuse(Refusal::Path(path)));
            }
            Ok((Err(code),))
        }
        Err(Err(trap)) => Err(trap),
    }
}
