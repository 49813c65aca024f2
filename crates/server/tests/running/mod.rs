//! A server of the tests' own: an app of static files, over real sockets.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use coracle_daemon::signal::Shutdown;
use coracle_runtime::compile::Compiler;
use coracle_server::{Bound, Config, Report, Source, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Anything that should happen at once has happened by then.
pub const SOON: Duration = Duration::from_secs(10);

/// Short enough to be waited for in a test, long enough for a busy machine.
pub const TIMEOUTS: Timeouts = Timeouts {
    handshake: Duration::from_millis(500),
    head: Duration::from_millis(500),
    idle: Duration::from_millis(500),
    stall: Duration::from_secs(5),
    linger: Duration::from_millis(200),
    total: Duration::from_secs(60),
    grace: Duration::from_secs(5),
};

pub struct Running {
    pub place: tempfile::TempDir,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub shutdown: Shutdown,
    pub server: JoinHandle<Report>,
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub fn write_manifest(place: &Path, folder: &str) {
    let text = format!("[app]\nname = \"files\"\n[[route]]\npath = \"/f/*\"\nstatic = \"{folder}\"\n");
    std::fs::write(place.join("coracle.toml"), text).unwrap();
}

pub async fn start(change: impl FnOnce(&mut Config)) -> Running {
    let place = tempfile::tempdir().unwrap();
    for (folder, text) in [("one", "first"), ("two", "second")] {
        std::fs::create_dir(place.path().join(folder)).unwrap();
        std::fs::write(place.path().join(folder).join("a.txt"), text).unwrap();
    }
    write_manifest(place.path(), "one");
    let mut config = Config::new(Source::at(place.path()), any_port(), Compiler::InProcess);
    config.admin_address = Some(any_port());
    config.timeouts = TIMEOUTS;
    config.drain = Duration::from_secs(5);
    change(&mut config);
    let bound = Bound::new(config).await.unwrap();
    let (address, admin) = (bound.address(), bound.admin_address().unwrap());
    let shutdown = Shutdown::default();
    let server = tokio::spawn(bound.run(shutdown.clone()));
    Running { place, address, admin, shutdown, server }
}

/// Sends bytes and reads until the server closes the connection.
pub async fn exchange(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await.expect("the server closes").unwrap();
    answer
}

pub async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await
}

pub fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
}
