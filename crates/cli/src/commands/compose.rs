//! `coracle compose`: one component made of an app's wired ones.

use std::path::PathBuf;

use clap::Args;
use coracle_package::compose::{self, ComposeError};
use coracle_package::manifest::Manifest;

use crate::error::{Exit, Failure};
use crate::output;
use crate::progress::readable;
use crate::target::{self, manifest_failure, syntax_failure};

/// Makes one component of an app's wired components
///
/// The components are those that `imports` in the manifest wires together: COMPONENT and all that provides for it, directly
/// or by way of others. What comes of it exports what COMPONENT does, imports what none of them provides, and has one
/// authority: whatever it is granted, every part of it has. It runs wherever components run.
///
/// Exit codes: 0 it is written; 2 the command line is wrong; 65 the manifest is wrong, or components do not fit each other.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle compose shop/ -o shop.wasm
  coracle compose shop/ checkout -o checkout.wasm
  coracle inspect shop.wasm")]
pub(crate) struct Arguments {
    /// The app's folder, or its `coracle.toml`
    path: PathBuf,
    /// Which component to begin with [default: the only one that imports from others and provides for none]
    component: Option<String>,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Composes, writes, and says what it made.
pub(crate) fn execute(arguments: &Arguments) -> Result<Exit, Failure> {
    if !target::is_app(&arguments.path) {
        return Err(Failure::usage("it is no app: a component on its own is wired to nothing")
            .at(arguments.path.display())
            .hint("give the folder with the `coracle.toml` that wires components together"));
    }
    let manifest = Manifest::load(&arguments.path).map_err(|faults| manifest_failure(&faults))?;
    let place = arguments.path.display();
    let root = match &arguments.component {
        Some(name) => target::component(&manifest, Some(name), &arguments.path)?,
        None => compose::root(&manifest).map_err(|error| syntax_failure(error, &place))?,
    };
    let members = compose::members(root, &manifest.components);
    if members.len() < 2 {
        return Err(Failure::bad_data(format!(
            "`{root}` imports from no other component: there is nothing to compose"
        ))
        .at(place)
        .hint("its own file is what you want, or name another component"));
    }
    let bytes = compose::encode(&manifest, root).map_err(|error| failure(&error).at(&place))?;
    std::fs::write(&arguments.output, &bytes)
        .map_err(|error| Failure::internal(format!("cannot write: {error}")).at(arguments.output.display()))?;
    let parts = members.join(", ");
    let size = readable(bytes.len() as u64);
    output::print(format_args!(
        "{}: {} components as one ({parts}), {size}\n\
         it has one authority: whatever it is granted, every part of it has\n",
        arguments.output.display(),
        members.len(),
    ))?;
    Ok(Exit::Success)
}

fn failure(error: &ComposeError) -> Failure {
    let failure = error.details().iter().fold(Failure::bad_data(error), Failure::detail);
    error.hint().into_iter().fold(failure, Failure::hint)
}
