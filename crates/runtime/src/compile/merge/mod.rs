//! Core modules of a component that are instantiated one after the other become one module before it is compiled.
//!
//! What makes an instance costs by the module: an interpreter that is linked of thirteen libraries has tables that are filled
//! anew for each instance, and calls between the libraries go through pointers. One module has its table laid out
//! beforehand, and calls itself directly. What a guest computes stays the same; so does what it may: a component's modules
//! are merged with each other, never with those of another component.
//!
//! | module | what |
//! |---|---|
//! | `definitions` | what a component defines, with its core items by their origin |
//! | `plan` | which of its instances are merged |
//! | `module` | the parts of a core module |
//! | `link` | several of them to one |
//! | `write` | the component with the merged ones |
//!
//! Instances are merged while it makes no difference to anybody: see [`plan`]. A component that uses what is not known here
//! stays as it is.

mod definitions;
mod link;
mod module;
mod plan;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;
use std::convert::Infallible;

use wasm_encoder::reencode;
use wasmparser::{Parser, Validator, WasmFeatures};

use definitions::Definitions;
use plan::Plan;

/// Why modules cannot be merged: for whoever reads a debugger, since the component is then compiled as it is.
#[derive(Debug)]
pub(super) struct Unmergeable(#[expect(dead_code, reason = "read by its `Debug`")] &'static str);

impl From<wasmparser::Error> for Unmergeable {
    fn from(_: wasmparser::Error) -> Self {
        Self("it cannot be read")
    }
}

impl From<reencode::Error<Self>> for Unmergeable {
    fn from(error: reencode::Error<Self>) -> Self {
        match error {
            reencode::Error::UserError(error) => error,
            _ => Self("it cannot be written again"),
        }
    }
}

impl From<Infallible> for Unmergeable {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

type Result<T, E = Unmergeable> = std::result::Result<T, E>;

/// `component` with its core modules merged where that makes no difference. An instance of what is merged takes at most
/// `largest` bytes in the host.
pub(super) fn merge(component: &[u8], largest: usize) -> Result<Cow<'_, [u8]>> {
    // What is invalid must not become valid. Bodies of functions are looked at when it is compiled.
    let features = WasmFeatures::all().difference(WasmFeatures::COMPACT_IMPORTS);
    let mut validator = Validator::new_with_features(features);
    for part in Parser::new(0).parse_all(component) {
        validator.payload(&part?)?;
    }
    merged(component, largest)
}

fn merged(component: &[u8], largest: usize) -> Result<Cow<'_, [u8]>> {
    let definitions = Definitions::read(component)?;
    let plan = Plan::of(&definitions)?;
    let inner = definitions.components.iter().map(|inner| merged(inner, largest)).collect::<Result<Vec<_>>>()?;
    if plan.groups.is_empty() && inner.iter().all(|inner| matches!(inner, Cow::Borrowed(_))) {
        return Ok(Cow::Borrowed(component));
    }
    write::write(&definitions, &plan, &inner, largest).map(Cow::Owned)
}
