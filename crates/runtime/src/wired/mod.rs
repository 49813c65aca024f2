//! Components that provide for each other and stay apart.
//!
//! Each has its own instance in its own store, with its own grants and limits; a call from one to another crosses through
//! the host, as values. Within one invocation there is one instance of each, made when it is first called and dropped with
//! the invocation. A component is linked to those that provide for it, which are linked before it, so that no wiring has a
//! circle and every crossing ends.

mod cross;
mod link;
mod part;
mod value;

use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::authority::Authority;
use crate::compile::Code;
use crate::engine::{Engine, EngineError};
use crate::host::Host;

pub(crate) use cross::{Failed, TooMuch};
pub(crate) use link::link;
pub(crate) use part::Tree;
pub(crate) use value::Handles;

/// Why a component cannot be wired to others and stay apart from them.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A core module has no interfaces.
    #[error("this is a core module, and only components can be wired")]
    Module,
    /// Something that belongs to one store alone.
    #[error("{interface} passes {what}, which cannot cross between components that stay apart")]
    Value {
        /// The interface.
        interface: String,
        /// What cannot cross.
        what: &'static str,
    },
    /// The provider does not have what is asked of it.
    #[error("`{provider}` does not export {function}")]
    Missing {
        /// The provider.
        provider: String,
        /// The interface and the function.
        function: String,
    },
    /// It imports something that Coracle does not have.
    #[error("the component imports an interface that Coracle does not have")]
    Import(#[source] wasmtime::Error),
    /// The engine itself.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl WireError {
    /// What to do about it, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Value { .. } => {
                Some("write `fuse = true` under the component that imports it: fused, everything may be passed")
            }
            _ => None,
        }
    }
}

/// An import of a component that another one provides.
#[derive(Clone)]
pub struct Import {
    /// The interface as the importing component calls it.
    pub import: String,
    /// Who provides it.
    pub provider: Provider,
    /// The interface as the provider calls it.
    pub export: String,
}

/// A component that provides for others, linked and ready. Clones share it.
#[derive(Clone)]
pub struct Provider {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    engine: Engine,
    component: InstancePre<Host>,
    authority: Arc<Authority>,
}

impl Provider {
    /// Links `code`, whose name in the app is `name`, to the host and to those that provide for it.
    ///
    /// # Errors
    /// When `code` is no component, imports what neither the host nor `imports` have, or passes what cannot cross.
    pub fn new(
        engine: &Engine,
        name: &str,
        code: &Code,
        authority: Arc<Authority>,
        imports: &[Import],
    ) -> Result<Self, WireError> {
        let Code::Component(component) = code else { return Err(WireError::Module) };
        let linker = link(engine, name, component, imports)?;
        let component = linker.instantiate_pre(component).map_err(WireError::Import)?;
        let inner = Inner { name: name.into(), engine: engine.clone(), component, authority };
        Ok(Self { inner: Arc::new(inner) })
    }
}
