//! Follows the framing of requests through the bytes of one HTTP/1 connection.

use super::head::{self, BodyFraming, MAX_HEAD_BYTES, Violation};

/// The longest line of a chunk's size with its extensions, in bytes.
///
/// Reason: a size needs 16 digits; extensions are all but unused, and parsers are known to differ in long ones.
pub const MAX_CHUNK_LINE_BYTES: usize = 256;

/// The most digits of a chunk's size: 60 bits, so that no sum overflows anywhere behind this point.
const MAX_CHUNK_DIGITS: usize = 15;

/// Where in the stream of requests the next byte stands.
///
/// A machine that is fed with whatever arrives. It never waits for more than a line, so what it holds back is bounded.
#[derive(Debug)]
pub struct Framing {
    state: State,
    /// The unfinished head or line; empty whenever a piece ended with one.
    line: Vec<u8>,
    /// Bytes of the trailer section so far.
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    /// The CR LF behind a chunk's data; so many of its two bytes have come.
    ChunkEnd(u8),
    Trailer,
}

impl Default for Framing {
    fn default() -> Self {
        Self { state: State::Head, line: Vec::new(), trailers: 0 }
    }
}

/// How far a piece of input may be passed on.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    /// So many bytes at the front of the piece belong to something that is whole and sound. The rest of it is held
    /// back: it is part of a head that is not complete.
    pub bytes: usize,
    /// The bytes that a head began with in earlier pieces go before them.
    pub held: Vec<u8>,
    /// What is wrong with the byte after those, if anything: nothing further may be passed on.
    pub violation: Option<Violation>,
}

impl Framing {
    /// Whether the next byte is the first of a request.
    pub fn is_between_requests(&self) -> bool {
        self.is_at_head() && self.line.is_empty()
    }

    /// Whether the next byte is part of a head.
    pub fn is_at_head(&self) -> bool {
        self.state == State::Head
    }

    /// Whether a head has begun and is not complete.
    pub fn is_in_head(&self) -> bool {
        self.is_at_head() && !self.line.is_empty()
    }

    /// Takes the next piece of input.
    pub fn feed(&mut self, piece: &[u8]) -> Passed {
        let mut held = Vec::new();
        let mut at = 0;
        while at < piece.len() {
            let rest = &piece[at..];
            let step = match self.state {
                State::Head => match self.head(rest) {
                    Ok(None) => return Passed { bytes: at, held, violation: None },
                    Ok(Some(length)) => {
                        // The part of this head that came in earlier pieces. Only the first head of a piece can have
                        // any.
                        held.append(&mut self.line);
                        Ok(length)
                    }
                    Err(violation) => Err(violation),
                },
                State::Length(left) => {
                    let length = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.state = after_body(left - length as u64, State::Length);
                    Ok(length)
                }
                State::ChunkData(left) => {
                    let length = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - length as u64;
                    self.state = if left == 0 { State::ChunkEnd(0) } else { State::ChunkData(left) };
                    Ok(length)
                }
                State::ChunkEnd(seen) => {
                    if rest[0] == b"\r\n"[usize::from(seen)] {
                        self.state = if seen == 0 { State::ChunkEnd(1) } else { State::ChunkSize };
                        Ok(1)
                    } else {
                        Err(Violation::Chunk)
                    }
                }
                State::ChunkSize => self.chunk_size(rest),
                State::Trailer => self.trailer(rest),
            };
            match step {
                Ok(length) => at += length,
                Err(violation) => return Passed { bytes: at, held, violation: Some(violation) },
            }
        }
        Passed { bytes: at, held, violation: None }
    }

    /// `Some(n)`: the head ends after n bytes of `rest`. `None`: it does not end here, and `rest` is kept.
    fn head(&mut self, rest: &[u8]) -> Result<Option<usize>, Violation> {
        let before = self.line.len();
        match end_of_head(&self.line, rest)? {
            Some(end) if before == 0 => {
                self.body_follows(head::check(&rest[..end])?);
                Ok(Some(end))
            }
            Some(end) => {
                self.line.extend_from_slice(&rest[..end]);
                self.body_follows(head::check(&self.line)?);
                self.line.truncate(before);
                Ok(Some(end))
            }
            None if before + rest.len() > MAX_HEAD_BYTES => Err(Violation::HeadTooLarge),
            None => {
                self.line.extend_from_slice(rest);
                Ok(None)
            }
        }
    }

    fn body_follows(&mut self, framing: BodyFraming) {
        self.trailers = 0;
        self.state = match framing {
            BodyFraming::Length(length) => after_body(length, State::Length),
            BodyFraming::Chunked => State::ChunkSize,
        };
    }

    /// A chunk's size line, which may come in pieces. Unlike a head its bytes are passed on as they come.
    fn chunk_size(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        let Some((line, used)) = self.line(rest, MAX_CHUNK_LINE_BYTES).map_err(|_| Violation::Chunk)? else {
            return Ok(rest.len());
        };
        let size = chunk_size(&line).ok_or(Violation::Chunk)?;
        self.state = if size == 0 { State::Trailer } else { State::ChunkData(size) };
        Ok(used)
    }

    fn trailer(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        let Some((line, used)) = self.line(rest, MAX_HEAD_BYTES)? else { return Ok(rest.len()) };
        self.trailers += line.len();
        if self.trailers > MAX_HEAD_BYTES {
            return Err(Violation::HeadTooLarge);
        }
        if line.is_empty() {
            self.state = State::Head;
        } else if head::is_forbidden_trailer(head::header_line(&line)?.0) {
            return Err(Violation::Chunk);
        }
        Ok(used)
    }

