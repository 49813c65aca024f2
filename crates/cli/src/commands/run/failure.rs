//! What `coracle run` says where a guest cannot be run.

use std::path::Path;

use coracle_package::fault::Problem;
use coracle_runtime::AuthorityError;
use coracle_runtime::command::StartError;
use coracle_runtime::compile::CompileError;
use coracle_runtime::invoke::InvokeError;

use crate::error::{Exit, Failure, Fault, chain};

/// Everything that is wrong with an app.
pub(super) fn unloaded(problems: &[Problem]) -> Failure {
    Failure { exit: Exit::BadData, faults: problems.iter().map(Fault::from).collect() }
}

pub(super) fn refused(errors: &[AuthorityError]) -> Failure {
    let fault = |error| Fault { what: chain(error), place: None, details: Vec::new(), hints: Vec::new() };
    Failure { exit: Exit::Usage, faults: errors.iter().map(|error| fault(error as _)).collect() }
}

pub(super) fn compile_failure(error: &CompileError, target: &Path) -> Failure {
    let place = target.display();
    let failure = match error {
        CompileError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::bad_data("there is no such file").at(place)
        }
        CompileError::Read { source, .. } => Failure::bad_data(format!("cannot read it: {source}")).at(place),
        CompileError::Text { message, line, column, text } => Failure::bad_data(message)
            .at(format_args!("{place}:{line}:{column}"))
            .detail(text)
            .detail(format_args!("{}^", blank(text, column.saturating_sub(1)))),
        CompileError::Load(_) | CompileError::Start(_) | CompileError::Engine(_) => {
            Failure::internal(chain(error)).at(place)
        }
        error => Failure::bad_data(error).at(place),
    };
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

pub(super) fn start_failure(error: &StartError, target: &Path) -> Failure {
    let exit = match error {
        StartError::Engine(_) | StartError::Link(_) => Exit::Internal,
        _ => Exit::BadData,
    };
    let failure = Failure::new(exit, chain(error)).at(target.display());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

pub(super) fn invoke_failure(error: &InvokeError, call: &str, target: &Path) -> Failure {
    let place = target.display();
    match error {
        InvokeError::Start(error) => start_failure(error, target),
        InvokeError::NoFunction { functions, .. } => {
            let mut failure = Failure::usage(error).at(place);
            for function in functions {
                failure = failure.detail(function);
            }
            failure.hint(if functions.is_empty() {
                "it exports no function at all"
            } else {
                "these are the functions that it exports"
            })
        }
        InvokeError::Ambiguous { functions, .. } => {
            let mut failure = Failure::usage(error).at(place);
            for function in functions {
                failure = failure.detail(function);
            }
            failure.hint("write the interface too, as it stands above")
        }
        InvokeError::Arguments { message, column, signature } => {
            let failure = Failure::usage(message)
                .at(format_args!("--invoke, column {}", column + 1))
                .detail(call)
                .detail(format_args!("{}^", blank(call, *column)));
            match signature {
                Some(signature) => failure.hint(format_args!("the function is `{signature}`")),
                None => failure.hint("write it as `name(argument, argument)`, with the arguments in WAVE"),
            }
        }
        InvokeError::Unwritable { .. } => Failure::usage(error).at(place),
    }
}

/// What goes before a caret under byte `column` of `text`: as wide as the text there.
fn blank(text: &str, column: usize) -> String {
    let before = text.char_indices().take_while(|(at, _)| *at < column);
    before.map(|(_, character)| if character == '\t' { '\t' } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_its_character() {
        assert_eq!(blank("f(\"ü\", x)", 8), "       ");
        assert_eq!(blank("\tab", 2), "\t ");
        assert_eq!(blank("ab", 99), "  ");
    }
}
