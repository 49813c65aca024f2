//! What a component defines, in order. Core items (functions, tables, memories, globals and tags) are known by where they come
//! from, whatever aliases and instances without code they pass on their way.

use std::collections::{BTreeMap, HashMap};

use wasm_encoder::reencode::ReencodeComponent;
use wasm_encoder::{
    CanonicalFunctionSection, ComponentAliasSection, ComponentExportSection, ComponentImportSection,
    ComponentInstanceSection, ComponentSection, ComponentTypeSection, CoreTypeSection,
};
use wasmparser::{
    CanonicalFunction, Chunk, ComponentAlias, ComponentExportSectionReader, ComponentExternalKind,
    ComponentImportSectionReader, ComponentInstance, ComponentInstanceSectionReader, ComponentOuterAliasKind,
    ComponentStartFunction, ComponentTypeRef, ComponentTypeSectionReader, CoreTypeSectionReader, ExternalKind, Parser,
    Payload, TypeRef,
};

use super::{Result, Unmergeable};

/// The index spaces of what core modules import and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Space {
    Function,
    Table,
    Memory,
    Global,
    Tag,
}

impl Space {
    /// How many there are.
    pub(super) const COUNT: usize = 5;

    pub(super) fn of(kind: ExternalKind) -> Result<Self> {
        Ok(match kind {
            ExternalKind::Func => Self::Function,
            ExternalKind::Table => Self::Table,
            ExternalKind::Memory => Self::Memory,
            ExternalKind::Global => Self::Global,
            ExternalKind::Tag => Self::Tag,
            ExternalKind::FuncExact => return Err(Unmergeable("it names functions by their exact type")),
        })
    }

    pub(super) fn of_import(import: &TypeRef) -> Result<Self> {
        Ok(match import {
            TypeRef::Func(_) => Self::Function,
            TypeRef::Table(_) => Self::Table,
            TypeRef::Memory(_) => Self::Memory,
            TypeRef::Global(_) => Self::Global,
            TypeRef::Tag(_) => Self::Tag,
            TypeRef::FuncExact(_) => return Err(Unmergeable("it imports functions by their exact type")),
        })
    }

    pub(super) fn export(self) -> wasm_encoder::ExportKind {
        match self {
            Self::Function => wasm_encoder::ExportKind::Func,
            Self::Table => wasm_encoder::ExportKind::Table,
            Self::Memory => wasm_encoder::ExportKind::Memory,
            Self::Global => wasm_encoder::ExportKind::Global,
            Self::Tag => wasm_encoder::ExportKind::Tag,
        }
    }
}

/// Where a core item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin<'a> {
    /// A module's instance exports it.
    Export { instance: u32, name: &'a str },
    /// A canonical definition makes this core function of the component.
    Canonical(u32),
}

