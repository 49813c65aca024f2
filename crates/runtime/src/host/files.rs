//! Notes which paths a guest was refused: WASI's own file system decides, and this only listens.
//!
//! A guest that fails usually says no more than "not permitted". With the path at hand, whoever runs it can be told which
//! folder to grant.

use std::future::Future;
use std::pin::Pin;

use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types as p2;
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi::p3::bindings::filesystem::types as p3;

use super::Host;
use crate::invocation::Refusal;

/// The versions that wasmtime-wasi 48 registers; the linker finds them for every compatible import.
const P2: &str = "wasi:filesystem/types@0.2.12";
const P3: &str = "wasi:filesystem/types@0.3.0";

type P2Open = (Resource<Descriptor>, p2::PathFlags, String, p2::OpenFlags, p2::DescriptorFlags);
type P3Open = (Resource<Descriptor>, p3::PathFlags, String, p3::OpenFlags, p3::DescriptorFlags);
type At = (Resource<Descriptor>, String);
type P2Future<'a, T> = Box<dyn Future<Output = wasmtime::Result<(Result<T, p2::ErrorCode>,)>> + Send + 'a>;

/// Puts listeners before the functions by which a guest enters or changes a path.
pub(super) fn link_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut types = linker.instance(P2)?;
    types.func_wrap_async("[method]descriptor.open-at", |mut store: StoreContextMut<'_, Host>, params: P2Open| {
        Box::new(async move {
            let (directory, path_flags, path, open_flags, flags) = params;
            let asked = path.clone();
            let host = store.data_mut();
            let mut files = host.filesystem();
            let opened = p2::HostDescriptor::open_at(&mut files, directory, path_flags, path, open_flags, flags).await;
            answer(host, asked, opened)
        }) as P2Future<'_, Resource<Descriptor>>
    })?;
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store: StoreContextMut<'_, Host>, at: At| {
            Box::new(async move {
                let host = store.data_mut();
                let made = p2::HostDescriptor::create_directory_at(&mut host.filesystem(), at.0, at.1.clone()).await;
                answer(host, at.1, made)
            }) as P2Future<'_, ()>
        },
    )?;
    types.func_wrap_async("[method]descriptor.unlink-file-at", |mut store: StoreContextMut<'_, Host>, at: At| {
        Box::new(async move {
            let host = store.data_mut();
            let removed = p2::HostDescriptor::unlink_file_at(&mut host.filesystem(), at.0, at.1.clone()).await;
            answer(host, at.1, removed)
        }) as P2Future<'_, ()>
    })?;
    Ok(())
}

pub(super) fn link_p3(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.instance(P3)?.func_wrap_concurrent("[method]descriptor.open-at", open_at_p3)
}

/// What the guest gets; a refusal is noted on the way.
fn answer<T>(host: &Host, path: String, result: FsResult<T>) -> wasmtime::Result<(Result<T, p2::ErrorCode>,)> {
    match result.map_err(FsError::downcast) {
        Ok(value) => Ok((Ok(value),)),
        Err(Ok(code)) => {
            if matches!(code, p2::ErrorCode::NotPermitted | p2::ErrorCode::Access | p2::ErrorCode::ReadOnly) {
                host.current.get().refuse(Refusal::Path(path));
            }
            Ok((Err(code),))
        }
        Err(Err(trap)) => Err(trap),
    }
}

type P3Opened = (Result<Resource<Descriptor>, p3::ErrorCode>,);

fn open_at_p3(
    accessor: &Accessor<Host>,
    params: P3Open,
) -> Pin<Box<dyn Future<Output = wasmtime::Result<P3Opened>> + Send + '_>> {
    Box::pin(async move {
        let (directory, path_flags, path, open_flags, flags) = params;
        let asked = path.clone();
        let files = accessor.with_getter::<WasiFilesystem>(Host::filesystem);
        let opened = <WasiFilesystem as p3::HostDescriptorWithStore<Host>>::open_at(
            &files, directory, path_flags, path, open_flags, flags,
        );
        match opened.await.map_err(wasmtime_wasi::p3::filesystem::FilesystemError::downcast) {
            Ok(opened) => Ok((Ok(opened),)),
            Err(Ok(code)) => {
                if matches!(code, p3::ErrorCode::NotPermitted | p3::ErrorCode::Access | p3::ErrorCode::ReadOnly) {
                    accessor.with(|mut access| access.data_mut().current.get().refuse(Refusal::Path(asked)));
                }
                Ok((Err(code),))
            }
            Err(Err(trap)) => Err(trap),
        }
    })
}
