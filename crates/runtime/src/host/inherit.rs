//! The process's own standard output and error, for a guest that has the process to itself.
//!
//! WASI's own streams take 64 KiB at a time and leave the rest to the guest to write again. Not every guest does: Python
//! without buffers drops what is left over. These take all that one call can carry.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// One of the process's two output streams.
#[derive(Clone, Copy)]
pub(crate) struct Inherited {
    stream: Stream,
    /// How much the guest may write in one call, in bytes. No call can carry more than its limit anyway.
    budget: usize,
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

impl Inherited {
    pub(crate) fn stdout(budget: usize) -> Self {
        Self { stream: Stream::Output, budget }
    }

    pub(crate) fn stderr(budget: usize) -> Self {
        Self { stream: Stream::Error, budget }
    }

    fn write_all(self, bytes: &[u8]) -> io::Result<()> {
        match self.stream {
            Stream::Output => io::stdout().write_all(bytes),
            Stream::Error => io::stderr().write_all(bytes),
        }
    }

    fn flush(self) -> io::Result<()> {
        match self.stream {
            Stream::Output => io::stdout().flush(),
            Stream::Error => io::stderr().flush(),
        }
    }
}

impl IsTerminal for Inherited {
    fn is_terminal(&self) -> bool {
        match self.stream {
            Stream::Output => io::IsTerminal::is_terminal(&io::stdout()),
            Stream::Error => io::IsTerminal::is_terminal(&io::stderr()),
        }
    }
}

impl StdoutStream for Inherited {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(*self)
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(*self)
    }
}

impl AsyncWrite for Inherited {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_all(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready((*self).flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

#[async_trait::async_trait]
impl Pollable for Inherited {
    async fn ready(&mut self) {}
}

impl OutputStream for Inherited {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_all(&bytes).map_err(failed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Self::flush(*self).map_err(failed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(self.budget)
    }
}

/// A reader that has left closes the stream; anything else is an error that the guest may look at.
fn failed(error: io::Error) -> StreamError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StreamError::Closed,
        _ => StreamError::LastOperationFailed(error.into()),
    }
}
