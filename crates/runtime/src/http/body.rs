//! Bodies on their way in and out.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use wasmtime_wasi_http::{Error, WasiBody};

/// The body of a request on its way to a guest.
pub type RequestBody = UnsyncBoxBody<Bytes, RequestBodyError>;

/// Why a request's body ends early. The guest sees the error of `wasi:http` that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestBodyError {
    /// Longer than its limit.
    #[error("the request's body is longer than its limit")]
    TooLarge,
    /// Too slow.
    #[error("the request's body came too slowly")]
    TimedOut,
    /// The client went away.
    #[error("the client went away before the end of the request's body")]
    Disconnected,
    /// Not valid HTTP.
    #[error("the request's body is not valid HTTP")]
    Malformed,
}

impl From<RequestBodyError> for Error {
    fn from(error: RequestBodyError) -> Self {
        match error {
            RequestBodyError::TooLarge => Self::HttpRequestBodySize(None),
            RequestBodyError::TimedOut => Self::ConnectionReadTimeout,
            RequestBodyError::Disconnected => Self::ConnectionTerminated,
            RequestBodyError::Malformed => Self::HttpProtocolError,
        }
    }
}

/// A response's body ended before it was whole: its guest failed, or broke its own `content-length`.
#[derive(Debug, thiserror::Error)]
#[error("the guest ended before its response was whole")]
pub struct ResponseBodyError(#[source] Error);

/// What became of the body of a guest that goes on after the head of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It was read to its end.
    Whole,
    /// The guest did not finish it.
    Broken,
}

/// The body of a guest's response. Dropped before its end, it cancels the guest.
pub struct ResponseBody(Source);

enum Source {
    /// The guest has ended, and this is what it wrote.
    Whole(VecDeque<Frame<Bytes>>),
    /// The guest still runs.
    Streaming {
        body: WasiBody,
        /// Bytes that its `content-length` promises and that have not come; who reads by that asks for nothing after them.
        promised: Option<u64>,
        guest: AbortHandle,
        fate: Option<oneshot::Sender<Fate>>,
    },
}

impl ResponseBody {
    /// Of a guest that has ended: all that there will ever be of `body` is taken at once. It is no more than what the guest
    /// could write without waiting for a reader, or what was gathered of it.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub(super) fn whole(mut body: WasiBody) -> Result<Self, &'static str> {
        let mut frames = VecDeque::new();
        let mut context = Context::from_waker(Waker::noop());
        while !body.is_end_stream() {
            match Pin::new(&mut body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => frames.push_back(frame),
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(_))) | Poll::Pending => return Err("the guest left its answer unfinished"),
            }
        }
        Ok(Self(Source::Whole(frames)))
    }

    /// Of a guest that still runs, by itself as the task `guest`, which is told the body's `fate`.
    pub(super) fn streaming(
        body: WasiBody,
        promised: Option<u64>,
        guest: &JoinHandle<()>,
        fate: oneshot::Sender<Fate>,
    ) -> Self {
        Self(Source::Streaming { body, promised, guest: guest.abort_handle(), fate: Some(fate) })
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>> {
        let Source::Streaming { body, promised, fate, .. } = &mut self.0 else {
            let Source::Whole(frames) = &mut self.0 else { return Poll::Ready(None) };
            return Poll::Ready(frames.pop_front().map(Ok));
        };
        let frame = Pin::new(body).poll_frame(context);
        let known = match &frame {
            Poll::Pending => None,
            Poll::Ready(None) => Some(Fate::Whole),
            Poll::Ready(Some(Err(_))) => Some(Fate::Broken),
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                *promised = promised.map(|left| left.saturating_sub(length));
                None
            }
        };
        if let (Some(known), Some(fate)) = (known, known.and_then(|_| fate.take())) {
            // Whoever wanted to know may have ended before; then nobody needs to.
            let _ = fate.send(known);
        }
        frame.map_err(ResponseBodyError)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(frames) => frames.is_empty(),
            Source::Streaming { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            // A length that is known would go before the body, and leave no room for trailers after it.
            Source::Whole(frames) if frames.iter().any(Frame::is_trailers) => SizeHint::default(),
            Source::Whole(frames) => {
                SizeHint::with_exact(frames.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum())
            }
            Source::Streaming { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let Source::Streaming { body, promised, guest, fate } = &mut self.0 else { return };
        // The answer is whole; what the guest does after it, within its limits, is its own affair.
        let read = body.is_end_stream() || *promised == Some(0);
        match fate.take() {
            Some(fate) if read => _ = fate.send(Fate::Whole),
            Some(_) => guest.abort(),
            None => {}
        }
    }
}
