//! How much there may be in what is compiled.
//!
//! The compiler's time and memory grow with the number of things in a component, and a small file can claim a great many.
//! Each bound is several times what the largest component of today's toolchains has, and is compared before the compiler
//! sees the bytes. What one bound lets through is still held by the limits of the compiler's process.

use std::fmt;

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// Functions in all modules of a component. A Python component has 13,500, a StarlingMonkey one 12,800.
pub const MAX_FUNCTIONS: u64 = 250_000;

/// Bytes of one function's body. The compiler takes a function as a whole, and more than its share of time and memory for a
/// large one; Python's interpreter loop has 0.4 MiB.
pub const MAX_BODY: u64 = 2 << 20;

/// Bytes of all functions' bodies. StarlingMonkey has 9 MiB, which take a compiler 10 s of CPU time.
pub const MAX_CODE: u64 = 64 << 20;

/// Imports of all modules and components in a component. A Python component has 2,400.
pub const MAX_IMPORTS: u64 = 50_000;

/// Exports of all modules and components in a component. A Python component has 4,300.
pub const MAX_EXPORTS: u64 = 50_000;

/// Types in a component, of functions and of interfaces. A Python component has 1,200. How deep and how wide one type is
/// has bounds of its own in every WebAssembly parser.
pub const MAX_TYPES: u64 = 50_000;

/// Definitions that wire a component's parts: aliases, instances, lifted and lowered functions. A Python component has 1,800.
pub const MAX_WIRES: u64 = 100_000;

/// Modules and components inside a component. Libraries that are linked together make 40.
pub const MAX_PARTS: u64 = 1_000;

/// Components inside components inside components. Composed ones have 4.
pub const MAX_NESTING: u64 = 16;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Functions.
    Functions,
    /// Bytes of the largest function's body.
    Body,
    /// Bytes of all bodies.
    Code,
    /// Imports.
    Imports,
    /// Exports.
    Exports,
    /// Types.
    Types,
    /// Definitions that wire its parts.
    Wires,
    /// Modules and components in it.
    Parts,
    /// How deep they are nested.
    Nesting,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Functions => "functions",
            Self::Body => "bytes in one function",
            Self::Code => "bytes of code",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Types => "types",
            Self::Wires => "aliases, instances and adapted functions",
            Self::Parts => "modules and components in it",
            Self::Nesting => "levels of components in components",
        })
    }
}

/// More than is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// Of what.
    pub what: Counted,
    /// How much there is at least; counting ends where it is too much.
    pub found: u64,
    /// How much there may be.
    pub most: u64,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it has {} {}, more than the {} that are compiled", self.found, self.what, self.most)
    }
}

/// What has been counted so far.
#[derive(Default)]
struct Sizes {
    functions: u64,
    code: u64,
    imports: u64,
    exports: u64,
    types: u64,
    wires: u64,
    parts: u64,
    nesting: u64,
}

/// Counts what is in `binary`, up to the first thing that it has too much of.
///
/// Bytes that are no WebAssembly are left to the compiler, which says better what is wrong with them.
pub(super) fn check(binary: &[u8]) -> Result<(), Excess> {
    let mut sizes = Sizes::default();
    for payload in Parser::new(0).parse_all(binary) {
        let Ok(payload) = payload else { break };
        sizes.count(&payload)?;
    }
    Ok(())
}

impl Sizes {
    fn count(&mut self, payload: &Payload<'_>) -> Result<(), Excess> {
        // What a section says that it has is counted, and not what is found in it: nothing of it is parsed yet.
        match payload {
            Payload::Version { .. } => add(&mut self.nesting, 1_u64, Counted::Nesting, MAX_NESTING),
            Payload::End(_) => {
                self.nesting = self.nesting.saturating_sub(1);
                Ok(())
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                add(&mut self.parts, 1_u64, Counted::Parts, MAX_PARTS)
            }
            Payload::FunctionSection(it) => add(&mut self.functions, it.count(), Counted::Functions, MAX_FUNCTIONS),
            Payload::CodeSectionEntry(body) => {
                let bytes = body.as_bytes().len() as u64;
                within(bytes, Counted::Body, MAX_BODY)?;
                add(&mut self.code, bytes, Counted::Code, MAX_CODE)
            }
            Payload::ImportSection(it) => add(&mut self.imports, it.count(), Counted::Imports, MAX_IMPORTS),
            Payload::ComponentImportSection(it) => add(&mut self.imports, it.count(), Counted::Imports, MAX_IMPORTS),
            Payload::ExportSection(it) => add(&mut self.exports, it.count(), Counted::Exports, MAX_EXPORTS),
            Payload::ComponentExportSection(it) => add(&mut self.exports, it.count(), Counted::Exports, MAX_EXPORTS),
            Payload::TypeSection(it) => add(&mut self.types, it.count(), Counted::Types, MAX_TYPES),
            Payload::CoreTypeSection(it) => add(&mut self.types, it.count(), Counted::Types, MAX_TYPES),
            Payload::ComponentTypeSection(it) => add(&mut self.types, it.count(), Counted::Types, MAX_TYPES),
            Payload::InstanceSection(it) => add(&mut self.wires, it.count(), Counted::Wires, MAX_WIRES),
            Payload::ComponentInstanceSection(it) => add(&mut self.wires, it.count(), Counted::Wires, MAX_WIRES),
            Payload::ComponentAliasSection(it) => add(&mut self.wires, it.count(), Counted::Wires, MAX_WIRES),
            Payload::ComponentCanonicalSection(it) => add(&mut self.wires, it.count(), Counted::Wires, MAX_WIRES),
            _ => Ok(()),
        }
    }
}

fn add(sum: &mut u64, more: impl Into<u64>, what: Counted, most: u64) -> Result<(), Excess> {
    *sum = sum.saturating_add(more.into());
    within(*sum, what, most)
}

fn within(found: u64, what: Counted, most: u64) -> Result<(), Excess> {
    if found > most { Err(Excess { what, found, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excess(text: &str) -> Option<Counted> {
        check(&wat::parse_str(text).unwrap()).err().map(|excess| excess.what)
    }

    #[test]
    fn an_honest_component_passes() {
        assert_eq!(excess("(component (core module (func)) (core instance (instantiate 0)))"), None);
    }

    #[test]
    fn what_a_small_file_claims_is_counted() {
        let exports: String = (0..=MAX_EXPORTS).map(|n| format!(r#"(export "{n}" (func 0))"#)).collect();
        assert_eq!(excess(&format!("(module (func) {exports})")), Some(Counted::Exports));
        let body = "nop ".repeat(usize::try_from(MAX_BODY).unwrap());
        assert_eq!(excess(&format!("(module (func {body}))")), Some(Counted::Body));
    }

    #[test]
    fn nesting_is_how_deep_and_not_how_many() {
        let deep = |levels: u64| (0..levels).fold(String::new(), |inner, _| format!("(component {inner})"));
        assert_eq!(excess(&deep(MAX_NESTING)), None);
        assert_eq!(excess(&deep(MAX_NESTING + 1)), Some(Counted::Nesting));
        assert_eq!(excess(&format!("(component {})", "(component)".repeat(100))), None);
        assert_eq!(excess(&format!("(component {})", "(component)".repeat(1_001))), Some(Counted::Parts));
    }

    #[test]
    fn an_excess_says_what_it_is() {
        let excess = Excess { what: Counted::Exports, found: 100_000, most: MAX_EXPORTS };
        assert_eq!(excess.to_string(), "it has 100000 exports, more than the 50000 that are compiled");
    }
}
