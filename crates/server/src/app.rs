//! The app that is served: everything that its manifest says, resolved and linked, as one value.
//!
//! It never changes. A new version is another value, built beside the one in use and put in its place at once; requests
//! that began with the old one end with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_package::fault::{Kind, Problem};
use coracle_package::limit::Limits;
use coracle_package::manifest::{self, Manifest, PathPattern, RouteTarget};
use coracle_runtime::app::{self, Guest, Loader};
use coracle_runtime::http::{Function, LinkError};

use crate::admit::Gate;
use crate::config::Source;
use crate::files::Folder;
use crate::metrics::{ComponentMetrics, Metrics};
use crate::route::Router;

/// The name of a component that is served without a manifest, and of its app, where its file has none.
const UNNAMED: &str = "component";

/// An app, ready to serve.
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) router: Router<Target>,
    /// The files that it was made of.
    pub(crate) files: Vec<PathBuf>,
}

/// What a route leads to.
pub(crate) enum Target {
    Function(Arc<Component>),
    Files(Folder),
}

/// A component, ready to be called.
pub(crate) struct Component {
    pub(crate) name: Arc<str>,
    pub(crate) function: Function,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    pub(crate) metrics: ComponentMetrics,
}

/// What an app is built with.
#[derive(Clone)]
pub(crate) struct Builder {
    pub(crate) loader: Loader,
    pub(crate) metrics: Metrics,
    pub(crate) source: Source,
}

impl Builder {
    /// Reads, checks, compiles and links everything, on a thread that does not serve.
    ///
    /// # Errors
    /// Everything that is wrong, at once; except that a manifest which cannot be read is all there is to say.
    pub(crate) async fn build(&self) -> Result<App, Vec<Problem>> {
        let builder = self.clone();
        let built = tokio::task::spawn_blocking(move || builder.build_here()).await;
        built.unwrap_or_else(|_| Err(vec![Problem::new("loading the app broke off").kind(Kind::Machine)]))
    }

    fn build_here(&self) -> Result<App, Vec<Problem>> {
        let manifest = self.manifest()?;
        let mut problems = Vec::new();
        let all: Vec<&str> = manifest.components.keys().map(String::as_str).collect();
        let app = app::App::open(&self.loader, &manifest, &all, &mut problems);

        let mut components = BTreeMap::new();
        let served = served(&manifest);
        for (name, component) in manifest.components.iter().filter(|(name, _)| served.contains(name.as_str())) {
            let built = app
                .guest(name)
                .and_then(|guest| self.component(name, component, &guest).map_err(|problem| vec![problem]));
            match built {
                Ok(built) => _ = components.insert(name.as_str(), Arc::new(built)),
                Err(found) => problems.extend(found),
            }
        }
        let routes = manifest.routes.iter().filter_map(|route| {
            let target = match &route.target {
                // Missing from `components` only where there are problems.
                RouteTarget::Component(name) => {
                    components.get(name.as_str()).map(|it| Target::Function(Arc::clone(it)))
                }
                RouteTarget::Static(path) => folder(&manifest, route, path, &mut problems),
            };
            Some((route.clone(), target?))
        });
        let router = Router::new(routes);
        if !problems.is_empty() {
            return Err(problems);
        }
        let sources = manifest.components.values().map(|component| manifest.resolve(&component.source));
        let own = match &self.source {
            Source::File(file) => Some(file.clone()),
            Source::Manifest(_) | Source::Component { .. } => None,
        };
        Ok(App { name: manifest.app.name.clone(), router, files: sources.chain(own).collect() })
    }

    fn manifest(&self) -> Result<Manifest, Vec<Problem>> {
        match &self.source {
            Source::File(file) => load(file),
            Source::Manifest(manifest) => Ok(Manifest::clone(manifest)),
            Source::Component { file, grants, limits } => {
                let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or(UNNAMED).to_owned();
                let component = manifest::Component {
                    source: file.clone(),
                    description: None,
                    build: None,
                    imports: BTreeMap::new(),
                    fuse: false,
                    grants: (**grants).clone(),
                    limits: (**limits).clone(),
                    reuse: None,
                };
                let route = manifest::Route {
                    host: None,
                    path: PathPattern::Prefix(String::new()),
                    methods: Vec::new(),
                    target: RouteTarget::Component(name.clone()),
                };
                Ok(Manifest {
                    app: manifest::App { name: name.clone(), version: None, description: None },
                    variables: BTreeMap::new(),
                    secrets: BTreeMap::new(),
                    components: BTreeMap::from([(name, component)]),
                    routes: vec![route],
                    wit: BTreeMap::new(),
                    directory: PathBuf::new(),
                })
            }
        }
    }

    fn component(&self, name: &str, component: &manifest::Component, guest: &Guest) -> Result<Component, Problem> {
        let Guest { code, authority, imports } = guest;
        let (engine, authority) = (&self.loader.engine, Arc::clone(authority));
        let function = match imports.as_slice() {
            [] => Function::new(engine, code, authority, component.reuse),
            imports => Function::wired(engine, name, code, authority, imports),
        };
        let function = function.map_err(|error| not_linked(&error, &format!("component `{name}`")))?;
        let limits = component.limits.clone();
        Ok(Component {
            name: name.into(),
            function,
            gate: Gate::new(limits.concurrency, limits.queue, limits.queue_wait),
            metrics: self.metrics.component(name),
            limits,
        })
    }
}

fn load(file: &Path) -> Result<Manifest, Vec<Problem>> {
    Manifest::load(file).map_err(|faults| faults.problems())
}

fn not_linked(error: &LinkError, place: &str) -> Problem {
    let problem = Problem::of(error).at(place);
    match error {
        LinkError::Module | LinkError::NoHandler => problem.hint(
            "`coracle run` runs commands; a function is built for wasi:http/proxy (0.2) or wasi:http/service (0.3)",
        ),
        LinkError::Wire(error) => Problem { hint: error.hint().map(str::to_owned), ..problem },
        LinkError::Engine(_) => problem.kind(Kind::Machine),
        _ => problem,
    }
}

fn folder(manifest: &Manifest, route: &manifest::Route, path: &Path, problems: &mut Vec<Problem>) -> Option<Target> {
    let root = manifest.resolve(path);
    match std::fs::read_dir(&root) {
        Ok(_) => Some(Target::Files(Folder::new(root))),
        Err(error) => {
            let what = format!("the folder {} cannot be served: {error}", root.display());
            problems.push(Problem::new(what).at(format!("route {}", route.path)));
            None
        }
    }
}

/// The components that requests can reach: those with a route, and those that are there for nothing else either, so that
/// what is wrong with them is told. Components that only provide for others are no functions.
fn served(manifest: &Manifest) -> BTreeSet<&str> {
    let routed = manifest.routes.iter().filter_map(|route| match &route.target {
        RouteTarget::Component(name) => Some(name.as_str()),
        RouteTarget::Static(_) => None,
    });
    let providers: BTreeSet<&str> =
        manifest.components.values().flat_map(|component| component.imports.values()).map(String::as_str).collect();
    let idle = manifest.components.keys().map(String::as_str).filter(|name| !providers.contains(name));
    routed.chain(idle).collect()
}
