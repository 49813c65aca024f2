//! Bodies on their way in and out.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::task::JoinHandle;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::invocation::Record;

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

/// The body of a guest's response. Dropped before its end, it cancels the guest.
pub struct ResponseBody {
    body: WasiBody,
    guest: Option<JoinHandle<Option<Record>>>,
}

impl ResponseBody {
    /// Of a guest that has ended: all of the body is there.
    pub(super) fn finished(body: WasiBody) -> Self {
        Self { body, guest: None }
    }

    /// Of a guest that still runs.
    pub(super) fn streaming(body: WasiBody, guest: JoinHandle<Option<Record>>) -> Self {
        Self { body, guest: Some(guest) }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(None) = frame {
            // The answer is whole; what the guest does after it, within its limits, is its own affair.
            self.guest = None;
        }
        frame.map_err(ResponseBodyError)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(guest) = &self.guest
            && !self.body.is_end_stream()
        {
            guest.abort();
        }
    }
}
