//! From the WIT parser's own graph to surfaces.

use wit_parser::{
    Function as WitFunction, FunctionKind, Handle, Interface as WitInterface, InterfaceId, Resolve, Type, TypeDefKind,
    TypeId, TypeOwner, WorldId, WorldItem, WorldKey,
};

use super::{Call, Function, Interface, Shape, Side, Surface, TypeName};
use crate::inspect::InterfaceName;

/// The surface of a component of this world.
pub(super) fn world(resolve: &Resolve, world: WorldId) -> Surface {
    let world = &resolve.worlds[world];
    Surface { imports: side(resolve, world.imports.iter()), exports: side(resolve, world.exports.iter()) }
}

fn side<'a>(resolve: &Resolve, items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>) -> Side {
    let mut side = Side::default();
    for (key, item) in items {
        match (key, item) {
            (_, WorldItem::Interface { id, .. }) => {
                let name = match key {
                    WorldKey::Name(name) => InterfaceName { name: name.clone(), version: None },
                    WorldKey::Interface(id) => name_of(resolve, *id),
                };
                side.interfaces.insert(name, interface(resolve, &resolve.interfaces[*id]));
            }
            (_, WorldItem::Function(function)) => add_function(resolve, &mut side.own, function),
            (WorldKey::Name(name), WorldItem::Type { id, .. }) => add_type(resolve, &mut side.own, name, *id),
            (WorldKey::Interface(_), WorldItem::Type { .. }) => {}
        }
    }
    side
}

/// What an interface has.
pub(super) fn interface(resolve: &Resolve, interface: &WitInterface) -> Interface {
    let mut lowered = Interface::default();
    interface.functions.values().for_each(|function| add_function(resolve, &mut lowered, function));
    interface.types.iter().for_each(|(name, id)| add_type(resolve, &mut lowered, name, *id));
    lowered
}

/// The name of an interface, with its version.
pub(super) fn name_of(resolve: &Resolve, id: InterfaceId) -> InterfaceName {
    match resolve.id_of(id) {
        Some(name) => InterfaceName::new(&name),
        None => InterfaceName { name: resolve.interfaces[id].name.clone().unwrap_or_default(), version: None },
    }
}

fn add_function(resolve: &Resolve, interface: &mut Interface, function: &WitFunction) {
    let (call, resource) = match function.kind {
        FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => (Call::Free, None),
        FunctionKind::Method(id) | FunctionKind::AsyncMethod(id) => (Call::Method, Some(id)),
        FunctionKind::Static(id) | FunctionKind::AsyncStatic(id) => (Call::Static, Some(id)),
        FunctionKind::Constructor(id) => (Call::Constructor, Some(id)),
    };
    let of = resource.and_then(|id| resolve.types[id].name.as_deref());
    let name = match (of, call) {
        (Some(of), Call::Constructor) => format!("{of}.constructor"),
        (Some(of), _) => format!("{of}.{}", function.item_name()),
        (None, _) => function.name.clone(),
    };
    let params = function.params.iter().skip(usize::from(call == Call::Method));
    let lowered = Function {
        call,
        is_async: function.kind.is_async(),
        params: params.map(|param| (param.name.clone(), shape(resolve, &param.ty))).collect(),
        result: function.result.as_ref().map(|result| shape(resolve, result)),
    };
    interface.functions.insert(name, lowered);
}

/// Adds a type that is defined here. What only gives another name to one is no definition.
fn add_type(resolve: &Resolve, interface: &mut Interface, name: &str, id: TypeId) {
    let definition = match &resolve.types[id].kind {
        TypeDefKind::Record(record) => {
            Shape::Record(record.fields.iter().map(|field| (field.name.clone(), shape(resolve, &field.ty))).collect())
        }
        TypeDefKind::Variant(variant) => Shape::Variant(
            variant
                .cases
                .iter()
                .map(|case| (case.name.clone(), case.ty.as_ref().map(|it| shape(resolve, it))))
                .collect(),
        ),
        TypeDefKind::Enum(it) => Shape::Enum(it.cases.iter().map(|case| case.name.clone()).collect()),
        TypeDefKind::Flags(it) => Shape::Flags(it.flags.iter().map(|flag| flag.name.clone()).collect()),
        TypeDefKind::Resource => Shape::Resource,
        _ => return,
    };
    interface.types.insert(name.to_owned(), definition);
}

fn shape(resolve: &Resolve, of: &Type) -> Shape {
    let part = |of: &Type| Some(shape(resolve, of));
    let maybe = |of: &Option<Type>| of.as_ref().map(|it| shape(resolve, it));
    let id = match of {
        Type::Id(id) => *id,
        plain => return Shape::Plain(plain_name(plain)),
    };
    let definition = &resolve.types[id];
    match &definition.kind {
        TypeDefKind::Type(of) => shape(resolve, of),
        TypeDefKind::Handle(Handle::Own(id)) => shape(resolve, &Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => Shape::Of("borrow", vec![part(&Type::Id(*id))]),
        TypeDefKind::Tuple(tuple) => Shape::Of("tuple", tuple.types.iter().map(part).collect()),
        TypeDefKind::Option(of) => Shape::Of("option", vec![part(of)]),
        TypeDefKind::Result(result) => Shape::Of("result", vec![maybe(&result.ok), maybe(&result.err)]),
        TypeDefKind::List(of) => Shape::Of("list", vec![part(of)]),
        TypeDefKind::Map(key, value) => Shape::Of("map", vec![part(key), part(value)]),
        TypeDefKind::FixedLengthList(of, length) => Shape::Array(Box::new(shape(resolve, of)), *length),
        TypeDefKind::Future(of) => Shape::Of("future", vec![maybe(of)]),
        TypeDefKind::Stream(of) => Shape::Of("stream", vec![maybe(of)]),
        TypeDefKind::Record(_)
        | TypeDefKind::Variant(_)
        | TypeDefKind::Enum(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Resource
        | TypeDefKind::Unknown => Shape::Named(TypeName {
            interface: match definition.owner {
                TypeOwner::Interface(id) => Some(name_of(resolve, id)),
                TypeOwner::World(_) | TypeOwner::None => None,
            },
            name: definition.name.clone().unwrap_or_default(),
        }),
    }
}

fn plain_name(of: &Type) -> &'static str {
    match of {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "type",
    }
}
