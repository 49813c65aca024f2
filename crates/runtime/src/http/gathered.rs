//! What has come of a guest's answer before its head goes out.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use super::driven::Driven;

/// How much of a body is gathered, in bytes: what comes then is passed on as it comes.
///
/// Reason: most answers are smaller, and are sent in one piece then.
const MAX_GATHERED: usize = 64 << 10;

/// A body of which the first frames are there.
pub(super) struct Gathered {
    frames: VecDeque<Result<Frame<Bytes>, Error>>,
    /// What comes behind them, unless they are all.
    rest: Option<WasiBody>,
}

impl Gathered {
    /// What the guest in `driver` writes of `body` until it waits for something.
    pub(super) async fn of(mut body: WasiBody, driver: &Driven) -> Self {
        let mut rest = pin!(driver.rest());
        let mut frames = VecDeque::new();
        let mut bytes = 0;
        let whole = poll_fn(|context| {
            while bytes < MAX_GATHERED && !body.is_end_stream() {
                match Pin::new(&mut body).poll_frame(context) {
                    Poll::Ready(None) => return Poll::Ready(true),
                    Poll::Ready(Some(frame)) => {
                        bytes += frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
                        frames.push_back(frame);
                    }
                    Poll::Pending => return rest.as_mut().poll(context).map(|()| false),
                }
            }
            Poll::Ready(body.is_end_stream())
        })
        .await;
        Self { frames, rest: (!whole).then_some(body) }
    }

    /// Whether nothing more will come.
    pub(super) fn is_whole(&self) -> bool {
        self.rest.is_none()
    }
}

impl Body for Gathered {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match (self.frames.pop_front(), &mut self.rest) {
            (Some(frame), _) => Poll::Ready(Some(frame)),
            (None, Some(rest)) => Pin::new(rest).poll_frame(context),
            (None, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // Nobody asks: the length is the guest's own `content-length`, or that of the whole.
        SizeHint::default()
    }
}
