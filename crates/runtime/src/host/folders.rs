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
use crate::current::Current;
use crate::invocation::Refusal;

pub(super) fn link_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p2::add_to_linker::<_, Folders>(linker, view)
}

pub(super) fn link_p3(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p3::add_to_linker::<_, Folders>(linker, view)
}

fn view(host: &mut Host) -> FoldersView<'_> {
    let (current, any) = (Arc::clone(&host.current), !host.authority.directories.is_empty());
    FoldersView { inner: host.filesystem(), current, any }
}

struct Folders;

impl HasData for Folders {
    type Data<'a> = FoldersView<'a>;
}

struct FoldersView<'a> {
    inner: WasiFilesystemCtxView<'a>,
    current: Arc<Current>,
    any: bool,
}

impl FoldersView<'_> {
    fn note(&self) {
        if !self.any {
            self.current.get().refuse(Refusal::Folders);
        }
    }
}

impl p2::Host for FoldersView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.note();
        p2::Host::get_directories(&mut self.inner)
    }
}

impl p3::Host for FoldersView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.note();
        p3::Host::get_directories(&mut self.inner)
    }
}
