//! The work itself: from a component's bytes to native code, in whichever process.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Validator, WasmFeatures};

use super::CodeKind;
use super::form::Form;
use super::merge::merge;
use super::rewrite::rewrite;
use super::size::{self, Excess};
use crate::engine::{Engine, MAX_CORE_INSTANCE};

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

/// Compiled code.
pub(crate) struct Built {
    pub(crate) code: Vec<u8>,
    /// Which of the two engines it is for ([`Engine::wasm_for`]).
    pub(crate) concurrent: bool,
}

/// Checks and compiles `bytes` for `engine`.
pub(super) fn build(engine: &Engine, form: Form, bytes: &[u8]) -> Result<Built, Fault> {
    let assembled;
    let binary = match form {
        Form::Binary(_) => bytes,
        Form::Text(_) => {
            assembled = assemble(bytes)?;
            assembled.as_slice()
        }
    };
    size::check(binary).map_err(Fault::Excess)?;
    if !engine.options().rewrites() {
        return compile(engine, form.kind(), binary);
    }
    // No function becomes larger than one may be that is not changed.
    let largest = usize::try_from(size::MAX_BODY).unwrap_or(usize::MAX);
    let rewritten = |binary: &[u8]| {
        let binary = rewrite(binary, largest).map_err(|_| "it cannot be read as the compiler reads it".to_owned())?;
        compile(engine, form.kind(), &binary).map_err(|fault| match fault {
            Fault::Invalid { message } => message,
            other => format!("{other:?}"),
        })
    };
    if form.kind() == CodeKind::Component
        && let Ok(Cow::Owned(merged)) = merge(binary, MAX_CORE_INSTANCE)
        && let Ok(built) = rewritten(&merged)
    {
        return Ok(built);
    }
    let built = rewritten(binary);
    built.or_else(|message| {
        // What is wrong is told with its place in the component as it is.
        compile(engine, form.kind(), binary)?;
        // As it is it could not be interrupted well enough.
        Err(Fault::Invalid { message: format!("its code cannot be prepared: {message}") })
    })
}

fn compile(engine: &Engine, kind: CodeKind, binary: &[u8]) -> Result<Built, Fault> {
    let concurrent = kind == CodeKind::Component && (names_p3(binary) || is_asynchronous(binary));
    let compile = || {
        let wasm = engine.wasm_for(concurrent)?;
        match kind {
            CodeKind::Module => wasm.precompile_module(binary),
            CodeKind::Component => wasm.precompile_component(binary),
        }
    };
    match compile() {
        Ok(code) => Ok(Built { code, concurrent }),
        Err(error) => Err(Fault::Invalid { message: place_last(&error.root_cause().to_string()) }),
    }
}

/// Whether the bytes name interfaces such as `wasi:http/types@0.3.0`: the host's own side of those is asynchronous, whatever a
/// component uses of it. Others that look so cost a little time at run time.
fn names_p3(binary: &[u8]) -> bool {
    const MARK: &[u8] = b"@0.3.";
    binary.windows(MARK.len()).any(|window| window == MARK)
}

/// Whether a component is not valid without asynchronous functions, futures and streams. One with another fault is told it with
/// them allowed.
fn is_asynchronous(component: &[u8]) -> bool {
    let mut validator = Validator::new_with_features(WasmFeatures::all().difference(WasmFeatures::CM_ASYNC));
    // The bodies of functions, which are what takes long, have nothing to do with it.
    Parser::new(0).parse_all(component).any(|part| part.and_then(|part| validator.payload(&part)).is_err())
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

#[cfg(test)]
mod tests {
    use super::super::Compiler;
    use super::*;
    use crate::engine::EngineOptions;

    #[test]
    fn what_is_too_much_for_one_module_is_left_in_several() {
        // A module may have 100 tables.
        let tables = "(table 1 funcref)".repeat(60);
        let text = format!(
            "(component (core module $a {tables}) (core module $b {tables})
               (core instance (instantiate $a)) (core instance (instantiate $b)))"
        );
        let engine = Engine::new(EngineOptions::command(), Compiler::InProcess).unwrap();
        let binary = wat::parse_str(&text).unwrap();
        assert!(matches!(merge(&binary, MAX_CORE_INSTANCE), Ok(Cow::Owned(_))));
        let form = super::super::form::detect(&binary).unwrap();
        assert!(build(&engine, form, &binary).is_ok());
    }

    #[test]
    fn only_what_is_asynchronous_pays_for_it() {
        let engine = Engine::new(EngineOptions::command(), Compiler::InProcess).unwrap();
        for (text, concurrent) in [
            ("(module)", false),
            ("(component)", false),
            ("(component (import \"wasi:cli/environment@0.2.0\" (instance)))", false),
            ("(component (import \"wasi:cli/environment@0.3.0\" (instance)))", true),
            ("(component (import \"f\" (func async)))", true),
            ("(component (type (stream u8)) (import \"f\" (func (result 0))))", true),
        ] {
            let form = super::super::form::detect(text.as_bytes()).unwrap();
            let built = build(&engine, form, text.as_bytes()).unwrap();
            assert_eq!(built.concurrent, concurrent, "{text}");
        }
    }
}