/// A core instance.
pub(super) enum Instance<'a> {
    /// Of a module, with the instances that it imports from by name.
    Module { module: u32, arguments: BTreeMap<&'a str, u32> },
    /// Items under names; it has no code of its own.
    Names(BTreeMap<&'a str, (Space, u32)>),
}

/// What has its place in the order. Items that come from elsewhere are written where they are needed.
pub(super) enum Definition<'a> {
    /// What names no core module or instance.
    Section(Section<'a>),
    /// A function that the component offers.
    Lift(CanonicalFunction),
    /// A core function of a canonical definition, by its number.
    Canonical(u32),
    /// A core instance by its number.
    Instance(u32),
    /// A component by its number among those that are defined inside.
    Component(usize),
}

/// Sections and single definitions that are written again as they are, but for the numbers of core items in them.
#[derive(Clone)]
pub(super) enum Section<'a> {
    Types(ComponentTypeSectionReader<'a>),
    CoreTypes(CoreTypeSectionReader<'a>),
    Imports(ComponentImportSectionReader<'a>),
    Exports(ComponentExportSectionReader<'a>),
    Instances(ComponentInstanceSectionReader<'a>),
    Alias(ComponentAlias<'a>),
    Start(ComponentStartFunction),
}

/// Everything that one component defines.
#[derive(Default)]
pub(super) struct Definitions<'a> {
    pub(super) order: Vec<Definition<'a>>,
    pub(super) modules: Vec<&'a [u8]>,
    pub(super) components: Vec<&'a [u8]>,
    pub(super) instances: Vec<Instance<'a>>,
    /// Where each core item comes from.
    items: [Vec<Origin<'a>>; Space::COUNT],
    canonical: HashMap<u32, CanonicalFunction>,
}

impl<'a> Definitions<'a> {
    pub(super) fn read(component: &'a [u8]) -> Result<Self> {
        let mut definitions = Self::default();
        let mut parser = Parser::new(0);
        let mut rest = component;
        while !rest.is_empty() {
            let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else {
                return Err(Unmergeable("it ends too early"));
            };
            rest = after(rest, consumed)?;
            if let Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } =
                &payload
            {
                rest = after(rest, unchecked_range.len())?;
            }
            definitions.add(component, payload)?;
        }
        Ok(definitions)
    }

    fn add(&mut self, component: &'a [u8], payload: Payload<'a>) -> Result<()> {
        let section = match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                self.modules.push(inside(component, unchecked_range)?);
                return Ok(());
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                self.order.push(Definition::Component(self.components.len()));
                self.components.push(inside(component, unchecked_range)?);
                return Ok(());
            }
            Payload::InstanceSection(instances) => {
                return instances.into_iter().try_for_each(|instance| self.instance(instance?));
            }
            Payload::ComponentCanonicalSection(functions) => {
                return functions.into_iter().try_for_each(|function| self.canonical(function?));
            }
            Payload::ComponentAliasSection(aliases) => {
                return aliases.into_iter().try_for_each(|alias| self.alias(alias?));
            }
            Payload::ComponentTypeSection(types) => Section::Types(types),
            Payload::CoreTypeSection(types) => Section::CoreTypes(types),
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    no_module(matches!(import?.ty, ComponentTypeRef::Module(_)))?;
                }
                Section::Imports(imports)
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    no_module(export?.kind == ComponentExternalKind::Module)?;
                }
                Section::Exports(exports)
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    no_module(match instance? {
                        ComponentInstance::Instantiate { args, .. } => {
                            args.iter().any(|arg| arg.kind == ComponentExternalKind::Module)
                        }
                        ComponentInstance::FromExports(exports) => {
                            exports.iter().any(|export| export.kind == ComponentExternalKind::Module)
                        }
                    })?;
                }
                Section::Instances(instances)
            }
            Payload::ComponentStartSection { start, .. } => Section::Start(start),
            // Names of what gets other numbers, and notes of tools.
            Payload::CustomSection(_) | Payload::Version { .. } | Payload::End(_) => return Ok(()),
            _ => return Err(Unmergeable("it has sections that are not known")),
        };
        self.order.push(Definition::Section(section));
        Ok(())
    }

    fn instance(&mut self, instance: wasmparser::Instance<'a>) -> Result<()> {
        let instance = match instance {
            wasmparser::Instance::Instantiate { module_index, args } => Instance::Module {
                module: module_index,
                arguments: args.iter().map(|argument| (argument.name, argument.index)).collect(),
            },
            wasmparser::Instance::FromExports(exports) => Instance::Names(
                exports
                    .iter()
                    .map(|export| Ok((export.name, (Space::of(export.kind)?, export.index))))
                    .collect::<Result<_>>()?,
            ),
        };
        self.order.push(Definition::Instance(number(self.instances.len())?));
        self.instances.push(instance);
        Ok(())
    }

    fn canonical(&mut self, function: CanonicalFunction) -> Result<()> {
        if matches!(function, CanonicalFunction::Lift { .. }) {
            self.order.push(Definition::Lift(function));
        } else {
            let functions = &mut self.items[Space::Function as usize];
            let index = number(functions.len())?;
            functions.push(Origin::Canonical(index));
            self.order.push(Definition::Canonical(index));
            self.canonical.insert(index, function);
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<()> {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let origin = self.export(instance_index, name)?;
                self.items[Space::of(kind)? as usize].push(origin);
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. }
            | ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. } => no_module(true)?,
            alias => self.order.push(Definition::Section(Section::Alias(alias))),
        }
        Ok(())
    }

    /// Where a core item comes from.
    pub(super) fn origin(&self, space: Space, index: u32) -> Result<Origin<'a>> {
        let origin = self.items[space as usize].get(index as usize);
        origin.copied().ok_or(Unmergeable("it names what is not there"))
    }

    /// Where what `instance` has under `name` comes from.
    pub(super) fn export(&self, instance: u32, name: &'a str) -> Result<Origin<'a>> {
        match self.instances.get(instance as usize) {
            Some(Instance::Module { .. }) => Ok(Origin::Export { instance, name }),
            Some(Instance::Names(names)) => {
                let (space, index) = *names.get(name).ok_or(Unmergeable("an instance lacks a name"))?;
                self.origin(space, index)
            }
            None => Err(Unmergeable("it names an instance that is not there")),
        }
    }

    /// The canonical definition of a core function.
    pub(super) fn definition(&self, function: u32) -> Result<&CanonicalFunction> {
        self.canonical.get(&function).ok_or(Unmergeable("a function has no definition"))
    }
}

