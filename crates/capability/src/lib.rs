//! The things a guest can be granted, as Rust types with real backends.
//!
//! Nothing here knows a WebAssembly engine: the runtime puts these behind WIT interfaces, and other programs can use
//! them as they are. Every request is checked against what was granted, every operation is bounded, and the bounds are
//! named constants.
//!
//! - [`net`]: which hosts and addresses a guest may reach, and the resolver that pins them;
//! - [`outbound`]: the HTTP client behind a guest's outgoing requests;
//! - [`keyvalue`]: key-value stores in memory, in a file and in Redis;
//! - [`secret`]: text that does not show.

pub mod keyvalue;
pub mod net;
pub mod outbound;
pub mod secret;
