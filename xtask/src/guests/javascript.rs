//! Guests in JavaScript: `app.js` bundled by esbuild, then on the engine StarlingMonkey (what answers over HTTP) or
//! QuickJS (libraries).

use std::path::{Path, PathBuf};

use super::component;
use super::npm::Npm;
use super::samples::{self, Sample, World};
use crate::project::Project;
use crate::{Result, shell};

/// Builds an HTTP component: a program that listens for `fetch` events, as in a service worker.
pub(crate) fn build_component(npm: &Npm, project: &Project, sample: &Sample, output: &Path) -> Result {
    let bundle = bundle(npm, &sample.folder(project).join("app.js"), output)?;
    let mut componentize = npm.script("@bytecodealliance/componentize-js/src/cli.js");
    componentize.arg(&bundle).arg("--wit").arg(samples::folder(project).join("wit"));
    componentize.args(["--world-name", "http", "--out"]).arg(output);
    shell::output(&mut componentize)?;
    std::fs::remove_file(bundle)?;
    component::name(output, "JavaScript")
}

/// Builds a component of a world that asks the host for nothing.
pub(crate) fn build_library(npm: &Npm, project: &Project, source: &Path, world: World, output: &Path) -> Result {
    componentize(npm, project, source, world, output)?;
    component::name(output, "JavaScript")
}

/// The same, of TypeScript.
pub(crate) fn build_typescript(npm: &Npm, project: &Project, source: &Path, world: World, output: &Path) -> Result {
    let bundle = bundle(npm, source, output)?;
    componentize(npm, project, &bundle, world, output)?;
    std::fs::remove_file(bundle)?;
    component::name(output, "TypeScript")
}

fn componentize(npm: &Npm, project: &Project, source: &Path, world: World, output: &Path) -> Result {
    let mut componentize = npm.script("componentize-qjs/bin/componentize-qjs");
    componentize.arg("--wit").arg(samples::folder(project).join(world.wit)).args(["-n", world.name]);
    componentize.arg("--js").arg(source).args(["--sync", "--stub-wasi", "--opt-size", "--output"]).arg(output);
    shell::output(&mut componentize)?;
    Ok(())
}

/// Makes one file of a program and what it imports, beside the output.
fn bundle(npm: &Npm, source: &Path, output: &Path) -> Result<PathBuf> {
    let bundle = output.with_extension("bundle.js");
    let mut esbuild = npm.script("esbuild/bin/esbuild");
    esbuild.env("NODE_PATH", npm.modules()).arg(source);
    esbuild.args([
        "--bundle",
        "--format=esm",
        "--platform=neutral",
        "--main-fields=module,main",
        "--log-level=warning",
    ]);
    shell::run(esbuild.arg(format!("--outfile={}", bundle.display())))?;
    Ok(bundle)
}
