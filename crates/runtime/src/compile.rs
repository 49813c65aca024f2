//! From the bytes of a component, a core module or its text form to code that can be run.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use coracle_package::digest::Digest;
use coracle_package::unit::format_size;
use serde::{Deserialize, Serialize};
use wasmtime::Module;
use wasmtime::component::Component;

use crate::cache::{Cache, Key, Source, Subject};
use crate::engine::Engine;

/// The largest component that is compiled, in bytes. A Python component with its usual libraries has 20 to 100 MB; the
/// compiler takes about twenty times the size in memory.
pub const MAX_COMPONENT_BYTES: u64 = 256 << 20;

/// Code that can be run.
#[derive(Clone)]
pub enum Code {
    /// A core module, which imports WASI preview 1 or nothing.
    Module(Module),
    /// A component.
    Component(Component),
}

/// The two kinds of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeKind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

impl fmt::Display for CodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Module => "module",
            Self::Component => "component",
        })
    }
}

/// Told when compiling begins and ends. A component whose code is in the cache is not compiled, and nobody is told.
pub trait Progress {
    /// Compiling a component of this many bytes begins.
    fn started(&self, bytes: u64);
    /// It has ended, well or not.
    fn finished(&self);
}

/// Tells nobody.
impl Progress for () {
    fn started(&self, _: u64) {}
    fn finished(&self) {}
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than [`MAX_COMPONENT_BYTES`].
    #[error("it has {}, more than the {} that are compiled", format_size(*bytes), format_size(MAX_COMPONENT_BYTES))]
    TooLarge {
        /// What it has, in bytes.
        bytes: u64,
    },
    /// The bytes are neither WebAssembly nor its text form.
    #[error("it is not WebAssembly but {0}")]
    NotWasm(Guess),
    /// The text form has a fault.
    #[error("{message}")]
    Text {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// That line.
        text: String,
    },
    /// The bytes break a rule of WebAssembly, or use a part of it that is not supported.
    #[error("it is not a valid {kind}: {message}")]
    Invalid {
        /// What it says that it is.
        kind: CodeKind,
        /// The rule, with the place in the file.
        message: String,
        /// Whether it names interfaces of a WASI 0.3 release candidate.
        release_candidate: bool,
    },
    /// The compiler's output cannot be loaded.
    #[error("compiled code cannot be loaded")]
    Load(#[source] wasmtime::Error),
}

impl CompileError {
    /// What to do about it, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotWasm(what) => what.hint(),
            Self::Invalid { release_candidate: true, .. } => Some(RELEASE_CANDIDATE_HINT),
            Self::TooLarge { .. } => Some("strip its debug information, for example with `wasm-tools strip`"),
            _ => None,
        }
    }
}

/// What to do about a component that was built for WASI 0.3 before it was final.
pub(crate) const RELEASE_CANDIDATE_HINT: &str =
    "it was built for WASI 0.3 before that was final: build it again with current tools";

/// Compiles `bytes`, or takes the code from the cache.
///
/// # Errors
/// When the bytes are not WebAssembly that can be run.
pub fn load(
    engine: &Engine,
    cache: Option<&Cache>,
    bytes: &[u8],
    progress: &dyn Progress,
) -> Result<Code, CompileError> {
    compile(engine, cache, bytes, None, progress)
}

/// Compiles the file at `path`, or takes the code from the cache.
///
/// A large file that is known to be the one that was compiled before is not even read.
///
/// # Errors
/// When the file cannot be read, or is not WebAssembly that can be run.
pub fn load_file(
    engine: &Engine,
    cache: Option<&Cache>,
    path: &Path,
    progress: &dyn Progress,
) -> Result<Code, CompileError> {
    let source = cache.and_then(|cache| Source::new(cache, path));
    if let (Some(cache), Some(source)) = (cache, &source)
        && let Some((component, kind)) = source.known()
        && let Some(code) = cache.find(engine.wasm(), &Key::new(&component, engine.wasm()), kind)
    {
        return Ok(code);
    }
    let bytes = read(path)?;
    let name = path.file_name().map(|name| name.to_string_lossy());
    let code = compile(engine, cache, &bytes, name.as_deref(), progress)?;
    if let Some(source) = &source {
        source.remember(&Digest::of(&bytes).to_string(), code.kind());
    }
    Ok(code)
}

fn compile(
    engine: &Engine,
    cache: Option<&Cache>,
    bytes: &[u8],
    name: Option<&str>,
    progress: &dyn Progress,
) -> Result<Code, CompileError> {
    let size = bytes.len() as u64;
    if size > MAX_COMPONENT_BYTES {
        return Err(CompileError::TooLarge { bytes: size });
    }
    let assembled;
    let (kind, binary) = match detect(bytes)? {
        Form::Binary(kind) => (kind, bytes),
        Form::Text(text) => {
            assembled = assemble(text)?;
            let Form::Binary(kind) = detect(&assembled)? else { return Err(CompileError::NotWasm(Guess::Text)) };
            (kind, assembled.as_slice())
        }
    };
    let wasm = engine.wasm();
    let build = || {
        progress.started(size);
        let built = match kind {
            CodeKind::Module => wasm.precompile_module(binary),
            CodeKind::Component => wasm.precompile_component(binary),
        };
        progress.finished();
        built.map_err(|error| invalid(kind, binary, &error))
    };
    let Some(cache) = cache else {
        progress.started(size);
        let built = match kind {
            CodeKind::Module => Module::from_binary(wasm, binary).map(Code::Module),
            CodeKind::Component => Component::from_binary(wasm, binary).map(Code::Component),
        };
        progress.finished();
        return built.map_err(|error| invalid(kind, binary, &error));
    };
    let component = Digest::of(bytes).to_string();
    let key = Key::new(&component, wasm);
    cache.code(wasm, &key, &Subject { kind, component: &component, name }, build)
}

