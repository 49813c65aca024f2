//! Streams into a file of a folder with a quota: each piece is charged before WASI's own stream writes it.

use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Source, StreamConsumer, StreamResult as Consumed};
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::p3::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::quota::{Exceeded, Quota};
use crate::host::Host;

/// Written in one piece, in bytes.
const PIECE: usize = 64 << 10;

/// A stream of WASI's own, and where it writes.
pub(super) struct Counted {
    stream: DynOutputStream,
    file: Arc<File>,
    quota: Arc<Quota>,
    /// Where the next piece goes; none is the file's end.
    position: Option<u64>,
}

impl Counted {
    pub(super) fn new(stream: DynOutputStream, file: Arc<File>, quota: Arc<Quota>, position: Option<u64>) -> Self {
        Self { stream, file, quota, position }
    }

    async fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let length = bytes.len() as u64;
        let growth = growth(&self.file, self.position, length).map_err(failed)?;
        let _charge = self.quota.charge(growth, 0).await.map_err(failed)?;
        self.stream.blocking_write_and_flush(bytes).await?;
        self.position = self.position.map(|position| position.saturating_add(length));
        Ok(())
    }

    /// Writes in a task of its own, which gives the stream back.
    fn begin(mut self, bytes: Bytes) -> Writing {
        spawn(async move {
            let written = self.write(bytes).await;
            (self, written)
        })
    }
}

/// By how many bytes a file grows that is written to.
pub(super) fn growth(file: &File, position: Option<u64>, length: u64) -> std::io::Result<u64> {
    Ok(match position {
        None => length,
        Some(position) => position.saturating_add(length).saturating_sub(file.metadata()?.len()),
    })
}

fn failed(error: impl Into<wasmtime::Error>) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

type Writing = AbortOnDropJoinHandle<(Counted, StreamResult<()>)>;

/// The stream as a guest of WASI 0.2 has it.
pub(super) enum CountedP2 {
    Ready(Counted),
    Writing(Writing),
    Failed(StreamError),
    Closed,
}

impl CountedP2 {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Closed)
    }
}

#[async_trait::async_trait]
impl Pollable for CountedP2 {
    async fn ready(&mut self) {
        if let Self::Writing(writing) = self {
            *self = match writing.await {
                (stream, Ok(())) => Self::Ready(stream),
                (_, Err(error)) => Self::Failed(error),
            };
        }
    }
}

#[async_trait::async_trait]
impl OutputStream for CountedP2 {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match self.take() {
            Self::Ready(stream) => {
                *self = Self::Writing(stream.begin(bytes));
                Ok(())
            }
            Self::Closed => Err(StreamError::Closed),
            Self::Writing(_) | Self::Failed(_) => {
                Err(StreamError::Trap(wasmtime::Error::msg("a write that was not permitted by `check-write`")))
            }
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.check_write().map(drop)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self {
            Self::Ready(_) => Ok(PIECE),
            Self::Writing(_) => Ok(0),
            Self::Closed => Err(StreamError::Closed),
            Self::Failed(_) => match self.take() {
                Self::Failed(error) => Err(error),
                _ => Err(StreamError::Closed),
            },
        }
    }
}

/// The stream as a guest of WASI 0.3 has it: what it reads from, and whom it tells how it ended.
pub(super) struct CountedP3 {
    state: P3State,
    done: Option<oneshot::Sender<Result<(), ErrorCode>>>,
}

enum P3State {
    Ready(Counted),
    Writing(Writing, usize),
    Closed,
}

impl CountedP3 {
    pub(super) fn new(stream: Counted, done: oneshot::Sender<Result<(), ErrorCode>>) -> Self {
        Self { state: P3State::Ready(stream), done: Some(done) }
    }

    fn finish(&mut self, result: Result<(), ErrorCode>) {
        if let Some(done) = self.done.take() {
            // The guest may not care.
            let _ = done.send(result);
        }
    }
}

impl Drop for CountedP3 {
    fn drop(&mut self) {
        self.finish(Ok(()));
    }
}

impl StreamConsumer<Host> for CountedP3 {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'_, Host>,
        source: Source<'_, u8>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<Consumed>> {
        let mut source = source.as_direct(store);
        loop {
            match std::mem::replace(&mut self.state, P3State::Closed) {
                P3State::Ready(stream) => {
                    let bytes = source.remaining();
                    let bytes = &bytes[..bytes.len().min(PIECE)];
                    if bytes.is_empty() {
                        self.state = P3State::Ready(stream);
                        return Poll::Ready(Ok(Consumed::Completed));
                    }
                    self.state = P3State::Writing(stream.begin(Bytes::copy_from_slice(bytes)), bytes.len());
                }
                P3State::Writing(mut writing, length) => {
                    let Poll::Ready((stream, written)) = Pin::new(&mut writing).poll(context) else {
                        self.state = P3State::Writing(writing, length);
                        return Poll::Pending;
                    };
                    return Poll::Ready(match written {
                        Ok(()) => {
                            source.mark_read(length);
                            self.state = P3State::Ready(stream);
                            Ok(Consumed::Completed)
                        }
                        Err(StreamError::Trap(error)) => Err(error),
                        Err(error) => {
                            self.finish(Err(code(error)));
                            Ok(Consumed::Dropped)
                        }
                    });
                }
                P3State::Closed => return Poll::Ready(Ok(Consumed::Dropped)),
            }
        }
    }
}

fn code(error: StreamError) -> ErrorCode {
    let StreamError::LastOperationFailed(error) = error else { return ErrorCode::Pipe };
    match error.downcast::<std::io::Error>() {
        Ok(error) => error.into(),
        Err(error) if error.is::<Exceeded>() => ErrorCode::Quota,
        Err(_) => ErrorCode::Io,
    }
}
