//! Values on their way from one store to another.
//!
//! All values are the same in every store but handles of resources. A component that holds another's resource has a handle
//! of the host's instead, behind which stands whose resource it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;
use wasmtime::component::{ResourceAny, ResourceDynamic, ResourceType, Val};
use wasmtime::{AsContextMut, StoreContextMut};

use super::part::{Cell, Part};
use crate::host::Host;

/// What the host calls the type of other components' resources. One for all: which handle may go where is part of the
/// components' own types, which the engine holds them to.
pub(super) const WIRED: u32 = 0;

/// The resources of other components that a store's guest holds.
#[derive(Default)]
pub(crate) struct Handles {
    next: u32,
    all: BTreeMap<u32, Handle>,
}

/// A resource of another component.
#[derive(Clone)]
pub(super) struct Handle {
    /// Whose it is. Held weakly: two components that hold resources of each other would keep each other for ever.
    pub(super) owner: Weak<Mutex<Part>>,
    /// The resource in the owner's store.
    pub(super) resource: ResourceAny,
    /// Whether it ends with the handle; it is lent otherwise.
    pub(super) owned: bool,
}

impl Handles {
    fn add(&mut self, handle: Handle) -> u32 {
        // A number that came round may still be in use.
        while self.all.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.all.insert(self.next, handle);
        self.next
    }

    pub(super) fn remove(&mut self, number: u32) -> wasmtime::Result<Handle> {
        self.all.remove(&number).ok_or_else(gone)
    }
}

fn gone() -> wasmtime::Error {
    wasmtime::format_err!("a handle of another component's resource is not there")
}

/// What one value takes, in bytes, as the documents say it of the elements of lists: as large as the engine makes them.
const _: () = assert!(size_of::<Val>() <= 40);

/// What values on their way are to the host.
#[derive(Clone, Copy, Default)]
pub(super) struct Load {
    /// Bytes of the host's memory that they take, about: what they are, and not how much was allocated for them.
    pub(super) bytes: u64,
    /// Whether there are resources among them.
    pub(super) resources: bool,
}

impl Load {
    pub(super) fn of(values: &[Val]) -> Self {
        let mut load = Self::default();
        load.add_all(values);
        load
    }

    fn add_all(&mut self, values: &[Val]) {
        self.add_bytes(size_of_val(values));
        values.iter().for_each(|value| self.add(value));
    }

    /// Adds what is behind a value.
    fn add(&mut self, value: &Val) {
        match value {
            Val::String(text) | Val::Enum(text) => self.add_bytes(text.len()),
            Val::Flags(names) => names.iter().for_each(|name| self.add_bytes(size_of::<String>() + name.len())),
            // The elements of a list are of one type: where the first holds nothing, none does.
            Val::List(values) if values.first().is_some_and(is_plain) => self.add_bytes(size_of_val(&**values)),
            Val::List(values) | Val::FixedLengthList(values) | Val::Tuple(values) => self.add_all(values),
            Val::Record(fields) => fields.iter().for_each(|(name, value)| {
                self.add_bytes(size_of::<(String, Val)>() + name.len());
                self.add(value);
            }),
            Val::Map(pairs) => pairs.iter().for_each(|(key, value)| self.add_all_of([key, value])),
            Val::Option(value) | Val::Result(Ok(value) | Err(value)) => self.add_all_of(value.as_deref()),
            Val::Variant(case, value) => {
                self.add_bytes(case.len());
                self.add_all_of(value.as_deref());
            }
            Val::Resource(_) => self.resources = true,
            _ => {}
        }
    }

    fn add_all_of<'a>(&mut self, values: impl IntoIterator<Item = &'a Val>) {
        for value in values {
            self.add_bytes(size_of::<Val>());
            self.add(value);
        }
    }

    fn add_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

