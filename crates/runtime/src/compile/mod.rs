//! From the bytes of a component, a core module or its text form to code that can be run.
//!
//! | module | what |
//! |---|---|
//! | `form` | what the bytes are |
//! | `size` | how much there may be in them |
//! | `merge` | core modules of a component that become one |
//! | `rewrite` | what is changed in the code before |
//! | `build` | checks and compiles them, in whichever process |
//! | `child`, `worker` | the two sides of compiling in a process of its own |
//! | `confine` | what that process gives up before it reads them |

mod build;
mod child;
mod confine;
mod form;
mod merge;
pub mod rewrite;
pub mod size;
mod worker;

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use coracle_package::digest::Digest;
use coracle_package::fault::{Kind, Problem, caret};
use coracle_package::unit::{format_duration, format_size};
use serde::{Deserialize, Serialize};
use wasmtime::Module;
use wasmtime::component::Component;

use crate::cache::{self, Cache, Key, Source, Subject};
use crate::engine::{Engine, EngineError};
pub(crate) use build::Built;
use build::Fault;
use child::Broken;
pub use child::{
    Bound, CPU_BASE, CPU_PER_MIB, Compiler, MAX_CODE, MEMORY_BASE, MEMORY_MOST, MEMORY_PER_BYTE, WALL_FACTOR,
};
pub use form::Guess;
use form::{Form, detect};
pub use size::Excess;
pub use worker::serve;

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
    /// There is more of something in it than is compiled.
    #[error("{0}")]
    Excess(Excess),
    /// The compiler's process passed one of its limits.
    #[error("compiling it {0}, and was stopped")]
    Passed(Bound),
    /// The compiler's process cannot be started.
    #[error("the compiler's process cannot be started")]
    Start(#[source] io::Error),
    /// The compiler's process ended without an answer.
    #[error("the compiler broke off: {how}")]
    Died {
        /// How it ended, and the first line of what it said.
        how: String,
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
    /// There is no engine for it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl CompileError {
    /// It as the problem of what is at `place`.
    #[must_use]
    pub fn problem(&self, place: impl fmt::Display) -> Problem {
        let problem = match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Problem::new("there is no such file").at(place)
            }
            Self::Read { source, .. } => Problem::new(format!("cannot read it: {source}")).at(place),
            Self::Text { message, line, column, text } => Problem::new(message)
                .at(format_args!("{place}:{line}:{column}"))
                .detail(text)
                .detail(caret(text, column.saturating_sub(1))),
            Self::Start(_) | Self::Load(_) | Self::Engine(_) => Problem::of(self).at(place).kind(Kind::Machine),
            _ => Problem::of(self).at(place),
        };
        Problem { hint: self.hint().map(str::to_owned), ..problem }
    }

    /// What to do about it, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotWasm(what) => what.hint(),
            Self::Invalid { release_candidate: true, .. } => Some(RELEASE_CANDIDATE_HINT),
            Self::TooLarge { .. } => Some("strip its debug information, for example with `wasm-tools strip`"),
            Self::Excess(_) => Some("honest components have far less: look at what made it, or split it"),
            Self::Passed(_) => Some(
                "what compiling may use grows with the component's size, and honest ones need a fifth of it: look at \
                 what made it, or try again when the machine is less busy",
            ),
            Self::Died { .. } => {
                Some("a component should not do that to a compiler: please report it, with the component")
            }
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
        && let Some(code) =
            cache.find(engine, &Key::new(&component, engine.wasm(), engine.options().rewrites()), kind)?
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
    let form = detect(bytes).map_err(CompileError::NotWasm)?;
    let build = || {
        progress.started(size);
        let built = build_with(engine, form, bytes);
        progress.finished();
        built
    };
    match cache {
        Some(cache) => {
            let component = Digest::of(bytes).to_string();
            let key = Key::new(&component, engine.wasm(), engine.options().rewrites());
            cache.code(engine, &key, &Subject { kind: form.kind(), component: &component, name }, build)
        }
        None => cache::unkept(engine, form.kind(), &build()?),
    }
}

/// Has the engine's compiler build the code.
fn build_with(engine: &Engine, form: Form, bytes: &[u8]) -> Result<Built, CompileError> {
    let built = match engine.compiler() {
        Compiler::InProcess => build::build(engine, form, bytes).map_err(Broken::Fault),
        Compiler::Child { program, arguments } => child::build(program, arguments, engine.options(), form, bytes),
    };
    built.map_err(|broken| match broken {
        Broken::Fault(Fault::Excess(excess)) => CompileError::Excess(excess),
        Broken::Fault(Fault::Invalid { message }) => {
            CompileError::Invalid { kind: form.kind(), message, release_candidate: names_release_candidate(bytes) }
        }
        Broken::Fault(Fault::Text { message, line, column }) => {
            let lines = String::from_utf8_lossy(bytes);
            let text = lines.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned();
            CompileError::Text { message, line, column, text }
        }
        Broken::Passed(bound) => CompileError::Passed(bound),
        Broken::Start(error) => CompileError::Start(error),
        Broken::Died { how } => CompileError::Died { how },
    })
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "needs more memory than the {} it may have", format_size(*bytes)),
            Self::Cpu(time) => write!(f, "takes more CPU time than the {} it may have", format_duration(*time)),
            Self::Wall(time) => write!(f, "takes longer than the {} it may have", format_duration(*time)),
        }
    }
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
        let engine = Engine::new(EngineOptions::command(), Compiler::InProcess).unwrap();
        load(&engine, None, bytes, &()).err().unwrap()
    }

    #[test]
    fn only_what_the_machine_did_is_its_problem() {
        let absent = || io::Error::from(io::ErrorKind::NotFound);
        for (error, kind, what) in [
            (
                CompileError::Start(absent()),
                Kind::Machine,
                "the compiler's process cannot be started: entity not found",
            ),
            (CompileError::Read { path: PathBuf::new(), source: absent() }, Kind::Data, "there is no such file"),
            (CompileError::NotWasm(Guess::Empty), Kind::Data, "it is not WebAssembly but an empty file"),
        ] {
            let problem = error.problem("a.wasm");
            assert_eq!((problem.kind, problem.what.as_str(), problem.place.as_deref()), (kind, what, Some("a.wasm")));
        }
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
        let engine = Engine::new(EngineOptions::command(), Compiler::InProcess).unwrap();
        assert_eq!(load(&engine, None, b"(module)", &()).unwrap().kind(), CodeKind::Module);
        assert_eq!(load(&engine, None, b"  (component)", &()).unwrap().kind(), CodeKind::Component);
    }
}
