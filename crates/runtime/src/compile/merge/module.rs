//! The parts of a core module.

use std::collections::{BTreeMap, HashMap};

use wasmparser::{
    BinaryReader, CodeSectionReader, DataSectionReader, ElementSectionReader, GlobalSectionReader, Import, KnownCustom,
    MemorySectionReader, Name, Parser, Payload, TableInit, TableSectionReader, TagSectionReader, TypeRef,
    TypeSectionReader,
};

use super::definitions::Space;
use super::{Result, Unmergeable};

/// A core module, section by section.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) types: Option<TypeSectionReader<'a>>,
    pub(super) imports: Vec<Import<'a>>,
    /// The types of its own functions.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Option<TableSectionReader<'a>>,
    pub(super) memories: Option<MemorySectionReader<'a>>,
    pub(super) tags: Option<TagSectionReader<'a>>,
    pub(super) globals: Option<GlobalSectionReader<'a>>,
    pub(super) exports: BTreeMap<&'a str, (Space, u32)>,
    pub(super) start: Option<u32>,
    pub(super) elements: Option<ElementSectionReader<'a>>,
    /// Whether its code names segments of data.
    pub(super) counts_data: bool,
    pub(super) data: Option<DataSectionReader<'a>>,
    pub(super) code: Option<CodeSectionReader<'a>>,
    pub(super) name: Option<&'a str>,
    /// Names of functions by their number.
    pub(super) function_names: HashMap<u32, &'a str>,
}

impl<'a> Module<'a> {
    pub(super) fn read(binary: &'a [u8]) -> Result<Self> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(binary) {
            match payload? {
                Payload::TypeSection(types) => module.types = Some(types),
                Payload::ImportSection(imports) => {
                    module.imports = imports.into_imports().collect::<Result<_, _>>()?;
                }
                Payload::FunctionSection(functions) => {
                    module.functions = functions.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::TableSection(tables) => {
                    for table in tables.clone() {
                        // An expression here may name imported globals alone, which then would not be imported.
                        if let TableInit::Expr(_) = table?.init {
                            return Err(Unmergeable("a table begins with a value"));
                        }
                    }
                    module.tables = Some(tables);
                }
                Payload::MemorySection(memories) => module.memories = Some(memories),
                Payload::TagSection(tags) => module.tags = Some(tags),
                Payload::GlobalSection(globals) => module.globals = Some(globals),
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        module.exports.insert(export.name, (Space::of(export.kind)?, export.index));
                    }
                }
                Payload::StartSection { func, .. } => module.start = Some(func),
                Payload::ElementSection(elements) => module.elements = Some(elements),
                Payload::DataCountSection { .. } => module.counts_data = true,
                Payload::DataSection(data) => module.data = Some(data),
                Payload::CodeSectionStart { range, .. } => {
                    let code = binary.get(range).ok_or(Unmergeable("it ends too early"))?;
                    module.code = Some(CodeSectionReader::new(BinaryReader::new(code, 0))?);
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        // Names that cannot be read are as good as none.
                        let _ = names.into_iter().try_for_each(|part| module.names(part?));
                    }
                }
                Payload::CodeSectionEntry(_) | Payload::Version { .. } | Payload::End(_) => {}
                _ => return Err(Unmergeable("a module has sections that are not known")),
            }
        }
        Ok(module)
    }

    fn names(&mut self, part: Name<'a>) -> Result<()> {
        match part {
            Name::Module { name, .. } => self.name = Some(name),
            Name::Function(names) => {
                let functions = self.imports.len() + self.functions.len();
                for naming in names {
                    let naming = naming?;
                    if (naming.index as usize) < functions {
                        self.function_names.insert(naming.index, naming.name);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// How many memories it defines or imports.
    pub(super) fn memories(&self) -> u32 {
        let imported = self.imports.iter().filter(|import| matches!(import.ty, TypeRef::Memory(_))).count();
        u32::try_from(imported).unwrap_or(u32::MAX).saturating_add(self.memories.as_ref().map_or(0, |own| own.count()))
    }
}
