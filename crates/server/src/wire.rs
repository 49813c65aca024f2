//! The components of an app that provide for others and stay apart from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_package::compose;
use coracle_package::manifest::{self, Manifest};
use coracle_runtime::MAX_POOL;
use coracle_runtime::wired::{Import, Provider, WireError};

use crate::app::{Builder, Values};
use crate::compile::both;
use crate::config::{Problem, Source};

/// Those that are linked and ready, by name.
#[derive(Default)]
pub(crate) struct Providers(BTreeMap<String, Provider>);

impl Builder {
    /// Links every component that provides for another one which is not fused with it, each behind what it needs itself.
    pub(crate) async fn providers(
        &self,
        manifest: &Manifest,
        values: &Values,
        problems: &mut Vec<Problem>,
    ) -> Providers {
        let mut providers = Providers::default();
        for name in order(manifest) {
            let Some(component) = manifest.components.get(name) else { continue };
            match self.provider(manifest, name, component, values, &providers).await {
                Ok(provider) => _ = providers.0.insert(name.to_owned(), provider),
                Err(found) => problems.extend(found),
            }
        }
        providers
    }

    async fn provider(
        &self,
        manifest: &Manifest,
        name: &str,
        component: &manifest::Component,
        values: &Values,
        providers: &Providers,
    ) -> Result<Provider, Vec<Problem>> {
        let imports = providers.imports(manifest, name, component).await;
        let (imports, (authority, code)) = both(imports, self.load(manifest, name, component, values).await)?;
        Provider::new(&self.engine, name, &code, Arc::new(authority), &imports)
            .map_err(|error| vec![not_wired(&error, Problem::of(&error).at(format!("component `{name}`")))])
    }
}

impl Providers {
    /// What a component imports from others. Nothing where it is fused with them.
    pub(crate) async fn imports(
        &self,
        manifest: &Manifest,
        name: &str,
        component: &manifest::Component,
    ) -> Result<Vec<Import>, Vec<Problem>> {
        if component.fuse || component.imports.is_empty() {
            return Ok(Vec::new());
        }
        let links = links(manifest, name).await.map_err(|problem| vec![problem])?;
        let import = |link: compose::Link| {
            // One that is missing has its own problem.
            let provider = self.0.get(&link.provider).ok_or_else(Vec::new)?.clone();
            Ok(Import { import: link.import, provider, export: link.export })
        };
        links.into_iter().map(import).collect()
    }
}

/// The components' files are read for it, and may be large: not on a thread that serves.
async fn links(manifest: &Manifest, name: &str) -> Result<Vec<compose::Link>, Problem> {
    let (manifest, name) = (manifest.clone(), name.to_owned());
    let read = tokio::task::spawn_blocking(move || {
        compose::links(&manifest, &name).map_err(|error| {
            let hint = error.hint().map(str::to_owned);
            let place = format!("component `{name}`");
            Problem { hint, details: error.details().to_vec(), ..Problem::new(&error).at(place) }
        })
    });
    read.await.unwrap_or_else(|_| Err(Problem::new("reading the components' interfaces broke off")))
}

/// The components that are called by others across the host, each behind those that it calls.
fn order(manifest: &Manifest) -> Vec<&str> {
    fn visit<'a>(manifest: &'a Manifest, name: &'a str, order: &mut Vec<&'a str>) {
        let Some(component) = manifest.components.get(name).filter(|component| !component.fuse) else { return };
        for provider in component.imports.values() {
            if !order.contains(&provider.as_str()) {
                visit(manifest, provider, order);
                order.push(provider);
            }
        }
    }
    let mut order = Vec::new();
    manifest.components.keys().for_each(|name| visit(manifest, name, &mut order));
    order
}

/// The most instances that one invocation of an app may take. What cannot be read is told when the app is built.
pub(crate) fn instances(source: &Source) -> u32 {
    let manifest = match source {
        Source::File(file) => std::fs::read_to_string(file).ok().and_then(|text| Manifest::parse(&text, file).ok()),
        Source::Manifest(manifest) => Some(Manifest::clone(manifest)),
        Source::Component { .. } => None,
    };
    let Some(manifest) = manifest else { return 1 };
    let apart = |name: &String| compose::members(name, &manifest.components).len();
    let most = manifest.components.iter().filter(|(_, it)| !it.fuse).map(|(name, _)| apart(name)).max();
    most.and_then(|most| u32::try_from(most).ok()).unwrap_or(1)
}

/// How many of the invocations that were `asked` for may run at one time, where each takes so many instances: those that would
/// begin and find no instance in the pool half way are turned away at once.
pub(crate) fn whole_invocations(asked: u32, each: u32) -> u32 {
    asked.min(MAX_POOL / each.max(1)).max(1)
}

/// What to do about a component that cannot be wired.
pub(crate) fn not_wired(error: &WireError, problem: Problem) -> Problem {
    match error {
        WireError::Value { .. } => {
            problem.hint("write `fuse = true` under the component that imports it: fused, everything may be passed")
        }
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_run_than_find_all_their_instances() {
        assert_eq!(whole_invocations(1_000, 1), 1_000);
        assert_eq!(whole_invocations(1_000, 16), 500);
        assert_eq!(whole_invocations(u32::MAX, 1), MAX_POOL);
        assert_eq!(whole_invocations(1_000, u32::MAX), 1);
    }
}
