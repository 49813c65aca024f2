//! The hello in Go with its runtime started by the build, which is a thing of manifests: an app that builds it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::run::Run;
use crate::guests::go;
use crate::{Result, shell};

/// Builds it unless it is there, and says where.
pub(super) fn component(run: &Run) -> Result<PathBuf> {
    let folder = run.scratch("hello-go")?;
    let component = folder.join("hello-go.wasm");
    let samples = run.project.root.join("samples");
    let manifest = format!(
        "[app]\nname = \"hello-go\"\n\n[component.hello]\nsource = \"hello-go.wasm\"\n\
         build = {{ language = \"go\", folder = '{}', wit = '{}', world = \"http\", snapshot = true }}\n",
        samples.join("hello-go").display(),
        samples.join("wit").display()
    );
    let file = folder.join("coracle.toml");
    // It is built once for each build of this program: what makes the snapshot may have changed.
    let newer = |other: &PathBuf| Ok::<_, crate::Error>(fs::metadata(other)?.modified()?);
    if component.is_file() && newer(&component)? > newer(&run.programs.coracle)? {
        return Ok(component);
    }
    fs::write(&file, manifest)?;
    let mut build = Command::new(&run.programs.coracle);
    build.current_dir(&folder).args(["build", ".", "--force"]);
    build.env("PATH", go::Toolchain::get(run.project)?.search_path()?);
    shell::run(&mut build)?;
    Ok(component)
}
