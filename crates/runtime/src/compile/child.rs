//! Compiling in a process of its own, as the one that wants the code sees it.
//!
//! A compiler is a large program that reads bytes from strangers. Where it goes wrong it should harm nobody: so it runs in a
//! child that has the bytes and nothing else, may use so much and no more, and is killed when it takes too long. The child
//! is this same program, started again in a mode that does nothing but compile; see the `worker` module for its side.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::build::{Built, Fault};
use super::confine;
use super::form::Form;
use crate::engine::EngineOptions;

/// Memory of a compiler's process, in bytes, before anything is compiled: twice what the program and the engine take with
/// one thread for each of 64 processors.
pub const MEMORY_BASE: u64 = 512 << 20;

/// Memory of a compiler's process for each byte of the component. Compiling Python's 18 MB takes 350 MB, 20 for each; one
/// that is code and no data takes more.
pub const MEMORY_PER_BYTE: u64 = 48;

/// The most memory that a compiler's process may have, in bytes: what the largest component of today's toolchains takes
/// several times over, and what a small machine can still lend.
pub const MEMORY_MOST: u64 = 4 << 30;

/// CPU time of a compiler's process before anything is compiled; a small component takes a hundredth of a second.
pub const CPU_BASE: Duration = Duration::from_secs(10);

/// CPU time of a compiler's process for each MiB of the component. Python's 18 MiB take 12 s, StarlingMonkey's 12 MiB 14 s:
/// this is five times that, for slower machines.
pub const CPU_PER_MIB: Duration = Duration::from_secs(5);

/// Wall time of a compiler's process, as a multiple of its CPU time: others may have most of a busy machine, and a small one has one processor.
pub const WALL_FACTOR: u32 = 4;

/// The largest compiled code that is taken from a compiler's process, in bytes: four times the largest component.
pub const MAX_CODE: u64 = 1 << 30;

/// How much of what a compiler's process says on standard error is kept, in bytes: the message that it died with.
const MAX_SAID: u64 = 8 << 10;

/// Which process compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// This one: for components that are trusted as this program is, such as a test's own. A component that the compiler
    /// cannot cope with takes this process with it.
    InProcess,
    /// A child of this process, with limits, without network and files.
    Child {
        /// A program that calls [`serve`](super::worker::serve) when it is started with `arguments`.
        program: PathBuf,
        /// The arguments that make it do so.
        arguments: Vec<OsString>,
    },
}

/// What one compiler's process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Allowance {
    /// Bytes of memory.
    pub(super) memory: u64,
    /// CPU time of all its threads.
    pub(super) cpu: Duration,
    /// Wall time.
    pub(super) wall: Duration,
}

impl Allowance {
    /// For a component of so many bytes.
    fn of(bytes: u64) -> Self {
        let mebibytes = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        let cpu = CPU_BASE.saturating_add(CPU_PER_MIB.saturating_mul(mebibytes));
        Self {
            // In whole MiB, since people read it.
            memory: MEMORY_BASE
                .saturating_add(bytes.saturating_mul(MEMORY_PER_BYTE))
                .min(MEMORY_MOST)
                .next_multiple_of(1 << 20),
            cpu,
            wall: cpu.saturating_mul(WALL_FACTOR),
        }
    }
}

/// What the child is told, as one line of JSON before the component's bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) options: EngineOptions,
    pub(super) form: Form,
    pub(super) bytes: u64,
    pub(super) allowance: Allowance,
}

/// What the child answers, as one line of JSON; compiled code follows it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reply {
    /// So many bytes of code follow, for one of the two engines.
    Code { bytes: u64, concurrent: bool },
    /// There is none.
    Fault(Fault),
    /// The child needed more memory than it may have, and could still say so.
    Memory,
    /// The child could not even begin.
    Setup(String),
}

/// A bound of the compiler's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Bytes of memory.
    Memory(u64),
    /// CPU time.
    Cpu(Duration),
    /// Wall time.
    Wall(Duration),
}

