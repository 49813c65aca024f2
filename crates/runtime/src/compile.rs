//! From the bytes of a component to code that can be run.

use crate::engine::Engine;

/// Code that can be run.
#[derive(Clone)]
pub enum Code {
    /// A core module, which imports WASI preview 1 or nothing.
    Module(wasmtime::Module),
    /// A component.
    Component(wasmtime::component::Component),
}

impl Code {
    /// Compiles a component.
    ///
    /// # Errors
    /// The engine's.
    pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Self, wasmtime::Error> {
        Ok(Self::Component(wasmtime::component::Component::new(engine.wasm(), bytes)?))
    }
}
