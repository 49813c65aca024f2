//! `wasi:filesystem/preopens` in 0.2 and 0.3: WASI's own, and a note when a guest asks for its folders and has none.
//!
//! A guest's library looks a path up among its folders by itself, so that this is all that the host sees of a file that
//! the guest cannot have.

use std::sync::Arc;

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::preopens as p2;
use wasmtime_wasi::p3::bindings::filesystem::preopens as p3;

use super::Host;
use super::files::Quotas;
use crate::authority::Authority;
use crate::current::Current;
use crate::invocation::Refusal;

pub(super) fn link_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p2::add_to_linker::<_, Folders>(linker, view)
}

pub(super) fn link_p3(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p3::add_to_linker::<_, Folders>(linker, view)
}

fn view(host: &mut Host) -> FoldersView<'_> {
    let (authority, current) = (Arc::clone(&host.authority), Arc::clone(&host.current));
    let quotas = host.quotas.clone();
    FoldersView { inner: host.filesystem(), authority, current, quotas }
}

struct Folders;

impl HasData for Folders {
    type Data<'a> = FoldersView<'a>;
}

struct FoldersView<'a> {
    inner: WasiFilesystemCtxView<'a>,
    authority: Arc<Authority>,
    current: Arc<Current>,
    quotas: Quotas,
}

impl FoldersView<'_> {
    fn directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        if self.authority.directories.is_empty() {
            self.current.get().refuse(Refusal::Folders);
        }
        let folders = p2::Host::get_directories(&mut self.inner)?;
        // They come in the order in which they were granted.
        for ((descriptor, _), directory) in folders.iter().zip(&self.authority.directories) {
            self.quotas.set(descriptor, directory.quota.clone());
        }
        Ok(folders)
    }
}

impl p2::Host for FoldersView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.directories()
    }
}

impl p3::Host for FoldersView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.directories()
    }
}