/// Why a child gave no code.
#[derive(Debug)]
pub(super) enum Broken {
    /// The component is at fault.
    Fault(Fault),
    /// It was stopped.
    Passed(Bound),
    /// It cannot be started, or not be talked to.
    Start(io::Error),
    /// It ended otherwise.
    Died { how: String },
}

/// Compiles `bytes` in a child.
pub(super) fn build(
    program: &PathBuf,
    arguments: &[OsString],
    options: EngineOptions,
    form: Form,
    bytes: &[u8],
) -> Result<Built, Broken> {
    let allowance = Allowance::of(bytes.len() as u64);
    build_within(program, arguments, options, form, bytes, allowance)
}

fn build_within(
    program: &PathBuf,
    arguments: &[OsString],
    options: EngineOptions,
    form: Form,
    bytes: &[u8],
    allowance: Allowance,
) -> Result<Built, Broken> {
    let job = Job { options, form, bytes: bytes.len() as u64, allowance };
    let mut head = serde_json::to_vec(&job).map_err(|error| Broken::Start(error.into()))?;
    head.push(b'\n');
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    confine::prepare(&mut command);
    let mut child = Running(command.spawn().map_err(Broken::Start)?);
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take())
    else {
        return Err(Broken::Start(io::Error::other("it has no standard streams")));
    };

    std::thread::scope(|scope| {
        // A child that ends early closes its end: why it did is found in its answer.
        scope.spawn(move || stdin.write_all(&head).and_then(|()| stdin.write_all(bytes)));
        let said = scope.spawn(move || read_some(stderr, MAX_SAID));
        let (done, answered) = mpsc::channel();
        scope.spawn(move || done.send(read_some(stdout, MAX_CODE + MAX_SAID)));
        let answer = answered.recv_timeout(allowance.wall);
        let late = answer.is_err();
        let status = child.end(late).map_err(Broken::Start)?;
        let said = said.join().unwrap_or_default();
        if late {
            return Err(Broken::Passed(Bound::Wall(allowance.wall)));
        }
        match parse(answer.unwrap_or_default()) {
            Some((Reply::Code { bytes, concurrent }, code)) if status.success() && code.len() as u64 == bytes => {
                Ok(Built { code, concurrent })
            }
            Some((Reply::Fault(fault), _)) => Err(Broken::Fault(fault)),
            Some((Reply::Memory, _)) => Err(Broken::Passed(Bound::Memory(allowance.memory))),
            Some((Reply::Setup(why), _)) => Err(Broken::Start(io::Error::other(why))),
            _ => Err(died(status, &said, allowance)),
        }
    })
}

/// A child that does not outlive whoever wanted its answer.
struct Running(Child);

impl Running {
    fn end(&mut self, kill: bool) -> io::Result<ExitStatus> {
        if kill {
            self.0.kill()?;
        }
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already on every way but that of a panic; then there is nobody left to tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All that comes, up to `most`; what comes after that is not read, which stops the writer.
fn read_some(from: impl Read, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = from.take(most).read_to_end(&mut bytes) {
        tracing::debug!(%error, "a compiler's process cannot be read");
    }
    bytes
}

/// The line before the code, and the code.
fn parse(mut answer: Vec<u8>) -> Option<(Reply, Vec<u8>)> {
    let line = answer.iter().position(|byte| *byte == b'\n')?;
    let reply = serde_json::from_slice(answer.get(..line)?).ok()?;
    answer.drain(..=line);
    Some((reply, answer))
}

/// Why a child ended without an answer.
fn died(status: ExitStatus, said: &[u8], allowance: Allowance) -> Broken {
    let said = String::from_utf8_lossy(said);
    if confine::ran_out_of_cpu(status) {
        return Broken::Passed(Bound::Cpu(allowance.cpu));
    }
    // The words of Rust's allocator, before it aborts.
    if said.contains("memory allocation of ") {
        return Broken::Passed(Bound::Memory(allowance.memory));
    }
    let line = said.lines().find(|line| !line.trim().is_empty());
    Broken::Died { how: line.map_or_else(|| status.to_string(), |line| format!("{status}: {line}")) }
}
