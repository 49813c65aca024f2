//! What a server is told, and what it says when that is wrong.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use coracle_package::fault::Problem;
use coracle_package::grant::Grants;
use coracle_package::limit::Limits;
use coracle_package::manifest::{FILE_NAME, Manifest};
use coracle_runtime::app::Environment;
use coracle_runtime::cache::Cache;
use coracle_runtime::compile::{Compiler, Progress};
use ipnet::IpNet;

use crate::admit::MAX_INVOCATIONS;
use crate::connection::Timeouts;
use crate::listener::MAX_CONNECTIONS;
use crate::tls::TlsFiles;

/// How long a request under way may still take when the server is asked to end.
///
/// Reason: Kubernetes kills 30 s after it asked; most requests take far less.
pub const DRAIN: Duration = Duration::from_secs(25);

/// The part of the memory that this process may have which guests may hold together: one in so many.
///
/// Reason: the rest is for connections, compiled code, a compiler at work beside the server, and the system.
pub(crate) const MEMORY_PART: u64 = 2;

/// What guests may hold together where the system does not say how much memory there is, in bytes.
///
/// Reason: what a small machine can spare.
pub(crate) const MEMORY_UNKNOWN: u64 = 2 << 30;

/// What is served.
#[derive(Clone, Debug)]
pub enum Source {
    /// The app of a manifest's file.
    File(PathBuf),
    /// The app of a manifest that is no file.
    Manifest(Box<Manifest>),
    /// One component at every path.
    Component {
        /// Its file.
        file: PathBuf,
        /// What it may touch.
        grants: Box<Grants>,
        /// What it may use.
        limits: Box<Limits>,
    },
}

impl Source {
    /// What a path stands for: a folder for the `coracle.toml` in it, a `.toml` file for itself, and any other file for
    /// one component with nothing granted and the limits of a function.
    pub fn at(path: &Path) -> Self {
        if path.is_dir() {
            Self::File(path.join(FILE_NAME))
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            Self::File(path.to_owned())
        } else {
            let (grants, limits) = (Box::default(), Box::new(Limits::http()));
            Self::Component { file: path.to_owned(), grants, limits }
        }
    }
}

/// Everything that a server is told.
#[derive(Clone)]
pub struct Config {
    /// What is served.
    pub source: Source,
    /// Where it is served.
    pub address: SocketAddr,
    /// Where health and metrics are served; nowhere by default.
    pub admin_address: Option<SocketAddr>,
    /// The certificate, where TLS is spoken.
    pub tls: Option<TlsFiles>,
    /// Values of the manifest's variables. They come before those of the environment, which come before the manifest's
    /// own.
    pub variables: BTreeMap<String, String>,
    /// Looks a variable of the host's environment up: for variables and secrets of the manifest, and for guests that
    /// are granted one.
    pub environment: Environment,
    /// Whether the app is read again when a file of it changes.
    pub watch: bool,
    /// How long requests under way may still take when the server is asked to end.
    pub drain: Duration,
    /// Whose word about the client is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Which process compiles components.
    pub compiler: Compiler,
    /// Where compiled code is kept.
    pub cache: Option<Cache>,
    /// Told when a component is compiled.
    pub progress: Arc<dyn Progress + Send + Sync>,
    /// Connections open at one time.
    pub max_connections: usize,
    /// Invocations at one time.
    pub max_invocations: u32,
    /// Bytes that all guests together may hold. Growth past it fails in the guest that grows; before it is reached, no
    /// more requests are let in.
    pub memory: u64,
    /// Time limits of connections.
    pub timeouts: Timeouts,
}

impl Config {
    /// `source` at `address`, compiled by `compiler`, and the default for everything else.
    pub fn new(source: Source, address: SocketAddr, compiler: Compiler) -> Self {
        Self {
            source,
            address,
            admin_address: None,
            tls: None,
            variables: BTreeMap::new(),
            environment: Arc::new(|_| None),
            watch: false,
            drain: DRAIN,
            trusted_proxies: Vec::new(),
            compiler,
            cache: None,
            progress: Arc::new(()),
            max_connections: MAX_CONNECTIONS,
            max_invocations: MAX_INVOCATIONS,
            memory: coracle_daemon::memory::available().map_or(MEMORY_UNKNOWN, |memory| memory / MEMORY_PART),
            timeouts: Timeouts::default(),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// What it was told is wrong: everything that is, at once.
    #[error("{}", one_per_line(.0))]
    Config(Vec<Problem>),
    /// It cannot listen where it should.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The engine does not start on this machine.
    #[error(transparent)]
    Engine(#[from] coracle_runtime::EngineError),
    /// Files cannot be watched.
    #[error("files cannot be watched")]
    Watch(#[source] notify::Error),
}

fn one_per_line(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Requests that were still under way when the time to drain was over, and were cancelled.
    pub cancelled: usize,
}
