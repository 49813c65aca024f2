//! Host functions and resources that stand for what other components provide.

use std::sync::Arc;

use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Type};

use super::cross::{Edge, cross, drop_handle};
use super::value::WIRED;
use super::{Import, WireError};
use crate::engine::Engine;
use crate::host::Host;

/// Everything that `component`, whose name in the app is `name`, may import: from the host, and from other components.
pub(crate) fn link(
    engine: &Engine,
    name: &str,
    component: &Component,
    imports: &[Import],
) -> Result<Linker<Host>, WireError> {
    let mut linker = engine.linker_for(component)?;
    // What is wired stands before what the host has by the same name, and nothing else does: only wired names are defined here.
    linker.allow_shadowing(true);
    let from: Arc<str> = name.into();
    let ty = component.component_type();
    let mut hosts = Vec::new();
    // In the component's own order: a resource is defined by the first interface that has it, and used by those after it.
    for (imported, item) in ty.imports(component.engine()) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        match imports.iter().find(|import| import.import == imported) {
            None => hosts.extend(resources(component.engine(), &interface).map(|(_, resource)| resource)),
            Some(import) => {
                let mut instance = linker.root().into_instance(imported).map_err(WireError::Import)?;
                link_interface(component.engine(), &mut instance, &from, import, &interface, &hosts)?;
            }
        }
    }
    Ok(linker)
}

fn link_interface(
    engine: &wasmtime::Engine,
    instance: &mut LinkerInstance<'_, Host>,
    from: &Arc<str>,
    import: &Import,
    interface: &ComponentInstance,
    hosts: &[ResourceType],
) -> Result<(), WireError> {
    for (name, resource) in resources(engine, interface) {
        // What is the host's stays the host's; a function that passes it is refused below.
        if !hosts.contains(&resource) {
            let ty = ResourceType::host_dynamic(WIRED);
            let (from, function) = (Arc::clone(from), format!("the destructor of {}.{name}", import.import));
            let defined = instance.resource_async(&name, ty, move |store, number| {
                Box::new(drop_handle(Arc::clone(&from), function.clone(), store, number))
            });
            defined.map_err(WireError::Import)?;
        }
    }
    for (name, item) in interface.exports(engine) {
        let ComponentItem::ComponentFunc(function) = item.ty else { continue };
        check(&function, import, hosts)?;
        let edge = edge(from, import, name)?;
        let linked = instance.func_new_async(name, move |store, _, parameters, results| {
            let edge = Arc::clone(&edge);
            Box::new(async move { cross(&edge, store, parameters, results).await })
        });
        linked.map_err(WireError::Import)?;
    }
    Ok(())
}

fn edge(from: &Arc<str>, import: &Import, name: &str) -> Result<Arc<Edge>, WireError> {
    let provider = &import.provider.inner;
    let component = provider.component.component();
    let index = component
        .get_export_index(None, &import.export)
        .and_then(|interface| component.get_export_index(Some(&interface), name))
        .ok_or_else(|| WireError::Missing {
            provider: provider.name.to_string(),
            function: format!("{}.{name}", import.export),
        })?;
    let function = format!("{}.{name}", import.import);
    Ok(Arc::new(Edge { from: Arc::clone(from), provider: import.provider.clone(), function, index }))
}

fn resources<'a>(
    engine: &'a wasmtime::Engine,
    interface: &'a ComponentInstance,
) -> impl Iterator<Item = (String, ResourceType)> + 'a {
    interface.exports(engine).filter_map(|(name, item)| match item.ty {
        ComponentItem::Resource(resource) => Some((name.to_owned(), resource)),
        _ => None,
    })
}

/// Refuses what belongs to one store alone. Asynchronous calls do: the engine polls them within its loop for the caller's store,
/// and runs no other store's there.
fn check(function: &ComponentFunc, import: &Import, hosts: &[ResourceType]) -> Result<(), WireError> {
    if function.async_() {
        return Err(WireError::Value { interface: import.import.clone(), what: "an asynchronous call" });
    }
    let types = function.params().map(|(_, ty)| ty).chain(function.results());
    match types.into_iter().find_map(|ty| bound(&ty, hosts)) {
        Some(what) => Err(WireError::Value { interface: import.import.clone(), what }),
        None => Ok(()),
    }
}

/// What of a type belongs to one store alone.
fn bound(ty: &Type, hosts: &[ResourceType]) -> Option<&'static str> {
    let any = |mut types: &mut dyn Iterator<Item = Type>| Iterator::find_map(&mut types, |ty| bound(&ty, hosts));
    match ty {
        Type::Stream(_) => Some("a stream"),
        Type::Future(_) => Some("a future"),
        Type::ErrorContext => Some("an error context"),
        Type::Own(resource) | Type::Borrow(resource) => hosts.contains(resource).then_some("a resource of the host"),
        Type::List(list) => bound(&list.ty(), hosts),
        Type::FixedLengthList(list) => bound(&list.ty(), hosts),
        Type::Map(map) => any(&mut [map.key(), map.value()].into_iter()),
        Type::Record(record) => any(&mut record.fields().map(|field| field.ty)),
        Type::Tuple(tuple) => any(&mut tuple.types()),
        Type::Variant(variant) => any(&mut variant.cases().filter_map(|case| case.ty)),
        Type::Option(option) => bound(&option.ty(), hosts),
        Type::Result(result) => any(&mut result.ok().into_iter().chain(result.err())),
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::Float32
        | Type::Float64
        | Type::Char
        | Type::String
        | Type::Enum(_)
        | Type::Flags(_) => None,
    }
}
