//! `wasi:filesystem/types` in 0.2 and 0.3: WASI's own, with quotas, and with notes of which paths a guest was refused.
//!
//! A guest that fails usually says no more than "not permitted". With the path at hand, whoever runs it can be told which
//! folder to grant.
//!
//! A folder with a quota is like a disk of its own: whatever makes it grow is charged before it is done, and nothing is moved
//! or linked into it or out of it.

mod counted;
mod p2;
mod p3;
mod quota;

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;

use super::Host;

pub(super) use p2::link as link_p2;
pub(super) use p3::link as link_p3;
pub(crate) use quota::Quota;

/// Which of a guest's descriptors are in a folder with a quota, by their numbers in its table.
///
/// A number is used again, but only by way of what makes a descriptor, and all of that says here what it made.
#[derive(Clone, Default)]
pub(super) struct Quotas(Arc<Mutex<HashMap<u32, Arc<Quota>>>>);

impl Quotas {
    pub(super) fn of(&self, descriptor: &Resource<Descriptor>) -> Option<Arc<Quota>> {
        self.lock().get(&descriptor.rep()).cloned()
    }

    /// Says what a new descriptor is in.
    pub(super) fn set(&self, descriptor: &Resource<Descriptor>, quota: Option<Arc<Quota>>) {
        match quota {
            Some(quota) => self.lock().insert(descriptor.rep(), quota),
            None => self.lock().remove(&descriptor.rep()),
        };
    }

    /// Whether both are in the same folder, as far as quotas go.
    fn are_together(&self, one: &Resource<Descriptor>, other: &Resource<Descriptor>) -> bool {
        match (self.of(one), self.of(other)) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(&one, &other),
            _ => false,
        }
    }

    /// Says what was opened in a folder.
    fn opened(&self, table: &ResourceTable, descriptor: &Resource<Descriptor>, quota: Option<Arc<Quota>>) {
        if let (Some(quota), Some(file)) = (&quota, file(table, descriptor)) {
            quota.keep(&file);
        }
        self.set(descriptor, quota);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<Quota>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// A file in a folder with a quota, and that.
    fn counted_file(&self, descriptor: &Resource<Descriptor>) -> Option<(Arc<Quota>, Arc<File>)> {
        Some((self.quotas.of(descriptor)?, file(&self.table, descriptor)?))
    }
}

/// The file behind a descriptor, if it is one.
fn file(table: &ResourceTable, descriptor: &Resource<Descriptor>) -> Option<Arc<File>> {
    match table.get(descriptor) {
        Ok(Descriptor::File(file)) => Some(Arc::clone(&file.file)),
        _ => None,
    }
}

/// Another name of a descriptor that stays its owner's.
fn borrow(descriptor: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}
