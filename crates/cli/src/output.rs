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

/// `text` without control characters: what a guest or a file says must not steer the terminal.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => shown.push(character),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_steer_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\u{7}\tc"), "a\\u{1b}[2Jb\\u{7}\tc");
    }
}
