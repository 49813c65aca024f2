//! The work itself: from a component's bytes to native code, in whichever process.

use serde::{Deserialize, Serialize};

use super::CodeKind;
use super::form::Form;
use super::rewrite::rewrite;
use super::size::{self, Excess};
use crate::engine::EngineOptions;

/// What is wrong with a component.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fault {
    /// There is too much of something in it.
    Excess(Excess),
    /// The text form has a fault; line and column count from 1.
    Text { message: String, line: usize, column: usize },
    /// A rule of WebAssembly is broken.
    Invalid { message: String },
}

/// Checks and compiles `bytes` for an engine with these settings.
pub(super) fn build(
    engine: &wasmtime::Engine,
    options: EngineOptions,
    form: Form,
    bytes: &[u8],
) -> Result<Vec<u8>, Fault> {
    let assembled;
    let binary = match form {
        Form::Binary(_) => bytes,
        Form::Text(_) => {
            assembled = assemble(bytes)?;
            assembled.as_slice()
        }
    };
    size::check(binary).map_err(Fault::Excess)?;
    if !options.rewrites() {
        return compile(engine, form.kind(), binary);
    }
    let rewritten = rewrite(binary).map_err(|_| "it cannot be read as the compiler reads it".to_owned());
    let built = rewritten.and_then(|binary| {
        compile(engine, form.kind(), &binary).map_err(|fault| match fault {
            Fault::Invalid { message } => message,
            other => format!("{other:?}"),
        })
    });
    built.or_else(|message| {
        // What is wrong is told with its place in the component as it is.
        compile(engine, form.kind(), binary)?;
        // As it is it could not be interrupted well enough.
        Err(Fault::Invalid { message: format!("its code cannot be prepared: {message}") })
    })
}

fn compile(engine: &wasmtime::Engine, kind: CodeKind, binary: &[u8]) -> Result<Vec<u8>, Fault> {
    let built = match kind {
        CodeKind::Module => engine.precompile_module(binary),
        CodeKind::Component => engine.precompile_component(binary),
    };
    built.map_err(|error| Fault::Invalid { message: place_last(&error.root_cause().to_string()) })
}

fn assemble(text: &[u8]) -> Result<Vec<u8>, Fault> {
    // The form was told from text.
    let text = std::str::from_utf8(text).unwrap_or_default();
    let fault = |error: wast::Error| {
        let (line, column) = error.span().linecol_in(text);
        Fault::Text { message: error.message(), line: line + 1, column: column + 1 }
    };
    let buffer = wast::parser::ParseBuffer::new(text).map_err(fault)?;
    wast::parser::parse::<wast::Wat<'_>>(&buffer).and_then(|mut wat| wat.encode()).map_err(fault)
}

/// The engine's message with the place behind the rule: what is wrong comes first.
fn place_last(message: &str) -> String {
    let placed =
        message.strip_prefix("Invalid input WebAssembly code at offset ").and_then(|rest| rest.split_once(": "));
    placed.map_or_else(|| message.to_owned(), |(offset, rule)| format!("{rule} (at byte {offset})"))
}
