//! From a component's file, or those of several that are fused, to code and authority.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_package::compose;
use coracle_package::manifest::{self, Manifest};
use coracle_runtime::cache::Cache;
use coracle_runtime::compile::{self, Code, CompileError, Progress};
use coracle_runtime::{Authority, Engine, Resolution};

use crate::app::{Builder, Values};
use crate::config::Problem;

impl Builder {
    /// A component's authority and its code: of all that it is made of, where it is fused.
    pub(crate) async fn load(
        &self,
        manifest: &Manifest,
        name: &str,
        component: &manifest::Component,
        values: &Values,
    ) -> Result<(Authority, Code), Vec<Problem>> {
        let authority = self.authority(manifest, name, component, values);
        let code = match component.fuse {
            true => self.compile_fused(manifest, name).await,
            false => self.compile(manifest.resolve(&component.source)).await,
        };
        both(authority, code.map_err(|problem| vec![problem]))
    }

    fn authority(
        &self,
        manifest: &Manifest,
        name: &str,
        component: &manifest::Component,
        values: &Values,
    ) -> Result<Authority, Vec<Problem>> {
        let place = format!("component `{name}`");
        let grants = match component.fuse {
            true => compose::united_grants(name, &manifest.components).map_err(|errors| {
                errors.into_iter().map(|error| Problem::from(error).at(&place)).collect::<Vec<_>>()
            })?,
            false => component.grants.clone(),
        };
        let resolution = Resolution {
            directory: &manifest.directory,
            variables: &values.variables,
            secrets: &values.secrets,
            environment: &*self.config.environment,
            roots: &[],
        };
        Authority::resolve(&grants, component.limits.clone(), &resolution)
            .map_err(|errors| errors.iter().map(|error| Problem::of(error).at(&place)).collect())
    }

    /// Compiling takes seconds and all cores: not on a thread that serves.
    async fn compile(&self, file: PathBuf) -> Result<Code, Problem> {
        let (engine, cache) = (self.engine.clone(), self.config.cache.clone());
        let progress = Arc::clone(&self.config.progress);
        let compiled = tokio::task::spawn_blocking(move || load(&engine, cache.as_ref(), &file, &*progress)).await;
        compiled.unwrap_or_else(|_| Err(Problem::new("the compiler broke off")))
    }

    /// Makes one component of `root` and all that provides for it, and compiles that.
    async fn compile_fused(&self, manifest: &Manifest, root: &str) -> Result<Code, Problem> {
        let (engine, cache) = (self.engine.clone(), self.config.cache.clone());
        let progress = Arc::clone(&self.config.progress);
        let (manifest, root) = (manifest.clone(), root.to_owned());
        let compiled = tokio::task::spawn_blocking(move || {
            let place = format!("component `{root}`");
            let bytes = compose::encode(&manifest, &root).map_err(|error| {
                let hint = error.hint().map(str::to_owned);
                Problem { hint, details: error.details().to_vec(), ..Problem::new(&error).at(&place) }
            })?;
            compile::load(&engine, cache.as_ref(), &bytes, &*progress).map_err(|error| {
                let hint = error.hint().map(str::to_owned);
                Problem { hint, ..Problem::of(&error).at(&place) }
            })
        });
        compiled.await.unwrap_or_else(|_| Err(Problem::new("the compiler broke off")))
    }
}

fn load(engine: &Engine, cache: Option<&Cache>, file: &Path, progress: &dyn Progress) -> Result<Code, Problem> {
    compile::load_file(engine, cache, file, progress).map_err(|error| {
        let place = file.display();
        let problem = match &error {
            CompileError::Read { source, .. } => Problem::new(format!("cannot read it: {source}")).at(place),
            CompileError::Text { message, line, column, .. } => {
                Problem::new(message).at(format!("{place}:{line}:{column}"))
            }
            error => Problem::of(error).at(place),
        };
        Problem { hint: error.hint().map(str::to_owned), ..problem }
    })
}

/// Both, or everything that is wrong with either.
pub(crate) fn both<A, B>(a: Result<A, Vec<Problem>>, b: Result<B, Vec<Problem>>) -> Result<(A, B), Vec<Problem>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err([a.err(), b.err()].into_iter().flatten().flatten().collect()),
    }
}