impl Code {
    /// Which kind of code it is.
    #[must_use]
    pub fn kind(&self) -> CodeKind {
        match self {
            Self::Module(_) => CodeKind::Module,
            Self::Component(_) => CodeKind::Component,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CompileError> {
    let read = || {
        let file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        if let Ok(size) = usize::try_from(file.metadata()?.len().min(MAX_COMPONENT_BYTES)) {
            bytes.reserve_exact(size);
        }
        // One byte more than allowed is read, so that a file that is too large is seen to be.
        file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| CompileError::Read { path: path.to_owned(), source })
}

enum Form<'a> {
    Binary(CodeKind),
    Text(&'a str),
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
    fn hint(self) -> Option<&'static str> {
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
fn detect(bytes: &[u8]) -> Result<Form<'_>, CompileError> {
    // After the magic number come a version and a layer: 0 for a core module, 1 for a component.
    Err(CompileError::NotWasm(match bytes {
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => return Ok(Form::Binary(CodeKind::Module)),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => return Ok(Form::Binary(CodeKind::Component)),
        [] => Guess::Empty,
        [b'\0', b'a', b's', b'm', ..] => Guess::Truncated,
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] | [0xcf, 0xfa, 0xed, 0xfe, ..] => Guess::NativeCode,
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => Guess::Compressed,
        [b'#', b'!', ..] => Guess::Script,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) if looks_like_text_form(text) => return Ok(Form::Text(text)),
            Ok(text) if text.trim_start().starts_with('<') => Guess::Markup,
            Ok(_) => Guess::Text,
            Err(_) => Guess::Data,
        },
    }))
}

/// The text form begins with a parenthesis, after blanks and comments.
fn looks_like_text_form(text: &str) -> bool {
    let mut rest = text.trim_start();
    while rest.starts_with(";;") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    rest.starts_with('(')
}

fn assemble(text: &str) -> Result<Vec<u8>, CompileError> {
    let fault = |error: wast::Error| {
        let (line, column) = error.span().linecol_in(text);
        let source = text.lines().nth(line).unwrap_or_default().to_owned();
        CompileError::Text { message: error.message(), line: line + 1, column: column + 1, text: source }
    };
    let buffer = wast::parser::ParseBuffer::new(text).map_err(fault)?;
    wast::parser::parse::<wast::Wat<'_>>(&buffer).and_then(|mut wat| wat.encode()).map_err(fault)
}

fn invalid(kind: CodeKind, binary: &[u8], error: &wasmtime::Error) -> CompileError {
    let message = error.root_cause().to_string();
    CompileError::Invalid { kind, message: place_last(&message), release_candidate: names_release_candidate(binary) }
}

/// The engine's message with the place behind the rule: what is wrong comes first.
fn place_last(message: &str) -> String {
    let placed =
        message.strip_prefix("Invalid input WebAssembly code at offset ").and_then(|rest| rest.split_once(": "));
    placed.map_or_else(|| message.to_owned(), |(offset, rule)| format!("{rule} (at byte {offset})"))
}

/// Whether the bytes name interfaces such as `wasi:http/types@0.3.0-rc-2025-09-16`.
fn names_release_candidate(binary: &[u8]) -> bool {
    const MARK: &[u8] = b"@0.3.0-rc-";
    binary.windows(MARK.len()).any(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;

    fn fault(bytes: &[u8]) -> CompileError {
        let engine = Engine::new(EngineOptions::command()).unwrap();
        load(&engine, None, bytes, &()).err().unwrap()
    }

    #[test]
    fn what_is_not_webassembly_is_named() {
        for (bytes, what) in [
            (&b""[..], Guess::Empty),
            (b"#!/bin/sh\n", Guess::Script),
            (b"\x7fELF\x02", Guess::NativeCode),
            (b"<html>", Guess::Markup),
            (b"hello", Guess::Text),
            (b"\xff\xfe", Guess::Data),
            (b"PK\x03\x04", Guess::Compressed),
            (b"\0asm", Guess::Truncated),
        ] {
            assert!(matches!(fault(bytes), CompileError::NotWasm(found) if found == what), "{what}");
        }
    }

    #[test]
    fn a_fault_in_the_text_form_has_its_place() {
        let CompileError::Text { line, column, text, .. } = fault(b";; a comment\n(module\n  (func (i32.cosnt 1)))")
        else {
            panic!("expected a fault of the text form");
        };
        assert_eq!((line, column), (3, 10));
        assert_eq!(text, "  (func (i32.cosnt 1)))");
    }

    #[test]
    fn an_invalid_module_names_the_rule() {
        let error = fault(b"(module (func (result i32)))");
        assert!(error.to_string().starts_with("it is not a valid module: type mismatch"), "{error}");
    }

    #[test]
    fn the_text_form_runs_like_the_binary() {
        let engine = Engine::new(EngineOptions::command()).unwrap();
        assert_eq!(load(&engine, None, b"(module)", &()).unwrap().kind(), CodeKind::Module);
        assert_eq!(load(&engine, None, b"  (component)", &()).unwrap().kind(), CodeKind::Component);
    }
}
