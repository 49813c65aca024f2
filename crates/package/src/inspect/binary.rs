//! One pass over the sections of a binary.

use std::collections::BTreeSet;

use wasmparser::{
    BinaryReaderError, ComponentExternalKind, Encoding, ExternalKind, KnownCustom, Parser, Payload,
    ProducersSectionReader,
};

use super::language::Evidence;
use super::{Capability, InterfaceName, Kind, Producer};

/// Names that are kept as evidence of the language: enough for every toolchain that is known, and a bound for crafted files.
const MOST_NAMES: usize = 10_000;

/// What the sections of a binary hold.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) imports: BTreeSet<InterfaceName>,
    pub(super) exports: BTreeSet<InterfaceName>,
    pub(super) capabilities: BTreeSet<Capability>,
    pub(super) evidence: Evidence,
}

/// A module or component whose sections are being read.
struct Open {
    kind: Kind,
    size: usize,
    producers: BTreeSet<Producer>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Found, BinaryReaderError> {
    let mut found = Found {
        kind: Kind::Module,
        imports: BTreeSet::new(),
        exports: BTreeSet::new(),
        capabilities: BTreeSet::new(),
        evidence: Evidence::default(),
    };
    let mut open: Vec<Open> = Vec::new();
    let mut size = bytes.len();
    let mut largest = 0;
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
                open.push(Open { kind, size, producers: BTreeSet::new() });
            }
            Payload::End(_) => {
                let Some(closed) = open.pop() else { continue };
                found.evidence.all.extend(closed.producers.iter().cloned());
                if closed.kind == Kind::Module && closed.size > largest {
                    largest = closed.size;
                    found.evidence.main = closed.producers;
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
                    if !outermost {
                        found.name(import.module);
                    } else if matches!(import.module, "wasi_snapshot_preview1" | "wasi_unstable") {
                        found.capabilities.extend(Capability::of_preview1(import.name));
                        found.imports.insert(InterfaceName::new(import.module));
                    } else {
                        found.import(InterfaceName::new(import.module));
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
            Payload::CustomSection(section) => match (section.as_known(), open.last_mut()) {
                (KnownCustom::Producers(section), Some(open)) => read_producers(section, &mut open.producers)?,
                _ => found.name(section.name()),
            },
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

    fn name(&mut self, name: &str) {
        if self.evidence.names.len() < MOST_NAMES && !self.evidence.names.contains(name) {
            self.evidence.names.insert(name.to_owned());
        }
    }
}
