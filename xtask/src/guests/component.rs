//! From a core module to a component, and what a component imports and exports.

use std::fs;
use std::path::Path;

use wasi_preview1_component_adapter_provider as adapter;
use wasm_metadata::AddMetadata;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use crate::Result;

/// The world of every sample that answers over HTTP.
const WORLD: &str = "http";

/// Makes a component of a core module that was built with the bindings of the world, and removes the module.
pub(crate) fn from_module(module: &Path, wit: &Path, language: &str, output: &Path) -> Result {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
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
