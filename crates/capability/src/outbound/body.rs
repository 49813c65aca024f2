//! The body of a response, with its timeout and the way back into the pool.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::OutboundError;
use super::pool::{Connection, Origin, Pool};

/// The body of a response as it comes in. Dropping it gives up what has not come yet.
pub struct ResponseBody {
    incoming: Incoming,
    timeout: Duration,
    /// Runs while a piece is waited for.
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// Goes back to the pool once the body is complete.
    connection: Option<(Arc<Pool>, Origin, Connection)>,
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseBody")
    }
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        timeout: Duration,
        connection: Option<(Arc<Pool>, Origin, Connection)>,
    ) -> ResponseBody {
        let timer = Box::pin(tokio::time::sleep(timeout));
        let mut body = ResponseBody { incoming, timeout, timer, waiting: false, connection };
        if body.incoming.is_end_stream() {
            body.complete();
        }
        body
    }

    fn complete(&mut self) {
        if let Some((pool, origin, connection)) = self.connection.take() {
            pool.put(origin, connection);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.waiting = false;
                match &frame {
                    Some(Ok(_)) if !this.incoming.is_end_stream() => {}
                    Some(Ok(_)) | None => this.complete(),
                    Some(Err(_)) => this.connection = None,
                }
                Poll::Ready(frame.map(|frame| frame.map_err(OutboundError::from)))
            }
            Poll::Pending => {
                // The time counts while somebody waits, not while the guest does other things.
                if !this.waiting {
                    this.waiting = true;
                    let deadline = Instant::now().checked_add(this.timeout);
                    this.timer.as_mut().reset(deadline.unwrap_or_else(far_future));
                }
                ready!(this.timer.as_mut().poll(cx));
                this.connection = None;
                Poll::Ready(Some(Err(OutboundError::ReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A time that never comes, for timeouts that no clock can add.
fn far_future() -> Instant {
    /// Thirty years, in seconds.
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + FAR
}
