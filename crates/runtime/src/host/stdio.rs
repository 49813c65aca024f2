//! A guest's standard output and error as lines for the log.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::current::Current;
use crate::log::LogStream;

/// How much a guest may write at a time, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// One of the two output streams of one invocation.
#[derive(Clone)]
pub(crate) struct GuestOutput(Arc<Lines>);

struct Lines {
    current: Arc<Current>,
    stream: LogStream<'static>,
    /// The longest line passed on, in bytes. Longer ones are cut into several, so that a guest that never ends its line
    /// holds no more than this of the host's memory.
    longest: usize,
    /// The line that has not ended yet.
    partial: Mutex<Vec<u8>>,
}

impl GuestOutput {
    pub(crate) fn stdout(current: &Arc<Current>, longest: usize) -> Self {
        Self::new(current, LogStream::Stdout, longest)
    }

    pub(crate) fn stderr(current: &Arc<Current>, longest: usize) -> Self {
        Self::new(current, LogStream::Stderr, longest)
    }

    fn new(current: &Arc<Current>, stream: LogStream<'static>, longest: usize) -> Self {
        Self(Arc::new(Lines { current: Arc::clone(current), stream, longest, partial: Mutex::new(Vec::new()) }))
    }
}

impl Lines {
    fn write(&self, bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            for chunk in text.chunks(self.longest) {
                if partial.len() + chunk.len() > self.longest {
                    self.flush(&mut partial);
                }
                partial.extend_from_slice(chunk);
            }
            if ended {
                self.flush(&mut partial);
            }
        }
    }

    fn flush(&self, partial: &mut Vec<u8>) {
        // Taken out first: should the log panic, the line must not be there again when this is dropped for it.
        let mut line = std::mem::take(partial);
        self.current.get().log(self.stream, String::from_utf8_lossy(&line).trim_end_matches('\r'));
        line.clear();
        *partial = line;
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let mut partial = std::mem::take(self.partial.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !partial.is_empty() {
            self.flush(&mut partial);
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BUDGET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Invocation;
    use crate::log::GuestLog;
    use coracle_package::limit::Limits;

    const LONGEST: usize = 100;

    #[derive(Default)]
    struct Collected(Mutex<Vec<String>>);

    impl GuestLog for Collected {
        fn line(&self, _: LogStream<'_>, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    fn written(pieces: &[&[u8]]) -> Vec<String> {
        let collected = Arc::new(Collected::default());
        let logs: Arc<dyn GuestLog> = collected.clone();
        let invocation = Arc::new(Invocation::new(&Limits::http(), Some(logs), None));
        let output = GuestOutput::stdout(&Current::of(&invocation), LONGEST);
        for piece in pieces {
            output.0.write(piece);
        }
        drop(output);
        std::mem::take(&mut *collected.0.lock().unwrap())
    }

    #[test]
    fn lines_are_joined_across_writes_and_the_last_one_needs_no_end() {
        assert_eq!(written(&[b"one\ntw", b"o\r\n", b"three"]), ["one", "two", "three"]);
    }

    #[test]
    fn a_line_without_an_end_is_cut_so_that_it_cannot_fill_memory() {
        let long = vec![b'x'; LONGEST * 2 + 5];
        let lengths: Vec<usize> = written(&[&long]).iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST, LONGEST, 5]);
    }

    #[test]
    fn lines_past_the_limit_are_dropped_and_counted() {
        let limits = Limits { log_lines: 2, ..Limits::http() };
        let collected = Arc::new(Collected::default());
        let logs: Arc<dyn GuestLog> = collected.clone();
        let invocation = Arc::new(Invocation::new(&limits, Some(logs), None));
        GuestOutput::stderr(&Current::of(&invocation), LONGEST).0.write(b"1\n2\n3\n4\n");
        assert_eq!(*collected.0.lock().unwrap(), ["1", "2"]);
        assert_eq!(invocation.record(crate::Outcome::Ok, None).dropped_log_lines, 2);
    }
}
