//! Compiling in a process of its own, as that process sees it.

use std::io::{self, BufRead, Read, Write};

use super::build::{Built, Fault, build};
use super::child::{Compiler, Job, Reply};
use super::confine;
use crate::engine::{Engine, EngineOptions};

/// The longest line that a job begins with, in bytes: several times what one has.
const MAX_JOB: u64 = 64 << 10;

/// Compiles one component: the whole of a process that [`Compiler::Child`] starts.
///
/// It reads a job from standard input, gives up everything that compiling does not need, and only then reads the component's
/// bytes. The answer goes to standard output; whether it was taken is returned.
#[must_use]
pub fn serve() -> bool {
    let mut input = io::stdin().lock();
    let (reply, code) = match work(&mut input) {
        Ok(Ok(Built { code, concurrent })) => (Reply::Code { bytes: code.len() as u64, concurrent }, code),
        Ok(Err(fault)) => (Reply::Fault(fault), Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => (Reply::Memory, Vec::new()),
        Err(error) => (Reply::Setup(error.to_string()), Vec::new()),
    };
    answer(&reply, &code).is_ok()
}

fn work(input: &mut impl BufRead) -> io::Result<Result<Built, Fault>> {
    let mut line = Vec::new();
    input.by_ref().take(MAX_JOB).read_until(b'\n', &mut line)?;
    let job: Job = serde_json::from_slice(&line)?;
    confine::confine(&job.allowance)?;
    // A pool is for running; it takes address space that a compiler does not have.
    let engine =
        Engine::new(EngineOptions { pool: None, ..job.options }, Compiler::InProcess).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(job.bytes).unwrap_or(usize::MAX))?;
    input.take(job.bytes).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != job.bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(build(&engine, job.form, &bytes))
}

fn answer(reply: &Reply, code: &[u8]) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.write_all(code)?;
    output.flush()
}
