//! From a component's file, or those of several that are fused, to code and authority.

use coracle_package::compose;
use coracle_package::fault::Problem;
use coracle_package::manifest::Component;

use super::{App, both, place, unfit};
use crate::authority::{Authority, AuthorityError, Resolution};
use crate::compile::{self, Code};

impl App<'_> {
    /// A component's authority and its code: of all that it is made of, where it is fused.
    pub(super) fn load(&self, name: &str, component: &Component) -> Result<(Authority, Code), Vec<Problem>> {
        let code = match component.fuse {
            true => self.compile_fused(name),
            false => self.compile(component),
        };
        both(self.authority(name, component), code.map_err(|problem| vec![problem]))
    }

    fn authority(&self, name: &str, component: &Component) -> Result<Authority, Vec<Problem>> {
        let place = place(name);
        let grants = match component.fuse {
            true => compose::united_grants(name, &self.manifest.components).map_err(|errors| {
                errors.into_iter().map(|error| Problem::from(error).at(&place)).collect::<Vec<_>>()
            })?,
            false => component.grants.clone(),
        };
        let resolution = Resolution {
            directory: &self.manifest.directory,
            variables: &self.values.variables,
            secrets: &self.values.secrets,
            environment: &*self.loader.environment,
            roots: &[],
        };
        // Values that are missing were told once, where they come from: see `Values::read`.
        let told = |error: &AuthorityError| matches!(error, AuthorityError::Variable(_) | AuthorityError::Secret(_));
        Authority::resolve(&grants, component.limits.clone(), &resolution).map_err(|errors| {
            errors.iter().filter(|error| !told(error)).map(|error| Problem::of(error).at(&place)).collect()
        })
    }

    fn compile(&self, component: &Component) -> Result<Code, Problem> {
        let file = self.manifest.resolve(&component.source);
        let loaded = compile::load_file(&self.loader.engine, self.loader.cache.as_ref(), &file, &*self.loader.progress);
        loaded.map_err(|error| error.problem(file.display()))
    }

    /// Makes one component of `root` and all that provides for it, and compiles that.
    fn compile_fused(&self, root: &str) -> Result<Code, Problem> {
        let bytes = compose::encode(self.manifest, root).map_err(|error| unfit(&error, place(root)))?;
        let loaded = compile::load(&self.loader.engine, self.loader.cache.as_ref(), &bytes, &*self.loader.progress);
        loaded.map_err(|error| error.problem(place(root)))
    }
}
