//! `coracle dev` as somebody uses it: sources are changed and broken while it serves.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::served::Served;
use crate::Result;

/// Serves the C project at `folder` by `command`, which lacks only the address.
pub(super) fn check(folder: &Path, command: &mut Command) -> Result {
    let mut dev = Served::start(command, &folder.with_extension("log"))?;
    let source = folder.join("app.c");
    let first = fs::read_to_string(&source)?;

    dev.wait("coracle dev: the first version answers", |dev| dev.get().contains("Hello from"))?;
    fs::write(&source, first.replace("Hello from", "Changed by"))?;
    dev.wait("coracle dev: a change is served", |dev| dev.get().contains("Changed by"))?;
    fs::write(&source, first.replace("web_text", "no_such_function"))?;
    dev.wait("coracle dev: a broken build says why", |dev| dev.said().contains("no_such_function"))?;
    if !dev.get().contains("Changed by") {
        return Err(format!("the last good build should go on serving: {}", dev.said()).into());
    }
    fs::write(&source, first.replace("Hello from", "Mended in"))?;
    dev.wait("coracle dev: what was mended is served", |dev| dev.get().contains("Mended in"))?;
    Ok(fs::write(&source, first)?)
}
