//! What a verb prints.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::error::{Exit, Failure};

/// Writes `text` to standard output. Colours are dropped where it is no terminal.
///
/// A reader that has left (`coracle cache list | head -1`) has what it wanted: the process ends quietly.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    finish(write!(anstream::stdout().lock(), "{text}"))
}

/// Writes bytes to standard output as they are.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    finish(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

fn finish(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure { exit: Exit::Success, faults: Vec::new() }),
        Err(error) => Err(Failure::internal(format!("cannot write to standard output: {error}"))),
    }
}
