//! `coracle doctor`: which toolchains are on this machine.

use clap::Args;
use coracle_package::manifest::Language;
use coracle_toolchain::tool::{Need, Tool};
use serde_json::json;

use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::output;

/// Says which languages can be built here, by which tools, and what installs those that are missing
///
/// Exit codes: 0 every language that is named can be built, or at least one where none is named; 1 not so.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle doctor
  coracle doctor rust python")]
pub(crate) struct Arguments {
    /// Only these languages
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(Language::ALL.map(Language::key)))]
    language: Vec<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Looks, and prints.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    let need = Need::new(environment.lookup());
    let asked = |language: &Language| {
        arguments.language.is_empty() || arguments.language.iter().any(|name| name == language.key())
    };
    let mut text = String::new();
    let mut described = serde_json::Map::new();
    let mut ready = Vec::new();
    for language in Language::ALL.into_iter().filter(asked) {
        let mut tools = Vec::new();
        let mut complete = true;
        text.push_str(&format!("{language}\n"));
        for tool in Tool::of(language) {
            let (version, path, install) = match need.find(*tool) {
                Ok(found) => (found.version, Some(found.program.path.display().to_string()), None),
                Err(error) => {
                    complete = false;
                    (error.to_string(), None, Some(tool.install()))
                }
            };
            match &install {
                None => text.push_str(&format!(
                    "  ok       {:<22}  {}\n",
                    tool.name(),
                    if version.is_empty() { "it is there" } else { &version }
                )),
                Some(install) => {
                    text.push_str(&format!("  missing  {:<22}  {version}\n           {install}\n", tool.name()));
                }
            }
            tools.push(json!({ "tool": tool.name(), "says": version, "path": path, "install": install }));
        }
        ready.push(complete);
        described.insert(language.key().to_owned(), json!({ "ready": complete, "tools": tools }));
    }
    if arguments.json {
        output::print(format_args!("{:#}\n", serde_json::Value::Object(described)))?;
    } else {
        output::print(text)?;
    }
    let good = if arguments.language.is_empty() { ready.contains(&true) } else { !ready.contains(&false) };
    Ok(if good { Exit::Success } else { Exit::Unmet })
}
