//! `coracle serve`: components behind HTTP.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use coracle_daemon::log::{self, Filter, Format, Sink};
use coracle_daemon::{files, signal};
use coracle_package::grant::Grants;
use coracle_package::unit::{parse_duration, parse_size};
use coracle_runtime::cache::Cache;
use coracle_server::{Bound, Config, DRAIN, Report, ServerError, Source, TlsFiles};

use crate::compiler;
use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::grants::{Faults, GrantFlags, values_alone};
use crate::progress::CompileLine;

/// Where is served when nothing is said: on this machine only.
pub(crate) const ADDRESS: &str = "127.0.0.1:3000";

/// Events that are logged when nothing is said.
const FILTER: &str = "info";

/// Serves components over HTTP
///
/// PATH is a folder with a `coracle.toml`, such a file, or a component, which then answers at every path. Components
/// are for wasi:http/incoming-handler 0.2 or wasi:http/handler 0.3. HTTP/1.1 and HTTP/2 are spoken.
///
/// A component on its own is granted what the flags below say and nothing else. An app has its grants in its manifest;
/// --var then sets a variable of the manifest.
///
/// SIGTERM and Ctrl-C end the server: what is under way may finish within --drain. A second one ends it at once. SIGHUP
/// reads everything again.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle serve hello.wasm
  coracle serve --net api.example.com:443 fetch.wasm
  coracle serve --watch shop/
  coracle serve --addr 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem --admin-addr 127.0.0.1:9000 shop/
  coracle serve --trusted-proxy 10.0.0.0/8 --var currency=EUR shop/")]
pub(crate) struct Arguments {
    /// The app's folder, its `coracle.toml`, or a component
    path: PathBuf,
    /// Where to serve; port 0 lets the system choose
    #[arg(long, value_name = "ADDR:PORT", default_value = ADDRESS)]
    addr: SocketAddr,
    /// Where to answer /healthz, /readyz and /metrics [default: nowhere]
    #[arg(long, value_name = "ADDR:PORT")]
    admin_addr: Option<SocketAddr>,
    /// Speaks TLS with this certificate chain, a PEM file; it is read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Believes what this proxy says about clients in Forwarded and X-Forwarded-* headers
    #[arg(long, value_name = "ADDR[/BITS]")]
    trusted_proxy: Vec<String>,
    /// Takes a new version over when a file of the app changes; a broken one is reported and not used
    #[arg(long)]
    watch: bool,
    /// How long requests under way may still take when the server ends [default: 25s]
    #[arg(long, value_name = "DURATION")]
    drain: Option<String>,
    /// Invocations at one time
    #[arg(long, value_name = "COUNT", default_value_t = coracle_server::admit::MAX_INVOCATIONS)]
    max_invocations: u32,
    /// Memory that all guests together may hold, such as `4GiB` [default: half of what this process may have]
    #[arg(long, value_name = "SIZE")]
    memory_budget: Option<String>,
    /// Connections at one time
    #[arg(long, value_name = "COUNT", default_value_t = coracle_server::listener::MAX_CONNECTIONS)]
    max_connections: usize,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    grants: GrantFlags,
}

/// How events are logged, on standard error.
#[derive(Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogFlags {
    /// How events are written: by default as text on a terminal and as JSON otherwise
    #[arg(long, value_enum, default_value_t = LogFormat::Auto)]
    log_format: LogFormat,
    /// Which events are written: a level, or levels by target such as `warn,coracle::guest=debug`
    #[arg(long, value_name = "FILTER", default_value = FILTER)]
    log: String,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, else JSON
    Auto,
    /// A readable line for each event
    Text,
    /// A JSON object for each event
    Json,
}

/// Serves until it is asked to end.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    let config = read(arguments, environment)?;
    let _sink = arguments.log.start(environment)?;
    // The log says where.
    run(config, |_| Ok(()))
}

/// The configuration that the command line stands for; every fault of it at once.
fn read(arguments: &Arguments, environment: &Environment) -> Result<Config, Failure> {
    let mut faults = Faults::default();
    let grants = arguments.grants.read(&mut faults);
    let drain = arguments.drain.as_deref().map(|text| faults.keep("--drain", parse_duration(text)));
    let proxies = arguments.trusted_proxy.iter().filter_map(|text| faults.keep("--trusted-proxy", network(text)));
    let trusted_proxies = proxies.collect();
    let memory = arguments.memory_budget.as_deref().and_then(|text| faults.keep("--memory-budget", parse_size(text)));
    faults.into_result()?;

    let (source, variables) = source(&arguments.path, grants)?;
    let tls = arguments.tls_cert.clone().zip(arguments.tls_key.clone());
    let base = base(source, arguments.addr, environment);
    Ok(Config {
        variables,
        admin_address: arguments.admin_addr,
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        watch: arguments.watch,
        drain: drain.flatten().unwrap_or(DRAIN),
        trusted_proxies,
        max_connections: arguments.max_connections,
        max_invocations: arguments.max_invocations,
        memory: memory.unwrap_or(base.memory),
        ..base
    })
}

