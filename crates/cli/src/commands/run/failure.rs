//! What `coracle run` says where a guest cannot be run.

use std::path::Path;

use coracle_package::fault::caret;
use coracle_runtime::AuthorityError;
use coracle_runtime::command::StartError;
use coracle_runtime::invoke::InvokeError;

use crate::error::{Exit, Failure, Fault, chain};

pub(super) fn refused(errors: &[AuthorityError]) -> Failure {
    let fault = |error| Fault { what: chain(error), place: None, details: Vec::new(), hints: Vec::new() };
    Failure { exit: Exit::Usage, faults: errors.iter().map(|error| fault(error as _)).collect() }
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
                .detail(caret(call, *column));
            match signature {
                Some(signature) => failure.hint(format_args!("the function is `{signature}`")),
                None => failure.hint("write it as `name(argument, argument)`, with the arguments in WAVE"),
            }
        }
        InvokeError::Unwritable { .. } => Failure::usage(error).at(place),
    }
}
