//! `cargo xtask dist`: the program as it ships, its functions in the order in which a start uses them.
//!
//! Most of the program's code is for what happens seldom, such as compiling, and a linker that knows nothing of that lays it out
//! between what happens at every start. The system then maps and holds pages of which a few bytes are used. So the program is
//! linked twice: what is made first is started and watched, and the second has what was used in front. The linker that the compiler
//! is given for this is this program again (`cargo xtask link`).

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod functions;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod link;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod uses;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod watch;

use std::path::PathBuf;

use clap::Args;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use self::link::{LinkArguments, link};
use crate::project::Project;
use crate::{Result, shell};

/// The profile of what ships, and its folder.
const PROFILE: &str = "dist";

/// Build the program as it ships, with what its start and its requests use laid out side by side
#[derive(Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(project: &Project) -> Result {
    let program = build(project)?;
    println!("{}", program.display());
    Ok(())
}

/// Builds it unless it is there, and says where it is. On systems and processors on which it is not watched the linker's own order
/// stays.
pub(crate) fn build(project: &Project) -> Result<PathBuf> {
    let mut cargo = project.cargo();
    cargo.args(["rustc", "--profile", PROFILE, "--package=coracle", "--bin", "coracle"]);
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    cargo.arg("--").arg(link::option(project)?);
    shell::run(&mut cargo)?;
    project.coracle(PROFILE)
}
