//! `coracle test`: cases against the app, as its users run it.

pub mod case;
mod check;
mod find;
mod junit;
mod program;
mod request;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use coracle_package::fault::Faults;
use coracle_package::manifest::Manifest;

use self::case::{Case, Step};
use self::program::Server;

/// What is tested, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The `coracle` program that serves and runs.
    pub program: PathBuf,
    /// The app's folder, its manifest, or a component.
    pub path: PathBuf,
    /// Only cases whose name has one of these in it; all where there is none.
    pub filters: Vec<String>,
    /// Where to write a report for continuous integration, in the form of JUnit.
    pub junit: Option<PathBuf>,
}

/// What came of one case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub name: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Why no case could be run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The manifest has faults.
    #[error(transparent)]
    Manifest(Faults),
    /// Cases have faults; all of them are here.
    #[error("{} cases have faults", .0.len())]
    Cases(Vec<Faults>),
    /// There is nothing to test. That is a failure: it would pass for ever.
    #[error("{}", if *filtered { "no case has such a name" } else { "there is no case to test" })]
    NoCases {
        /// Where they were looked for.
        folders: Vec<PathBuf>,
        /// Whether there may be some of other names.
        filtered: bool,
    },
    /// A folder cannot be read.
    #[error("{} cannot be read", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The app did not start.
    #[error("the app does not start")]
    Start {
        /// What it said.
        said: Vec<String>,
    },
    /// The program that runs it did not start.
    #[error("Coracle cannot start itself")]
    Program(#[source] io::Error),
    /// The program that runs it has no output.
    #[error("what Coracle logs cannot be read")]
    NoOutput,
    /// The report cannot be written.
    #[error("{} cannot be written", path.display())]
    Report {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Runs every case, in the order of their names, and tells of each when it is done. HTTP cases are answered by one app
/// that is started for them: what it keeps in memory is empty at first.
///
/// # Errors
/// Nothing could be tested. A case that fails is no error but an [`Outcome`].
pub fn run(config: &Config, mut tell: impl FnMut(&Outcome)) -> Result<Vec<Outcome>, TestError> {
    let app = config.path.is_dir() || config.path.extension().is_some_and(|extension| extension == "toml");
    let manifest = app.then(|| Manifest::load(&config.path)).transpose().map_err(TestError::Manifest)?;
    let cases = find::cases(&config.path, manifest.as_ref(), &config.filters)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TestError::Program)?;
    let outcomes = runtime.block_on(async {
        let serves = cases.iter().any(|case| matches!(case.step, Step::Http(..)));
        let server = match serves {
            true => Some(Server::start(&config.program, &config.path).await?),
            false => None,
        };
        let mut outcomes = Vec::new();
        for case in &cases {
            let began = Instant::now();
            let result = one(config, manifest.as_ref(), server.as_ref(), case).await;
            let outcome = Outcome { name: case.name.clone(), failure: result.err(), took: began.elapsed() };
            tell(&outcome);
            outcomes.push(outcome);
        }
        Ok(outcomes)
    })?;
    if let Some(path) = &config.junit {
        let written = junit::write(path, &outcomes);
        written.map_err(|source| TestError::Report { path: path.clone(), source })?;
    }
    Ok(outcomes)
}

async fn one(config: &Config, manifest: Option<&Manifest>, server: Option<&Server>, case: &Case) -> Result<(), String> {
    match &case.step {
        Step::Http(request, expect) => {
            let address = server.map(|server| server.address).ok_or("the app is not served")?;
            let answer = program::within(request::send(address, request, &case.folder)).await?;
            check::answer(expect, &answer, &case.folder)
        }
        Step::Run(run, expect) => {
            let mut arguments = vec![OsString::from("--")];
            arguments.extend(run.arguments.iter().map(OsString::from));
            let target = target(config, manifest, run.component.as_deref())?;
            let came = program::run(&config.program, target.chain(arguments), run.stdin.as_deref()).await?;
            check::ended(expect, &came)
        }
        Step::Call(call, expect) => {
            let arguments = ["--invoke".into(), format!("{}({})", call.function, call.arguments).into()];
            let target = target(config, manifest, call.component.as_deref())?;
            let came = program::run(&config.program, target.chain(arguments), None).await?;
            check::returned(expect, &came)
        }
    }
}

/// What is run, in the words of `coracle run`: a component of the app, with what its manifest grants it, or one on its own.
fn target(
    config: &Config,
    manifest: Option<&Manifest>,
    component: Option<&str>,
) -> Result<impl Iterator<Item = OsString>, String> {
    let component = match (manifest, component) {
        (Some(manifest), Some(name)) if !manifest.components.contains_key(name) => {
            return Err(format!("the app has no component `{name}`; it has {}", names(manifest)));
        }
        (Some(manifest), None) if manifest.components.len() != 1 => {
            return Err(format!("the app has several components: say which, component = one of {}", names(manifest)));
        }
        (Some(_), component) => component,
        (None, _) => None,
    };
    Ok([config.path.clone().into_os_string()].into_iter().chain(component.map(OsString::from)))
}

fn names(manifest: &Manifest) -> String {
    manifest.components.keys().cloned().collect::<Vec<_>>().join(", ")
}
