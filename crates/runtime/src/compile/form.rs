//! What the bytes of a file are, told by how they begin.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::CodeKind;

/// The two ways in which code is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// WebAssembly's binary format.
    Binary(CodeKind),
    /// Its text format.
    Text(CodeKind),
}

impl Form {
    pub(crate) fn kind(self) -> CodeKind {
        match self {
            Self::Binary(kind) | Self::Text(kind) => kind,
        }
    }
}

/// What a file is taken for that is not WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// Nothing.
    Empty,
    /// The beginning of WebAssembly, or a version of it that is not known.
    Truncated,
    /// A program or library for some processor.
    NativeCode,
    /// An archive or a compressed file.
    Compressed,
    /// A script for a shell or an interpreter.
    Script,
    /// A web page or other markup.
    Markup,
    /// Other text.
    Text,
    /// Other bytes.
    Data,
}

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::Truncated => "the beginning of a WebAssembly file, or one of an unknown version",
            Self::NativeCode => "native code",
            Self::Compressed => "a compressed file",
            Self::Script => "a script",
            Self::Markup => "a web page or other markup",
            Self::Text => "some other text",
            Self::Data => "some other data",
        })
    }
}

impl Guess {
    pub(super) fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Truncated => "the file is not whole: build it or fetch it again",
            Self::NativeCode => "build it for WebAssembly, for example with `--target wasm32-wasip2`",
            Self::Compressed => "unpack it first",
            Self::Markup => "a server may have answered with a page in place of the file",
            Self::Empty | Self::Script | Self::Text | Self::Data => return None,
        })
    }
}

/// Tells what the bytes are by how they begin.
pub(super) fn detect(bytes: &[u8]) -> Result<Form, Guess> {
    // After the magic number come a version and a layer: 0 for a core module, 1 for a component.
    Err(match bytes {
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => return Ok(Form::Binary(CodeKind::Module)),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => return Ok(Form::Binary(CodeKind::Component)),
        [] => Guess::Empty,
        [b'\0', b'a', b's', b'm', ..] => Guess::Truncated,
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] | [0xcf, 0xfa, 0xed, 0xfe, ..] => Guess::NativeCode,
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => Guess::Compressed,
        [b'#', b'!', ..] => Guess::Script,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => match text_form(text) {
                Some(kind) => return Ok(Form::Text(kind)),
                None if text.trim_start().starts_with('<') => Guess::Markup,
                None => Guess::Text,
            },
            Err(_) => Guess::Data,
        },
    })
}

/// The text form begins with a parenthesis, after blanks and comments. What is not called a component is a module, whose
/// parts may stand alone.
fn text_form(text: &str) -> Option<CodeKind> {
    let mut rest = text.trim_start();
    while rest.starts_with(";;") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    let word = rest.strip_prefix('(')?.trim_start();
    Some(if word.starts_with("component") { CodeKind::Component } else { CodeKind::Module })
}
