//! `coracle demo`: every sample that is built, with a page to try them.

mod page;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use coracle_package::inspect::{Inspection, inspect};
use coracle_package::manifest::{Component, FILE_NAME, Manifest, PathPattern, Route, RouteTarget};
use coracle_server::Source;
use serde::Deserialize;
use tempfile::TempDir;

use crate::commands::serve::{self, LogFlags};
use crate::environment::Environment;
use crate::error::{Exit, Failure, Fault};
use crate::output;

/// How each sample is tried, beside the samples' manifest.
const CALLS: &str = "demo.json";

/// Where the inputs of the samples are served, for the page to send them.
const INPUTS: &str = "/demo-inputs";

/// Serves the samples, with a page to try them
///
/// The samples are small functions in five languages. Those in Rust and C are kept built in the source tree; the others
/// are built by `cargo xtask guests`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to serve; port 0 lets the system choose
    #[arg(long, value_name = "ADDR:PORT", default_value = serve::ADDRESS)]
    addr: SocketAddr,
    /// Where to answer /healthz, /readyz and /metrics [default: nowhere]
    #[arg(long, value_name = "ADDR:PORT")]
    admin_addr: Option<SocketAddr>,
    /// The folder of the samples [default: that of the source tree]
    #[arg(long, value_name = "FOLDER")]
    samples: Option<PathBuf>,
    #[command(flatten)]
    log: LogFlags,
}

/// One request that shows what a sample does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    language: String,
    method: String,
    path: String,
    body_file: Option<PathBuf>,
    content_type: Option<String>,
}

/// A sample that is built.
struct Sample<'a> {
    name: &'a str,
    component: &'a Component,
    call: &'a Call,
    inspection: Inspection,
}

impl Sample<'_> {
    /// What its input is called where the page finds it: by its ending it has the right content type.
    fn input_name(&self, file: &Path) -> String {
        let extension = file.extension().map(|extension| extension.to_string_lossy());
        format!("{}.{}", self.name, extension.as_deref().unwrap_or("txt"))
    }
}

/// Serves the samples until it is asked to end.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    let folder = arguments.samples.clone().map_or_else(find_samples, Ok)?;
    let mut manifest = read_manifest(&folder)?;
    let calls = read_calls(&folder)?;
    let missing = drop_missing(&mut manifest, &calls);

    // Beside the samples the demo serves what it makes itself; the folder is gone when the server has ended.
    let place = TempDir::with_prefix("coracle-demo-")
        .map_err(|error| Failure::internal(format!("cannot make a folder for the page: {error}")))?;
    let samples = inspect_all(&manifest, &calls)?;
    write_site(place.path(), &folder, &samples, &missing)?;
    let introduction = introduction(&samples, &missing);
    manifest.routes.extend(own_routes(place.path()));

    let _sink = arguments.log.start(environment)?;
    let source = Source::Manifest(Box::new(manifest));
    let config = coracle_server::Config {
        admin_address: arguments.admin_addr,
        ..serve::base(source, arguments.addr, environment)
    };
    serve::run(config, |address| {
        output::print(format_args!("{introduction}open http://{address}/ in a browser; Ctrl-C ends\n"))
    })
}

/// The samples of the source tree that this program was built in, or those below the current folder.
fn find_samples() -> Result<PathBuf, Failure> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    [tree, PathBuf::from("samples")].into_iter().find(|folder| folder.join(FILE_NAME).is_file()).ok_or_else(|| {
        Failure::usage("the samples are not here")
            .hint("run this in Coracle's source tree, or name their folder with --samples")
    })
}

fn read_manifest(folder: &Path) -> Result<Manifest, Failure> {
    let file = folder.join(FILE_NAME);
    let text = read_text(&file)?;
    // Only the text is checked: a sample that is not built has no file yet.
    Manifest::parse(&text, &file).map_err(|faults| {
        let fault = |fault: coracle_package::manifest::Fault| Fault {
            what: fault.message,
            place: Some(format!("{}:{}:{}", file.display(), fault.line, fault.column)),
            details: fault.details,
            hints: fault.hint.into_iter().collect(),
        };
        Failure { exit: Exit::BadData, faults: faults.faults.into_iter().map(fault).collect() }
    })
}

fn read_calls(folder: &Path) -> Result<BTreeMap<String, Call>, Failure> {
    let file = folder.join(CALLS);
    serde_json::from_str(&read_text(&file)?).map_err(|error| Failure::bad_data(error).at(file.display()))
}

fn read_text(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::bad_data(format!("cannot read it: {error}")).at(file.display()))
}

/// Takes the components out of the manifest that are not built, or that nothing shows how to call, and returns the
/// names of those that are not built.
fn drop_missing(manifest: &mut Manifest, calls: &BTreeMap<String, Call>) -> Vec<String> {
    let directory = manifest.directory.clone();
    let mut missing = Vec::new();
    manifest.components.retain(|name, component| {
        let is_built = directory.join(&component.source).is_file();
        if !is_built {
            missing.push(name.clone());
        }
        is_built && calls.contains_key(name)
    });
    let components = &manifest.components;
    manifest.routes.retain(|route| match &route.target {
        RouteTarget::Component(name) => components.contains_key(name),
        RouteTarget::Static(_) => true,
    });
    missing
}

fn inspect_all<'a>(manifest: &'a Manifest, calls: &'a BTreeMap<String, Call>) -> Result<Vec<Sample<'a>>, Failure> {
    let samples = manifest.components.iter().filter_map(|(name, component)| Some((name, component, calls.get(name)?)));
    let inspected = samples.map(|(name, component, call)| {
        let file = manifest.resolve(&component.source);
        let bytes = fs::read(&file)
            .map_err(|error| Failure::bad_data(format!("cannot read it: {error}")).at(file.display()))?;
        let inspection = inspect(&bytes).map_err(|error| Failure::bad_data(error).at(file.display()))?;
        Ok(Sample { name, component, call, inspection })
    });
    inspected.collect()
}

/// Writes the page, and the inputs that it sends.
fn write_site(place: &Path, folder: &Path, samples: &[Sample<'_>], missing: &[String]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        fs::create_dir(place.join("page"))?;
        fs::create_dir(place.join("inputs"))?;
        for sample in samples {
            if let Some(input) = &sample.call.body_file {
                fs::copy(folder.join(input), place.join("inputs").join(sample.input_name(input)))?;
            }
        }
        fs::write(place.join("page/index.html"), page::render(samples, missing, folder))
    };
    write().map_err(|error| Failure::internal(format!("cannot write the page: {error}")).at(place.display()))
}

fn own_routes(place: &Path) -> [Route; 2] {
    let route = |path, folder| Route {
        host: None,
        path,
        methods: vec!["GET".to_owned(), "HEAD".to_owned()],
        target: RouteTarget::Static(place.join(folder)),
    };
    [route(PathPattern::Exact("/".to_owned()), "page"), route(PathPattern::Prefix(INPUTS.to_owned()), "inputs")]
}

fn introduction(samples: &[Sample<'_>], missing: &[String]) -> String {
    let names = samples.iter().map(|sample| sample.name).collect::<Vec<_>>().join(", ");
    let mut text = format!("{} samples: {names}\n", samples.len());
    if !missing.is_empty() {
        text.push_str(&format!("not built: {}; `cargo xtask guests` builds them\n", missing.join(", ")));
    }
    text
}
