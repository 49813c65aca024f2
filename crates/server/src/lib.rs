//! Functions behind HTTP.
//!
//! [`run`] is the way in: it takes a [`Config`] and serves until it is asked to end. Everything that is wrong with the
//! configuration is reported at once, before anything listens.
//!
//! A request goes through the modules in this order, which `docs/life-of-a-request.md` follows: `listener`,
//! `connection` (with [`http1`] for the bytes of HTTP/1), `request`, and from there `identify`, [`route`], [`admit`],
//! the runtime, and `record`; `response` is the only place where an error becomes a status.

pub mod admin;
pub mod admit;
mod app;
pub mod body;
mod config;
pub mod connection;
pub mod files;
pub mod forwarded;
mod headers;
pub mod http1;
mod identify;
mod io;
pub mod listener;
mod metrics;
pub mod open;
mod record;
pub mod reference;
mod request;
pub mod response;
pub mod route;
mod server;
pub mod tls;
pub mod watch;
mod wire;

use coracle_daemon::signal::Shutdown;

pub use config::{Config, DRAIN, Report, ServerError, Source};
pub use connection::Timeouts;
pub use server::Bound;
pub use tls::TlsFiles;

/// Serves until `shutdown` is requested; then lets what is under way finish, and ends.
///
/// # Errors
/// [`ServerError`] when it could not start. Once it serves, it goes on.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<Report, ServerError> {
    Ok(Bound::new(config).await?.run(shutdown).await)
}
