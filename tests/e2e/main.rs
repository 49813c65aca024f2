//! The `coracle` program over real sockets, with real guests.

mod compile;
mod errors;
mod grants;
mod lifecycle;
mod operator;
#[cfg(target_os = "linux")]
mod pilot;
mod run;
mod samples;
mod streaming;
mod transport;
mod wired;
mod wit;

use support::{App, Server};

/// A server of the probe, a guest that does what its path says; `more` goes into the component's table of the manifest.
fn probe(more: &str) -> (App, Server) {
    let app = App::new(&format!(
        r#"
        [app]
        name = "probe"
        [component.probe]
        source = "@probe-rust"
        {more}
        [[route]]
        path = "/*"
        component = "probe"
        "#
    ));
    let server = Server::start([app.path()]);
    (app, server)
}
