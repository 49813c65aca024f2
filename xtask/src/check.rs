//! `cargo xtask check`: the quick gate before a commit: format and lints, no tests.

use clap::Args;

use crate::project::Project;
use crate::{Result, shell};

/// Check format and lints (what to run before a commit; tests are `cargo xtask test`)
#[derive(Args)]
pub(crate) struct Arguments {
    /// Repair what can be repaired
    #[arg(long)]
    fix: bool,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    format(project, arguments.fix)?;
    clippy(project, arguments.fix)
}

/// Checks the format of every crate, or sets it right.
pub(crate) fn format(project: &Project, fix: bool) -> Result {
    let mut command = project.cargo();
    command.args(["fmt", "--all"]);
    if !fix {
        command.args(["--", "--check"]);
    }
    shell::run(&mut command)
}

/// Every target of every crate without one warning.
pub(crate) fn clippy(project: &Project, fix: bool) -> Result {
    let mut command = project.cargo();
    command.args(["clippy", "--workspace", "--all-targets"]);
    if fix {
        command.args(["--fix", "--allow-dirty", "--allow-staged"]);
    }
    shell::run(command.args(["--", "-D", "warnings"]))
}

/// The documentation of every crate without one warning, such as a link that leads nowhere.
pub(crate) fn rustdoc(project: &Project) -> Result {
    let mut command = project.cargo();
    command.env("RUSTDOCFLAGS", "-D warnings");
    shell::run(command.args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"]))
}
