//! The samples, and how each is built.

use std::path::PathBuf;

use crate::project::Project;
use crate::{Error, Result};

/// A folder under `samples/` that is built to one component (or module) of the same name.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The folder's name.
    pub(crate) name: &'static str,
    /// What builds it.
    pub(crate) recipe: Recipe,
}

/// The ways to build a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// A member of the Cargo workspace in `samples/`, for `wasm32-wasip2`.
    Rust,
    /// C to a core module for WASI preview 1.
    CModule,
    /// C with the bindings in `samples/bindings/c`, to a component.
    C,
    /// A Go program to a core module for WASI preview 1.
    GoModule,
    /// Go with the bindings in `samples/bindings/go`, to a component.
    Go,
    /// Python, to a component.
    Python {
        /// The name of its world in `samples/wit`.
        world: &'static str,
    },
    /// JavaScript on the engine StarlingMonkey, to an HTTP component.
    JavaScript,
    /// JavaScript on the engine QuickJS, to a component of the world in its own folder.
    JavaScriptLibrary,
}

/// Every sample.
pub(crate) const SAMPLES: [Sample; 20] = [
    sample("hello-rust", Recipe::Rust),
    sample("hello-rust-p3", Recipe::Rust),
    sample("echo-rust", Recipe::Rust),
    sample("thumbnail", Recipe::Rust),
    sample("command-rust", Recipe::Rust),
    sample("probe-rust", Recipe::Rust),
    sample("probe-rust-p3", Recipe::Rust),
    sample("store-rust", Recipe::Rust),
    sample("hello-c", Recipe::C),
    sample("montecarlo", Recipe::C),
    sample("command-c", Recipe::CModule),
    sample("hello-go", Recipe::Go),
    sample("csv", Recipe::Go),
    sample("command-go", Recipe::GoModule),
    sample("hello-python", Recipe::Python { world: "http" }),
    sample("forecast", Recipe::Python { world: "http" }),
    sample("command-python", Recipe::Python { world: "command" }),
    sample("hello-javascript", Recipe::JavaScript),
    sample("render", Recipe::JavaScript),
    sample("library-javascript", Recipe::JavaScriptLibrary),
];

const fn sample(name: &'static str, recipe: Recipe) -> Sample {
    Sample { name, recipe }
}

impl Sample {
    /// Its folder.
    pub(crate) fn folder(&self, project: &Project) -> PathBuf {
        folder(project).join(self.name)
    }

    /// Where what was built of it lies.
    pub(crate) fn component(&self, project: &Project) -> PathBuf {
        self.folder(project).join(self.file())
    }

    /// The file name of what is built of it.
    pub(crate) fn file(&self) -> String {
        format!("{}.wasm", self.name)
    }

    /// Whether what was built of it is kept in the tree: it is small, so that the first command needs no toolchain.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.recipe, Recipe::Rust | Recipe::CModule | Recipe::C)
    }
}

/// The folder of all samples.
pub(crate) fn folder(project: &Project) -> PathBuf {
    project.root.join("samples")
}

/// The samples of these names, or all when there are none.
pub(crate) fn by_names(names: &[String]) -> Result<Vec<&'static Sample>> {
    if names.is_empty() {
        return Ok(SAMPLES.iter().collect());
    }
    names.iter().map(|name| by_name(name)).collect()
}

fn by_name(name: &str) -> Result<&'static Sample> {
    SAMPLES.iter().find(|sample| sample.name == name).ok_or_else(|| {
        let known = SAMPLES.iter().map(|sample| sample.name).collect::<Vec<_>>().join(", ");
        Error::from(format!("there is no sample {name:?}; there are {known}"))
    })
}
