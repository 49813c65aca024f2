//! The components of an app, from what its manifest says to what can be run: code, authority, and those that provide for them
//! and stay apart.

mod load;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_package::compose;
use coracle_package::fault::{Kind, Problem};
use coracle_package::manifest::{Component, Manifest};

use crate::authority::Authority;
use crate::cache::Cache;
use crate::compile::{Code, Progress};
use crate::engine::{ClockGuard, Engine};
use crate::wired::{Import, Provider, WireError};
pub use values::VARIABLE_PREFIX;
use values::Values;

/// Looks a variable of the host's environment up. Libraries do not read the environment.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What apps are loaded with.
#[derive(Clone)]
pub struct Loader {
    /// What their code is compiled for.
    pub engine: Engine,
    /// Where compiled code is kept.
    pub cache: Option<Cache>,
    /// Told when a component is compiled.
    pub progress: Arc<dyn Progress + Send + Sync>,
    /// Looks a variable of the host's environment up: for variables and secrets of the manifest, and for guests that are
    /// granted one.
    pub environment: Environment,
    /// Values of the manifest's variables. They come before those of the environment, which come before the manifest's own.
    pub variables: BTreeMap<String, String>,
}

/// An app whose providers are linked and ready.
pub struct App<'a> {
    loader: &'a Loader,
    manifest: &'a Manifest,
    values: Values,
    providers: BTreeMap<String, Provider>,
}

/// A guest that is ready to be linked.
pub struct Guest {
    /// Its code.
    pub code: Code,
    /// What it may touch and use.
    pub authority: Arc<Authority>,
    /// What it imports from other components, which stay apart from it.
    pub imports: Vec<Import>,
}

impl Guest {
    /// One that nobody provides for but the host.
    #[must_use]
    pub fn alone(code: Code, authority: Arc<Authority>) -> Self {
        Self { code, authority, imports: Vec::new() }
    }

    /// Keeps the time of those that provide for it: they have limits of their own, whatever its are.
    pub(crate) fn clock(&self, engine: &Engine) -> Option<ClockGuard> {
        (!self.imports.is_empty()).then(|| engine.run_clock())
    }
}

impl<'a> App<'a> {
    /// Reads variables and secrets, and links every component that provides for one of `wanted` across the host, each behind
    /// what it needs itself. Files are read and compiled for it: not on a thread that serves.
    ///
    /// What is wrong is added to `problems`; what it keeps from being loaded is missing.
    pub fn open(loader: &'a Loader, manifest: &'a Manifest, wanted: &[&str], problems: &mut Vec<Problem>) -> Self {
        let values = Values::read(loader, manifest, wanted, problems);
        let mut app = Self { loader, manifest, values, providers: BTreeMap::new() };
        for name in order(manifest, wanted) {
            match app.provider(name) {
                Ok(provider) => _ = app.providers.insert(name.to_owned(), provider),
                Err(found) => problems.extend(found),
            }
        }
        app
    }

    /// One of its components that were wanted.
    ///
    /// # Errors
    /// Everything that is wrong with it, but not what is wrong with those that provide for it.
    pub fn guest(&self, name: &str) -> Result<Guest, Vec<Problem>> {
        let Some(component) = self.manifest.components.get(name) else {
            return Err(vec![Problem::new(format!("there is no component `{name}`"))]);
        };
        let imports = self.imports(name, component);
        let (imports, (authority, code)) = both(imports, self.load(name, component))?;
        Ok(Guest { code, authority: Arc::new(authority), imports })
    }

    fn provider(&self, name: &str) -> Result<Provider, Vec<Problem>> {
        let Guest { code, authority, imports } = self.guest(name)?;
        Provider::new(&self.loader.engine, name, &code, authority, &imports).map_err(|error| {
            let problem = Problem { hint: error.hint().map(str::to_owned), ..Problem::of(&error).at(place(name)) };
            vec![if let WireError::Engine(_) = error { problem.kind(Kind::Machine) } else { problem }]
        })
    }

    /// What a component imports from others. Nothing where it is fused with them.
    fn imports(&self, name: &str, component: &Component) -> Result<Vec<Import>, Vec<Problem>> {
        if component.fuse || component.imports.is_empty() {
            return Ok(Vec::new());
        }
        let links = compose::links(self.manifest, name).map_err(|error| vec![unfit(&error, place(name))])?;
        let import = |link: compose::Link| {
            // One that is missing has its own problem.
            let provider = self.providers.get(&link.provider).ok_or_else(Vec::new)?.clone();
            Ok(Import { import: link.import, provider, export: link.export })
        };
        links.into_iter().map(import).collect()
    }
}

/// Where a problem of a component is.
fn place(name: &str) -> String {
    format!("component `{name}`")
}

fn unfit(error: &compose::ComposeError, place: String) -> Problem {
    let hint = error.hint().map(str::to_owned);
    Problem { hint, details: error.details().to_vec(), ..Problem::new(error).at(place) }
}

/// The components that those which are `wanted` call across the host, directly or by way of others, each behind those that it
/// calls.
fn order<'a>(manifest: &'a Manifest, wanted: &[&str]) -> Vec<&'a str> {
    fn visit<'a>(manifest: &'a Manifest, name: &str, order: &mut Vec<&'a str>) {
        let Some(component) = manifest.components.get(name).filter(|component| !component.fuse) else { return };
        for provider in component.imports.values() {
            if !order.contains(&provider.as_str()) {
                visit(manifest, provider, order);
                order.push(provider);
            }
        }
    }
    let mut order = Vec::new();
    wanted.iter().for_each(|name| visit(manifest, name, &mut order));
    order
}

/// Both, or everything that is wrong with either.
fn both<A, B>(a: Result<A, Vec<Problem>>, b: Result<B, Vec<Problem>>) -> Result<(A, B), Vec<Problem>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err([a.err(), b.err()].into_iter().flatten().flatten().collect()),
    }
}
