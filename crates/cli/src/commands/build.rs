//! `coracle build`: components from their source.

use std::path::PathBuf;

use clap::Args;
use coracle_toolchain::build::{self, BuildError, Built, Config, ConfigError, Size};

use super::wit;
use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::output;
use crate::progress::readable;
use crate::snapshot;
use crate::target::manifest_failure;

/// Builds an app's components from their source, by the tools of their languages
///
/// Each component with a [build] in the manifest is built unless nothing has changed, several at one time. Core modules are
/// made components; what was built is validated, and held against its world. WIT packages that the manifest names in [wit]
/// are fetched before, as by `coracle wit fetch`.
///
/// Exit codes: 0 every component is built; 1 one was not; 2 the command line is wrong; 65 the manifest or a WIT package is
/// wrong; 125 a registry does not answer.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle build
  coracle build shop/ pricing
  coracle build --force
  coracle build --locked --offline")]
pub(crate) struct Arguments {
    /// The app's folder, or its `coracle.toml`
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Only these components
    component: Vec<String>,
    /// Builds again although nothing changed
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    access: wit::AccessFlags,
}

/// Builds, and prints the table.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    let config = Config {
        path: arguments.path.clone(),
        names: arguments.component.clone(),
        force: arguments.force,
        environment: environment.lookup(),
        snapshot: snapshot::taker(),
        wit: arguments.access.resolve(environment),
    };
    let built = build::run(&config).map_err(|error| config_failure(&error))?;
    built.iter().for_each(tell);
    let row = |cells: [&str; 5]| {
        let [name, language, before, after, took] = cells;
        format!("{name:<24}  {language:<10}  {before:>8}  {after:>9}  {took:>7}\n")
    };
    let mut table = row(["component", "language", "built", "component", "time"]);
    for Built { name, language, result, took, .. } in &built {
        let seconds = format!("{:.1} s", took.as_secs_f64());
        let (before, after) = match result {
            Ok(Size { before, after }) => (before.map_or_else(|| "as it was".to_owned(), readable), readable(*after)),
            Err(_) => ("failed".to_owned(), String::new()),
        };
        table.push_str(&row([name, &language.to_string(), &before, &after, &seconds]));
    }
    output::print(table)?;
    Ok(if built.iter().all(|built| built.result.is_ok()) { Exit::Success } else { Exit::Unmet })
}

/// Tells why a component was not built.
pub(crate) fn tell(built: &Built) {
    let Err(error) = &built.result else { return };
    let failure = Failure::bad_data(error).at(format_args!("component `{}`", built.name));
    match error {
        BuildError::Tool(error) => failure.hint(error.tool().install()),
        BuildError::Failed { said, .. } => said.iter().fold(failure, Failure::detail),
        BuildError::Nothing { hint, .. } => failure.hint(hint),
        BuildError::Unfit(unfit) => {
            let failure = unfit.details.iter().fold(failure, Failure::detail);
            unfit.hint.iter().fold(failure, Failure::hint)
        }
        BuildError::Io { .. } => failure,
    }
    .report();
}

pub(crate) fn config_failure(error: &ConfigError) -> Failure {
    match error {
        ConfigError::Manifest(faults) => manifest_failure(faults),
        ConfigError::Wit(error) => wit::failure(error),
        ConfigError::Read { .. } => Failure::bad_data(error).hint("an app's folder holds a `coracle.toml`"),
        ConfigError::Unknown { known, .. } => {
            Failure::usage(error).hint(format_args!("those that there are: {}", known.join(", ")))
        }
        ConfigError::Bindings { .. } => {
            Failure::bad_data(error).hint("give each a folder of its own: `bindings` in the component's build")
        }
        ConfigError::NothingToBuild => Failure::bad_data(error)
            .hint("say it under the component: build = { language = \"rust\" }; the reference lists the keys"),
    }
}
