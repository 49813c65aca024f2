//! Guests in Python: `app.py` by componentize-py.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::samples::{self, Sample, World};
use super::{component, pinned, pypi};
use crate::project::Project;
use crate::{Result, shell};

/// componentize-py, which brings the Python that runs inside components.
pub(crate) struct Toolchain {
    package: PathBuf,
}

impl Toolchain {
    /// Fetches it from PyPI: it is bound to no system.
    pub(crate) fn get(project: &Project) -> Result<Self> {
        Ok(Self { package: pypi::fetch(project, pinned::COMPONENTIZE_PY)? })
    }

    /// The folder that Python imports it from.
    pub(crate) fn package(&self) -> &Path {
        &self.package
    }

    /// What tells this toolchain from another.
    pub(crate) fn version(&self) -> String {
        pinned::COMPONENTIZE_PY.to_owned()
    }

    /// Builds a component for a world.
    pub(crate) fn build(&self, project: &Project, sample: &Sample, world: World, output: &Path) -> Result {
        let mut python = Command::new(pypi::python()?);
        // A fault is told by Python's own words: where in componentize-py it came up helps nobody.
        python.env("PYTHONPATH", &self.package).env("RUST_BACKTRACE", "0").env("PYTHONDONTWRITEBYTECODE", "1");
        python.args(["-c", "from componentize_py import script; script()"]);
        python.arg("--wit-path").arg(samples::folder(project).join(world.wit)).args(["--world", world.name, "--quiet"]);
        python.arg("componentize").arg("--python-path").arg(sample.folder(project));
        if world.wit != samples::HTTP.wit {
            // What asks the host for nothing in its WIT asks for nothing at all.
            python.arg("--stub-wasi");
        }
        shell::run(python.arg("app").arg("--output").arg(output))?;
        component::name(output, "Python")
    }
}
