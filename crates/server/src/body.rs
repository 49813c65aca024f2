//! Bodies in both directions: what bounds a request's on its way in, and what a response's may be.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use coracle_runtime::http::{RequestBody, RequestBodyError, ResponseBody};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::files::FileBody;
use crate::headers;
use crate::response::ServeError;
use crate::server::InFlight;

/// How long a request's body may keep its reader waiting before it must have a rate.
///
/// Reason: a client that has just sent its head may still have to ask a disk, a camera or a person.
pub const BODY_PATIENCE: Duration = Duration::from_secs(20);

/// The rate that a request's body must have on the average beyond [`BODY_PATIENCE`], in bytes a second.
///
/// Reason: what Apache's mod_reqtimeout asks for; any modem has ten times as much, and a client that trickles one byte
/// in a while to hold an instance is out in [`BODY_PATIENCE`].
pub const BODY_MIN_RATE: u64 = 500;

/// How a request's body broke off, if it did: told by the body, read by the handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(Arc<AtomicU8>);

impl Broken {
    fn tell(&self, error: RequestBodyError) {
        let code = match error {
            RequestBodyError::TooLarge => 1,
            RequestBodyError::TimedOut => 2,
            RequestBodyError::Malformed => 3,
            // Nobody is left to be told.
            RequestBodyError::Disconnected => return,
        };
        self.0.store(code, Relaxed);
    }

    /// The error that the client is told of in place of whatever the guest made of half a body.
    pub(crate) fn error(&self) -> Option<ServeError> {
        match self.0.load(Relaxed) {
            1 => Some(ServeError::BodyTooLarge),
            2 => Some(ServeError::BodyTimeout),
            3 => Some(ServeError::BodyMalformed),
            _ => None,
        }
    }
}

/// The body of a request, bounded in length and held to a rate.
pub(crate) fn inbound(incoming: Incoming, limit: u64, broken: &Broken) -> RequestBody {
    if incoming.is_end_stream() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let patience = Patience::new(BODY_PATIENCE, BODY_MIN_RATE);
    Inbound { incoming, left: limit, patience, broken: broken.clone(), ended: false }.boxed_unsync()
}

struct Inbound<B> {
    incoming: B,
    left: u64,
    patience: Patience,
    broken: Broken,
    ended: bool,
}

impl<B> Inbound<B> {
    fn end(&mut self, error: RequestBodyError) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        self.ended = true;
        self.broken.tell(error);
        Poll::Ready(Some(Err(error)))
    }
}

impl<B> http_body::Body for Inbound<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => match self.patience.poll_wait(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => self.end(RequestBodyError::TimedOut),
            },
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => {
                let error = classify(&error);
                self.end(error)
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.patience.came(length);
                match self.left.checked_sub(length) {
                    None => return self.end(RequestBodyError::TooLarge),
                    Some(left) => self.left = left,
                }
                if let Some(trailers) = frame.trailers_mut() {
                    headers::strip_request(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Tells bytes that are no HTTP from a connection that broke.
fn classify(error: &(dyn std::error::Error + 'static)) -> RequestBodyError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => RequestBodyError::Malformed,
                _ => RequestBodyError::Disconnected,
            };
        }
        cause = error.source();
    }
    RequestBodyError::Disconnected
}

/// How long a reader still waits for a writer: a stock of time that waiting uses up and bytes fill again, at the least
/// rate that is put up with. Only time in which the reader wants bytes and there are none counts; a slow guest is not
/// its client's fault.
struct Patience {
    stock: Duration,
    full: Duration,
    rate: u64,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(full: Duration, rate: u64) -> Self {
        Self { stock: full, full, rate, waiting_since: None, timer: None }
    }

    /// Ready when the stock is used up.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let deadline = tokio::time::Instant::from_std(since + self.stock);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }

    fn came(&mut self, bytes: u64) {
        if let Some(since) = self.waiting_since.take() {
            self.stock = self.stock.saturating_sub(since.elapsed());
        }
        let earned = Duration::from_millis(bytes.saturating_mul(1000) / self.rate);
        self.stock = self.stock.saturating_add(earned).min(self.full);
    }
}

/// The body of any response of ours. As long as it lives, its request counts as under way.
pub(crate) struct Body {
    kind: Kind,
    in_flight: Option<InFlight>,
    /// Whether the connection was given something that its client has not taken yet; the head to begin with.
    given: bool,
}

enum Kind {
    Full(Bytes),
    Guest(ResponseBody),
    File(Box<FileBody>),
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::full(Bytes::new())
    }

    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::of(Kind::Full(bytes))
    }

    pub(crate) fn guest(body: ResponseBody) -> Self {
        Self::of(Kind::Guest(body))
    }

    pub(crate) fn file(body: FileBody) -> Self {
        Self::of(Kind::File(Box::new(body)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, in_flight: None, given: false }
    }

    /// Counts the request as under way until this body is sent or dropped.
    pub(crate) fn keep(mut self, in_flight: InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self.give();
        self
    }

    fn give(&mut self) {
        if let Some(in_flight) = &self.in_flight
            && !std::mem::replace(&mut self.given, true)
        {
            in_flight.given();
        }
    }

    fn take(&mut self) {
        if let Some(in_flight) = &self.in_flight
            && std::mem::replace(&mut self.given, false)
        {
            in_flight.taken();
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.take();
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.take();
        let frame = match &mut self.kind {
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Guest(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::File(body) => Pin::new(body.as_mut()).poll_frame(cx).map_err(Into::into),
        };
        if let Poll::Ready(Some(Ok(_))) = &frame {
            self.give();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Guest(body) => body.is_end_stream(),
            Kind::File(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Guest(body) => body.size_hint(),
            Kind::File(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn inbound<B>(incoming: B, limit: u64, patience: Patience) -> (Inbound<B>, Broken) {
        let broken = Broken::default();
        (Inbound { incoming, left: limit, patience, broken: broken.clone(), ended: false }, broken)
    }

    #[tokio::test]
    async fn a_body_ends_at_its_limit() {
        let patience = || Patience::new(BODY_PATIENCE, BODY_MIN_RATE);
        let (whole, broken) = inbound(Full::new(Bytes::from_static(b"12345")), 5, patience());
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "12345");
        assert!(broken.error().is_none());

        let (cut, broken) = inbound(Full::new(Bytes::from_static(b"123456")), 5, patience());
        assert_eq!(cut.collect().await.unwrap_err(), RequestBodyError::TooLarge);
        assert!(matches!(broken.error(), Some(ServeError::BodyTooLarge)));
    }

    #[tokio::test]
    async fn a_body_that_trickles_ends_in_time() {
        // One byte in 10 ms earns 1 ms at 1,000 bytes a second: a stock of 100 ms lasts for about 110 ms.
        let trickle = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Some((Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"x"))), ()))
        });
        let patience = Patience::new(Duration::from_millis(100), 1_000);
        let (body, broken) = inbound(StreamBody::new(Box::pin(trickle)), u64::MAX, patience);
        let started = Instant::now();
        assert_eq!(body.collect().await.unwrap_err(), RequestBodyError::TimedOut);
        assert!(matches!(broken.error(), Some(ServeError::BodyTimeout)));
        assert!(started.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_slow_reader_costs_its_client_nothing() {
        let mut patience = Patience::new(Duration::from_millis(50), 1);
        patience.came(1);
        tokio::time::sleep(Duration::from_millis(80)).await;
        let waited = std::future::poll_fn(|cx| Poll::Ready(patience.poll_wait(cx).is_ready())).await;
        assert!(!waited, "the time before the reader asked does not count");
    }
}
