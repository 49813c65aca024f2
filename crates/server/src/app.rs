//! The app that is served: everything that its manifest says, resolved and linked, as one value.
//!
//! It never changes. A new version is another value, built beside the one in use and put in its place at once; requests
//! that began with the old one end with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_capability::secret::Secret;
use coracle_package::limit::Limits;
use coracle_package::manifest::{self, Manifest, PathPattern, RouteTarget, SecretSource};
use coracle_runtime::Engine;
use coracle_runtime::http::{Function, LinkError};

use crate::admit::Gate;
use crate::compile::both;
use crate::config::{Config, Problem, Source, VARIABLE_PREFIX};
use crate::files::Folder;
use crate::metrics::{ComponentMetrics, Metrics};
use crate::route::Router;
use crate::wire::{self, Providers};

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

/// The values of a manifest's variables and secrets.
pub(crate) struct Values {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, Secret>,
}

/// What an app is built with.
pub(crate) struct Builder {
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    pub(crate) config: Config,
}

impl Builder {
    /// Reads, checks, compiles and links everything.
    ///
    /// # Errors
    /// Everything that is wrong, at once; except that a manifest which cannot be read is all there is to say.
    pub(crate) async fn build(&self) -> Result<App, Vec<Problem>> {
        let manifest = self.manifest().await?;
        let mut problems = Vec::new();
        let values = Values {
            variables: self.variables(&manifest, &mut problems),
            secrets: self.secrets(&manifest, &mut problems),
        };
        let providers = self.providers(&manifest, &values, &mut problems).await;

        let mut components = BTreeMap::new();
        let served = served(&manifest);
        for (name, component) in manifest.components.iter().filter(|(name, _)| served.contains(name.as_str())) {
            match self.component(&manifest, name, component, &values, &providers).await {
                Ok(built) => {
                    components.insert(name.as_str(), Arc::new(built));
                }
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
        let own = match &self.config.source {
            Source::File(file) => Some(file.clone()),
            Source::Manifest(_) | Source::Component { .. } => None,
        };
        Ok(App { name: manifest.app.name.clone(), router, files: sources.chain(own).collect() })
    }

    async fn manifest(&self) -> Result<Manifest, Vec<Problem>> {
        match &self.config.source {
            // With the interfaces of all components that are wired: not on a thread that serves.
            Source::File(file) => {
                let file = file.clone();
                let loaded = tokio::task::spawn_blocking(move || load(&file)).await;
                loaded.unwrap_or_else(|_| Err(vec![Problem::new("reading the manifest broke off")]))
            }
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
                    directory: PathBuf::new(),
                })
            }
        }
    }

    /// The manifest's variables with what was set from outside.
    fn variables(&self, manifest: &Manifest, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
        for name in self.config.variables.keys().filter(|name| !manifest.variables.contains_key(*name)) {
            let known = manifest.variables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let problem =
                Problem::new(format!("there is no variable `{name}` in this app")).at(format!("--var {name}"));
            problems.push(match known.as_str() {
                "" => problem.hint("its manifest has no [variables]"),
                known => problem.hint(format!("it has: {known}")),
            });
        }
        let mut values = BTreeMap::new();
        for (name, variable) in &manifest.variables {
            let from_environment = || (self.config.environment)(&environment_name(name));
            let set = self.config.variables.get(name).cloned().or_else(from_environment);
            match set.or_else(|| variable.default.clone()) {
                Some(value) => {
                    values.insert(name.clone(), value);
                }
                None => problems.push(
                    Problem::new(format!("the variable `{name}` has no value, and needs one"))
                        .hint(format!("--var {name}=VALUE, or set {} in the environment", environment_name(name))),
                ),
            }
        }
        values
    }

    fn secrets(&self, manifest: &Manifest, problems: &mut Vec<Problem>) -> BTreeMap<String, Secret> {
        let mut values = BTreeMap::new();
        for (name, source) in &manifest.secrets {
            let found = match source {
                SecretSource::Env(variable) => match (self.config.environment)(variable) {
                    Some(text) => Secret::from_text(&text).map_err(|error| Problem::of(&error)),
                    None => Err(Problem::new(format!("the environment variable {variable} is not set"))),
                },
                SecretSource::File(path) => {
                    let path = manifest.resolve(path);
                    Secret::from_file(&path).map_err(|error| {
                        let problem = Problem::of(&error);
                        Problem { what: format!("{}: {}", path.display(), problem.what), ..problem }
                    })
                }
            };
            match found {
                Ok(secret) => {
                    values.insert(name.clone(), secret);
                }
                Err(problem) => problems.push(problem.at(format!("secret `{name}`"))),
            }
        }
        values
    }

    async fn component(
        &self,
        manifest: &Manifest,
        name: &str,
        component: &manifest::Component,
        values: &Values,
        providers: &Providers,
    ) -> Result<Component, Vec<Problem>> {
        let imports = providers.imports(manifest, name, component).await;
        let (imports, (authority, code)) = both(imports, self.load(manifest, name, component, values).await)?;
        let function = match imports.as_slice() {
            [] => Function::new(&self.engine, &code, Arc::new(authority), component.reuse),
            imports => Function::wired(&self.engine, name, &code, Arc::new(authority), imports),
        };
        let function = function.map_err(|error| vec![not_linked(&error, &format!("component `{name}`"))])?;
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
    Manifest::load(file).map_err(|faults| {
        let file = faults.file.display().to_string();
        let problem = |fault: manifest::Fault| Problem {
            what: fault.message,
            place: Some(format!("{file}:{}:{}", fault.line, fault.column)),
            details: fault.details,
            hint: fault.hint,
        };
        faults.faults.into_iter().map(problem).collect()
    })
}

fn not_linked(error: &LinkError, place: &str) -> Problem {
    let problem = Problem::of(error).at(place);
    match error {
        LinkError::Module | LinkError::NoHandler => problem.hint(
            "`coracle run` runs commands; a function is built for wasi:http/proxy (0.2) or wasi:http/service (0.3)",
        ),
        LinkError::Wire(error) => wire::not_wired(error, problem),
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

/// The environment variable that sets a manifest variable.
fn environment_name(variable: &str) -> String {
    let letters =
        variable.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' });
    VARIABLE_PREFIX.chars().chain(letters).collect()
}
