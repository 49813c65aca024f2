//! `coracle inspect`: what a component is and what it wants, without running it.

mod describe;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use coracle_package::compose::{members, united_grants};
use coracle_package::grant::Grants;
use coracle_package::inspect::Kind;
use coracle_package::manifest::Manifest;
use coracle_package::wit::{Surface, of_binary, text_of};
use serde_json::json;

use crate::error::{Exit, Failure};
use crate::output;
use crate::target::{self, Target, manifest_failure, wit_failure};

/// Says what a component is, what it exports and imports, and what it wants to touch
///
/// TARGET is a component, a core module or the text form of either. Of an app (a folder with a `coracle.toml`, or such a
/// file) each component is told, and what it wants is held against what its manifest grants. Nothing is compiled or run.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle inspect quote.wasm
  coracle inspect --wit quote.wasm > quote.wit
  coracle inspect shop/
  coracle inspect --json shop/ | jq '.components[].wants'")]
pub(crate) struct Arguments {
    /// The component, or the app's folder or `coracle.toml`
    target: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Prints the component's world and every interface that it needs, as WIT that parses
    #[arg(long, conflicts_with = "json")]
    wit: bool,
}

/// A component with what there is to say about it.
struct Seen {
    /// The file, as it was named.
    file: PathBuf,
    target: Target,
    /// What it asks for and offers, with types.
    surface: Surface,
    /// What its manifest grants; none where it stands alone.
    grants: Option<Grants>,
    /// How its manifest wires it; nothing where it stands alone.
    wired: Wired,
}

/// How a component is wired to others.
#[derive(Default)]
struct Wired {
    /// Which component provides which interface.
    imports: BTreeMap<String, String>,
    /// The parts that it is fused with, itself included; none where it stays apart.
    fused: Vec<String>,
}

impl Seen {
    fn read(file: &Path, grants: Option<Grants>, wired: Wired) -> Result<Self, Failure> {
        let target = Target::read(file)?;
        let surface = of_binary(&target.bytes).map_err(|error| wit_failure(&error, file))?;
        Ok(Self { file: file.to_owned(), target, surface, grants, wired })
    }
}

/// Reads and prints.
pub(crate) fn execute(arguments: &Arguments) -> Result<Exit, Failure> {
    if target::is_app(&arguments.target) {
        app(arguments)?;
    } else {
        let seen = Seen::read(&arguments.target, None, Wired::default())?;
        if arguments.wit {
            output::print(wit(&seen)?)?;
        } else if arguments.json {
            output::print(format_args!("{:#}\n", describe::component(&seen)))?;
        } else {
            output::print(show::component(&seen))?;
        }
    }
    Ok(Exit::Success)
}

fn wit(seen: &Seen) -> Result<String, Failure> {
    if seen.target.inspection.kind == Kind::Module {
        return Err(Failure::bad_data("it is a core module, and has no WIT")
            .at(seen.file.display())
            .hint("without --wit its imports and exports are shown"));
    }
    text_of(&seen.target.bytes).map_err(|error| wit_failure(&error, &seen.file))
}

fn app(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.wit {
        return Err(Failure::usage("an app has as many worlds as components")
            .at("--wit")
            .hint("name one component's own file"));
    }
    let manifest = Manifest::load(&arguments.target).map_err(|faults| manifest_failure(&faults))?;
    let mut components = Vec::new();
    for (name, component) in &manifest.components {
        let file = manifest.resolve(&component.source);
        let mut wired = Wired { imports: component.imports.clone(), fused: Vec::new() };
        let mut grants = component.grants.clone();
        if component.fuse {
            wired.fused = members(name, &manifest.components).into_iter().map(str::to_owned).collect();
            // What cannot be united has been refused with the manifest's faults.
            grants = united_grants(name, &manifest.components).unwrap_or(grants);
        }
        components.push((name, Seen::read(&file, Some(grants), wired)?));
    }
    if arguments.json {
        let described: serde_json::Map<_, _> =
            components.iter().map(|(name, seen)| ((*name).clone(), describe::component(seen))).collect();
        let app = json!({ "app": manifest.app.name, "version": manifest.app.version, "components": described });
        return output::print(format_args!("{app:#}\n"));
    }
    let version = manifest.app.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let mut text = format!("app {}{version}: {}\n", manifest.app.name, count(components.len()));
    for (name, seen) in &components {
        text.push_str(&format!("\n[{name}] {}", show::component(seen)));
    }
    output::print(text)
}

fn count(components: usize) -> String {
    if components == 1 { "1 component".to_owned() } else { format!("{components} components") }
}
