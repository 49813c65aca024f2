//! Driving each language's own tool. What it leaves is a component, or a core module to be made one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coracle_package::manifest::Language;
use coracle_package::wit::{self, Surface};

use super::{BuildError, Job, Unfit, snapshot};
use crate::tool::rust::TARGET;
use crate::tool::{Need, Tool};

/// Lines of a failed tool's output that are shown: its last ones say what is wrong.
const SHOWN_LINES: usize = 60;

/// The module that a component in Python starts from, and the file of one in JavaScript without its ending.
const ENTRY: &str = "app";

/// Builds, and answers with the file that the tool left.
/// `bindings` are the files of those that were written for it, from the folder of the source.
pub(super) fn build(job: &Job, need: &Need, bindings: &[PathBuf]) -> Result<PathBuf, BuildError> {
    for tool in Tool::of(job.build.language) {
        need.find(*tool)?;
    }
    match job.build.language {
        Language::Rust => rust(job, need),
        Language::Go => go(job, need),
        Language::Python => python(job, need),
        Language::JavaScript => javascript(job, need, "js"),
        Language::TypeScript => javascript(job, need, "ts"),
        Language::C => c(job, need, bindings),
    }
}

fn rust(job: &Job, need: &Need) -> Result<PathBuf, BuildError> {
    let mut cargo = need.find(Tool::Cargo)?.program.command();
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    let messages = run(cargo.current_dir(&job.folder))?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let files = artifacts.filter(|it| it["reason"] == "compiler-artifact").flat_map(|it| {
        let files = it["filenames"].as_array().cloned().unwrap_or_default();
        files.into_iter().filter_map(|file| file.as_str().map(PathBuf::from))
    });
    let mut wasm = files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    wasm.next_back().ok_or_else(|| BuildError::Nothing {
        what: "cargo built no .wasm file".to_owned(),
        hint: "a component is a program, or a library with crate-type = [\"cdylib\"]".into(),
    })
}

fn go(job: &Job, need: &Need) -> Result<PathBuf, BuildError> {
    let output = work(job, "module")?;
    let mut go = need.find(Tool::Go)?.program.command();
    go.current_dir(&job.folder).envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOTOOLCHAIN", "local")]);
    go.args(["build", "-trimpath", "-buildvcs=false"]);
    // What bindings of a world allocate comes from Go's own runtime, which the linker has to let them use.
    match (job.build.world.is_some(), job.build.snapshot) {
        (false, _) => go.arg("-ldflags=-s -w"),
        (true, false) => go.args(["-buildmode=c-shared", "-ldflags=-s -w -checklinkname=0"]),
        // With the names of functions: a program whose snapshot cannot be taken is told where.
        (true, true) => {
            let root = run(need.find(Tool::Go)?.program.command().args(["env", "GOROOT"]).env("GOTOOLCHAIN", "local"))?;
            let overlay = snapshot::overlay(Path::new(root.trim()), &work(job, "overlay")?)?;
            go.args(["-buildmode=c-shared", "-ldflags=-w -checklinkname=0", "-overlay"]).arg(overlay)
        }
    };
    run(go.arg("-o").arg(&output).arg("."))?;
    Ok(output)
}

fn python(job: &Job, need: &Need) -> Result<PathBuf, BuildError> {
    let output = work(job, "component")?;
    let world = world(job)?;
    let mut python = need.find(Tool::ComponentizePy)?.program.command();
    // A fault is told by Python's own words: where in componentize-py it came up helps nobody.
    python.current_dir(&job.folder).env("RUST_BACKTRACE", "0").env("PYTHONDONTWRITEBYTECODE", "1");
    python.arg("--wit-path").arg(wit_folder(job)).args(["--world", world, "--quiet", "componentize"]);
    if !asks_host(job, world) {
        python.arg("--stub-wasi");
    }
    run(python.arg(ENTRY).arg("--output").arg(&output))?;
    Ok(output)
}

