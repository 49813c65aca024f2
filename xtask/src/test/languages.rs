//! `cargo xtask test languages`: a new project of every language and kind is built, tested and looked at, by the `coracle`
//! program and the languages' own tools. Tools that the machine has not are fetched from their registries.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::used::{self, Used};
use super::{Tally, brought, developed, snapshots};
use crate::guests::{go, npm, pypi, python, rust};
use crate::project::Project;
use crate::{Result, shell, targets};

/// Every language, and how it is found in what is built.
const LANGUAGES: [(&str, &str); 6] = [
    ("rust", "Rust"),
    ("go", "Go"),
    ("python", "Python"),
    ("javascript", "JavaScript"),
    ("typescript", "TypeScript"),
    ("c", "C"),
];

/// What `coracle new` makes in each of them.
const KINDS: [&str; 4] = ["http", "command", "library", "plugin"];

/// The languages whose tools have WASI 0.3.
const P3: [&str; 4] = ["rust", "python", "javascript", "typescript"];

/// A command that copies its standard input.
const COPY: &str = r"
import { getStdin } from 'wasi:cli/stdin@0.2.12';
import { getStdout } from 'wasi:cli/stdout@0.2.12';

export const run = {
  run() {
    const [input, output] = [getStdin(), getStdout()];
    for (;;) {
      let bytes;
      try {
        bytes = input.blockingRead(4096);
      } catch {
        return;
      }
      output.blockingWriteAndFlush(bytes);
    }
  },
};
";

pub(super) fn run(project: &Project) -> Result<Tally> {
    shell::run(project.cargo().args(["build", "--quiet", "--workspace", "--bin", "coracle"]))?;
    let machine = Machine::get(project)?;
    let folder = project.tools().join("languages");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut tally = Tally::of(machine.run(&folder, &["doctor"]));
    let mut figures = String::new();
    for (language, written) in LANGUAGES {
        let p3 = P3.contains(&language).then_some(("http", "0.3"));
        for (kind, wasi) in KINDS.map(|kind| (kind, "0.2")).into_iter().chain(p3) {
            println!("--- {language} {kind} {wasi}");
            let used = machine.project(&folder, [language, kind, wasi], written).map(|Used { size, took }| {
                figures.push_str(&format!(
                    "{language:<12}{kind:<9}{wasi:<5}{size:>10} B {:>8.1} ms\n",
                    took.as_secs_f64() * 1e3
                ));
            });
            tally.add(Tally::of(used));
        }
    }
    println!("--- sizes of components, and times of a request or a run once they are compiled\n{figures}");
    tally.add(Tally::of(machine.broken(&folder)));
    tally.add(Tally::of(machine.reads(&folder)));
    println!("--- snapshots");
    tally.add(Tally::of(snapshots::check(project, &folder, |folder, arguments| machine.command(folder, arguments))));
    println!("--- WIT packages from elsewhere");
    tally.add(Tally::of(brought::check(&folder, |arguments| machine.command(&folder, arguments))));
    println!("--- dev");
    tally.add(Tally::of(developed::check(&folder.join("c-http"), &mut machine.command(&folder, &["dev", "c-http"]))));
    Ok(tally)
}

/// The program, and an environment with every tool.
struct Machine {
    coracle: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

impl Machine {
    fn get(project: &Project) -> Result<Self> {
        let launchers = project.tools().join("launchers");
        fs::create_dir_all(&launchers)?;
        let python = python::Toolchain::get(project)?;
        let componentize = format!(
            "#!/bin/sh\nPYTHONPATH='{}' exec '{}' -c 'from componentize_py import script; script()' \"$@\"\n",
            python.package().display(),
            pypi::python()?.display()
        );
        launcher(&launchers.join("componentize-py"), &componentize)?;
        let zig = format!("#!/bin/sh\nexec '{}' \"$@\"\n", targets::zig(project)?.display());
        launcher(&launchers.join("zig"), &zig)?;
        let (node, npm) = npm::programs(project)?;
        launcher(&launchers.join("node"), &format!("#!/bin/sh\nexec '{}' \"$@\"\n", node.display()))?;
        let npm = format!("#!/bin/sh\nexec '{}' '{}' \"$@\"\n", node.display(), npm.display());
        launcher(&launchers.join("npm"), &npm)?;

        let go = go::Toolchain::get(project)?.search_path()?;
        let path = std::env::join_paths([launchers].into_iter().chain(std::env::split_paths(&go)))?;
        let cache = project.tools().join("languages-cache").into_os_string();
        let mut variables = vec![("PATH", path), ("CORACLE_CACHE", cache)];
        variables.extend(rust::Toolchain::get(project)?.rustc().map(|rustc| ("RUSTC", rustc.into())));
        Ok(Self { coracle: project.coracle("debug")?, variables })
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.coracle);
        command.args(arguments).current_dir(folder).envs(self.variables.iter().map(|(name, value)| (name, value)));
        // Cargo tells this program about its own package, which must not reach the builds of projects.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Result {
        shell::run(&mut self.command(folder, arguments))
    }

    /// Makes, builds, tests and uses one project.
    fn project(&self, folder: &Path, [language, kind, wasi]: [&str; 3], written: &str) -> Result<Used> {
        let name = format!("{language}-{kind}{}", if wasi == "0.3" { "-p3" } else { "" });
        self.run(folder, &["new", &name, "--lang", language, "--kind", kind, "--wasi", wasi])?;
        self.run(folder, &["build", &name])?;
        self.run(folder, &["test", &name])?;
        let again = shell::output(&mut self.command(folder, &["build", &name]))?;
        if !again.contains("as it was") {
            return Err(format!("{name}: nothing changed, and it was built again: {again}").into());
        }
        let inspected = shell::output(&mut self.command(folder, &["inspect", &name]))?;
        if !inspected.contains(&format!("written in {written}")) {
            return Err(format!("{name} should be written in {written}: {inspected}").into());
        }
        used::project(folder, &name, kind, |arguments| self.command(folder, arguments))
    }

    /// A command in JavaScript reads what it is given, to the end.
    fn reads(&self, folder: &Path) -> Result {
        let name = "javascript-command";
        fs::write(folder.join(name).join("app.js"), COPY)?;
        self.run(folder, &["build", name])?;
        // More than one read takes, and no whole number of them.
        let given = folder.join("given");
        fs::write(&given, "All work and no play\n".repeat(1000))?;
        let output = self.command(folder, &["run", name]).stdin(fs::File::open(&given)?).output()?;
        match output.stdout == fs::read(&given)? {
            true => Ok(()),
            false => Err(format!("{name} should copy its input: {output:?}").into()),
        }
    }

    /// A build that fails shows its tool's own words, then ours, and leaves the last good component where it is.
    fn broken(&self, folder: &Path) -> Result {
        let name = "rust-command";
        fs::write(folder.join(name).join("src").join("main.rs"), "fn main() { undefined(); }\n")?;
        let output = self.command(folder, &["build", name]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(1) || !said.contains("cannot find function") || !said.starts_with("error: `") {
            return Err(format!("a broken build should say why: {said}").into());
        }
        self.run(folder, &["test", name])
    }
}

fn launcher(path: &Path, script: &str) -> Result {
    fs::write(path, script)?;
    pypi::make_executable(path)
}
