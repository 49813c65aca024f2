//! Linking a program twice.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use sha2::{Digest, Sha256};

use super::functions::Functions;
use super::{PROFILE, uses};
use crate::project::Project;
use crate::{Result, shell};

/// How the compiler asks for a program without names.
const WITHOUT_NAMES: &str = "-Wl,--strip-all";

/// How the compiler asks for LLVM's linker, which is the one that takes an order.
const LLD: &str = "-fuse-ld=lld";

/// What decides the order besides the program itself.
const SOURCES: [&str; 4] =
    [include_str!("functions.rs"), include_str!("link.rs"), include_str!("uses.rs"), include_str!("watch.rs")];

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
    // Cargo knows the linker by its name alone, and links anew when that changes.
    let mut digest = Sha256::new();
    SOURCES.iter().for_each(|source| digest.update(source));
    for sample in uses::samples() {
        digest.update(fs::read(project.sample(sample)?)?);
    }
    let digest: String = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let xtask = quoted(&std::env::current_exe()?);
    let here = quoted(&project.root.join("xtask"));
    // A linker is a program without arguments of its own, and Cargo tells it about another package than this one.
    let script = folder.join(format!("order-functions-{digest}"));
    fs::write(&script, format!("#!/bin/sh\nCARGO_MANIFEST_DIR={here} exec {xtask} link -- \"$@\"\n"))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let mut option = OsString::from("-Clinker=");
    option.push(script);
    Ok(option)
}

/// What the compiler calls in place of its linker.
pub(crate) fn link(project: &Project, arguments: &LinkArguments) -> Result {
    twice(project, &arguments.arguments).map_err(|error| {
        let instead = "`cargo build --profile dist --package coracle` builds it in the linker's own order";
        format!("the program cannot be laid out in the order of its use: {error}; {instead}").into()
    })
}

fn twice(project: &Project, arguments: &[OsString]) -> Result {
    if !arguments.iter().any(|argument| argument == LLD) {
        return Err("this compiler does not link with lld".into());
    }
    let output = arguments.iter().skip_while(|argument| *argument != "-o").nth(1);
    let output = PathBuf::from(output.ok_or("the linker is not told what to write: there is no `-o`")?);
    let named = arguments.iter().filter(|argument| *argument != WITHOUT_NAMES);
    shell::run(Command::new("cc").args(named))?;

    let functions = Functions::of(&output)?;
    let used = uses::find(project, &output, &functions)?;
    let order = output.with_extension("order");
    fs::write(&order, functions.names(&used))?;
    let mut option = OsString::from("-Wl,--symbol-ordering-file=");
    option.push(&order);
    shell::run(Command::new("cc").args(arguments).arg(option).arg("-Wl,--no-warn-symbol-ordering"))
}
