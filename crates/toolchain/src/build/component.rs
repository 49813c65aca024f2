//! From what a language's tool left to a component that is what it should be.

use coracle_package::wit::{self, Difference, Surface, World};
use wasi_preview1_component_adapter_provider as adapter;
use wasm_metadata::AddMetadata;
use wasmparser::{Parser, Validator, WasmFeatures};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::Job;
use super::sections::without_debug;

/// What was built is no component, or not the one that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unfit {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Each piece of it, in a line.
    pub details: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Unfit {
    /// One that a sentence says all of.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), hint: None }
    }
}

/// Makes a component of a core module, checks it, and writes its language into it.
pub(super) fn finish(bytes: &[u8], job: &Job) -> Result<Vec<u8>, Unfit> {
    let component = match Parser::is_component(bytes) {
        true => bytes.to_vec(),
        false => adapt(&embed(&without_debug(bytes)?, job)?)?,
    };
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator
        .validate_all(&component)
        .map_err(|error| Unfit::new(format!("what was built is no valid component: {error}")))?;
    if let Some(world) = &job.build.world {
        fits(&component, job, world)?;
    }
    let mut metadata = AddMetadata::default();
    metadata.language.push((job.build.language.to_string(), String::new()));
    metadata.to_wasm(&component).map_err(|error| Unfit::new(format!("its language cannot be written into it: {error}")))
}

/// Writes the world into a core module whose bindings did not do so.
fn embed(module: &[u8], job: &Job) -> Result<Vec<u8>, Unfit> {
    let mut module = module.to_vec();
    let Some(name) = &job.build.world else { return Ok(module) };
    let wrong = |error: String| Unfit::new(format!("the world `{name}` cannot be used: {}", error.replace('\n', " ")));
    let mut resolve = Resolve::default();
    let pushed = resolve.push_path(wit_folder(job));
    let (package, _) = pushed.map_err(|error| wrong(resolve.render_error(&error)))?;
    let world = resolve.select_world(&[package], Some(name)).map_err(|error| wrong(format!("{error:#}")))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| wrong(format!("{error:#}")))?;
    Ok(module)
}

/// The folder of WIT.
pub(super) fn wit_folder(job: &Job) -> std::path::PathBuf {
    job.folder.join(job.build.wit())
}

/// A core module asks for WASI preview 1, which an adapter turns into what components ask for.
fn adapt(module: &[u8]) -> Result<Vec<u8>, Unfit> {
    let surface = wit::of_binary(module).map_err(|error| Unfit::new(error.message))?;
    let adapter = match surface.exports.own.functions.contains_key("_start") {
        true => adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        false => adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    };
    let wrong = |error: &dyn std::fmt::Display| {
        let text = format!("{error:#}");
        Unfit::new(format!("the core module cannot be made a component: {}", text.replace('\n', " ")))
    };
    let encoder = ComponentEncoder::default().module(module).map_err(|error| wrong(&error))?;
    let mut encoder =
        encoder.adapter(adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter).map_err(|error| wrong(&error))?;
    encoder.encode().map_err(|error| wrong(&error))
}

/// Whether a component offers everything that its world promises, in the form that it promises.
fn fits(component: &[u8], job: &Job, world: &str) -> Result<(), Unfit> {
    let declared = declared(job, world)?;
    let built = wit::of_binary(component).map_err(|error| Unfit::new(error.message))?;
    let details = lacks(&declared.surface, &built);
    if details.is_empty() {
        return Ok(());
    }
    let hint = Some("export what the world promises, or change `world` in the manifest".to_owned());
    Err(Unfit { message: format!("the component does not fit its world `{world}`"), details, hint })
}

/// A world as its WIT declares it.
pub(super) fn declared(job: &Job, world: &str) -> Result<World, Unfit> {
    let folder = wit_folder(job);
    let worlds = wit::of_path(&folder).map_err(|error| Unfit {
        message: format!("the WIT of the world `{world}` cannot be read: {error}"),
        details: error.place.into_iter().chain(error.excerpt).collect(),
        hint: None,
    })?;
    let names = || worlds.iter().filter_map(|world| world.name.clone()).collect::<Vec<_>>().join(", ");
    worlds.iter().find(|declared| declared.name.as_deref() == Some(world)).cloned().ok_or_else(|| Unfit {
        hint: Some(format!("its worlds are: {}", names())),
        ..Unfit::new(format!("{} has no world `{world}`", folder.display()))
    })
}

/// What a world exports and a component does not, or in another form.
fn lacks(world: &Surface, component: &Surface) -> Vec<String> {
    let mut details: Vec<String> = missing("", &wit::compare(&world.exports.own, &component.exports.own));
    for (name, promised) in &world.exports.interfaces {
        let found = component.exports.interfaces.iter().find(|(found, _)| found.name == name.name);
        match found.filter(|(found, _)| found.track() == name.track()) {
            Some((_, offered)) => {
                details.extend(missing(&format!("{name}: "), &wit::compare(promised, offered)));
            }
            None => details.push(match found {
                Some((other, _)) => format!("it exports {other}, and the world has {name}"),
                None => format!("it does not export {name}"),
            }),
        }
    }
    details
}

fn missing(place: &str, differences: &[Difference]) -> Vec<String> {
    let functions = differences.iter().filter(|difference| difference.left.is_some());
    functions
        .map(|difference| {
            let (name, promised) = (&difference.name, difference.left.as_deref().unwrap_or_default());
            match &difference.right {
                Some(offered) => format!("{place}`{name}` is {offered}, and the world has {promised}"),
                None => format!("{place}`{name}` is not there, and the world has {promised}"),
            }
        })
        .collect()
}
