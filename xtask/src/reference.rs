//! `cargo xtask reference`: docs/reference.md, written by a test of the `coracle` crate, which knows every flag and key.

use clap::Args;

use crate::project::Project;
use crate::{Result, shell};

/// Write docs/reference.md anew, or only say whether it is stale
#[derive(Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail where the document is stale
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    let mut command = project.cargo();
    if !arguments.check {
        command.env("CORACLE_WRITE_REFERENCE", "1");
    }
    shell::run(command.args(["test", "--quiet", "--workspace", "--bin", "coracle", "reference"]))
}
