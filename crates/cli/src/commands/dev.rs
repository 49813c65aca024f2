//! `coracle dev`: an app that is built and served again whenever its sources change.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use coracle_server::{Config, Source};
use coracle_toolchain::build::{self, Built, Sources};

use super::build::{config_failure, tell};
use super::serve::{self, ADDRESS, LogFlags};
use super::wit::AccessFlags;
use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::progress::readable;
use crate::snapshot;

/// Builds and serves an app, and does so again whenever its sources change
///
/// What has changed is built as by `coracle build`, and the server takes it over; requests under way finish on what they began
/// with. A build that fails says why, and the last one that did not goes on serving. Access lines and what guests write
/// stand between the builds.
///
/// Exit codes: 0 it was ended by Ctrl-C; 2 the command line is wrong; 65 the manifest is wrong.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle dev
  coracle dev shop/ --addr 127.0.0.1:8080
  coracle dev --log coracle::guest=debug")]
pub(crate) struct Arguments {
    /// The app's folder, or its `coracle.toml`
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Where to serve; port 0 lets the system choose
    #[arg(long, value_name = "ADDR:PORT", default_value = ADDRESS)]
    addr: SocketAddr,
    #[command(flatten)]
    log: LogFlags,
}

/// Builds and serves until it is asked to end.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    let config = build::Config {
        path: arguments.path.clone(),
        names: Vec::new(),
        force: false,
        environment: environment.lookup(),
        snapshot: snapshot::taker(),
        wit: AccessFlags::default().resolve(environment),
    };
    let unwatched = |error| Failure::internal(format!("cannot watch the sources: {error}"));
    // Watched before they are built: what changes meanwhile is built afterwards.
    let mut sources = Sources::watch(&config).map_err(unwatched)?;
    let built = build::run(&config).map_err(|error| config_failure(&error))?;
    let mut missing = report(&built);
    // What was never built cannot be served.
    while missing {
        say("waiting for a change of the sources");
        sources.changed(&config).map_err(unwatched)?;
        missing = again(&config);
    }
    std::thread::spawn(move || {
        let ended = loop {
            match sources.changed(&config) {
                Ok(()) => _ = again(&config),
                Err(error) => break error,
            }
        };
        say(&format!("the sources are not watched any more: {ended}; start again to have changes built"));
    });
    let _sink = arguments.log.start(environment)?;
    let served = serve::base(Source::at(&arguments.path), arguments.addr, environment);
    serve::run(Config { watch: true, ..served }, |_| Ok(()))
}

/// Builds what has changed. True where a component is not there.
fn again(config: &build::Config) -> bool {
    match build::run(config) {
        Ok(built) => report(&built),
        Err(error) => {
            config_failure(&error).report();
            true
        }
    }
}

/// Says what was built. True where a component is not there.
fn report(built: &[Built]) -> bool {
    built.iter().for_each(tell);
    for Built { name, language, result, took, .. } in built {
        if let Ok(size) = result
            && size.before.is_some()
        {
            let (size, took) = (readable(size.after), took.as_secs_f64());
            say(&format!("built {name} ({language}, {size}) in {took:.1} s"));
        }
    }
    built.iter().any(|built| built.result.is_err() && !built.output.is_file())
}

fn say(line: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}
