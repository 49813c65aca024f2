//! Finding a tool, and telling its version.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Environment, Program, Tool, ToolError, rust};

/// A tool that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// How it is started.
    pub program: Program,
    /// What it says of its version; empty where it says nothing.
    pub version: String,
}

/// Finds tools by an environment.
#[derive(Clone)]
pub struct Need {
    environment: Environment,
}

impl Need {
    /// Tools are looked for where this environment says.
    pub fn new(environment: Environment) -> Self {
        Self { environment }
    }

    /// The tool, where it is there and new enough.
    ///
    /// # Errors
    /// It is missing, or too old.
    pub fn find(&self, tool: Tool) -> Result<Found, ToolError> {
        let program = self.locate(tool).ok_or(ToolError::Missing(tool))?;
        let version = match tool {
            Tool::RustTarget => String::new(),
            Tool::Go => said(program.command().arg("version").env("GOTOOLCHAIN", "local")),
            _ => said(program.command().arg("--version")),
        };
        let version = version.lines().next().unwrap_or_default().trim().to_owned();
        match (tool.oldest(), numbers(&version)) {
            (Some(oldest), Some(is)) if is < oldest => Err(ToolError::Old { tool, version, oldest }),
            _ => Ok(Found { program, version }),
        }
    }

    fn locate(&self, tool: Tool) -> Option<Program> {
        let named = |name: &str| self.on_path(name).map(|path| Program { path, leading: Vec::new() });
        match tool {
            Tool::Cargo => named("cargo"),
            Tool::RustTarget => {
                let rustc = (self.environment)("RUSTC").map(PathBuf::from).or_else(|| self.on_path("rustc"))?;
                rust::has_target(&rustc).then_some(Program { path: rustc, leading: Vec::new() })
            }
            Tool::Go => named("go"),
            Tool::ComponentizePy => named("componentize-py"),
            Tool::Node => named("node"),
            Tool::Npm => named("npm"),
            Tool::Clang => self.wasi_sdk().or_else(|| self.zig()),
        }
    }

    fn wasi_sdk(&self) -> Option<Program> {
        let sdk = PathBuf::from((self.environment)("WASI_SDK_PATH")?);
        let path = sdk.join("bin").join(format!("clang{}", std::env::consts::EXE_SUFFIX));
        path.is_file().then(|| Program { path, leading: vec!["--target=wasm32-wasip1".into()] })
    }

    fn zig(&self) -> Option<Program> {
        let leading = ["cc", "-target", "wasm32-wasi"].map(OsString::from).to_vec();
        self.on_path("zig").map(|path| Program { path, leading })
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
        let folders = (self.environment)("PATH")?;
        let files = |folder: PathBuf| endings.iter().map(move |ending| folder.join(format!("{name}{ending}")));
        std::env::split_paths(&folders).flat_map(files).find(|file| is_program(file))
    }
}

fn is_program(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    file.is_file()
}

/// What a command says, on either stream; nothing where it fails.
fn said(command: &mut Command) -> String {
    match command.output() {
        Ok(output) if output.status.success() => {
            let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
            String::from_utf8_lossy(&text).into_owned()
        }
        _ => String::new(),
    }
}

/// The first two numbers of a version, wherever it stands in a line: `go version go1.27.3 linux/amd64`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    version.split(|letter: char| !letter.is_ascii_digit() && letter != '.').find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_say() {
        assert_eq!(numbers("go version go1.27.3 linux/amd64"), Some((1, 27)));
        assert_eq!(numbers("v24.19.0"), Some((24, 19)));
        assert_eq!(numbers("componentize-py 0.25.1"), Some((0, 25)));
        assert_eq!(numbers("no version"), None);
    }

    #[test]
    fn what_is_not_on_the_path_is_missing() {
        let need = Need::new(Arc::new(|_| None));
        for tool in [Tool::Cargo, Tool::Go, Tool::Clang, Tool::ComponentizePy] {
            assert_eq!(need.find(tool).unwrap_err(), ToolError::Missing(tool));
        }
    }
}