impl<'a> Section<'a> {
    /// Writes it with the numbers that `reencoder` gives core items.
    pub(super) fn write<T>(&self, reencoder: &mut T) -> Result<Vec<u8>>
    where
        T: ReencodeComponent,
        Unmergeable: From<wasm_encoder::reencode::Error<T::Error>>,
    {
        Ok(match self.clone() {
            Self::Types(section) => {
                let mut written = ComponentTypeSection::new();
                reencoder.parse_component_type_section(&mut written, section)?;
                bytes(&written)
            }
            Self::CoreTypes(section) => {
                let mut written = CoreTypeSection::new();
                reencoder.parse_core_type_section(&mut written, section)?;
                bytes(&written)
            }
            Self::Imports(section) => {
                let mut written = ComponentImportSection::new();
                reencoder.parse_component_import_section(&mut written, section)?;
                bytes(&written)
            }
            Self::Exports(section) => {
                let mut written = ComponentExportSection::new();
                reencoder.parse_component_export_section(&mut written, section)?;
                bytes(&written)
            }
            Self::Instances(section) => {
                let mut written = ComponentInstanceSection::new();
                reencoder.parse_component_instance_section(&mut written, section)?;
                bytes(&written)
            }
            Self::Alias(alias) => {
                let mut written = ComponentAliasSection::new();
                written.alias(reencoder.component_alias(alias)?);
                bytes(&written)
            }
            Self::Start(start) => {
                let mut written = wasm_encoder::Component::new();
                reencoder.parse_component_start_section(&mut written, start)?;
                written.finish().split_off(wasm_encoder::Component::HEADER.len())
            }
        })
    }
}

/// Writes a canonical definition with the numbers that `reencoder` gives core items.
pub(super) fn write_canonical<T>(function: &CanonicalFunction, reencoder: &mut T) -> Result<Vec<u8>>
where
    T: ReencodeComponent,
    Unmergeable: From<wasm_encoder::reencode::Error<T::Error>>,
{
    let mut written = CanonicalFunctionSection::new();
    reencoder.parse_component_canonical(&mut written, function.clone())?;
    Ok(bytes(&written))
}

/// A section as it stands in a component.
pub(super) fn bytes(section: &impl ComponentSection) -> Vec<u8> {
    let mut bytes = Vec::new();
    section.append_to_component(&mut bytes);
    bytes
}

/// A place in a list as the number that it has in the binary format.
pub(super) fn number(index: usize) -> Result<u32> {
    u32::try_from(index).map_err(|_| Unmergeable("it has too much of something"))
}

fn after(bytes: &[u8], count: usize) -> Result<&[u8]> {
    bytes.get(count..).ok_or(Unmergeable("it ends too early"))
}

fn inside(bytes: &[u8], range: std::ops::Range<usize>) -> Result<&[u8]> {
    bytes.get(range).ok_or(Unmergeable("it ends too early"))
}

/// Modules that are handed between components keep their numbers only if nothing is merged.
fn no_module(has: bool) -> Result<()> {
    if has { Err(Unmergeable("it hands modules to others")) } else { Ok(()) }
}
