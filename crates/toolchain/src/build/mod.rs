//! `coracle build`: every component of an app from its source.

mod bindings;
mod component;
mod language;
mod sections;
mod snapshot;
mod stamp;
mod watch;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use coracle_package::fault::Faults;
use coracle_package::manifest::{Build, FILE_NAME, Language, Manifest};

use crate::tool::{Environment, Need, ToolError};
use crate::whole;
use crate::wit::{self, Access, FetchError, Task};
pub use bindings::is_generating;
pub use component::Unfit;
pub use snapshot::Snapshot;
pub use watch::{QUIET, Sources};

/// What is built, and how.
#[derive(Clone)]
pub struct Config {
    /// The app's folder, or its manifest.
    pub path: PathBuf,
    /// Only these components; all where there is none.
    pub names: Vec<String>,
    /// Builds again although nothing changed.
    pub force: bool,
    /// Where tools are looked for.
    pub environment: Environment,
    /// What takes snapshots.
    pub snapshot: Snapshot,
    /// Where WIT packages may come from.
    pub wit: Access,
}

/// What came of one component.
#[derive(Debug)]
pub struct Built {
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: Language,
    /// Its file, which is there if it was ever built.
    pub output: PathBuf,
    /// What came of it.
    pub result: Result<Size, BuildError>,
    /// How long it took.
    pub took: Duration,
}

/// A component that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// What the language's tool left, in bytes; none where nothing had changed and nothing was built.
    pub before: Option<u64>,
    /// The component's bytes.
    pub after: u64,
}

/// Why a component was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool is missing or too old.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A tool ended badly.
    #[error("`{command}` failed")]
    Failed {
        /// The command as one would type it.
        command: String,
        /// What it said.
        said: Vec<String>,
    },
    /// A tool ended well and left nothing.
    #[error("{what}")]
    Nothing {
        /// What is not there.
        what: String,
        /// What to do about it.
        hint: Cow<'static, str>,
    },
    /// What was built is no component, or not the one that it should be.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BuildError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The manifest has faults.
    #[error(transparent)]
    Manifest(Faults),
    /// There is no manifest.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A component that is asked for is not there, or not built here.
    #[error("there is no component `{name}` with a [build]")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The WIT packages that components are built against cannot be had.
    #[error(transparent)]
    Wit(#[from] FetchError),
    /// Two components want bindings of two worlds in one folder.
    #[error("`{one}` and `{other}` would write the bindings of two worlds into one folder, {}", folder.display())]
    Bindings {
        /// One of them.
        one: String,
        /// The other.
        other: String,
        /// The folder.
        folder: PathBuf,
    },
    /// No component says how it is built.
    #[error("no component of the app says how it is built")]
    NothingToBuild,
}

/// One component's build.
pub(crate) struct Job {
    name: String,
    build: Build,
    /// The folder of its source.
    folder: PathBuf,
    /// Where the component goes.
    output: PathBuf,
    /// Where what the build leaves behind goes.
    work: PathBuf,
}

/// The folder beside a manifest that keeps what builds leave behind.
pub const WORK: &str = ".coracle";

/// Builds what has changed, as many components at one time as there are processors.
///
/// # Errors
/// There is nothing to build. A build that fails is no error but a [`Built`].
pub fn run(config: &Config) -> Result<Vec<Built>, ConfigError> {
    let manifest = read(config)?;
    let jobs = jobs(&manifest)?;
    let wanted = wanted(&jobs, &config.names)?;
    wit::fetch(&manifest, &manifest_file(config), &Task::default(), &config.wit)?;
    // Before anything is built: components may share bindings, and those of one are sources of another in the same folder.
    let bindings = bindings::write(&wanted, &jobs);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(wanted.len());
    let queue = Mutex::new(wanted.into_iter().zip(bindings));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let need = Need::new(config.environment.clone());
    let all: Mutex<Vec<Built>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((job, bindings)) = next() {
                    let began = Instant::now();
                    let result = bindings.and_then(|bindings| one(job, &bindings, &need, config));
                    let (name, language) = (job.name.clone(), job.build.language);
                    let built = Built { name, language, output: job.output.clone(), result, took: began.elapsed() };
                    all.lock().unwrap_or_else(PoisonError::into_inner).push(built);
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn manifest_file(config: &Config) -> PathBuf {
    if config.path.is_dir() { config.path.join(FILE_NAME) } else { config.path.clone() }
}

fn read(config: &Config) -> Result<Manifest, ConfigError> {
    let file = manifest_file(config);
    let text = std::fs::read_to_string(&file).map_err(|source| ConfigError::Read { path: file.clone(), source })?;
    Manifest::parse(&text, &file).map_err(ConfigError::Manifest)
}

/// The builds of all components.
fn jobs(manifest: &Manifest) -> Result<Vec<Job>, ConfigError> {
    let mut jobs = Vec::new();
    for (name, component) in &manifest.components {
        let Some(build) = &component.build else { continue };
        jobs.push(Job {
            name: name.clone(),
            folder: manifest.resolve(&build.folder),
            output: manifest.resolve(&component.source),
            work: manifest.directory.join(WORK).join("build").join(name),
            build: build.clone(),
        });
    }
    if jobs.is_empty() {
        return Err(ConfigError::NothingToBuild);
    }
    if let Some((one, other)) = bindings::clash(&jobs) {
        let folder = other.folder.join(other.build.bindings.as_deref().unwrap_or(Path::new("")));
        return Err(ConfigError::Bindings { one: one.name.clone(), other: other.name.clone(), folder });
    }
    Ok(jobs)
}

/// Those of these names; all where there is none.
fn wanted<'a>(jobs: &'a [Job], names: &[String]) -> Result<Vec<&'a Job>, ConfigError> {
    if let Some(name) = names.iter().find(|name| !jobs.iter().any(|job| job.name == **name)) {
        let known = jobs.iter().map(|job| job.name.clone()).collect();
        return Err(ConfigError::Unknown { name: name.clone(), known });
    }
    Ok(jobs.iter().filter(|job| names.is_empty() || names.contains(&job.name)).collect())
}

fn one(job: &Job, bindings: &[PathBuf], need: &Need, config: &Config) -> Result<Size, BuildError> {
    let stamp = stamp::Stamp::of(job)?;
    if !config.force && stamp.is_current() {
        let after = std::fs::metadata(&job.output).map_err(BuildError::io(&job.output))?.len();
        return Ok(Size { before: None, after });
    }
    stamp.remove()?;
    std::fs::create_dir_all(&job.work).map_err(BuildError::io(&job.work))?;
    let left = language::build(job, need, bindings)?;
    let bytes = std::fs::read(&left).map_err(BuildError::io(&left))?;
    let component = match job.build.snapshot {
        true => component::finish(&snapshot::start(&bytes, &config.snapshot)?, job)?,
        false => component::finish(&bytes, job)?,
    };
    // A server may be watching it.
    whole::write(&job.output, &component).map_err(BuildError::io(&job.output))?;
    stamp.write()?;
    Ok(Size { before: Some(bytes.len() as u64), after: component.len() as u64 })
}
