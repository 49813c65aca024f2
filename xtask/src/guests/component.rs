//! From a core module to a component, and what a component imports and exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wasi_preview1_component_adapter_provider as adapter;
use wasm_metadata::AddMetadata;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use crate::Result;

/// Makes a component of a core module that was built with the bindings of a world, and removes the module.
pub(crate) fn from_module(module: &Path, wit: &Path, world: &str, language: &str, output: &Path) -> Result {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut bytes = fs::read(module)?;
    wit_component::embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
    let component = ComponentEncoder::default()
        .module(&bytes)?
        .adapter(adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .validate(true)
        .encode()?;
    fs::write(output, component)?;
    fs::remove_file(module)?;
    name(output, language)
}

/// Writes into a component in which language it was written: what its parts say is about their tools too.
pub(crate) fn name(component: &Path, language: &str) -> Result {
    let mut metadata = AddMetadata::default();
    metadata.language.push((language.to_owned(), String::new()));
    let named = metadata.to_wasm(&fs::read(component)?)?;
    Ok(fs::write(component, named)?)
}

/// What a component, or a core module, asks for and offers, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Surface {
    pub(crate) imports: BTreeSet<String>,
    pub(crate) exports: BTreeSet<String>,
}

impl Surface {
    /// Reads it from the bytes.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self> {
        let mut surface = Self::default();
        // A component holds modules and components: only its own names count.
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ImportSection(section) if depth == 1 => {
                    for import in section.into_imports() {
                        let import = import?;
                        surface.imports.insert(format!("{}#{}", import.module, import.name));
                    }
                }
                Payload::ExportSection(section) if depth == 1 => {
                    for export in section {
                        surface.exports.insert(export?.name.to_owned());
                    }
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        surface.imports.insert(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        surface.exports.insert(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(surface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_names_are_the_surface() {
        let component = r#"(component
            (import "a:b/c@0.1.0" (instance))
            (core module $inner (import "x" "y" (func)) (export "z" (func 0)))
            (component $other (import "not-this" (instance)))
            (instance $it)
            (export "d:e/f" (instance $it)))"#;
        let surface = Surface::of(&wat::parse_str(component).unwrap()).unwrap();
        assert_eq!(surface.imports, BTreeSet::from(["a:b/c@0.1.0".to_owned()]));
        assert_eq!(surface.exports, BTreeSet::from(["d:e/f".to_owned()]));

        let module = r#"(module (import "x" "y" (func)) (export "z" (func 0)))"#;
        let surface = Surface::of(&wat::parse_str(module).unwrap()).unwrap();
        assert_eq!(surface.imports, BTreeSet::from(["x#y".to_owned()]));
        assert_eq!(surface.exports, BTreeSet::from(["z".to_owned()]));
    }
}
