//! What every long-running program needs: logs, metrics, traces, signals, drain, open files and memory.
//!
//! Nothing here reads the environment: the program's entry point does, and passes values. What differs between systems
//! sits in the module `platform`, with a plain fallback.

pub mod drain;
pub mod files;
pub mod log;
pub mod memory;
pub mod metrics;
mod platform;
pub mod signal;
pub mod trace;
