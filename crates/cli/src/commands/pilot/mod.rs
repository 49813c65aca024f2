//! `coracle pilot`: one function measured as it runs today and as its port, and what follows.

#[cfg(target_os = "linux")]
mod progress;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use coracle_package::fault::Faults as FileFaults;
use coracle_package::unit::parse_duration;
use coracle_pilot::compare::{self, Outcome};
use coracle_pilot::plan::{self, Plan};
use coracle_pilot::record::{self, Ended, Measurements};
use coracle_pilot::report::{FORMAT, Report};
use serde::de::DeserializeOwned;

use crate::environment::Environment;
use crate::error::{Exit, Failure, Fault};
use crate::grants::Faults;
use crate::output;

/// The folder beside the plan that a run writes to when nothing is said.
const FOLDER: &str = "report";
/// How much worse a figure may be, in per cent, before `compare` says so.
const ALLOWED: &str = "10";

/// Measures a function as it runs today beside its port, and says whether to port it
///
/// A plan, `pilot.toml`, names candidates (commands, HTTP servers, components) and inputs. Answers are checked first; then every
/// candidate is measured in pairs, in random order, until differences stand out from the noise of the machine, which is
/// measured too.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle pilot init thumbnails
  coracle pilot run thumbnails
  coracle pilot report thumbnails/report
  coracle pilot compare main/report.json branch/report.json --allow 5")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Writes a `pilot.toml` to start from
    Init {
        /// The folder
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Measures, writes `measurements.json` and the reports, and prints the verdicts
    ///
    /// Ctrl-C ends it soon and keeps what was measured. Linux only: figures are from its accounts.
    Run(RunArguments),
    /// Writes `report.html`, `report.json` and `report.md` from the measurements of a run, and prints the verdicts
    Report {
        /// The folder with `measurements.json`
        #[arg(default_value = FOLDER)]
        folder: PathBuf,
        /// Prints the report as Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Says whether a candidate got worse from one report to another
    ///
    /// A figure is worse when its interval lies beyond the other and it is farther off than --allow and than the noise of both
    /// machines. Exit codes: 0 nothing is worse; 1 something is; 3 it cannot be told.
    Compare {
        /// The `report.json` of before
        before: PathBuf,
        /// The `report.json` of after
        after: PathBuf,
        /// How much worse a figure may be, in per cent
        #[arg(long, value_name = "PERCENT", default_value = ALLOWED)]
        allow: f64,
    },
}

/// What is measured.
#[derive(Args)]
struct RunArguments {
    /// The plan, or its folder
    #[arg(default_value = ".")]
    plan: PathBuf,
    /// Where to write [default: `report` beside the plan]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Rounds, in place of what the plan says
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// The time a run may take, in place of what the plan says
    #[arg(long, value_name = "DURATION")]
    time: Option<String>,
    /// The seed of the random order, to repeat that of another run
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Does what the arguments say.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Init { folder } => init(folder),
        Action::Run(arguments) => run(arguments, environment),
        Action::Report { folder, markdown } => {
            let run: Measurements =
                read(&folder.join(record::FILE_NAME), record::FORMAT, "`coracle pilot run` writes it")?;
            let report = write_reports(folder, &run)?;
            output::print(if *markdown { report.markdown() } else { report.summary() })?;
            Ok(Exit::Success)
        }
        Action::Compare { before, after, allow } => compare(before, after, *allow),
    }
}

fn init(folder: &Path) -> Result<Exit, Failure> {
    let file = folder.join(plan::FILE_NAME);
    let unwritable = |error: std::io::Error| Failure::internal(format!("cannot write: {error}")).at(file.display());
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
    match made.and_then(|mut made| std::io::Write::write_all(&mut made, plan::TEMPLATE.as_bytes())) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::usage("there is a plan already")
                .at(file.display())
                .hint("remove it first, or name another folder"));
        }
        Err(error) => return Err(unwritable(error)),
    }
    output::print(format_args!(
        "wrote {}; describe your candidates and inputs there, then: coracle pilot run {}\n",
        file.display(),
        folder.display()
    ))?;
    Ok(Exit::Success)
}

fn run(arguments: &RunArguments, environment: &Environment) -> Result<Exit, Failure> {
    let mut faults = Faults::default();
    let time = arguments.time.as_deref().and_then(|text| faults.keep("--time", parse_duration(text)));
    faults.into_result()?;
    let mut plan = Plan::load(&arguments.plan).map_err(|faults| wrong_plan(&faults))?;
    plan.length.rounds = arguments.rounds.unwrap_or(plan.length.rounds);
    plan.length.time = time.unwrap_or(plan.length.time);
    let folder = arguments.out.clone().unwrap_or_else(|| plan.directory.join(FOLDER));
    // Before minutes are spent on what could not be written.
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::internal(format!("cannot make the folder: {error}")).at(folder.display()))?;
    let run = measure(&plan, arguments.seed, environment)?;
    write(&folder.join(record::FILE_NAME), &json(&run)?)?;
    let report = write_reports(&folder, &run)?;
    output::print(format_args!("{}\nwrote {}\n", report.summary(), folder.join("report.html").display()))?;
    Ok(match run.ended {
        Ended::Interrupted => Exit::Interrupted,
        Ended::Complete | Ended::OutOfTime | Ended::Failed => Exit::Success,
    })
}

