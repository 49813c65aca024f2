//! Guests in JavaScript: `app.js` bundled by esbuild, then on the engine StarlingMonkey (what answers over HTTP) or
//! QuickJS (libraries).

use std::path::Path;

use super::component;
use super::npm::Npm;
use super::samples::{self, Sample};
use crate::project::Project;
use crate::{Result, shell};

/// Builds an HTTP component: a program that listens for `fetch` events, as in a service worker.
pub(crate) fn build_component(npm: &Npm, project: &Project, sample: &Sample, output: &Path) -> Result {
    let bundle = output.with_extension("bundle.js");
    let mut esbuild = npm.script("esbuild/bin/esbuild");
    esbuild.env("NODE_PATH", npm.modules()).arg(sample.folder(project).join("app.js"));
    esbuild.args([
        "--bundle",
        "--format=esm",
        "--platform=neutral",
        "--main-fields=module,main",
        "--log-level=warning",
    ]);
    shell::run(esbuild.arg(format!("--outfile={}", bundle.display())))?;

    let mut componentize = npm.script("@bytecodealliance/componentize-js/src/cli.js");
    componentize.arg(&bundle).arg("--wit").arg(samples::folder(project).join("wit"));
    componentize.args(["--world-name", "http", "--out"]).arg(output);
    shell::output(&mut componentize)?;
    std::fs::remove_file(bundle)?;
    component::name(output, "JavaScript")
}

/// Builds a component of its own world, which asks the host for nothing.
pub(crate) fn build_library(npm: &Npm, project: &Project, sample: &Sample, output: &Path) -> Result {
    let folder = sample.folder(project);
    let mut componentize = npm.script("componentize-qjs/bin/componentize-qjs");
    componentize.arg("--wit").arg(folder.join("wit")).arg("--js").arg(folder.join("app.js"));
    componentize.args(["--sync", "--stub-wasi", "--opt-size", "--output"]).arg(output);
    shell::output(&mut componentize)?;
    component::name(output, "JavaScript")
}
