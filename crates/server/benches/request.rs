//! Requests to one function, one after the other, in a process that does nothing else: for a profiler to count.
//!
//! `request COMPONENT COUNT` serves the component, asks it so often over one connection, and checks each answer. Everything
//! is on one thread, so that two runs do the same; what a request takes is the difference between two counts.
//! `cargo xtask bench instructions` runs it.

use std::error::Error;
use std::path::PathBuf;

use coracle_daemon::log::{self, Format, Sink};
use coracle_daemon::signal;
use coracle_package::limit::Limits;
use coracle_runtime::compile::Compiler;
use coracle_server::{Bound, Config, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Invocations at one time: a profiler has less address space to give than a system.
const INVOCATIONS: u32 = 2;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bench\r\naccept: */*\r\n\r\n";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(file), Some(count)) = (arguments.next(), arguments.next()) else {
        return Err("usage: request COMPONENT COUNT".into());
    };
    let source =
        Source::Component { file: PathBuf::from(file), grants: Box::default(), limits: Box::new(Limits::http()) };
    // The component is one of this project's own samples.
    let config =
        Config { max_invocations: INVOCATIONS, ..Config::new(source, "127.0.0.1:0".parse()?, Compiler::InProcess) };
    log::init(Format::Json, "info".parse()?, Sink::queued()?)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(ask(config, count.parse()?))?;
    // As the program itself does: what the system frees is not torn down.
    std::process::exit(0);
}

async fn ask(config: Config, count: usize) -> Result<(), Box<dyn Error>> {
    let server = Bound::new(config).await?;
    let address = server.address();
    tokio::spawn(server.run(signal::shutdown()?));
    let mut client = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    let mut answer = Vec::with_capacity(4096);
    for _ in 0..count {
        client.write_all(REQUEST).await?;
        answer.clear();
        while !is_whole(&answer)? {
            if client.read_buf(&mut answer).await? == 0 {
                return Err("the connection was closed".into());
            }
        }
    }
    Ok(())
}

/// Whether all of an answer has come: it says its length, or ends with an empty chunk where its guest was interrupted amid it.
fn is_whole(answer: &[u8]) -> Result<bool, Box<dyn Error>> {
    let text = std::str::from_utf8(answer)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(false) };
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("not the answer that was expected: {text}").into());
    }
    match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => Ok(body.len() >= length.parse()?),
        None => Ok(body.ends_with("0\r\n\r\n")),
    }
}
