//! `coracle diff`: what changed from one version to the next.

use std::path::{Path, PathBuf};

use clap::Args;
use coracle_package::diff::{Change, Diff, Subject};
use coracle_package::wit::{World, of_binary, of_path};
use serde_json::{Value, json};

use crate::error::{Exit, Failure};
use crate::output;
use crate::target::{Target, wit_failure};

/// Says what changed from one version to the next, and whether it breaks callers or wants more
///
/// OLD and NEW are components, core modules, or WIT: a `.wit` file, or a folder of them. What changed is what they want
/// to touch, their interface and their size. Each change of the interface is
/// `compatible`, `additive` (there is more to call), `wants more` (somebody has to grant or provide it) or `breaking`
/// (callers of OLD fail). Types are compared as the component model does: a record with one more field is another record.
///
/// Exit codes: 0 NEW can take the place of OLD; 1 NEW wants more than OLD, or breaks its callers; 2 the command line is
/// wrong; 65 OLD or NEW is wrong.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle diff released.wasm built.wasm
  coracle diff wit/ new/wit/
  coracle diff --json released.wasm built.wasm | jq .effect")]
pub(crate) struct Arguments {
    /// What is in use
    old: PathBuf,
    /// What is to take its place
    new: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Compares, and says so by the exit code.
pub(crate) fn execute(arguments: &Arguments) -> Result<Exit, Failure> {
    let diff = Diff::new(&subject(&arguments.old)?, &subject(&arguments.new)?);
    if arguments.json {
        output::print(format_args!("{:#}\n", describe(&diff)))?;
    } else {
        output::print(format_args!("{diff}\n"))?;
    }
    Ok(if diff.effect().is_refused() { Exit::Unmet } else { Exit::Success })
}

fn subject(path: &Path) -> Result<Subject, Failure> {
    if !path.exists() {
        return Err(Failure::bad_data("there is no such file").at(path.display()));
    }
    if path.is_dir() || path.extension().is_some_and(|extension| extension == "wit") {
        return of_path(path).map(Subject::of_worlds).map_err(|error| wit_failure(&error, path));
    }
    let Target { bytes, inspection } = Target::read(path)?;
    let surface = of_binary(&bytes).map_err(|error| wit_failure(&error, path))?;
    Ok(Subject {
        capabilities: inspection.capabilities,
        worlds: vec![World { name: None, surface }],
        size: Some(inspection.size),
    })
}

fn describe(diff: &Diff) -> Value {
    let names = |capabilities: &[coracle_package::inspect::Capability]| -> Vec<String> {
        capabilities.iter().map(ToString::to_string).collect()
    };
    let change = |change: &Change| {
        json!({
            "effect": change.effect.to_string(),
            "place": change.place,
            "what": change.what,
            "details": change.details,
        })
    };
    json!({
        "effect": diff.effect().to_string(),
        "accepted": !diff.effect().is_refused(),
        "capabilities": { "gained": names(&diff.gained), "lost": names(&diff.lost) },
        "interface": diff.changes.iter().map(change).collect::<Vec<_>>(),
        "versions": diff.versions,
        "bytes": diff.sizes.map(|(old, new)| json!({ "old": old, "new": new })),
    })
}
