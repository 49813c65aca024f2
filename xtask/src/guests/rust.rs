//! Guests in Rust: members of the Cargo workspace in `samples/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::samples::{self, Sample};
use super::{apt, component, sysroot};
use crate::project::Project;
use crate::{Result, shell};

/// What guests in Rust are compiled for: its linker makes components by itself.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// A compiler with a standard library for [`TARGET`].
pub(crate) struct Toolchain {
    /// The program, when it is not the one that Cargo finds.
    rustc: Option<PathBuf>,
}

impl Toolchain {
    /// Takes the user's own compiler where it has the target, else makes one from Debian's packages.
    pub(crate) fn get(project: &Project) -> Result<Self> {
        if own_target_is_installed()? {
            return Ok(Self { rustc: None });
        }
        let by_hand = format!("run: rustup target add {TARGET}");
        if !apt::is_here() {
            return Err(format!("Rust cannot compile to WebAssembly here; {by_hand}").into());
        }
        let rustc = sysroot::compiler_for_wasm(project).map_err(|error| format!("{error}\nor {by_hand}"))?;
        Ok(Self { rustc: Some(rustc) })
    }

    /// The compiler, where it is not the one that Cargo finds.
    pub(crate) fn rustc(&self) -> Option<&Path> {
        self.rustc.as_deref()
    }

    /// What tells this toolchain from another.
    pub(crate) fn version(&self) -> Result<String> {
        let program = self.rustc.as_deref().unwrap_or(Path::new("rustc"));
        shell::output(Command::new(program).arg("-vV"))
    }

    /// Builds a member of the workspace.
    pub(crate) fn build(&self, project: &Project, sample: &Sample, output: &Path) -> Result {
        self.build_in(project, &samples::folder(project), sample, output)
    }

    /// Builds a sample that is a workspace of its own.
    pub(crate) fn build_alone(&self, project: &Project, sample: &Sample, output: &Path) -> Result {
        self.build_in(project, &sample.folder(project), sample, output)
    }

    fn build_in(&self, project: &Project, workspace: &Path, sample: &Sample, output: &Path) -> Result {
        let target = build_folder(project);
        let mut cargo = project.cargo();
        cargo.current_dir(workspace);
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo.args(["build", "--quiet", "--release", "--locked", "--target", TARGET, "-p", sample.last()]);
        cargo.arg("--target-dir").arg(&target).arg("--config").arg(remap(project)?);
        shell::run(&mut cargo)?;

        let built = target.join(TARGET).join("release");
        let candidates = [built.join(sample.file()), built.join(sample.file().replace('-', "_"))];
        let found = candidates.iter().find(|path| path.is_file());
        let found = found.ok_or_else(|| format!("Cargo left no {} in {}", sample.file(), built.display()))?;
        fs::copy(found, output)?;
        component::name(output, "Rust")
    }
}

/// Cargo's build folder of guests, apart from that of the project itself.
pub(crate) fn build_folder(project: &Project) -> PathBuf {
    project.tools().join("target")
}

fn own_target_is_installed() -> Result<bool> {
    let libraries = shell::output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(Path::new(libraries.trim()).is_dir())
}

/// A setting of Cargo that adds to the flags of `samples/.cargo/config.toml`.
fn remap(project: &Project) -> Result<String> {
    let flags = remap_flags(&[(&samples::folder(project), "samples")])?;
    let flags = flags.iter().map(|flag| format!("'{flag}'")).collect::<Vec<_>>().join(", ");
    Ok(format!("target.{TARGET}.rustflags = [{flags}]"))
}

/// Flags of the compiler that keep this machine's folders, these and those of fetched crates, out of panic messages:
/// components are the same wherever they are built.
pub(crate) fn remap_flags(folders: &[(&Path, &str)]) -> Result<Vec<String>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let home = home.ok_or("neither CARGO_HOME nor a home folder is known")?;
    let flag = |folder: &Path, name: &str| {
        let folder = folder.to_str().ok_or_else(|| format!("{} is not UTF-8", folder.display()))?;
        Ok(format!("--remap-path-prefix={folder}={name}"))
    };
    let mut flags = folders.iter().map(|(folder, name)| flag(folder, name)).collect::<Result<Vec<_>>>()?;
    flags.push(flag(&home, "cargo")?);
    // There is one folder for each registry. Where several prefixes fit, the last one given counts.
    let registries = home.join("registry").join("src");
    if registries.is_dir() {
        for registry in fs::read_dir(registries)? {
            flags.push(flag(&registry?.path(), "crates")?);
        }
    }
    Ok(flags)
}
