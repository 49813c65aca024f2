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
/// Reason: most answers are smaller, and are sent in one piece then. The host keeps so much, and one piece of the guest's, for
/// each call under way, and charges nobody.
const MAX_GATHERED: usize = 64 << 10;

/// What each piece counts besides its bytes: what it takes to keep it.
const PIECE: usize = 256;

/// A body of which the first frames are there.
pub(super) struct Gathered {
    frames: VecDeque<Result<Frame<Bytes>, Error>>,
    /// What comes behind them, unless they are all.
    rest: Option<WasiBody>,
}

impl Gathered {
    /// What the guest in `driver` writes of `body` until its instance rests.
    pub(super) async fn of(mut body: WasiBody, driver: &Driven) -> Self {
        let mut rest = pin!(driver.rest());
        let mut frames = VecDeque::new();
        let mut bytes = 0;
        let whole = poll_fn(|context| {
            while bytes < MAX_GATHERED && !body.is_end_stream() {
                match Pin::new(&mut body).poll_frame(context) {
                    Poll::Ready(None) => return Poll::Ready(true),
                    Poll::Ready(Some(Ok(frame))) => {
                        bytes += PIECE + frame.data_ref().map_or(0, Bytes::len);
                        frames.push_back(Ok(frame));
                    }
                    // A body that is broken says so for ever.
                    Poll::Ready(Some(Err(error))) => {
                        frames.push_back(Err(error));
                        return Poll::Ready(true);
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
        match &self.rest {
            Some(rest) if self.frames.is_empty() => rest.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use std::sync::Arc;

    use super::*;

    /// A body that gives what `next` says of each number, without end.
    struct Endless<F>(usize, F);

    impl<F: FnMut(usize) -> Result<Frame<Bytes>, Error> + Unpin> Body for Endless<F> {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            self.0 += 1;
            let number = self.0;
            Poll::Ready(Some((self.1)(number)))
        }
    }

    async fn gathered(next: fn(usize) -> Result<Frame<Bytes>, Error>) -> Gathered {
        let driver = Arc::<Driven>::default();
        Gathered::of(Endless(0, next).boxed_unsync(), &driver).await
    }

    #[tokio::test]
    async fn a_body_that_is_broken_ends_with_its_error() {
        let body = gathered(|number| match number {
            1 => Ok(Frame::data(Bytes::from_static(b"half"))),
            _ => Err(Error::ConnectionTerminated),
        })
        .await;
        assert_eq!((body.frames.len(), body.is_whole()), (2, true));
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn no_more_is_gathered_than_may_be_also_in_empty_pieces() {
        let body = gathered(|_| Ok(Frame::data(Bytes::new()))).await;
        assert!(!body.is_whole());
        assert_eq!(body.frames.len(), MAX_GATHERED / PIECE);
    }
}
