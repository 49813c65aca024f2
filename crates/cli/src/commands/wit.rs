//! `coracle wit`: the WIT packages that an app's components are built against.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use coracle_package::manifest::{WitName, WitSource};
use coracle_toolchain::wit::{self, Access, FetchError, Fetched, Found, Locked, Task, Update, VENDOR};
use serde_json::{Value, json};

use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::output;
use crate::progress::fetch_line;
use crate::target::manifest_failure;

/// Fetches, locks and vendors the WIT packages that components are built against
///
/// The manifest names them in [wit], each by a path or by a reference to an OCI registry. What they are is fixed by digest in
/// `coracle.lock` when they are first fetched. Those that a component's own WIT names, with what they need themselves, are
/// put into `deps` of its folder of WIT, where languages' tools look for them. `coracle build` does all this too.
///
/// Exit codes: 0 all are there; 2 the command line is wrong; 65 the manifest, the lock file or a package is wrong; 125 a registry
/// does not answer.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle wit fetch
  coracle wit fetch --locked shop/
  coracle wit update shop/ wasi:clocks
  coracle wit vendor")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Fetches what is not there, and holds all of it against the lock file
    #[command(after_help = "\
Examples:
  coracle wit fetch
  coracle wit fetch shop/ --locked --json")]
    Fetch {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        access: AccessFlags,
    },
    /// Takes packages as they are now, and locks them so
    #[command(after_help = "\
Examples:
  coracle wit update
  coracle wit update shop/ wasi:clocks shop:pricing")]
    Update {
        #[command(flatten)]
        app: App,
        /// Only these packages, as the manifest names them
        package: Vec<String>,
    },
    /// Copies the packages into `vendor/wit` of the app, which builds from there without a network
    #[command(after_help = "\
Examples:
  coracle wit vendor
  coracle wit vendor shop/")]
    Vendor {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        access: AccessFlags,
    },
}

#[derive(Args)]
struct App {
    /// The app's folder, or its `coracle.toml`
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Where WIT packages may come from.
#[derive(Args, Default)]
pub(crate) struct AccessFlags {
    /// Fails where `coracle.lock` would have to change
    #[arg(long)]
    locked: bool,
    /// Asks no registry for WIT packages
    #[arg(long)]
    offline: bool,
}

impl AccessFlags {
    pub(crate) fn resolve(&self, environment: &Environment) -> Access {
        Access {
            locked: self.locked,
            offline: self.offline,
            cache: environment.cache_directory(),
            environment: environment.lookup(),
            progress: fetch_line(),
        }
    }
}

/// Does what the arguments say.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    let (app, access, task) = match &arguments.action {
        Action::Fetch { app, access } => (app, access.resolve(environment), Task::default()),
        Action::Update { app, package } => {
            let update = if package.is_empty() { Update::All } else { Update::Only(package.clone()) };
            (app, AccessFlags::default().resolve(environment), Task { update, vendor: false })
        }
        Action::Vendor { app, access } => {
            (app, access.resolve(environment), Task { update: Update::None, vendor: true })
        }
    };
    let fetched = wit::run(&app.path, &task, &access).map_err(|error| match error {
        FetchError::Read { .. } => mistaken(failure(&error), &app.path, &task.update),
        _ => failure(&error),
    })?;
    if app.json {
        output::print(format_args!("{:#}\n", describe(&fetched)))?;
    } else {
        output::print(table(&fetched, &task))?;
    }
    Ok(Exit::Success)
}

/// Says so where the first package to update stands where the app's folder should.
fn mistaken(failure: Failure, path: &Path, update: &Update) -> Failure {
    let rest = match update {
        Update::None => return failure,
        Update::All => String::new(),
        Update::Only(names) => format!(" {}", names.join(" ")),
    };
    match path.to_string_lossy().parse::<WitName>() {
        Ok(name) => failure.hint(format!("the folder comes first: coracle wit update . {name}{rest}")),
        Err(_) => failure,
    }
}

fn table(fetched: &Fetched, task: &Task) -> String {
    if fetched.packages.is_empty() {
        return "the manifest names no WIT package in [wit]\n".to_owned();
    }
    let mut table = String::new();
    for Found { locked: Locked { name, version, source, digest }, origin } in &fetched.packages {
        let (name, version) = (name.to_string(), version.as_deref().unwrap_or("-"));
        let digest: String = digest.hex().chars().take(12).collect();
        // Writing to a string does not fail.
        let _ = writeln!(table, "{name:<24}  {version:<8}  {origin:<8}  {digest}  {source}");
    }
    for folder in &fetched.placed {
        let _ = writeln!(table, "written: {}", folder.join("deps").display());
    }
    if fetched.relocked {
        let _ = writeln!(table, "locked in {}", wit::LOCK_NAME);
    }
    if task.vendor {
        let _ = writeln!(table, "vendored in {VENDOR}");
    }
    table
}

fn describe(fetched: &Fetched) -> Value {
    let package = |Found { locked: Locked { name, version, source, digest }, origin }: &Found| {
        let key = if matches!(source, WitSource::Path(_)) { "path" } else { "reference" };
        json!({
            "name": name.to_string(),
            "version": version,
            key: source.to_string(),
            "digest": digest.to_string(),
            "origin": origin.to_string(),
        })
    };
    let deps = |folder: &PathBuf| folder.join("deps").display().to_string();
    json!({
        "packages": fetched.packages.iter().map(package).collect::<Vec<_>>(),
        "written": fetched.placed.iter().map(deps).collect::<Vec<_>>(),
        "relocked": fetched.relocked,
    })
}

/// Why packages cannot be had.
pub(crate) fn failure(error: &FetchError) -> Failure {
    match error {
        FetchError::Document(faults) => manifest_failure(faults),
        FetchError::Read { .. } => Failure::bad_data(error).hint("an app's folder holds a `coracle.toml`"),
        FetchError::Refused(refused) => {
            let failure = Failure::new(refused.kind.into(), refused);
            let failure = refused.place.iter().fold(failure, Failure::at);
            let failure = refused.details.iter().fold(failure, Failure::detail);
            refused.hint.iter().fold(failure, Failure::hint)
        }
    }
}
