//! Reading surfaces: from the bytes of components and core modules, and from WIT text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};
use wit_component::{OutputToString, WitPrinter};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageId, Resolve, WorldItem};

use super::{Call, Function, Interface, Shape, Side, Surface, lower};
use crate::inspect::InterfaceName;

/// A world of a WIT package, or what the package has beside its worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The world's name; none for the interfaces that no world of the package names, which count as offered.
    pub name: Option<String>,
    /// What a component of this world asks for and offers.
    pub surface: Surface,
}

/// Why there is no WIT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WitError {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The file, line and column, where the fault is one of text.
    pub place: Option<String>,
    /// The line of the text with a caret below it.
    pub excerpt: Vec<String>,
}

impl WitError {
    /// One without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, excerpt: Vec::new() }
    }

    /// Takes the parser's rendering apart: the message, ` --> FILE:LINE:COLUMN`, and the line between bars.
    pub fn of_text(rendered: &str) -> Self {
        let mut error = Self::new(String::new());
        for line in rendered.lines() {
            let line = line.trim_end();
            if let Some((_, place)) = line.split_once("--> ") {
                error.place.get_or_insert_with(|| place.to_owned());
            } else if let Some((number, text)) = line.split_once('|')
                && number.trim().chars().all(|digit| digit.is_ascii_digit())
            {
                error
                    .excerpt
                    .extend(Some(text.strip_prefix(' ').unwrap_or(text).to_owned()).filter(|it| !it.is_empty()));
            } else if !line.trim().is_empty() {
                // The innermost cause comes last, and those around it only say which file was read.
                error.message = line.trim().trim_start_matches("0: ").to_owned();
            }
        }
        error
    }
}

/// What a component, or a core module, asks for and offers. `bytes` are of the binary form.
///
/// # Errors
/// The bytes are damaged, or have types that WIT cannot express.
pub fn of_binary(bytes: &[u8]) -> Result<Surface, WitError> {
    if !Parser::is_component(bytes) {
        return module(bytes)
            .map_err(|error| WitError::new(format!("the WebAssembly is damaged at byte {}: {error}", error.offset())));
    }
    let (resolve, world) = component(bytes)?;
    Ok(lower::world(&resolve, world))
}

/// What a component asks for and offers, as WIT text that parses: its world, and every interface that it needs.
///
/// # Errors
/// The bytes are damaged, no component, or have types that WIT cannot express.
pub fn text_of(bytes: &[u8]) -> Result<String, WitError> {
    let (resolve, world) = component(bytes)?;
    let main = resolve.worlds[world].package.ok_or_else(|| WitError::new("its world has no package"))?;
    let others: Vec<PackageId> = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main).collect();
    let mut printer = WitPrinter::new(OutputToString::default());
    printer.print(&resolve, main, &others).map_err(|error| WitError::new(one_line(&format!("{error:#}"))))?;
    Ok(printer.output.to_string())
}

/// The interfaces of a package by their names in it.
pub fn interfaces_of(resolve: &Resolve, package: PackageId) -> BTreeMap<String, Interface> {
    let interfaces = resolve.packages[package].interfaces.iter();
    interfaces.map(|(name, id)| (name.clone(), lower::interface(resolve, &resolve.interfaces[*id]))).collect()
}

fn component(bytes: &[u8]) -> Result<(Resolve, wit_parser::WorldId), WitError> {
    match decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(DecodedWasm::WitPackage(..)) => Err(WitError::new("it is a WIT package in binary form, and no component")),
        Err(error) => Err(WitError::new(format!("its types cannot be read: {}", one_line(&format!("{error:#}"))))),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The worlds of a WIT package: a `.wit` file, or a folder of them with what they depend on in `deps`.
///
/// # Errors
/// The text does not parse, or something that it names is not there.
pub fn of_path(path: &Path) -> Result<Vec<World>, WitError> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = match resolve.push_path(path) {
        Ok((package, _)) => package,
        Err(error) => return Err(WitError::of_text(&resolve.render_error(&error))),
    };
    Ok(worlds(&resolve, package))
}

fn worlds(resolve: &Resolve, package: PackageId) -> Vec<World> {
    let package = &resolve.packages[package];
    let mut named = BTreeSet::new();
    let mut worlds = Vec::new();
    for (name, id) in &package.worlds {
        let world = &resolve.worlds[*id];
        for item in world.imports.values().chain(world.exports.values()) {
            if let WorldItem::Interface { id, .. } = item {
                named.insert(lower::name_of(resolve, *id));
            }
        }
        worlds.push(World { name: Some(name.clone()), surface: lower::world(resolve, *id) });
    }
    let mut rest = Side::default();
    for id in package.interfaces.values() {
        let name = lower::name_of(resolve, *id);
        if !named.contains(&name) {
            rest.interfaces.insert(name, lower::interface(resolve, &resolve.interfaces[*id]));
        }
    }
    if !rest.interfaces.is_empty() || worlds.is_empty() {
        worlds.push(World { name: None, surface: Surface { imports: Side::default(), exports: rest } });
    }
    worlds
}

/// What a core module imports, each module it names as an interface, and the functions that it exports.
fn module(bytes: &[u8]) -> Result<Surface, wasmparser::BinaryReaderError> {
    let mut surface = Surface::default();
    let mut types: Vec<Option<FuncType>> = Vec::new();
    let mut functions: Vec<u32> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section {
                    types.extend(group?.into_types().map(|it| match it.composite_type.inner {
                        CompositeInnerType::Func(function) => Some(function),
                        _ => None,
                    }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if let TypeRef::Func(index) | TypeRef::FuncExact(index) = import.ty {
                        functions.push(index);
                        let module = surface.imports.interfaces.entry(InterfaceName::new(import.module)).or_default();
                        add(module, import.name, &types, index);
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for index in section {
                    functions.push(index?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let index = usize::try_from(export.index).ok().and_then(|index| functions.get(index));
                    if let (ExternalKind::Func | ExternalKind::FuncExact, Some(index)) = (export.kind, index) {
                        add(&mut surface.exports.own, export.name, &types, *index);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

fn add(interface: &mut Interface, name: &str, types: &[Option<FuncType>], index: u32) {
    let Some(Some(function)) = usize::try_from(index).ok().and_then(|index| types.get(index)) else { return };
    let params = function.params().iter().enumerate();
    let results: Vec<Option<Shape>> = function.results().iter().map(|value| Some(plain(*value))).collect();
    let function = Function {
        call: Call::Free,
        is_async: false,
        params: params.map(|(index, value)| (format!("p{index}"), plain(*value))).collect(),
        result: match results.len() {
            0 => None,
            1 => results.into_iter().next().flatten(),
            _ => Some(Shape::Of("tuple", results)),
        },
    };
    interface.functions.insert(name.to_owned(), function);
}

fn plain(value: ValType) -> Shape {
    Shape::Plain(match value {
        ValType::I32 => "i32",
        ValType::I64 => "i64",
        ValType::F32 => "f32",
        ValType::F64 => "f64",
        ValType::V128 => "v128",
        ValType::Ref(_) => "reference",
    })
}
