//! `coracle test`: cases against the app, as its users run it.

mod arguments;
pub mod case;
mod check;
mod find;
mod junit;
mod program;
mod request;

use std::io;
use std::path::{Path, PathBuf};
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
            let mut arguments = target(config, manifest, run.component.as_deref())?;
            arguments.flags.push(arguments.file);
            arguments.flags.push("--".to_owned());
            arguments.flags.extend(run.arguments.iter().cloned());
            let came = program::run(&config.program, &arguments.folder, &arguments.flags, run.stdin.as_deref()).await?;
            check::ended(expect, &came)
        }
        Step::Call(call, expect) => {
            let mut arguments = target(config, manifest, call.component.as_deref())?;
            let call = format!("{}({})", call.function, call.arguments);
            arguments.flags.extend(["--invoke".to_owned(), call, arguments.file]);
            let came = program::run(&config.program, &arguments.folder, &arguments.flags, None).await?;
            check::returned(expect, &came)
        }
    }
}

/// A component that is run on its own, with what it is granted.
struct Target {
    flags: Vec<String>,
    file: String,
    /// The folder that relative paths of grants start from.
    folder: PathBuf,
}

fn target(config: &Config, manifest: Option<&Manifest>, component: Option<&str>) -> Result<Target, String> {
    let text =
        |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is no UTF-8 text", path.display()));
    let Some(manifest) = manifest else {
        let file = config.path.file_name().map(Path::new).unwrap_or(&config.path);
        let folder = config.path.parent().unwrap_or(Path::new("")).to_owned();
        return Ok(Target { flags: Vec::new(), file: text(file)?, folder });
    };
    let names = || manifest.components.keys().cloned().collect::<Vec<_>>().join(", ");
    let component = match (component, manifest.components.len()) {
        (Some(name), _) => manifest
            .components
            .get(name)
            .ok_or_else(|| format!("the app has no component `{name}`; it has {}", names()))?,
        (None, 1) => manifest.components.values().next().ok_or("the app has no component")?,
        (None, _) => return Err(format!("the app has several components: say which, component = one of {}", names())),
    };
    let flags = arguments::of(manifest, component)?;
    Ok(Target { flags, file: text(&component.source)?, folder: manifest.directory.clone() })
}
