//! The samples, and how each is built.

use std::path::PathBuf;

use crate::project::Project;
use crate::{Error, Result};

/// A folder under `samples/` that is built to one component (or module) of the same name.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The folder, from `samples/`.
    pub(crate) name: &'static str,
    /// What builds it.
    pub(crate) recipe: Recipe,
}

/// What a component is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct World {
    /// The folder of its WIT package, from `samples/`.
    pub(crate) wit: &'static str,
    /// Its name there.
    pub(crate) name: &'static str,
}

/// The world of the samples that answer over HTTP.
pub(crate) const HTTP: World = World { wit: "wit", name: "http" };

/// The ways to build a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// A member of the Cargo workspace in `samples/`, for `wasm32-wasip2`.
    Rust,
    /// A Cargo workspace of its own, for `wasm32-wasip2`, that takes WIT from this folder.
    RustAlone { wit: &'static str },
    /// C to a core module for WASI preview 1.
    CModule,
    /// C with the bindings of its world, to a component.
    C(World),
    /// A Go program to a core module for WASI preview 1.
    GoModule,
    /// Go with the bindings of its world, to a component.
    Go(World),
    /// Python, to a component.
    Python(World),
    /// JavaScript on the engine StarlingMonkey, to an HTTP component.
    JavaScript,
    /// JavaScript on the engine QuickJS, to a component that asks the host for nothing.
    JavaScriptLibrary(World),
    /// The same in TypeScript.
    TypeScriptLibrary(World),
}

/// Every sample.
pub(crate) const SAMPLES: [Sample; 27] = [
    sample("hello-rust", Recipe::Rust),
    sample("hello-rust-p3", Recipe::Rust),
    sample("echo-rust", Recipe::Rust),
    sample("thumbnail", Recipe::Rust),
    sample("command-rust", Recipe::Rust),
    sample("probe-rust", Recipe::Rust),
    sample("probe-rust-p3", Recipe::Rust),
    sample("store-rust", Recipe::Rust),
    sample("hello-c", Recipe::C(HTTP)),
    sample("montecarlo", Recipe::C(HTTP)),
    sample("command-c", Recipe::CModule),
    sample("hello-go", Recipe::Go(HTTP)),
    sample("csv", Recipe::Go(HTTP)),
    sample("command-go", Recipe::GoModule),
    sample("hello-python", Recipe::Python(HTTP)),
    sample("forecast", Recipe::Python(HTTP)),
    sample("command-python", Recipe::Python(World { wit: "wit", name: "command" })),
    sample("hello-javascript", Recipe::JavaScript),
    sample("render", Recipe::JavaScript),
    sample("library-javascript", Recipe::JavaScriptLibrary(World { wit: "library-javascript/wit", name: "library" })),
    sample("crossing-rust", Recipe::RustAlone { wit: QUOTE }),
    sample("order", Recipe::RustAlone { wit: QUOTE }),
    sample("quote/front", Recipe::RustAlone { wit: QUOTE }),
    sample("quote/validation", Recipe::Go(World { wit: QUOTE, name: "validator" })),
    sample("quote/pricing", Recipe::Python(World { wit: QUOTE, name: "pricer" })),
    sample("quote/pricing-c", Recipe::C(World { wit: QUOTE, name: "pricer" })),
    sample("quote/rendering", Recipe::TypeScriptLibrary(World { wit: QUOTE, name: "renderer" })),
];

/// The WIT package of the parts of `samples/quote`.
const QUOTE: &str = "quote/wit";

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
        format!("{}.wasm", self.last())
    }

    /// The folder's own name.
    pub(crate) fn last(&self) -> &'static str {
        self.name.rsplit_once('/').map_or(self.name, |(_, last)| last)
    }

    /// The folder of the bindings for its world: those for HTTP are shared.
    pub(crate) fn bindings(&self, project: &Project, world: World, language: &str) -> PathBuf {
        match world == HTTP {
            true => folder(project).join("bindings").join(language),
            false => self.folder(project).join("bindings"),
        }
    }

    /// Whether what was built of it is kept in the tree: it is small, so that the first command needs no toolchain.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.recipe, Recipe::Rust | Recipe::RustAlone { .. } | Recipe::CModule | Recipe::C(_))
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
