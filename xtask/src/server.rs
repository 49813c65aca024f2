//! A server that is measured: started, asked, looked at from outside, stopped.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Result, shell};

/// How many ticks of processor time a second has in `/proc`: fixed in the kernel's interface, whatever its own clock.
const TICKS_PER_SECOND: u64 = 100;

/// How long a server may take to answer at all: compiling a large component takes seconds.
const START: Duration = Duration::from_secs(60);

/// A server of ours or of a peer, listening on loopback; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts what `command` makes of an address, and waits for its first good answer.
    pub(crate) fn start(command: impl FnOnce(SocketAddr) -> Result<Command>) -> Result<Self> {
        Ok(Self::start_timed(command, Duration::from_millis(5))?.0)
    }

    /// The same; says how long after its start the answer was there, to within `step`.
    pub(crate) fn start_timed(
        command: impl FnOnce(SocketAddr) -> Result<Command>,
        step: Duration,
    ) -> Result<(Self, Duration)> {
        // The port is free now, and nobody else here is looking for one.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let mut command = command(address)?;
        let began = Instant::now();
        // What servers log is thrown away, but it is written: they run with their defaults.
        let child =
            shell::measured(&mut command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("could not start `{}`: {error}", shell::line(&command)))?;
        let mut server = Self { child, address };
        while get(address, "/").is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("`{}` ended at once: {status}", shell::line(&command)).into());
            }
            if began.elapsed() > START {
                return Err(format!("`{}` did not answer within {START:?}", shell::line(&command)).into());
            }
            std::thread::sleep(step);
        }
        Ok((server, began.elapsed()))
    }

    /// The processor time it has used so far, in user and kernel, over all of its threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the program's name in brackets, which may hold spaces; utime and stime are 14 and 15.
        let after = stat.rsplit_once(") ").ok_or("/proc/PID/stat has no name")?.1;
        let ticks: u64 = after.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<std::result::Result<_, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// The memory it holds now, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        self.status_kib("VmRSS")
    }

    /// The memory it holds now, and whose it is.
    pub(crate) fn memory(&self) -> Result<Memory> {
        Memory::parse(&fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?)
    }

    /// The most memory it held since [`Server::forget_peak`], in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        self.status_kib("VmHWM")
    }

    /// Lets its peak of memory begin anew.
    pub(crate) fn forget_peak(&self) -> Result {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    fn status_kib(&self, name: &str) -> Result<u64> {
        kib(&fs::read_to_string(format!("/proc/{}/status", self.child.id()))?, name)
    }
}

/// The memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// All that is in memory, files among it that others have mapped too.
    pub(crate) resident_kib: u64,
    /// The same, with what is shared divided among those who share it.
    pub(crate) proportional_kib: u64,
    /// What no other process has a part of.
    pub(crate) private_kib: u64,
    /// Of that, what was written: the rest is of files, and the system may drop it and read it again.
    pub(crate) dirty_kib: u64,
}

impl Memory {
    /// Reads `/proc/PID/smaps_rollup`.
    fn parse(rollup: &str) -> Result<Self> {
        let dirty_kib = kib(rollup, "Private_Dirty")?;
        Ok(Self {
            resident_kib: kib(rollup, "Rss")?,
            proportional_kib: kib(rollup, "Pss")?,
            private_kib: kib(rollup, "Private_Clean")? + dirty_kib,
            dirty_kib,
        })
    }
}

/// The value of a line `NAME:   VALUE kB`.
fn kib(text: &str, name: &str) -> Result<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(found, _)| *found == name);
    let (_, value) = found.ok_or_else(|| format!("what the kernel says of a process has no {name}"))?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the measurement has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) body: String,
    /// Of the whole answer, head and body.
    pub(crate) bytes: usize,
}

/// Asks for `path` as wrk does, on a connection of its own. Anything but 200 is an error.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part)?;
        answer.extend_from_slice(&part[..length]);
        if let Some(body) = body(&answer)? {
            return Ok(Answer { body, bytes: answer.len() });
        }
        if length == 0 {
            return Err("the connection closed within an answer".into());
        }
    }
}

/// The body of an answer, once it is whole.
fn body(answer: &[u8]) -> Result<Option<String>> {
    let text = std::str::from_utf8(answer)?;
    let Some((head, rest)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("answered {}", head.lines().next().unwrap_or_default()).into());
    }
    let header = |wanted: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
    };
    if let Some(length) = header("content-length") {
        return Ok((rest.len() >= length.parse()?).then(|| rest.to_owned()));
    }
    let (mut rest, mut whole) = (rest, String::new());
    loop {
        let Some((size, chunk)) = rest.split_once("\r\n") else { return Ok(None) };
        let size = usize::from_str_radix(size, 16)?;
        let Some(part) = chunk.get(..size) else { return Ok(None) };
        if size == 0 {
            return Ok(chunk.starts_with("\r\n").then_some(whole));
        }
        whole.push_str(part);
        rest = chunk[size..].trim_start_matches("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, body};

    #[test]
    fn a_body_is_whole_when_its_framing_says_so() {
        let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(body(sized).unwrap().as_deref(), Some("hello"));
        assert_eq!(body(&sized[..sized.len() - 1]).unwrap(), None);

        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        assert_eq!(body(chunked).unwrap().as_deref(), Some("hello"));
        for length in 0..chunked.len() {
            assert_eq!(body(&chunked[..length]).unwrap(), None, "{length} bytes");
        }
        assert!(body(b"HTTP/1.1 500 no\r\n\r\n").is_err());
    }

    #[test]
    fn private_memory_is_what_is_clean_and_what_is_dirty() {
        let rollup = "7f00-7fff ---p 00000000 00:00 0    [rollup]\nRss:     2048 kB\nPss:      900 kB\nPss_Dirty:   1 kB\n\
                      Shared_Clean:  1024 kB\nPrivate_Clean:    24 kB\nPrivate_Dirty:  600 kB\n";
        let memory = Memory { resident_kib: 2048, proportional_kib: 900, private_kib: 624, dirty_kib: 600 };
        assert_eq!(Memory::parse(rollup).unwrap(), memory);
        assert!(Memory::parse("Rss: 1 kB\n").is_err());
    }
}
