//! A `coracle` program that serves, and a client of it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, server};

/// Whatever is waited for has happened by then: a build and what follows from it, or the first compilation of a component.
const SOON: Duration = Duration::from_secs(120);

/// A program that serves, ended when it is dropped.
pub(super) struct Served {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// Starts `command`, which lacks only the address. What it says goes to the file `log`.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let errors = fs::File::create(log)?;
        let child = command.args(["--addr", &address.to_string()]).stdin(Stdio::null()).stderr(errors).spawn()?;
        Ok(Self { child, address, log: log.to_owned() })
    }

    /// Waits until something is so.
    pub(super) fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result {
        let began = Instant::now();
        while !is_so(self) {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{what}: the program ended, {status}: {}", self.said()).into());
            }
            if began.elapsed() > SOON {
                return Err(format!("{what}: not within {SOON:?}: {}", self.said()).into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// What it has written so far.
    pub(super) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The body of its answer, empty where there is none.
    pub(super) fn get(&self) -> String {
        server::get(self.address, "/").map(|answer| answer.body).unwrap_or_default()
    }
}
