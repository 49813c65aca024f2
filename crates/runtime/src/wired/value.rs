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

/// Gives the caller's arguments to the store of `owner`. Handles that it is only lent are noted, to be taken back.
pub(super) fn pass(
    value: &Val,
    from: &mut StoreContextMut<'_, Host>,
    to: &mut StoreContextMut<'_, Host>,
    owner: &Cell,
    lent: &mut Vec<ResourceAny>,
) -> wasmtime::Result<Val> {
    map(value, &mut |resource| {
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
    value: &Val,
    from: &mut StoreContextMut<'_, Host>,
    to: &mut StoreContextMut<'_, Host>,
    owner: &Cell,
) -> wasmtime::Result<Val> {
    map(value, &mut |resource| {
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

/// The value with its resources replaced.
fn map(value: &Val, replace: &mut dyn FnMut(ResourceAny) -> wasmtime::Result<ResourceAny>) -> wasmtime::Result<Val> {
    let mut boxed = |value: &Option<Box<Val>>| -> wasmtime::Result<Option<Box<Val>>> {
        value.as_ref().map(|value| map(value, replace).map(Box::new)).transpose()
    };
    Ok(match value {
        Val::Option(value) => Val::Option(boxed(value)?),
        Val::Variant(case, value) => Val::Variant(case.clone(), boxed(value)?),
        Val::Result(Ok(value)) => Val::Result(Ok(boxed(value)?)),
        Val::Result(Err(value)) => Val::Result(Err(boxed(value)?)),
        Val::List(values) => Val::List(map_all(values, replace)?),
        Val::FixedLengthList(values) => Val::FixedLengthList(map_all(values, replace)?),
        Val::Tuple(values) => Val::Tuple(map_all(values, replace)?),
        Val::Record(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), map(value, replace)?)));
            Val::Record(fields.collect::<wasmtime::Result<_>>()?)
        }
        Val::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| Ok((map(key, replace)?, map(value, replace)?)));
            Val::Map(pairs.collect::<wasmtime::Result<_>>()?)
        }
        Val::Resource(resource) => Val::Resource(replace(*resource)?),
        // Refused when the components were linked.
        Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
            return Err(wasmtime::format_err!("a stream or future cannot cross between components"));
        }
        plain => plain.clone(),
    })
}

fn map_all(
    values: &[Val],
    replace: &mut dyn FnMut(ResourceAny) -> wasmtime::Result<ResourceAny>,
) -> wasmtime::Result<Vec<Val>> {
    values.iter().map(|value| map(value, replace)).collect()
}
