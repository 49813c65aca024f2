//! `coracle test`: an app's cases.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use clap::Args;
use coracle_toolchain::test::{self, Config, Outcome, TestError};

use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::output;
use crate::target::manifest_failure;

/// Tests an app by its cases: requests, runs of commands, calls of functions
///
/// Cases are `tests/*.toml` beside the manifest and beside each component's file. The app is started for them, as `serve`
/// starts it, with the grants and limits of its manifest. A case is a `[request]` with the answer to expect, a `[run]` of a
/// command, or a `[call]` of a function. No case is a failure too.
///
/// Exit codes: 0 every case passed; 1 a case failed, or there is none; 2 the command line is wrong; 65 the manifest or a
/// case is wrong.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle test
  coracle test shop/ quote
  coracle test --junit report.xml shop/

A case:
  [request]
  method = \"POST\"
  path = \"/quote\"
  body = '{ \"sku\": \"pear\" }'

  [expect]
  status = 200
  json = { price = 42 }")]
pub(crate) struct Arguments {
    /// The app's folder, its `coracle.toml`, or a component with `tests/` beside it
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Only cases whose name has one of these in it
    filter: Vec<String>,
    /// Writes a report for continuous integration, in the form of JUnit
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Runs the cases.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    if !arguments.path.exists() {
        return Err(Failure::bad_data("there is no such file or folder").at(arguments.path.display()));
    }
    let config = Config {
        program: environment.program()?,
        path: arguments.path.clone(),
        filters: arguments.filter.clone(),
        junit: arguments.junit.clone(),
    };
    let began = Instant::now();
    let mut printed = Ok(());
    let outcomes = test::run(&config, |outcome| {
        if printed.is_ok() {
            printed = show(outcome);
        }
    });
    printed?;
    let outcomes = outcomes.map_err(|error| failure(&error, arguments))?;
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let passed = outcomes.len() - failed;
    output::print(format_args!("{passed} passed, {failed} failed in {}\n", seconds(began.elapsed())))?;
    Ok(if failed == 0 { Exit::Success } else { Exit::Unmet })
}

fn show(outcome: &Outcome) -> Result<(), Failure> {
    let Outcome { name, failure, took } = outcome;
    match failure {
        None => output::print(format_args!("{GOOD}ok{GOOD:#}      {name} ({})\n", seconds(*took))),
        Some(why) => output::print(format_args!("{BAD}failed{BAD:#}  {name}: {}\n", output::visible(why))),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn failure(error: &TestError, arguments: &Arguments) -> Failure {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    match error {
        TestError::Manifest(faults) => manifest_failure(faults),
        TestError::Cases(faults) => {
            let faults = faults.iter().flat_map(|faults| manifest_failure(faults).faults).collect();
            Failure { exit: Exit::BadData, faults }
        }
        TestError::NoCases { folders, filtered } => {
            let failure = Failure::new(Exit::Unmet, error).at(arguments.path.display());
            let failure = folders
                .iter()
                .fold(failure, |failure, folder| failure.detail(format_args!("looked in {}", folder.display())));
            if *filtered { failure } else { failure.hint("`coracle test --help` shows a case") }
        }
        TestError::Start { said } => {
            said.iter().fold(Failure::bad_data(error).at(arguments.path.display()), Failure::detail)
        }
        TestError::Folder { .. } | TestError::Report { .. } | TestError::Program(_) | TestError::NoOutput => {
            Failure::internal(format!("{error}{cause}"))
        }
    }
}
