//! The reader that stands between the socket of an HTTP/1 connection and hyper.

use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::framing::Framing;
use super::head::Violation;
use crate::connection::Timeouts;
use crate::io::Open;

/// How much input of an unfinished request is read and dropped while its connection closes, in bytes.
///
/// Reason: more than a client sends before it reads an early answer, on any line that is lingered for so briefly.
pub const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// How often a connection whose input nobody reads is asked whether its client is still there.
///
/// Reason: a guest that does not read its request's body would otherwise go on without a client until its time is up; to
/// ask costs a microsecond.
pub const PRESENCE: Duration = Duration::from_millis(500);

/// What hyper is given in place of a head that must not be parsed. It keeps the order of pipelined answers, and lets
/// one place answer, log and count a refused request like any other.
const STAND_IN: &[u8] = b"GET /.refused HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n";
const STAND_IN_PATH: &str = "/.refused";

/// What the guard finds out about a connection: shared with the handler of its requests and with whoever watches it.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Why the connection was condemned, once it was.
    violation: OnceLock<Violation>,
    /// Whether the reader waits for the rest of a head.
    in_head: AtomicBool,
}

impl Findings {
    /// Whether a head has begun and is not whole yet: the connection is then not idle, although no request runs.
    pub(crate) fn is_in_head(&self) -> bool {
        self.in_head.load(Relaxed)
    }

    /// The violation that this request stands in for, if it does. A client that asks for the path of the stand-in on a
    /// connection that is condemned anyway is refused as well, which harms nobody else.
    pub(crate) fn of(&self, path: &str) -> Option<Violation> {
        self.violation.get().copied().filter(|_| path == STAND_IN_PATH)
    }
}

/// Reads from `S`, and passes on only requests whose framing is beyond doubt.
pub(crate) struct Guard<S, V> {
    io: S,
    framing: Framing,
    findings: V,
    /// To be passed on before anything else is read.
    ready: Bytes,
    fate: Fate,
    timeouts: Timeouts,
    head_timer: Option<Pin<Box<Sleep>>>,
    linger: Option<Linger>,
    /// Whether the reader waits for input: the end of the connection is then seen as the end of the input.
    reading: bool,
    presence: Option<Pin<Box<Sleep>>>,
}

/// What becomes of the connection once `ready` is empty.
#[derive(Clone, Copy)]
enum Fate {
    Sound,
    /// The stand-in was passed on: nothing more is read.
    Condemned,
    /// A body broke off: its reader gets an error.
    Broken(Violation),
}

struct Linger {
    timer: Pin<Box<Sleep>>,
    left: usize,
}

impl<S, V: AsRef<Findings>> Guard<S, V> {
    /// `begun` is what was already read from `io`.
    pub(crate) fn new(io: S, begun: &[u8], findings: V, timeouts: Timeouts) -> Self {
        let mut guard = Self {
            io,
            framing: Framing::default(),
            findings,
            ready: Bytes::new(),
            fate: Fate::Sound,
            timeouts,
            head_timer: None,
            linger: None,
            reading: false,
            presence: None,
        };
        guard.take(begun);
        guard
    }

    /// Takes a piece of input that does not stay in the reader's buffer.
    fn take(&mut self, piece: &[u8]) {
        let passed = self.framing.feed(piece);
        self.keep(passed.held, &piece[..passed.bytes], passed.violation);
    }

    fn keep(&mut self, mut held: Vec<u8>, passed: &[u8], violation: Option<Violation>) {
        held.extend_from_slice(passed);
        match violation {
            None => {}
            // The parser expects a head next, and can be given another.
            Some(violation) if self.framing.is_at_head() => {
                // Set once at the most: nothing is read after it.
                let _ = self.findings.as_ref().violation.set(violation);
                self.fate = Fate::Condemned;
                held.extend_from_slice(STAND_IN);
            }
            Some(violation) => self.fate = Fate::Broken(violation),
        }
        self.ready = held.into();
    }

    /// Whether input may be left unread, now that the connection ends.
    fn must_linger(&self) -> bool {
        !matches!(self.fate, Fate::Sound) || !self.framing.is_between_requests()
    }

    /// Ready when a head that has begun has taken too long.
    fn poll_head_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let in_head = self.framing.is_in_head();
        self.findings.as_ref().in_head.store(in_head, Relaxed);
        if !in_head {
            self.head_timer = None;
            return Poll::Pending;
        }
        let timer = self.head_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.timeouts.head)));
        timer.as_mut().poll(cx)
    }
}

impl<S: Open, V> Guard<S, V> {
    /// Whether the client has left while its input waits to be read. Asks again from time to time.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> bool {
        if self.reading {
            return false;
        }
        let timer = self.presence.get_or_insert_with(|| Box::pin(tokio::time::sleep(PRESENCE)));
        while timer.as_mut().poll(cx).is_ready() {
            if self.io.is_left() {
                return true;
            }
            timer.as_mut().reset(tokio::time::Instant::now() + PRESENCE);
        }
        false
    }
}

