//! The manifest, `coracle.toml`: an app's components, their grants and limits, and the routes that lead to them.

mod build;
mod component;
pub(crate) mod keys;
mod parse;
mod path;
mod route;
mod wiring;
mod wit;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::check::MOST_FAULTS;
pub use crate::document::FILE_BYTES as MANIFEST_BYTES;
pub use crate::fault::{Fault, Faults};
use crate::grant::Grants;
use crate::limit::Limits;
pub use build::{Build, Language};
pub use keys::{REUSE_CONCURRENT, REUSE_IDLE};
pub use path::PathPattern;
pub use route::METHODS;
pub use wit::{WitDependency, WitName, WitSource};

/// The name of the file in an app's folder.
pub const FILE_NAME: &str = "coracle.toml";

/// The most components of one app.
///
/// Reason: apps have a handful, and a host of its customers' functions has many that know nothing of each other. So many are
/// loaded in a second, and take tens of MB while nobody asks for them (docs/performance.md).
pub const MAX_COMPONENTS: usize = 1_000;

/// The most components that one invocation may take: a component, and all that provide for it.
///
/// Reason: real wirings have under ten; what is done for each, and for each wire between them, stays a matter of milliseconds,
/// and a request that calls all of them finds instances of them all.
pub const MAX_TOGETHER: usize = 100;

/// The most WIT packages that a manifest names.
///
/// Reason: all of WASI are a dozen; each may cost a request to a registry.
pub const MAX_WIT_PACKAGES: usize = 100;

/// A manifest without faults. Paths are as they were written: [`Manifest::resolve`] makes them whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Whose manifest it is.
    pub app: App,
    /// What can be set when the app is started.
    pub variables: BTreeMap<String, Variable>,
    /// Where the values of secrets are found on the host.
    pub secrets: BTreeMap<String, SecretSource>,
    /// The components by name.
    pub components: BTreeMap<String, Component>,
    /// The routes, in the order of the file.
    pub routes: Vec<Route>,
    /// The WIT packages from elsewhere.
    pub wit: BTreeMap<WitName, WitDependency>,
    /// The folder that relative paths start from.
    pub directory: PathBuf,
}

/// Whose manifest it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The app's name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// One line about it.
    pub description: Option<String>,
}

/// A value that can be set when the app is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The value when none is set; without one, setting it is required.
    pub default: Option<String>,
    /// One line about it.
    pub description: Option<String>,
}

/// Where the value of a secret is found on the host. A manifest never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(PathBuf),
}

/// One component of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// The component's file.
    pub source: PathBuf,
    /// One line about it.
    pub description: Option<String>,
    /// How its file is made from its source; none where that is not Coracle's matter.
    pub build: Option<Build>,
    /// Which component provides each of the interfaces that it imports, by the interface's name: those that are not here
    /// are the host's.
    pub imports: BTreeMap<String, String>,
    /// Whether it and all that provides for it become one component with one authority.
    pub fuse: bool,
    /// What it may touch.
    pub grants: Grants,
    /// What it may use: the defaults of a function where the manifest says nothing.
    pub limits: Limits,
    /// Whether an instance serves more than one invocation; by default none does.
    pub reuse: Option<Reuse>,
}

/// How far an instance is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// How many invocations one instance serves in its life.
    pub invocations: NonZeroU32,
    /// How many of them at one time.
    pub concurrent: NonZeroU32,
    /// How long an instance is kept that serves none.
    pub idle: Duration,
}

/// What leads a request to a component or to files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The host name, in lower case and without a port; none stands for every host that has no route of its own.
    pub host: Option<String>,
    /// The paths.
    pub path: PathPattern,
    /// The methods, in upper case; none stands for all of them. A static route always names `GET` and `HEAD`.
    pub methods: Vec<String>,
    /// What answers.
    pub target: RouteTarget,
}

/// What answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    /// The component with this name.
    Component(String),
    /// The files in this folder.
    Static(PathBuf),
}

impl Manifest {
    /// The path that `path`, as the manifest writes it, stands for.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}