/// A configuration with what every server of this program has.
pub(crate) fn base(source: Source, address: SocketAddr, environment: &Environment) -> Config {
    let environment = environment.clone();
    let cache = environment.cache_directory().and_then(|directory| {
        Cache::open(&directory)
            .inspect_err(|error| tracing::warn!(%error, "running without a code cache: every start compiles"))
            .ok()
    });
    Config {
        cache,
        environment: Arc::new(move |name| environment.text(name)),
        progress: Arc::new(CompileLine::new("a component")),
        ..Config::new(source, address, compiler::own())
    }
}

/// What is served, and the values of its variables. Grants by flag are for a component on its own: an app has them in
/// its manifest.
fn source(path: &Path, grants: Grants) -> Result<(Source, BTreeMap<String, String>), Failure> {
    match Source::at(path) {
        Source::Component { file, limits, .. } => {
            Ok((Source::Component { file, grants: Box::new(grants), limits }, BTreeMap::new()))
        }
        source => Ok((source, values_alone(&grants, path)?)),
    }
}

/// An address, or a network of them.
fn network<T: std::str::FromStr>(text: &str) -> Result<T, coracle_package::fault::SyntaxError> {
    let whole = text
        .parse::<std::net::IpAddr>()
        .map(|address| format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }));
    whole.as_deref().unwrap_or(text).parse().map_err(|_| coracle_package::fault::SyntaxError {
        message: format!("`{text}` is no address and no network"),
        details: Vec::new(),
        hint: Some("write it as `10.0.0.1`, `10.0.0.0/8` or `fd00::/8`".to_owned()),
    })
}

impl LogFlags {
    /// Begins to log. What is returned is to be kept until the end, so that nothing that was logged is lost.
    pub(crate) fn start(&self, environment: &Environment) -> Result<Flush, Failure> {
        let no_color = environment.get("NO_COLOR").map(|value| value.to_string_lossy());
        let terminal = match self.log_format {
            LogFormat::Auto => std::io::stderr().is_terminal(),
            LogFormat::Text => true,
            LogFormat::Json => false,
        };
        let colour = std::io::stderr().is_terminal() && no_color.is_none();
        let format = if terminal { Format::Text { colour } } else { Format::Json };
        let filter: Filter = self.log.parse().map_err(|error| Failure::usage(error).at("--log"))?;
        let sink = Sink::queued().map_err(|error| Failure::internal(format!("cannot begin to log: {error}")))?;
        log::init(format, filter, sink.clone()).map_err(Failure::internal)?;
        Ok(Flush(sink))
    }
}

/// Writes what is still to be written of the log when it is dropped.
pub(crate) struct Flush(Sink);

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Runs a server to its end. `listening` is told where, before the first request is taken.
pub(crate) fn run(config: Config, listening: impl FnOnce(SocketAddr) -> Result<(), Failure>) -> Result<Exit, Failure> {
    match files::raise_open_files() {
        Ok(limit) => tracing::debug!(before = limit.before, now = limit.now, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("cannot start the event loop: {error}")))?;
    let result = runtime.block_on(async {
        let shutdown =
            signal::shutdown().map_err(|error| Failure::internal(format!("cannot listen for signals: {error}")))?;
        let bound = Bound::new(config).await.map_err(|error| failure(&error))?;
        listening(bound.address())?;
        Ok(bound.run(shutdown).await)
    });
    // What was not finished in time was cancelled, and must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    // A server that was asked to end and did has done what it should, whatever it had to cancel.
    result.map(|_: Report| Exit::Success)
}

fn failure(error: &ServerError) -> Failure {
    match error {
        ServerError::Config(problems) => Failure::of(problems),
        ServerError::Listen { address, source } => {
            let failure = Failure::internal(format!("cannot listen on {address}: {source}"));
            match source.kind() {
                ErrorKind::AddrInUse => failure.hint("something listens there already; name another place with --addr"),
                ErrorKind::PermissionDenied => {
                    failure.hint("ports below 1024 need a privilege; name another place with --addr")
                }
                _ => failure,
            }
        }
        error => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::internal(format!("{error}{cause}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use coracle_package::grant::VariableValue;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn config(line: &[&str]) -> Result<Config, Failure> {
        let line = Line::try_parse_from([&["serve"], line].concat()).unwrap();
        read(&line.arguments, &Environment::read())
    }

    #[test]
    fn the_default_drain_is_the_one_in_the_help() {
        assert_eq!(coracle_package::unit::format_duration(DRAIN), "25s");
    }

    #[test]
    fn every_fault_of_the_line_is_said() {
        let failure =
            config(&["--drain", "soon", "--trusted-proxy", "10.0.0.0/33", "--net", "nowhere", "x.wasm"]).err().unwrap();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.faults.len(), 3);
    }

    #[test]
    fn variables_are_grants_of_a_component_and_values_of_an_app() {
        let Source::Component { grants, .. } = config(&["--var", "a=b", "x.wasm"]).ok().unwrap().source else {
            panic!()
        };
        assert_eq!(grants.variables["a"], VariableValue::Literal("b".into()));
        let app = config(&["--var", "a=b", "x.toml"]).ok().unwrap();
        assert_eq!(app.variables["a"], "b");
        assert_eq!(config(&["--env", "a=b", "x.toml"]).err().unwrap().exit, Exit::Usage);
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let trusted = config(&["--trusted-proxy", "10.0.0.1", "--trusted-proxy", "fd00::/8", "x.wasm"]).ok().unwrap();
        assert_eq!(
            trusted.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.1/32", "fd00::/8"]
        );
    }
}
