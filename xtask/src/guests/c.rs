//! Guests in C: by wasi-sdk, or by Debian's clang and C library.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::samples::{self, Sample, World};
use super::step::Step;
use super::{apt, component, pinned, search_path_with};
use crate::project::Project;
use crate::{Result, shell};

/// Every warning counts. SIMD is on: loops that vectorise run four to ten times faster. Names stay, for backtraces.
const FLAGS: [&str; 7] = ["-std=gnu17", "-O3", "-msimd128", "-Wall", "-Wextra", "-Werror", "-Wl,--strip-debug"];

/// What to do where no package helps.
const BY_HAND: &str =
    "unpack a wasi-sdk from https://github.com/WebAssembly/wasi-sdk/releases and set WASI_SDK_PATH to its folder";

/// A C compiler for WASI preview 1, with its C library.
pub(crate) enum Toolchain {
    /// The clang of a wasi-sdk, which finds its parts by itself.
    WasiSdk(PathBuf),
    /// The folder `usr` of Debian's packages, unpacked somewhere: everything is found because we say where.
    Debian(PathBuf),
}

impl Toolchain {
    /// Takes the wasi-sdk that `WASI_SDK_PATH` names, else Debian's packages.
    pub(crate) fn get(project: &Project) -> Result<Self> {
        if let Some(sdk) = std::env::var_os("WASI_SDK_PATH") {
            return Ok(Self::WasiSdk(Path::new(&sdk).join("bin").join("clang")));
        }
        if !apt::is_here() {
            return Err(format!("C cannot be compiled to WebAssembly here; {BY_HAND}").into());
        }
        let prefix = project.tools().join("c");
        Step::new(project.tools().join("stamps/c-compiler"), "c: fetch a compiler from Debian")
            .input(pinned::CLANG.join(" "))
            .output(&prefix)
            .run(|| apt::unpack(&project.tools(), &pinned::CLANG, &prefix, &["./usr/share"]))
            .map_err(|error| format!("{error}\nor {BY_HAND}"))?;
        Ok(Self::Debian(prefix.join("usr")))
    }

    /// What tells this toolchain from another.
    pub(crate) fn version(&self) -> Result<String> {
        let version = shell::output(self.clang()?.arg("--version"))?;
        Ok(version + &FLAGS.join(" "))
    }

    /// Builds a program that runs by itself.
    pub(crate) fn build_module(&self, project: &Project, sample: &Sample, output: &Path) -> Result {
        self.compile(&sources(&sample.folder(project))?, &[], output)
    }

    /// Builds a component of a world.
    pub(crate) fn build_component(&self, project: &Project, sample: &Sample, world: World, output: &Path) -> Result {
        let bindings = sample.bindings(project, world, "c");
        let files = [sources(&sample.folder(project))?, sources(&bindings)?].concat();
        let include = format!("-I{}", bindings.display());
        let module = output.with_extension("module");
        self.compile(&files, &["-mexec-model=reactor", &include], &module)?;
        component::from_module(&module, &samples::folder(project).join(world.wit), world.name, "C", output)
    }

    /// A program of one file by the same compiler for this machine, and for WebAssembly.
    pub(crate) fn build_twins(&self, source: &Path, native: &Path, module: &Path) -> Result {
        let flags = ["-std=c17", "-O2", "-Wall", "-Wextra", "-Werror"];
        let both = [(self.program()?, [].as_slice(), native), (self.clang()?, ["-msimd128"].as_slice(), module)];
        for (mut clang, more, output) in both {
            shell::run(clang.args(flags).args(more).arg("-o").arg(output).arg(source).arg("-lm"))?;
        }
        Ok(())
    }

    fn compile(&self, files: &[PathBuf], flags: &[&str], output: &Path) -> Result {
        let mut clang = self.clang()?;
        shell::run(clang.args(FLAGS).args(flags).arg("-o").arg(output).args(files).arg("-lm"))
    }

    /// The compiler, for WASI preview 1.
    fn clang(&self) -> Result<Command> {
        let mut command = self.program()?;
        match self {
            Self::WasiSdk(_) => command.arg("--target=wasm32-wasip1"),
            Self::Debian(usr) => command.arg("--target=wasm32-wasi").arg("--sysroot").arg(usr),
        };
        Ok(command)
    }

    /// The compiler, for this machine.
    fn program(&self) -> Result<Command> {
        match self {
            Self::WasiSdk(clang) => Ok(Command::new(clang)),
            Self::Debian(usr) => {
                let [clang, ..] = pinned::CLANG;
                let clang = usr.join("bin").join(clang);
                let mut command = Command::new(&clang);
                // It looks for its linker, which has a version in its name, on the search path.
                command.env("PATH", search_path_with(&clang)?);
                command.env("LD_LIBRARY_PATH", usr.join("lib").join(format!("{}-linux-gnu", std::env::consts::ARCH)));
                Ok(command)
            }
        }
    }
}

/// The C files of a folder, in an order that is always the same.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
