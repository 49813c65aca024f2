//! What `coracle run` is to run: a file of its own, or a component of an app.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use coracle_package::compose;
use coracle_package::grant::Grants;
use coracle_package::limit::Limits;
use coracle_package::manifest::Manifest;
use coracle_runtime::app::{App, Guest, Loader};
use coracle_runtime::cache::Cache;
use coracle_runtime::compile;
use coracle_runtime::{Authority, Engine, EngineOptions, Resolution};

use super::Arguments;
use super::failure::refused;
use crate::compiler;
use crate::environment::Environment;
use crate::error::{Failure, chain};
use crate::grants::{Faults, LimitFlags, values_alone};
use crate::progress::CompileLine;
use crate::target::{self, is_app, manifest_failure};

/// What is to be run, before anything of it is compiled.
pub(super) enum Wanted {
    /// A file with what the command line grants it.
    File { name: String, grants: Box<Grants>, limits: Box<Limits> },
    /// A component of an app, and values of the app's variables.
    Component { manifest: Box<Manifest>, name: String, variables: BTreeMap<String, String> },
}

impl Wanted {
    pub(super) fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let mut faults = Faults::default();
        let mut limits = Limits::command();
        let grants = arguments.grants.read(&mut faults);
        arguments.limits.read(&mut limits, &mut faults);
        faults.into_result()?;
        if is_app(&arguments.target) {
            if arguments.limits != LimitFlags::default() {
                return Err(Failure::usage("an app's components have their limits in its manifest, not by flag")
                    .at(arguments.target.display())
                    .hint("write them into [component.NAME.limits]; flags are for a component on its own"));
            }
            let variables = values_alone(&grants, &arguments.target)?;
            return Self::component(arguments, variables);
        }
        if let Some(component) = &arguments.component {
            return Err(Failure::usage(format!("it is no app, and has no component `{component}`"))
                .at(arguments.target.display())
                .hint("arguments for the guest go after `--`"));
        }
        let target = &arguments.target;
        let name = target.file_name().map_or_else(|| target.to_string_lossy(), |name| name.to_string_lossy());
        Ok(Self::File { name: name.into_owned(), grants: Box::new(grants), limits: Box::new(limits) })
    }

    fn component(arguments: &Arguments, variables: BTreeMap<String, String>) -> Result<Self, Failure> {
        let manifest = Manifest::load(&arguments.target).map_err(|faults| manifest_failure(&faults))?;
        let name = target::component(&manifest, arguments.component.as_deref(), &arguments.target)?.to_owned();
        Ok(Self::Component { manifest: Box::new(manifest), name, variables })
    }

    /// What the guest is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File { name, .. } | Self::Component { name, .. } => name.clone(),
        }
    }

    /// Compiles it, and all that provides for it.
    pub(super) fn load(&self, arguments: &Arguments, environment: &Environment) -> Result<(Engine, Guest), Failure> {
        let engine = |fuel: bool| {
            let options = EngineOptions { fuel, coredump: arguments.coredump.is_some(), ..EngineOptions::command() };
            Engine::new(options, compiler::own()).map_err(|error| Failure::internal(chain(&error)))
        };
        match self {
            Self::File { name, grants, limits } => {
                let authority = authority(grants, limits, environment)?;
                let engine = engine(limits.fuel.is_some())?;
                let (cache, target) = (cache(environment), &arguments.target);
                let code = compile::load_file(&engine, cache.as_ref(), target, &CompileLine::new(name))
                    .map_err(|error| Failure::of(&[error.problem(target.display())]))?;
                Ok((engine, Guest::alone(code, Arc::new(authority))))
            }
            Self::Component { manifest, name, variables } => {
                let members = compose::members(name, &manifest.components);
                let fuel = |name: &&str| manifest.components.get(*name).is_some_and(|it| it.limits.fuel.is_some());
                let engine = engine(members.iter().any(fuel))?;
                let environment_of = environment.clone();
                let loader = Loader {
                    engine: engine.clone(),
                    cache: cache(environment),
                    progress: Arc::new(CompileLine::new("a component")),
                    environment: Arc::new(move |name| environment_of.text(name)),
                    variables: variables.clone(),
                };
                let mut problems = Vec::new();
                let app = App::open(&loader, manifest, &[name], &mut problems);
                let guest = app.guest(name).map_err(|found| problems.extend(found));
                match guest {
                    Ok(guest) if problems.is_empty() => Ok((engine, guest)),
                    _ => Err(Failure::of(&problems)),
                }
            }
        }
    }
}

fn authority(grants: &Grants, limits: &Limits, environment: &Environment) -> Result<Authority, Failure> {
    let resolution = Resolution {
        directory: Path::new(""),
        variables: &BTreeMap::new(),
        secrets: &BTreeMap::new(),
        environment: &|name| environment.text(name),
        roots: &[],
    };
    Authority::resolve(grants, limits.clone(), &resolution).map_err(|errors| refused(&errors))
}

fn cache(environment: &Environment) -> Option<Cache> {
    let directory = environment.cache_directory()?;
    Cache::open(&directory)
        .inspect_err(|error| tracing::debug!(error = chain(error), "running without a code cache"))
        .ok()
}