    /// One line of at most `max` bytes, collected over pieces: the line without its CR LF, and what it used of `rest`.
    fn line(&mut self, rest: &[u8], max: usize) -> Result<Option<(Vec<u8>, usize)>, Violation> {
        let feed = memchr::memchr(b'\n', rest);
        let used = feed.map_or(rest.len(), |at| at + 1);
        if self.line.len() + used > max {
            return Err(Violation::HeadTooLarge);
        }
        self.line.extend_from_slice(&rest[..used]);
        // A carriage return may be the last byte that has come, or the one before the line feed; nowhere else.
        let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        if memchr::memchr(b'\r', text).is_some_and(|at| at + 1 != text.len()) {
            return Err(Violation::LineEnding);
        }
        if feed.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        if !line.ends_with(b"\r\n") {
            return Err(Violation::LineEnding);
        }
        line.truncate(line.len() - 2);
        Ok(Some((line, used)))
    }
}

fn after_body(left: u64, more: fn(u64) -> State) -> State {
    if left == 0 { State::Head } else { more(left) }
}

/// `SIZE [;EXTENSIONS]`, where nothing but a semicolon may follow the hexadecimal digits.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extensions) = line.split_at(digits);
    let sound = matches!(extensions.first(), None | Some(b';'))
        && extensions.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t'));
    if !sound || digits.is_empty() || digits.len() > MAX_CHUNK_DIGITS {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Where in `rest` a head ends that began with `before`: behind its first empty line. A line feed that no carriage
/// return precedes is refused here already, so that such a head need not be waited for.
fn end_of_head(before: &[u8], rest: &[u8]) -> Result<Option<usize>, Violation> {
    let byte_before = |at: usize, back: usize| match at.checked_sub(back) {
        Some(at) => rest.get(at),
        None => before.len().checked_sub(back - at).and_then(|at| before.get(at)),
    };
    for at in memchr::memchr_iter(b'\n', rest) {
        if byte_before(at, 1) != Some(&b'\r') {
            return Err(Violation::LineEnding);
        }
        // CR LF CR LF; but not the empty line that may come before a request line.
        if byte_before(at, 2) == Some(&b'\n') && byte_before(at, 4).is_some() {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                           5;x=y\r\nhello\r\n00\r\nX-Sum: 1\r\n\r\n";

    /// Feeds the pieces, and returns everything that was passed on and the violation.
    fn pass<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Violation>, Framing) {
        let (mut framing, mut out) = (Framing::default(), Vec::new());
        for piece in pieces {
            let passed = framing.feed(piece);
            out.extend_from_slice(&passed.held);
            out.extend_from_slice(&piece[..passed.bytes]);
            if passed.violation.is_some() {
                return (out, passed.violation, framing);
            }
        }
        (out, None, framing)
    }

    #[test]
    fn passes_pipelined_requests_whole() {
        let all = [GET, POST, CHUNKED, GET].concat();
        let (out, violation, framing) = pass([all.as_bytes()]);
        assert_eq!((out, violation), (all.into_bytes(), None));
        assert!(framing.is_between_requests());
    }

    #[test]
    fn stops_before_a_bad_head_and_after_a_good_request() {
        let bad = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let all = [POST, bad].concat();
        let (out, violation, _) = pass([all.as_bytes()]);
        assert_eq!((out, violation), (POST.as_bytes().to_vec(), Some(Violation::LengthAndEncoding)));
    }

    #[test]
    fn refuses_odd_chunks() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let bodies = [
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "\r\nhello\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "5;a\rb\r\nhello\r\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "1000000000000000\r\n",
            "0\r\nContent-Length: 4\r\n\r\n",
            "0\r\nTransfer-Encoding : chunked\r\n\r\n",
        ];
        for body in bodies {
            let all = [head, body].concat();
            let (_, violation, _) = pass([all.as_bytes()]);
            assert!(violation.is_some(), "{body:?}");
        }
    }

    #[test]
    fn bounds_what_it_holds() {
        let endless = vec![b'a'; MAX_HEAD_BYTES + 1];
        assert_eq!(pass([endless.as_slice()]).1, Some(Violation::HeadTooLarge));
        let one = [b'a'];
        let bytewise = std::iter::repeat_n(one.as_slice(), MAX_HEAD_BYTES + 1);
        assert_eq!(pass(bytewise).1, Some(Violation::HeadTooLarge));
    }

    proptest! {
        /// Reason: sockets cut the stream anywhere; the verdict and the bytes must not depend on where.
        #[test]
        fn where_the_stream_is_cut_changes_nothing(
            cuts in prop::collection::vec(1_usize..40, 1..60),
            bad in any::<bool>(),
        ) {
            let mut all = [GET, CHUNKED, POST, CHUNKED, GET].concat();
            if bad {
                all.push_str("GET / HTTP/1.1\nHost: a\r\n\r\n");
            }
            let mut pieces = Vec::new();
            let mut rest = all.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            let (whole, verdict, _) = pass([all.as_bytes()]);
            let (out, violation, _) = pass(pieces);
            prop_assert_eq!(violation, verdict);
            prop_assert_eq!(out, whole);
        }

        /// Reason: nothing that a stranger sends may make the host panic.
        #[test]
        fn any_bytes_are_survived(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
            let _ = pass(pieces.iter().map(Vec::as_slice));
        }
    }
}
