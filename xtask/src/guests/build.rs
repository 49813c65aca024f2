//! Building one sample when it is not up to date.

use std::fs;
use std::path::Path;

use super::samples::{self, HTTP, Recipe, Sample};
use super::step::Step;
use super::{c, go, javascript, npm, python, rust};
use crate::Result;
use crate::project::Project;

/// Builds samples, and gets each toolchain when the first sample needs it.
pub(crate) struct Builder<'a> {
    project: &'a Project,
    force: bool,
    rust: Option<rust::Toolchain>,
    c: Option<c::Toolchain>,
    go: Option<go::Toolchain>,
    python: Option<python::Toolchain>,
    npm: Option<npm::Npm>,
}

impl<'a> Builder<'a> {
    /// A builder that has no toolchain yet.
    pub(crate) fn new(project: &'a Project, force: bool) -> Self {
        Self { project, force, rust: None, c: None, go: None, python: None, npm: None }
    }

    /// Builds a sample to its place unless it is there already. True when it was built.
    pub(crate) fn build(&mut self, sample: &Sample) -> Result<bool> {
        let output = sample.component(self.project);
        let mut step = self.step(sample)?;
        if !sample.is_kept() {
            step = step.input(self.toolchain(sample)?);
        }
        step.force(self.force).run(|| self.work(sample, &output))
    }

    /// Whether a sample that is kept in the tree was built from the sources that lie beside it.
    pub(crate) fn is_current(&self, sample: &Sample) -> Result<bool> {
        Ok(self.step(sample)?.is_done())
    }

    /// Builds a sample that is kept in the tree to another place. True when it was built.
    pub(crate) fn rebuild(&mut self, sample: &Sample, output: &Path) -> Result<bool> {
        let stamp = self.project.tools().join("stamps").join("rebuilt").join(sample.name);
        let step = Step::new(stamp, format!("rebuild {}", sample.name)).output(output);
        let step = self.with_sources(step, sample)?.input(self.toolchain(sample)?);
        fs::create_dir_all(output.parent().ok_or("a component has no folder")?)?;
        step.force(self.force).run(|| self.work(sample, output))
    }

    /// The step that builds a sample to its place, without its toolchain.
    fn step(&self, sample: &Sample) -> Result<Step> {
        // What is kept in the tree keeps its stamp there too: a fresh clone is up to date, and needs no toolchain.
        let stamps = if sample.is_kept() { samples::folder(self.project) } else { self.project.tools() };
        let step = Step::new(stamps.join("stamps").join(sample.name), format!("build {}", sample.name));
        self.with_sources(step.output(sample.component(self.project)), sample)
    }

    fn with_sources(&self, step: Step, sample: &Sample) -> Result<Step> {
        let mut shared = shared(sample.recipe).into_iter().map(|shared| samples::folder(self.project).join(shared));
        shared.try_fold(step.source(&sample.folder(self.project))?, |step, path| step.source(&path))
    }

    fn work(&mut self, sample: &Sample, output: &Path) -> Result {
        let project = self.project;
        match sample.recipe {
            Recipe::Rust => self.rust()?.build(project, sample, output),
            Recipe::RustAlone { .. } => self.rust()?.build_alone(project, sample, output),
            Recipe::CModule => self.c()?.build_module(project, sample, output),
            Recipe::C(world) => self.c()?.build_component(project, sample, world, output),
            Recipe::GoModule => self.go()?.build_module(project, sample, output),
            Recipe::Go(world) => self.go()?.build_component(project, sample, world, output),
            Recipe::Python(world) => self.python()?.build(project, sample, world, output),
            Recipe::JavaScript => javascript::build_component(self.npm()?, project, sample, output),
            Recipe::JavaScriptLibrary(world) => {
                javascript::build_library(self.npm()?, project, &sample.folder(project).join("app.js"), world, output)
            }
            Recipe::TypeScriptLibrary(world) => javascript::build_typescript(
                self.npm()?,
                project,
                &sample.folder(project).join("app.ts"),
                world,
                output,
            ),
        }
    }

    /// What tells the toolchain of a sample from another version of it.
    fn toolchain(&mut self, sample: &Sample) -> Result<String> {
        match sample.recipe {
            Recipe::Rust | Recipe::RustAlone { .. } => self.rust()?.version(),
            Recipe::CModule | Recipe::C(_) => self.c()?.version(),
            Recipe::GoModule | Recipe::Go(_) => self.go()?.version(),
            Recipe::Python(_) => Ok(self.python()?.version()),
            Recipe::JavaScript | Recipe::JavaScriptLibrary(_) | Recipe::TypeScriptLibrary(_) => self.npm()?.version(),
        }
    }

    fn rust(&mut self) -> Result<&rust::Toolchain> {
        once(&mut self.rust, || rust::Toolchain::get(self.project))
    }

    fn c(&mut self) -> Result<&c::Toolchain> {
        once(&mut self.c, || c::Toolchain::get(self.project))
    }

    fn go(&mut self) -> Result<&go::Toolchain> {
        once(&mut self.go, || go::Toolchain::get(self.project))
    }

    fn python(&mut self) -> Result<&python::Toolchain> {
        once(&mut self.python, || python::Toolchain::get(self.project))
    }

    fn npm(&mut self) -> Result<&npm::Npm> {
        once(&mut self.npm, || npm::Npm::get(self.project))
    }
}

/// What lies beside a sample's own folder and is an input of its build.
fn shared(recipe: Recipe) -> Vec<&'static str> {
    match recipe {
        Recipe::Rust => vec!["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "http-rust"],
        // Its crate `http-rust` takes its settings from the workspace of the others, and none of their versions.
        Recipe::RustAlone { wit } => vec![".cargo/config.toml", "http-rust", wit],
        Recipe::CModule => Vec::new(),
        Recipe::C(HTTP) => vec!["bindings/c", HTTP.wit],
        Recipe::GoModule => vec!["go.mod"],
        Recipe::Go(HTTP) => vec!["go.mod", "bindings/go", HTTP.wit],
        Recipe::Go(world) => vec!["go.mod", "bindings/go/runtime", world.wit],
        Recipe::JavaScript => vec![HTTP.wit],
        Recipe::C(world)
        | Recipe::Python(world)
        | Recipe::JavaScriptLibrary(world)
        | Recipe::TypeScriptLibrary(world) => vec![world.wit],
    }
}

fn once<T>(slot: &mut Option<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if slot.is_none() {
        *slot = Some(make()?);
    }
    slot.as_ref().ok_or_else(|| "a toolchain was lost".into())
}
