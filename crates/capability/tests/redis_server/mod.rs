//! A Redis server of one test.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A server on a free loopback port, with its data in a folder of its own; ends with the test.
pub(crate) struct RedisServer {
    folder: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl RedisServer {
    pub(crate) fn start() -> RedisServer {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let process = spawn(&folder, port);
        RedisServer { folder, port, process }
    }

    pub(crate) fn address(&self, database: u8) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.folder, self.port);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(folder: &tempfile::TempDir, port: u16) -> Child {
    let child = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn();
    let child = child.unwrap_or_else(|error| panic!("redis-server: {error}; install it: apt-get install redis-server"));
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "redis-server does not listen");
        sleep(Duration::from_millis(10));
    }
    child
}