impl<S: AsyncRead + Unpin, V: AsRef<Findings> + Unpin> AsyncRead for Guard<S, V> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.reading = false;
        loop {
            if !this.ready.is_empty() {
                let length = this.ready.len().min(buf.remaining());
                buf.put_slice(&this.ready[..length]);
                this.ready.advance(length);
                return Poll::Ready(Ok(()));
            }
            match this.fate {
                Fate::Sound => {}
                // hyper answers the stand-in, which asks to close, and ends; nothing wakes this.
                Fate::Condemned => return Poll::Pending,
                Fate::Broken(violation) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation.message())));
                }
            }

            let before = buf.filled().len();
            match Pin::new(&mut this.io).poll_read(cx, buf) {
                Poll::Pending => {
                    this.reading = true;
                    ready!(this.poll_head_timer(cx));
                    this.reading = false;
                    this.keep(Vec::new(), &[], Some(Violation::HeadTimeout));
                    continue;
                }
                Poll::Ready(result) => result?,
            }
            let piece = &buf.filled()[before..];
            if piece.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let passed = this.framing.feed(piece);
            if passed.held.is_empty() && passed.violation.is_none() {
                // Nearly always: whole heads, and bodies, stay where they were read.
                buf.set_filled(before + passed.bytes);
                if passed.bytes > 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                this.keep(passed.held, &piece[..passed.bytes], passed.violation);
                buf.set_filled(before);
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Open + Unpin, V: AsRef<Findings> + Unpin> AsyncWrite for Guard<S, V> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// Also where hyper comes by whenever it does anything, and learns that the client has left.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.poll_left(cx) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, "the client has left")));
        }
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            if !this.must_linger() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(|| Linger {
            timer: Box::pin(tokio::time::sleep(this.timeouts.linger)),
            left: LINGER_BYTES,
        });
        if linger.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 8 * 1024];
        loop {
            let mut scratch = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut scratch))?;
            let read = scratch.filled().len();
            linger.left = linger.left.saturating_sub(read);
            if read == 0 || linger.left == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn guard(begun: &str) -> (DuplexStream, Guard<DuplexStream, Arc<Findings>>, Arc<Findings>) {
        let (client, server) = tokio::io::duplex(1024);
        let findings = Arc::new(Findings::default());
        let timeouts = Timeouts { head: Duration::from_millis(100), ..Timeouts::default() };
        (client, Guard::new(server, begun.as_bytes(), findings.clone(), timeouts), findings)
    }

    async fn read(guard: &mut Guard<DuplexStream, Arc<Findings>>) -> io::Result<String> {
        let mut buf = vec![0; 4096];
        let length = guard.read(&mut buf).await?;
        Ok(String::from_utf8_lossy(&buf[..length]).into_owned())
    }

    #[tokio::test]
    async fn holds_a_head_until_it_is_whole() {
        let (mut client, mut guard, _) = guard("GET / HT");
        client.write_all(b"TP/1.1\r\nHos").await.unwrap();
        client.write_all(b"t: a\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut guard).await.unwrap(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }

    #[tokio::test]
    async fn puts_a_stand_in_where_a_bad_head_was() {
        let good = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        let (mut client, mut guard, findings) = guard(good);
        client.write_all(b"GET /b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut guard).await.unwrap(), good);
        assert_eq!(findings.of("/a"), None);
        assert_eq!(read(&mut guard).await.unwrap().as_bytes(), STAND_IN);
        assert_eq!(findings.of("/a"), None);
        assert_eq!(findings.of(STAND_IN_PATH), Some(Violation::Host));
    }

    #[tokio::test]
    async fn breaks_a_body_off_where_it_is_malformed() {
        let (_client, mut guard, findings) =
            guard("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX");
        assert!(read(&mut guard).await.unwrap().ends_with("5\r\nhello"));
        assert_eq!(read(&mut guard).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(findings.of(STAND_IN_PATH), None);
    }

    #[tokio::test]
    async fn a_head_that_trickles_is_refused_in_time() {
        let (mut client, mut guard, findings) = guard("GET / HTTP/1.1\r\n");
        let started = Instant::now();
        let trickle = async {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                client.write_all(b"a").await.unwrap();
            }
        };
        let read = tokio::select! { _ = trickle => unreachable!(), read = read(&mut guard) => read };
        assert_eq!(read.unwrap().as_bytes(), STAND_IN);
        assert_eq!(findings.of(STAND_IN_PATH), Some(Violation::HeadTimeout));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn lingers_only_under_an_unfinished_request() {
        let (client, mut done, _) = guard("");
        done.shutdown().await.unwrap();
        drop(client);

        let (mut client, mut unfinished, _) = guard("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n");
        let sender = tokio::spawn(async move { client.write_all(&[0; 2000]).await });
        unfinished.shutdown().await.unwrap();
        sender.await.unwrap().expect("all of the body is taken before the connection closes");
    }
}
