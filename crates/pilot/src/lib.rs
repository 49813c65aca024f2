//! Paired measurement: one function as it runs today, its port to WebAssembly, and what decides between them.
//!
//! Nothing here knows an engine: a component is measured through the `coracle` program, as its user pays for it. A run
//! ([`measure::run`]) writes what it measured and nothing that it concluded; a report ([`report::Report::of`]) is made from
//! that, and can be made again.

#[cfg(target_os = "linux")]
mod account;
#[cfg(target_os = "linux")]
mod answer;
#[cfg(target_os = "linux")]
mod candidate;
pub mod compare;
#[cfg(target_os = "linux")]
pub mod measure;
mod number;
pub mod plan;
pub mod record;
pub mod report;
#[cfg(target_os = "linux")]
mod simd;
pub mod stats;
