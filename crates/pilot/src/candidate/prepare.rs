//! From what a plan says of a candidate to something that can be run, with what can be said of it before.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use coracle_package::inspect::{self, World};

use super::{Deployment, Process, Trouble};
use crate::measure::Tools;
use crate::plan::{Candidate, Kind, Plan, Program};
use crate::record::{Calls, Guest};
use crate::simd;

/// A candidate that can be run.
pub(crate) struct Ready {
    pub(crate) run: Run,
    /// How it is started, as it would be typed in the plan's folder.
    pub(crate) shown: String,
    /// What is deployed.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) guest: Option<Guest>,
}

/// How a candidate is run.
pub(crate) enum Run {
    /// A process for each call.
    Process(Process),
    /// A server.
    Server(Deployment),
}

impl Run {
    pub(crate) fn calls(&self) -> Calls {
        match self {
            Self::Process(_) => Calls::Processes,
            Self::Server(_) => Calls::Requests,
        }
    }
}

/// Prepares a candidate.
pub(crate) fn prepare(plan: &Plan, candidate: &Candidate, tools: &Tools) -> Result<Ready, Trouble> {
    let files = |found: Vec<PathBuf>| match candidate.files.is_empty() {
        true => found,
        false => candidate.files.iter().map(|path| plan.resolve(path)).collect(),
    };
    match &candidate.kind {
        Kind::Command(program) => {
            let process = process(plan, program)?;
            let shown = program.argv.join(" ");
            Ok(Ready {
                shown,
                files: files(named_files(plan, program, tools)),
                run: Run::Process(process),
                guest: None,
            })
        }
        Kind::Server(program) => {
            let process = process(plan, program)?;
            let shown = program.argv.join(" ");
            let run = Run::Server(Deployment::Program(process));
            Ok(Ready { shown, files: files(named_files(plan, program, tools)), run, guest: None })
        }
        Kind::Component { source, arguments, flags, reuse } => {
            let name = source.display().to_string();
            let source = absolute(&plan.resolve(source))?;
            let (guest, http) = look(&source)?;
            let environment = BTreeMap::from([("CORACLE_CACHE".into(), tools.cache.clone().into())]);
            let coracle = |words: Vec<OsString>| {
                let argv = std::iter::once(tools.coracle.clone().into()).chain(words).collect();
                Process { argv, environment, directory: plan.directory.clone() }
            };
            let shown = match http {
                true => format!("coracle serve {name}"),
                false => {
                    let rest =
                        if arguments.is_empty() { Vec::new() } else { [&["--".to_owned()], &arguments[..]].concat() };
                    [&["coracle run".to_owned()], &flags[..], &[name], &rest].concat().join(" ")
                }
            };
            let run = if http {
                let serve = ["serve", "--log", "error", "--addr", "127.0.0.1:{port}"].map(Into::into).to_vec();
                Run::Server(Deployment::Component { serve: coracle(serve), source: source.clone(), reuse: *reuse })
            } else {
                let mut words: Vec<OsString> = vec!["run".into()];
                words.extend(flags.iter().map(Into::into));
                words.extend([source.clone().into(), "--".into()]);
                words.extend(arguments.iter().map(Into::into));
                Run::Process(coracle(words))
            };
            Ok(Ready { run, shown, files: files(vec![source]), guest: Some(guest) })
        }
    }
}

fn process(plan: &Plan, program: &Program) -> Result<Process, Trouble> {
    let mut argv: Vec<OsString> = program.argv.iter().map(Into::into).collect();
    // A path with a folder in it starts from the plan's folder, as it does in a shell there.
    if let Some(first) = program.argv.first().filter(|word| word.contains('/')) {
        argv[0] = absolute(&plan.resolve(Path::new(first)))?.into();
    }
    let environment = program.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Ok(Process { argv, environment, directory: plan.directory.clone() })
}

fn absolute(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).map_err(|error| format!("cannot find {}: {error}", path.display()).into())
}

/// The files of this machine that a command line names: its program, and arguments that are files of the plan's folder.
fn named_files(plan: &Plan, program: &Program, tools: &Tools) -> Vec<PathBuf> {
    let mut words = program.argv.iter();
    let first = words.next().into_iter().filter_map(|word| find(plan, word, tools));
    let others = words.map(|word| plan.resolve(Path::new(word))).filter(|path| path.is_file());
    first.chain(others).collect()
}

/// A program, as the system would find it.
fn find(plan: &Plan, program: &str, tools: &Tools) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(plan.resolve(Path::new(program))).filter(|path| path.is_file());
    }
    std::env::split_paths(&tools.search_path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// What a component's bytes say, and whether it answers HTTP.
fn look(source: &Path) -> Result<(Guest, bool), Trouble> {
    let bytes = std::fs::read(source).map_err(|error| format!("cannot read {}: {error}", source.display()))?;
    let failed = |error: inspect::InspectError| Trouble::Failed(error.message, error.hint.into_iter().collect());
    let bytes = inspect::binary(&bytes).map_err(failed)?;
    let inspection = inspect::inspect(&bytes).map_err(failed)?;
    if inspection.world == World::Library {
        let hint = "a pilot runs commands and HTTP functions; give the function a wasi:cli or wasi:http export";
        return Err(Trouble::Failed("this component only exports functions".to_owned(), vec![hint.to_owned()]));
    }
    let (simd, wide) = simd::features(&bytes);
    let http = matches!(inspection.world, World::Http(_));
    Ok((Guest { language: inspection.language, simd, wide }, http))
}