fn javascript(job: &Job, need: &Need, ending: &str) -> Result<PathBuf, BuildError> {
    let (bundle, output) = (work(job, "bundle.js")?, work(job, "component")?);
    let world = world(job)?;
    let modules = job.folder.join("node_modules");
    if !modules.is_dir() {
        let mut npm = need.find(Tool::Npm)?.program.command();
        npm.args(["install", "--loglevel=error", "--no-audit", "--no-fund"]);
        run(npm.current_dir(&job.folder))?;
    }
    let node = need.find(Tool::Node)?.program;
    let script = |path: &str| {
        let mut command = node.command();
        command.current_dir(&job.folder).arg(Path::new("node_modules").join(path));
        command
    };
    // A program or a script, as npm left it; where commands are started in another folder, their own path has to be whole.
    let esbuild = modules.join(".bin").join(if cfg!(windows) { "esbuild.cmd" } else { "esbuild" });
    let mut esbuild = Command::new(std::fs::canonicalize(&esbuild).map_err(BuildError::io(&esbuild))?);
    esbuild.current_dir(&job.folder).arg(format!("{ENTRY}.{ending}"));
    esbuild.args([
        "--bundle",
        "--format=esm",
        "--platform=neutral",
        "--main-fields=module,main",
        "--log-level=warning",
    ]);
    // Interfaces that the world imports are found when the component is made.
    for name in declared(job, world).imports.interfaces.keys() {
        esbuild.args([format!("--external:{}", name.name), format!("--external:{name}")]);
    }
    run(esbuild.arg(format!("--outfile={}", bundle.display())))?;
    // StarlingMonkey brings what the web has, QuickJS is small. The first one's package needs the second's.
    let mut componentize = if modules.join("@bytecodealliance/componentize-js").is_dir() {
        let mut command = script("@bytecodealliance/componentize-js/src/cli.js");
        command.arg(&bundle).arg("--wit").arg(wit_folder(job)).args(["--world-name", world, "--out"]).arg(&output);
        command
    } else {
        let mut command = script("componentize-qjs/bin/componentize-qjs");
        command.arg("--wit").arg(wit_folder(job)).args(["--world", world]).arg("--js").arg(&bundle).arg("--opt-size");
        if !waits(&declared(job, world)) {
            command.arg("--sync");
        }
        if !asks_host(job, world) {
            command.arg("--stub-wasi");
        }
        command.arg("--output").arg(&output);
        command
    };
    run(&mut componentize)?;
    Ok(output)
}

fn c(job: &Job, need: &Need, bindings: &[PathBuf]) -> Result<PathBuf, BuildError> {
    let output = work(job, "module")?;
    let mut clang = need.find(Tool::Clang)?.program.command();
    clang.current_dir(&job.folder).args(["-std=gnu17", "-O3", "-msimd128", "-Wall", "-Wextra"]);
    if job.build.world.is_some() {
        clang.arg("-mexec-model=reactor");
    }
    // Bindings may lie among the sources.
    let mut sources = c_files(job)?;
    sources.retain(|file| !bindings.contains(file));
    if sources.is_empty() {
        let what = format!("there is no .c file in {}", job.folder.display());
        return Err(BuildError::Nothing {
            what,
            hint: "`folder` in the component's build names another folder".into(),
        });
    }
    if let Some(folder) = &job.build.bindings {
        clang.arg("-I").arg(folder);
        sources.extend(bindings.iter().filter(|file| is_c(file)).cloned());
    }
    run(clang.arg("-o").arg(&output).args(sources).arg("-lm"))?;
    Ok(output)
}

/// The C files of the source's folder, named from there.
fn c_files(job: &Job) -> Result<Vec<PathBuf>, BuildError> {
    let entries = std::fs::read_dir(&job.folder).map_err(BuildError::io(&job.folder))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name()))).collect();
    files.retain(|file| is_c(file));
    files.sort();
    Ok(files)
}

fn is_c(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "c")
}

/// A file among what the build leaves behind, whole: tools are started in the folder of the source.
fn work(job: &Job, ending: &str) -> Result<PathBuf, BuildError> {
    let folder = std::fs::canonicalize(&job.work).map_err(BuildError::io(&job.work))?;
    Ok(folder.join(format!("{}.{ending}", job.name)))
}

/// The folder of WIT, from the folder of the source.
fn wit_folder(job: &Job) -> &Path {
    job.build.wit.as_deref().unwrap_or("wit".as_ref())
}

fn world(job: &Job) -> Result<&str, BuildError> {
    job.build.world.as_deref().ok_or_else(|| {
        BuildError::Unfit(Unfit {
            message: format!("{} is built for a world, and none is named", job.build.language),
            details: Vec::new(),
            hint: Some("name it in the component's build: world = \"...\"".to_owned()),
        })
    })
}

/// What the world of a job declares; nothing where its WIT cannot be read, which its tool will say better.
fn declared(job: &Job, world: &str) -> Surface {
    let worlds = wit::of_path(&job.folder.join(wit_folder(job))).unwrap_or_default();
    let found = worlds.into_iter().find(|declared| declared.name.as_deref() == Some(world));
    found.map(|world| world.surface).unwrap_or_default()
}

/// Whether a function of a world may wait before it returns.
fn waits(Surface { imports, exports }: &Surface) -> bool {
    let interfaces =
        [imports, exports].into_iter().flat_map(|side| std::iter::once(&side.own).chain(side.interfaces.values()));
    interfaces.flat_map(|interface| interface.functions.values()).any(|function| function.is_async)
}

/// Whether a world has anything of WASI in it: one that has not gets none.
fn asks_host(job: &Job, world: &str) -> bool {
    let Surface { imports, exports } = declared(job, world);
    [imports, exports].iter().flat_map(|side| side.interfaces.keys()).any(|name| name.name.starts_with("wasi:"))
}

/// Runs a tool, and answers with its output; where it fails, with what it said.
fn run(command: &mut Command) -> Result<String, BuildError> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let failed = |said: Vec<String>| BuildError::Failed { command: line.clone(), said };
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(vec![error.to_string()]))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Cargo's output is for programs but for its messages.
    let lines: Vec<String> = text.lines().filter(|line| !line.starts_with("{\"")).map(str::to_owned).collect();
    Err(failed(lines[lines.len().saturating_sub(SHOWN_LINES)..].to_vec()))
}
