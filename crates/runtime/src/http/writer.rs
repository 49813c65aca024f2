//! Whether the guest that writes a body is still there.
//!
//! To the engine a body whose guest was ended amid it has come to its end like any other. Its client would take half an
//! answer for a whole one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};

/// Held for as long as a guest runs. Dropped before [`Writer::finish`], and before the guest's instance, it breaks off the
/// bodies that have not been read to their end by then.
#[derive(Default)]
pub(super) struct Writer {
    broken: Watch,
}

/// What bodies know of their writer.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<AtomicBool>);

impl Writer {
    /// For the bodies that it writes.
    pub(super) fn watch(&self) -> Watch {
        self.broken.clone()
    }

    /// The guest has returned: what it wrote is what it wanted to write.
    pub(super) fn finish(mut self) {
        self.broken = Watch::default();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.broken.0.store(true, SeqCst);
    }
}

impl Watch {
    /// `body`, which ends with an error where its writer was ended before.
    pub(super) fn over(self, body: WasiBody) -> WasiBody {
        Watched { body, writer: self }.boxed_unsync()
    }
}

struct Watched {
    body: WasiBody,
    writer: Watch,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) if self.writer.0.load(SeqCst) => Poll::Ready(Some(Err(Error::ConnectionTerminated))),
            frame => frame,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
