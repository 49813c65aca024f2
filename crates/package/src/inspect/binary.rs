//! One pass over the sections of a binary.

use std::collections::BTreeSet;

use wasmparser::{
    BinaryReaderError, ComponentExternalKind, ComponentName, Encoding, ExternalKind, KnownCustom, Parser, Payload,
    ProducersSectionReader,
};

use super::language::{self, Evidence};
use super::{Capability, InterfaceName, Kind, Part, Producer};

/// Names that are kept as evidence of the language: enough for every toolchain that is known, and a bound for crafted files.
const MOST_NAMES: usize = 10_000;

/// What the sections of a binary hold.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) imports: BTreeSet<InterfaceName>,
    pub(super) exports: BTreeSet<InterfaceName>,
    pub(super) capabilities: BTreeSet<Capability>,
    pub(super) evidence: Evidence,
    /// The components that were composed into this one.
    pub(super) parts: Vec<Part>,
    /// Whether it has code beside that of its parts.
    pub(super) has_code: bool,
}

/// A module or component whose sections are being read.
struct Open {
    kind: Kind,
    name: Option<String>,
    size: usize,
    producers: BTreeSet<Producer>,
    /// The size of the largest module in it, at any depth.
    largest: usize,
    /// Whether a module stands directly in it.
    has_code: bool,
    evidence: Evidence,
}

impl Open {
    fn new(kind: Kind, size: usize) -> Self {
        let evidence = Evidence::default();
        Self { kind, name: None, size, producers: BTreeSet::new(), largest: 0, has_code: false, evidence }
    }

    /// Takes over what a module or component inside this one has told.
    fn take(&mut self, closed: Self) {
        self.has_code |= closed.kind == Kind::Module;
        let (size, main) = match closed.kind {
            Kind::Module => (closed.size, closed.producers),
            Kind::Component => (closed.largest, closed.evidence.main),
        };
        if size > self.largest {
            self.largest = size;
            self.evidence.main = main;
        }
        self.evidence.all.extend(closed.evidence.all);
        closed.evidence.names.iter().for_each(|name| self.see(name));
    }

    fn see(&mut self, name: &str) {
        if self.evidence.names.len() < MOST_NAMES && !self.evidence.names.contains(name) {
            self.evidence.names.insert(name.to_owned());
        }
    }

    /// What is told of a component that stands in another one: a part of it, when it has code of its own.
    fn part(&self) -> Option<Part> {
        let is_part = self.kind == Kind::Component && self.largest > 0;
        is_part.then(|| Part {
            name: self.name.clone(),
            language: language::guess(&self.evidence),
            size: self.size.try_into().unwrap_or(u64::MAX),
        })
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Found, BinaryReaderError> {
    let mut found = Found {
        kind: Kind::Module,
        imports: BTreeSet::new(),
        exports: BTreeSet::new(),
        capabilities: BTreeSet::new(),
        evidence: Evidence::default(),
        parts: Vec::new(),
        has_code: false,
    };
    let mut open: Vec<Open> = Vec::new();
    let mut size = bytes.len();
    for payload in Parser::new(0).parse_all(bytes) {
        let outermost = open.len() == 1;
        match payload? {
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                size = unchecked_range.len();
            }
            Payload::Version { encoding, .. } => {
                let kind = if encoding == Encoding::Component { Kind::Component } else { Kind::Module };
                if open.is_empty() {
                    found.kind = kind;
                }
                open.push(Open::new(kind, size));
            }
            Payload::End(_) => {
                let Some(mut closed) = open.pop() else { continue };
                closed.evidence.all.extend(closed.producers.iter().cloned());
                if open.len() == 1 {
                    found.parts.extend(closed.part());
                }
                match open.last_mut() {
                    Some(around) => around.take(closed),
                    None => found.close(closed),
                }
            }
            Payload::ComponentImportSection(section) if outermost => {
                for import in section {
                    found.import(InterfaceName::new(import?.name.name));
                }
            }
            Payload::ComponentExportSection(section) if outermost => {
                for export in section {
                    let export = export?;
                    if matches!(export.kind, ComponentExternalKind::Instance | ComponentExternalKind::Func) {
                        found.exports.insert(InterfaceName::new(export.name.name));
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match open.last_mut() {
                        Some(inner) if !outermost => inner.see(import.module),
                        _ => found.import_of_module(import.module, import.name),
                    }
                }
            }
            Payload::ExportSection(section) if outermost => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        found.exports.insert(InterfaceName { name: export.name.to_owned(), version: None });
                    }
                }
            }
            Payload::CustomSection(section) => {
                let Some(inner) = open.last_mut() else { continue };
                match section.as_known() {
                    KnownCustom::Producers(section) => read_producers(section, &mut inner.producers)?,
                    // A name that cannot be read is none.
                    KnownCustom::ComponentName(names) => {
                        inner.name = names.into_iter().find_map(|name| match name {
                            Ok(ComponentName::Component { name, .. }) => Some(name.to_owned()),
                            _ => None,
                        });
                    }
                    _ => inner.see(section.name()),
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn read_producers(
    section: ProducersSectionReader<'_>,
    producers: &mut BTreeSet<Producer>,
) -> Result<(), BinaryReaderError> {
    for field in section {
        let field = field?;
        for value in field.values {
            let value = value?;
            producers.insert(Producer {
                field: field.name.to_owned(),
                name: value.name.to_owned(),
                version: value.version.to_owned(),
            });
        }
    }
    Ok(())
}

impl Found {
    fn import(&mut self, name: InterfaceName) {
        self.capabilities.extend(Capability::of_interface(&name));
        self.imports.insert(name);
    }

    fn import_of_module(&mut self, module: &str, function: &str) {
        if matches!(module, "wasi_snapshot_preview1" | "wasi_unstable") {
            self.capabilities.extend(Capability::of_preview1(function));
            self.imports.insert(InterfaceName::new(module));
        } else {
            self.import(InterfaceName::new(module));
        }
    }

    /// The outermost one has been read.
    fn close(&mut self, outermost: Open) {
        self.has_code = outermost.has_code || outermost.kind == Kind::Module;
        self.evidence = outermost.evidence;
        if outermost.kind == Kind::Module {
            self.evidence.main = outermost.producers;
        } else {
            let said = outermost.producers.into_iter().filter(|producer| producer.field == "language");
            self.evidence.said = said.map(|producer| producer.name).collect();
        }
    }
}
