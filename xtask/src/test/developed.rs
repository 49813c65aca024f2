//! `coracle dev` as somebody uses it: sources are changed and broken while it serves.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// A build and what follows from it has been seen by then.
const SOON: Duration = Duration::from_secs(120);

/// A running `coracle dev`, ended when it is dropped.
struct Dev {
    child: Child,
    address: SocketAddr,
    log: std::path::PathBuf,
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the C project at `folder` by `command`, which lacks only the address.
pub(super) fn check(folder: &Path, command: &mut Command) -> Result {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let log = folder.with_extension("log");
    let errors = fs::File::create(&log)?;
    let child = command.args(["--addr", &address.to_string()]).stdin(Stdio::null()).stderr(errors).spawn()?;
    let dev = Dev { child, address, log };
    let source = folder.join("app.c");
    let first = fs::read_to_string(&source)?;

    dev.wait("the first version answers", || dev.get().contains("Hello from"))?;
    fs::write(&source, first.replace("Hello from", "Changed by"))?;
    dev.wait("a change is served", || dev.get().contains("Changed by"))?;
    fs::write(&source, first.replace("web_text", "no_such_function"))?;
    dev.wait("a broken build says why", || dev.said().contains("no_such_function"))?;
    if !dev.get().contains("Changed by") {
        return Err(format!("the last good build should go on serving: {}", dev.said()).into());
    }
    fs::write(&source, first.replace("Hello from", "Mended in"))?;
    dev.wait("what was mended is served", || dev.get().contains("Mended in"))?;
    Ok(fs::write(&source, first)?)
}

impl Dev {
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) -> Result {
        let began = Instant::now();
        while !is_so() {
            if began.elapsed() > SOON {
                return Err(format!("coracle dev: {what}: not within {SOON:?}: {}", self.said()).into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// What it has written so far.
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its answer, empty where there is none.
    fn get(&self) -> String {
        let ask = || {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: dev.test\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        ask().unwrap_or_default()
    }
}
