//! The parts, in the order in which they run: what is often wrong comes first.
//!
//! Everything is built once, in the dev profile and with the features that the whole workspace needs, and serves every part:
//! a command that named one crate would build the engine a second time with other features.

use std::path::Path;

use super::{Tally, languages};
use crate::guests::{npm, pinned, pypi};
use crate::packages::{self, Package};
use crate::project::Project;
use crate::{Result, check, instructions, shell};

/// One part of the tests.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) run: fn(&Project) -> Result<Tally>,
}

pub(super) const PARTS: [Part; 15] = [
    Part { name: "setup", about: "system packages that the tests need", run: setup },
    Part { name: "format", about: "rustfmt has nothing to change", run: format },
    Part { name: "clippy", about: "lints, without one warning", run: clippy },
    Part { name: "unit", about: "unit and integration tests of every crate", run: unit },
    Part {
        name: "project",
        about: "the tree itself: edges of crates, licences, documents",
        run: |it| outside(it, "project"),
    },
    Part {
        name: "guests",
        about: "every sample is built from its source, and those in the tree are what theirs says",
        run: guests,
    },
    Part { name: "golden", about: "help, messages and errors, word for word", run: |it| outside(it, "golden") },
    Part {
        name: "conformance",
        about: "components of real toolchains, for every version of WASI",
        run: |it| outside(it, "conformance"),
    },
    Part { name: "e2e", about: "the programs over real sockets", run: e2e },
    Part { name: "instructions", about: "no more instructions for a request and a command than before", run: counted },
    Part { name: "pilots", about: "the worked pilots, beside what other programs measure", run: pilots },
    Part {
        name: "hostile",
        about: "guests and clients that mean harm, beside a quiet neighbour",
        run: |it| outside(it, "hostile"),
    },
    Part {
        name: "languages",
        about: "a new project of every language and kind is built, tested and used",
        run: languages::run,
    },
    Part { name: "rustdoc", about: "the documentation builds without one warning", run: rustdoc },
    Part { name: "doctest", about: "the examples in the documentation work", run: doctest },
];

/// What the system has to have. The guests' own toolchains are `cargo xtask guests`' matter.
const PACKAGES: [Package; 5] = [
    Package { name: "redis-server", shown_by: "redis-server", purpose: "the key-value tests drive a real Redis" },
    Package {
        name: "docker-registry",
        shown_by: "docker-registry",
        purpose: "WIT packages are fetched from a real registry",
    },
    Package { name: "hyperfine", shown_by: "hyperfine", purpose: "the figures of a pilot are held against its" },
    Package { name: "tidy", shown_by: "tidy", purpose: "the page of a pilot's report is checked by it" },
    Package { name: "time", shown_by: "/usr/bin/time", purpose: "the memory of a pilot is held against its" },
];

fn setup(_: &Project) -> Result<Tally> {
    Ok(Tally::of(packages::ensure(&PACKAGES)))
}

fn format(project: &Project) -> Result<Tally> {
    Ok(Tally::of(check::format(project, false)))
}

fn clippy(project: &Project) -> Result<Tally> {
    Ok(Tally::of(check::clippy(project, false)))
}

fn rustdoc(project: &Project) -> Result<Tally> {
    Ok(Tally::of(check::rustdoc(project)))
}

fn unit(project: &Project) -> Result<Tally> {
    let mut command = project.cargo();
    command.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--exclude", "coracle-tests"]);
    Tally::of_tests(&mut command)
}

fn guests(project: &Project) -> Result<Tally> {
    let task = std::env::current_exe()?;
    let mut tally = Tally::of(shell::run(project.command(&task).arg("guests")));
    tally.add(Tally::of(shell::run(project.command(&task).args(["guests", "--check"]))));
    Ok(tally)
}

/// A target of `tests/`.
fn outside(project: &Project, target: &str) -> Result<Tally> {
    Tally::of_tests(project.cargo().args(["test", "--workspace", "--no-fail-fast", "--test", target]))
}

/// WIT packages are published by a client from PyPI.
fn e2e(project: &Project) -> Result<Tally> {
    pypi::fetch(project, pinned::ORAS)?;
    outside(project, "e2e")
}

fn counted(project: &Project) -> Result<Tally> {
    Ok(Tally::of(instructions::check(project)))
}

/// A pilot's candidate is a server in Node.js.
fn pilots(project: &Project) -> Result<Tally> {
    let (node, _) = npm::programs(project)?;
    let folder = node.parent().map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::env::split_paths(&path).chain(folder))?;
    let mut command = project.cargo();
    command.args(["test", "--workspace", "--no-fail-fast", "--test", "pilots"]).env("PATH", path);
    Tally::of_tests(&mut command)
}

fn doctest(project: &Project) -> Result<Tally> {
    Tally::of_tests(project.cargo().args(["test", "--workspace", "--no-fail-fast", "--doc"]))
}
