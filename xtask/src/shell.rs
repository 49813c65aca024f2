//! Running other programs, and saying what was run when one fails.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Result;

/// Runs a command with this program's own output; anything but success is an error that shows the command.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("could not start `{}`: {error}", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command)).into()) }
}

/// Runs a command and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("could not start `{}`: {error}", line(command)))?;
    if !output.status.success() {
        return Err(format!("`{}` failed: {}", line(command), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command, passes its standard output through, and shows every line of it to `see`. True is success.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("could not start `{}`: {error}", line(command)))?;
    let stdout = child.stdout.take().ok_or("a piped child has no output")?;
    let mut screen = std::io::stdout().lock();
    for text in BufReader::new(stdout).split(b'\n') {
        let text = text?;
        screen.write_all(&text)?;
        screen.write_all(b"\n")?;
        see(&String::from_utf8_lossy(&text));
    }
    Ok(child.wait()?.success())
}

/// Takes from a command that is measured what this process's own environment may hold for its errors: with it, peers of ours look
/// for the names of functions on every request.
pub(crate) fn measured(command: &mut Command) -> &mut Command {
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE")
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Where a program is on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}
