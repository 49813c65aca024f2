//! Runs WebAssembly under a policy: compile, instantiate, limit, trap and host.
//!
//! This is the only crate that names the engine (wasmtime). What comes in is a component or module, an [`Authority`]
//! (what the guest may touch and how much it may use) and the input of one invocation; what goes out is an
//! [`Outcome`] and what it cost.

pub mod app;
mod authority;
mod budget;
pub mod cache;
mod clock;
pub mod command;
pub mod compile;
mod current;
pub mod diagnose;
mod engine;
mod host;
pub mod http;
mod invocation;
pub mod invoke;
mod limiter;
mod log;
mod meter;
mod module;
mod outcome;
mod places;
mod profile;
mod session;
pub mod snapshot;
mod stack;
mod trap;
mod turn;
pub mod wired;

pub use authority::{Authority, AuthorityError, Resolution};
pub use budget::Budget;
pub use engine::{Engine, EngineError, EngineOptions, MAX_POOL};
pub use invocation::{Observer, ProviderRecord, Record, Refusal};
pub use log::{GuestLog, LogLevel, LogStream};
pub use outcome::{Outcome, TrapKind};
pub use session::{Cancel, Finished, Observation};
pub use stack::{CallStack, Frame};
