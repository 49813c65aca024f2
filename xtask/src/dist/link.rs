//! Linking a program twice.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::functions::Functions;
use super::{PROFILE, uses};
use crate::project::Project;
use crate::{Result, shell};

/// How the compiler asks for a program without names.
const WITHOUT_NAMES: [&str; 2] = ["-Wl,--strip-all", "-Wl,--strip-debug"];

/// Link a program twice, the second time in the order in which the first one used its functions
#[derive(Args)]
pub(crate) struct LinkArguments {
    /// What the compiler would have its linker do
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// What tells the compiler to link with this program.
pub(super) fn option(project: &Project) -> Result<OsString> {
    let folder = project.target()?.join(PROFILE);
    fs::create_dir_all(&folder)?;
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let xtask = quoted(&std::env::current_exe()?);
    let here = quoted(&project.root.join("xtask"));
    // A linker is a program without arguments of its own, and Cargo tells it about another package than this one.
    let script = folder.join("order-functions");
    fs::write(&script, format!("#!/bin/sh\nCARGO_MANIFEST_DIR={here} exec {xtask} link -- \"$@\"\n"))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let mut option = OsString::from("-Clinker=");
    option.push(script);
    Ok(option)
}

/// What the compiler calls in place of its linker.
pub(crate) fn link(project: &Project, arguments: &LinkArguments) -> Result {
    let arguments = &arguments.arguments;
    let output = arguments.iter().skip_while(|argument| *argument != "-o").nth(1);
    let output = PathBuf::from(output.ok_or("the linker is not told what to write: there is no `-o`")?);
    let named = arguments.iter().filter(|argument| WITHOUT_NAMES.iter().all(|without| argument != without));
    shell::run(Command::new("cc").args(named))?;

    let functions = Functions::of(&output)?;
    let used = uses::find(project, &output, &functions)?;
    let order = output.with_extension("order");
    fs::write(&order, functions.names(&used))?;
    let mut option = OsString::from("-Wl,--symbol-ordering-file=");
    option.push(&order);
    shell::run(Command::new("cc").args(arguments).arg(option).arg("-Wl,--no-warn-symbol-ordering"))
}
