//! One component made of several, by wac-graph.

use std::collections::BTreeMap;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, NodeId};
use wasm_metadata::{AddMetadata, AddMetadataField};

use super::part::{Part, PartError};
use super::{Link, link, members};
use crate::fault::SyntaxError;
use crate::manifest::Manifest;

/// Why there is no component made of several.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// One of them cannot be read.
    #[error("{file}: {source}")]
    Part {
        /// Its file.
        file: String,
        /// Why.
        source: PartError,
    },
    /// Two of them do not fit.
    #[error(transparent)]
    Unfit(SyntaxError),
    /// They fit each other, and ask the host for what one component cannot ask for.
    #[error("two parts ask the host for `{import}` in forms that one component cannot ask for together: {why}")]
    Host {
        /// The interface.
        import: String,
        /// What the composer says.
        why: String,
    },
    /// The composer cannot do it.
    #[error("they cannot be made one component: {0}")]
    Other(String),
}

impl ComposeError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unfit(error) => error.hint.as_deref(),
            Self::Host { .. } => Some("build both for the same version of it, or leave `fuse` out"),
            Self::Part { .. } | Self::Other(_) => None,
        }
    }

    /// More lines: each piece of it.
    pub fn details(&self) -> &[String] {
        match self {
            Self::Unfit(error) => &error.details,
            _ => &[],
        }
    }

    fn other(error: impl std::fmt::Display) -> Self {
        let text = format!("{error:#}");
        Self::Other(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Finds what each import of `name` that is wired is called on both sides.
///
/// # Errors
/// When a component cannot be read, or two do not fit.
pub fn links(manifest: &Manifest, name: &str) -> Result<Vec<Link>, ComposeError> {
    let Some(component) = manifest.components.get(name) else { return Ok(Vec::new()) };
    let consumer = read(manifest, name)?;
    let mut links = Vec::new();
    for (interface, provider) in &component.imports {
        let provider = read(manifest, provider)?;
        links.push(link(interface, &consumer, &provider, [&provider].into_iter()).map_err(ComposeError::Unfit)?);
    }
    Ok(links)
}

fn read(manifest: &Manifest, name: &str) -> Result<Part, ComposeError> {
    let source = manifest.components.get(name).map(|component| component.source.as_path());
    let file = manifest.resolve(source.unwrap_or(name.as_ref()));
    Part::read(name, &file).map_err(|source| ComposeError::Part { file: file.display().to_string(), source })
}

/// Makes one component of `root` and all that provides for it. It exports what `root` does, and imports what they import
/// and none of them provides.
///
/// # Errors
/// When a part cannot be read, or they do not fit.
pub fn encode(manifest: &Manifest, root: &str) -> Result<Vec<u8>, ComposeError> {
    let names = members(root, &manifest.components);
    let mut parts: BTreeMap<&str, Part> = BTreeMap::new();
    for name in &names {
        parts.insert(name, read(manifest, name)?);
    }
    let mut graph = CompositionGraph::new();
    let mut instances: BTreeMap<&str, NodeId> = BTreeMap::new();
    let mut exports: Vec<String> = Vec::new();
    // Each behind what it needs, so that the root is the last.
    for name in &names {
        let (Some(part), Some(component)) = (parts.get(name), manifest.components.get(*name)) else { continue };
        let package = Package::from_bytes(name, None, named(part)?, graph.types_mut()).map_err(ComposeError::other)?;
        exports = graph.types()[package.ty()].exports.keys().cloned().collect();
        let package = graph.register_package(package).map_err(ComposeError::other)?;
        let instance = graph.instantiate(package);
        graph.set_node_name(instance, *name);
        for (interface, provider) in &component.imports {
            let (Some(provider), Some(source)) = (parts.get(provider.as_str()), instances.get(provider.as_str()))
            else {
                continue;
            };
            let Link { import, export, .. } =
                link(interface, part, provider, parts.values()).map_err(ComposeError::Unfit)?;
            let export = graph.alias_instance_export(*source, &export).map_err(ComposeError::other)?;
            graph.set_instantiation_argument(instance, &import, export).map_err(|error| chained(&error))?;
        }
        instances.insert(name, instance);
    }
    let Some(instance) = instances.get(root).copied() else { return Err(ComposeError::other("there is no such root")) };
    for export in exports {
        let node = graph.alias_instance_export(instance, &export).map_err(ComposeError::other)?;
        graph.export(node, export).map_err(ComposeError::other)?;
    }
    graph.encode(EncodeOptions::default()).map_err(|error| match error {
        EncodeError::ImportTypeMergeConflict { import, source, .. } => {
            ComposeError::Host { import, why: format!("{source:#}") }
        }
        error => chained(&error),
    })
}

/// The part's bytes with its name in the manifest in them, so that whoever inspects the whole finds it.
fn named(part: &Part) -> Result<Vec<u8>, ComposeError> {
    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(part.name.clone());
    metadata.to_wasm(&part.bytes).map_err(ComposeError::other)
}

/// An error with what caused it.
fn chained(error: &dyn std::error::Error) -> ComposeError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    ComposeError::other(text)
}