#[cfg(target_os = "linux")]
fn measure(plan: &Plan, seed: u64, environment: &Environment) -> Result<Measurements, Failure> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use coracle_pilot::measure::{self, Tools};

    let internal = |what: &str, error: std::io::Error| Failure::internal(format!("{what}: {error}"));
    let cache = tempfile::tempdir().map_err(|error| internal("cannot make a folder for compiled code", error))?;
    let build = if cfg!(debug_assertions) { "a development build: slower than what ships" } else { "a release build" };
    let tools = Tools {
        coracle: std::env::current_exe().map_err(|error| internal("cannot find this program", error))?,
        version: format!("{}, {build}", env!("CARGO_PKG_VERSION")),
        // Made by the first that needs it, closed to other users as a cache has to be.
        cache: cache.path().join("code"),
        search_path: environment.get("PATH").cloned().unwrap_or_default(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| internal("cannot start the event loop", error))?;
    runtime.spawn({
        let stop = Arc::clone(&stop);
        async move {
            match tokio::signal::ctrl_c().await {
                Ok(()) => stop.store(true, Ordering::Relaxed),
                // The system then ends the process, as it would without us.
                Err(error) => tracing::debug!(%error, "Ctrl-C cannot be waited for"),
            }
        }
    });
    measure::run(plan, seed, &tools, &progress::Line::default(), &stop).map_err(|error| {
        let mut failure = Failure::bad_data(&error.what);
        for detail in &error.details {
            failure = failure.detail(detail);
        }
        match &error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

#[cfg(not(target_os = "linux"))]
fn measure(_: &Plan, _: u64, _: &Environment) -> Result<Measurements, Failure> {
    Err(Failure::internal("a pilot is measured on Linux: its figures are from that kernel's accounts")
        .hint("run it there; `coracle pilot report` and `compare` work everywhere"))
}

fn wrong_plan(faults: &FileFaults) -> Failure {
    let fault = |fault: &coracle_package::fault::Fault| {
        let file = faults.file.display();
        let place = if fault.line > 0 { format!("{file}:{}:{}", fault.line, fault.column) } else { file.to_string() };
        Fault {
            what: fault.message.clone(),
            place: Some(place),
            details: Vec::new(),
            hints: fault.hint.iter().cloned().collect(),
        }
    };
    Failure { exit: Exit::BadData, faults: faults.faults.iter().map(fault).collect() }
}

fn write_reports(folder: &Path, run: &Measurements) -> Result<Report, Failure> {
    let report = Report::of(run);
    write(&folder.join("report.json"), &json(&report)?)?;
    write(&folder.join("report.md"), report.markdown().as_bytes())?;
    write(&folder.join("report.html"), report.html(run).as_bytes())?;
    Ok(report)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::internal(format!("cannot write JSON: {error}")))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::internal(format!("cannot write: {error}")).at(path.display()))
}

/// Reads a file that `coracle pilot` wrote.
fn read<T: DeserializeOwned>(path: &Path, format: u32, hint: &str) -> Result<T, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::bad_data(format!("cannot read it: {error}")).at(path.display()).hint(hint))?;
    let wrong = |error: serde_json::Error| {
        Failure::bad_data(format!("it is not what `coracle pilot` writes: {error}")).at(path.display()).hint(hint)
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(wrong)?;
    let found = value.get("format").and_then(serde_json::Value::as_u64);
    if let Some(found) = found.filter(|found| *found != u64::from(format)) {
        let what = format!("it has the form {found}, and this version of coracle knows {format}");
        return Err(Failure::bad_data(what).at(path.display()).hint("run the pilot again"));
    }
    serde_json::from_value(value).map_err(wrong)
}

fn compare(before: &Path, after: &Path, allow: f64) -> Result<Exit, Failure> {
    if !(allow.is_finite() && allow >= 0.0) {
        return Err(Failure::usage("what may be worse is a number of per cent from 0 on").at("--allow"));
    }
    let hint = "`coracle pilot report` writes it";
    let (before, after): (Report, Report) = (read(before, FORMAT, hint)?, read(after, FORMAT, hint)?);
    let compared = compare::compare(&before, &after, allow / 100.0);
    let (word, exit) = match compared.outcome {
        Outcome::NoWorse => ("nothing got worse", Exit::Success),
        Outcome::Worse => ("something got worse", Exit::Guest(1)),
        Outcome::Unknown => ("it cannot be told", Exit::Guest(3)),
    };
    let lines: String = compared.lines.iter().map(|line| format!("  {line}\n")).collect();
    output::print(format_args!("{word}\n{lines}"))?;
    Ok(exit)
}