/// Whether there is nothing behind a value.
fn is_plain(value: &Val) -> bool {
    matches!(
        value,
        Val::Bool(_)
            | Val::S8(_)
            | Val::U8(_)
            | Val::S16(_)
            | Val::U16(_)
            | Val::S32(_)
            | Val::U32(_)
            | Val::S64(_)
            | Val::U64(_)
            | Val::Float32(_)
            | Val::Float64(_)
            | Val::Char(_)
    )
}

/// Gives the caller's arguments to the store of `owner`. Handles that it is only lent are noted, to be taken back.
pub(super) fn pass(
    values: &mut [Val],
    from: &mut StoreContextMut<'_, Host>,
    to: &mut StoreContextMut<'_, Host>,
    owner: &Cell,
    lent: &mut Vec<ResourceAny>,
) -> wasmtime::Result<()> {
    replace_all(values, &mut |resource| {
        let held = resource.try_into_resource_dynamic(from.as_context_mut())?;
        let handles = &mut from.data_mut().handles;
        let handle = match held.owned() {
            true => handles.remove(held.rep())?,
            false => Handle { owned: false, ..handles.all.get(&held.rep()).cloned().ok_or_else(gone)? },
        };
        if handle.owner.ptr_eq(&Arc::downgrade(owner)) {
            return Ok(handle.resource);
        }
        let owned = handle.owned;
        let number = to.data_mut().handles.add(handle);
        // What is lent is the host's own there, which lends it on for as long as the call takes.
        let given = ResourceDynamic::new_own(number, WIRED).try_into_resource_any(to.as_context_mut())?;
        if !owned {
            lent.push(given);
        }
        Ok(given)
    })
}

/// Gives the results of `owner`, out of its store, to the caller.
pub(super) fn give(
    values: &mut [Val],
    from: &mut StoreContextMut<'_, Host>,
    to: &mut StoreContextMut<'_, Host>,
    owner: &Cell,
) -> wasmtime::Result<()> {
    replace_all(values, &mut |resource| {
        let handle = if resource.ty() == ResourceType::host_dynamic(WIRED) {
            let held = resource.try_into_resource_dynamic(from.as_context_mut())?;
            from.data_mut().handles.remove(held.rep())?
        } else {
            Handle { owner: Arc::downgrade(owner), resource, owned: true }
        };
        let number = to.data_mut().handles.add(handle);
        ResourceDynamic::new_own(number, WIRED).try_into_resource_any(to.as_context_mut())
    })
}

/// Takes back what was lent for a call.
pub(super) fn take_back(store: &mut StoreContextMut<'_, Host>, lent: Vec<ResourceAny>) -> wasmtime::Result<()> {
    for resource in lent {
        let held = resource.try_into_resource_dynamic(store.as_context_mut())?;
        store.data_mut().handles.remove(held.rep())?;
    }
    Ok(())
}

/// Replaces every resource in a value.
fn replace(value: &mut Val, with: &mut Replacing<'_>) -> wasmtime::Result<()> {
    match value {
        Val::Resource(resource) => *resource = with(*resource)?,
        Val::Option(Some(value)) | Val::Variant(_, Some(value)) | Val::Result(Ok(Some(value)) | Err(Some(value))) => {
            replace(value, with)?;
        }
        Val::List(values) | Val::FixedLengthList(values) | Val::Tuple(values) => replace_all(values, with)?,
        Val::Record(fields) => fields.iter_mut().try_for_each(|(_, value)| replace(value, with))?,
        Val::Map(pairs) => pairs.iter_mut().try_for_each(|(key, value)| {
            replace(key, with)?;
            replace(value, with)
        })?,
        // Refused when the components were linked.
        Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
            return Err(wasmtime::format_err!("a stream or future cannot cross between components"));
        }
        _ => {}
    }
    Ok(())
}

fn replace_all(values: &mut [Val], with: &mut Replacing<'_>) -> wasmtime::Result<()> {
    values.iter_mut().try_for_each(|value| replace(value, with))
}

type Replacing<'a> = dyn FnMut(ResourceAny) -> wasmtime::Result<ResourceAny> + 'a;
