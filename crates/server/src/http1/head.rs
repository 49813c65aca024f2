//! The strict check of one HTTP/1 request head.

use std::fmt;

/// The largest request head, request line and headers together, in bytes.
///
/// Reason: nginx and Node stop at 32 and 16 KiB; large cookies and tokens of single sign-on fit, and ten thousand
/// connections that each hold half a head stay within 320 MiB.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;

/// The largest request target, in bytes.
///
/// Reason: RFC 9110 asks for 8,000 octets at the least; more than this is a mistake or an attack.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

/// The most header lines in one request.
///
/// Reason: the usual default of servers (hyper and Apache: 100); browsers send about 20.
pub const MAX_HEADER_LINES: usize = 100;

/// How the body that follows a head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// Exactly so many bytes; 0 where the head declares no body.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
}

/// Why the bytes of a connection are not read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The request line is not `METHOD SP TARGET SP HTTP/1.x`.
    RequestLine,
    /// The request target is longer than [`MAX_TARGET_BYTES`].
    TargetTooLong,
    /// A version other than 1.0 and 1.1.
    Version,
    /// A line ends in a bare line feed, or holds a carriage return elsewhere.
    LineEnding,
    /// A header line starts with white space (obsolete line folding).
    Folding,
    /// A header name is empty, holds a character that is not allowed, or is followed by white space.
    HeaderName,
    /// A header value holds a control character.
    HeaderValue,
    /// `Content-Length` and `Transfer-Encoding` in one request.
    LengthAndEncoding,
    /// `Content-Length` is repeated, or is not one plain decimal number.
    ContentLength,
    /// `Transfer-Encoding` is anything but one `chunked`, or comes with HTTP/1.0.
    TransferEncoding,
    /// `Host` is missing from HTTP/1.1, or repeated.
    Host,
    /// The head is longer than [`MAX_HEAD_BYTES`] or has more than [`MAX_HEADER_LINES`] lines.
    HeadTooLarge,
    /// The head did not arrive in time.
    HeadTimeout,
    /// A chunk's size line, end or trailer is malformed.
    Chunk,
}

impl Violation {
    /// What the client is told. Fixed words: nothing of the request is repeated.
    pub const fn message(self) -> &'static str {
        match self {
            Self::RequestLine => "the request line is malformed",
            Self::TargetTooLong => "the request target is too long",
            Self::Version => "only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here",
            Self::LineEnding => "lines of a request must end in CR LF, and CR and LF appear nowhere else",
            Self::Folding => "folded header lines are not accepted",
            Self::HeaderName => "a header name is malformed",
            Self::HeaderValue => "a header value holds a control character",
            Self::LengthAndEncoding => "a request must not have both Content-Length and Transfer-Encoding",
            Self::ContentLength => "Content-Length must be one decimal number",
            Self::TransferEncoding => "the only Transfer-Encoding accepted is a single `chunked`, in HTTP/1.1",
            Self::Host => "a request must have exactly one Host header",
            Self::HeadTooLarge => "the request's headers are too large",
            Self::HeadTimeout => "the request's headers did not arrive in time",
            Self::Chunk => "the chunked body is malformed",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// Checks a whole request head, from the request line to the empty line that ends it.
pub fn check(head: &[u8]) -> Result<BodyFraming, Violation> {
    if head.len() > MAX_HEAD_BYTES {
        return Err(Violation::HeadTooLarge);
    }
    // An empty line before a request is allowed for old clients (RFC 9112, 2.2); one, no more.
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let mut lines = Lines(head);
    let version = request_line(lines.next().ok_or(Violation::RequestLine)??)?;

    let mut fields = Fields::default();
    let mut count = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        count += 1;
        if count > MAX_HEADER_LINES {
            return Err(Violation::HeadTooLarge);
        }
        let (name, value) = header_line(line)?;
        fields.note(name, value)?;
    }
    fields.framing(version)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<Version, Violation> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Violation::RequestLine);
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Violation::RequestLine);
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(Violation::RequestLine);
    }
    if target.len() > MAX_TARGET_BYTES {
        return Err(Violation::TargetTooLong);
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(Violation::Version),
    }
}

/// Splits a header line, checks both halves, and returns the name as it came and the value without outer white space.
pub(super) fn header_line(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Violation::Folding);
    }
    let colon = memchr::memchr(b':', line).ok_or(Violation::HeaderName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Violation::HeaderName);
    }
    if !value.iter().all(|byte| is_value(*byte)) {
        return Err(Violation::HeaderValue);
    }
    Ok((name, value.trim_ascii()))
}

/// What the headers say that decides where the body ends.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    host: bool,
}

impl Fields {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        // Comparing lengths first keeps this to one comparison for nearly every header.
        let violation = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                std::mem::replace(&mut self.host, true).then_some(Violation::Host)
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = decimal(value).ok_or(Violation::ContentLength)?;
                self.length.replace(length).map(|_| Violation::ContentLength)
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let again = std::mem::replace(&mut self.chunked, true);
                (again || !value.eq_ignore_ascii_case(b"chunked")).then_some(Violation::TransferEncoding)
            }
            _ => None,
        };
        violation.map_or(Ok(()), Err)
    }

    fn framing(&self, version: Version) -> Result<BodyFraming, Violation> {
        if version == Version::Http11 && !self.host {
            return Err(Violation::Host);
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Violation::LengthAndEncoding),
            (None, true) if version == Version::Http10 => Err(Violation::TransferEncoding),
            (None, true) => Ok(BodyFraming::Chunked),
            (length, false) => Ok(BodyFraming::Length(length.unwrap_or(0))),
        }
    }
}

/// Header names that must not come in a trailer section, since they would change what was already decided.
pub(super) fn is_forbidden_trailer(name: &[u8]) -> bool {
    const FORBIDDEN: [&[u8]; 4] = [b"content-length", b"transfer-encoding", b"host", b"trailer"];
    FORBIDDEN.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}

/// The lines of a head without their CR LF; an error where a line ends otherwise.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'\r', b'\n', self.0);
        let Some(end) = end.filter(|end| self.0[*end..].starts_with(b"\r\n")) else {
            self.0 = &[];
            return Some(Err(Violation::LineEnding));
        };
        let line = &self.0[..end];
        self.0 = &self.0[end + 2..];
        Some(Ok(line))
    }
}

/// A plain decimal number: digits only, no sign, no list, no overflow.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// A character of a method or a header name (RFC 9110, 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// A character of a header value (RFC 9110, 5.5): visible, white space, or above ASCII.
const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(head: &str) -> Result<BodyFraming, Violation> {
        check(head.as_bytes())
    }

    #[test]
    fn reads_how_the_body_is_framed() {
        assert_eq!(verdict("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Ok(BodyFraming::Length(0)));
        assert_eq!(verdict("\r\nGET / HTTP/1.0\r\n\r\n"), Ok(BodyFraming::Length(0)));
        assert_eq!(verdict("POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:\t12 \r\n\r\n"), Ok(BodyFraming::Length(12)));
        assert_eq!(
            verdict("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"),
            Ok(BodyFraming::Chunked)
        );
    }

    #[test]
    fn refuses_what_two_parsers_may_read_differently() {
        let post = |headers: &str| verdict(&format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n"));
        let cases = [
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", Violation::LengthAndEncoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 1", Violation::LengthAndEncoding),
            ("Content-Length: 1\r\nContent-Length: 1", Violation::ContentLength),
            ("Content-Length: 1, 1", Violation::ContentLength),
            ("Content-Length: +1", Violation::ContentLength),
            ("Content-Length: 0x1", Violation::ContentLength),
            ("Content-Length:", Violation::ContentLength),
            ("Content-Length: 18446744073709551616", Violation::ContentLength),
            ("Transfer-Encoding: gzip, chunked", Violation::TransferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Violation::TransferEncoding),
            ("Transfer-Encoding: xchunked", Violation::TransferEncoding),
            ("Transfer-Encoding : chunked", Violation::HeaderName),
            ("Trans fer: a", Violation::HeaderName),
            (": a", Violation::HeaderName),
            ("nothing", Violation::HeaderName),
            (" folded: a", Violation::Folding),
            ("a: b\r\n\tc", Violation::Folding),
            ("a: b\nc: d", Violation::LineEnding),
            ("a: b\rc: d", Violation::LineEnding),
            ("a: b\0c", Violation::HeaderValue),
            ("Host: b", Violation::Host),
        ];
        for (headers, expected) in cases {
            assert_eq!(post(headers), Err(expected), "{headers:?}");
        }
    }

    #[test]
    fn refuses_odd_request_lines() {
        let cases = [
            ("GET  / HTTP/1.1", Violation::RequestLine),
            ("GET / HTTP/1.1 ", Violation::RequestLine),
            ("GET\t/\tHTTP/1.1", Violation::RequestLine),
            ("GET /", Violation::RequestLine),
            ("G(T / HTTP/1.1", Violation::RequestLine),
            ("GET /\u{e9} HTTP/1.1", Violation::RequestLine),
            ("GET / HTTP/1.2", Violation::Version),
            ("GET / HTTP/2.0", Violation::Version),
            ("GET / http/1.1", Violation::Version),
        ];
        for (line, expected) in cases {
            assert_eq!(verdict(&format!("{line}\r\nHost: a\r\n\r\n")), Err(expected), "{line:?}");
        }
        assert_eq!(verdict("GET / HTTP/1.1\r\n\r\n"), Err(Violation::Host));
        assert_eq!(verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(Violation::TransferEncoding));
    }

    #[test]
    fn bounds_the_head() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(MAX_TARGET_BYTES));
        assert_eq!(verdict(&long), Err(Violation::TargetTooLong));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADER_LINES));
        assert_eq!(verdict(&many), Err(Violation::HeadTooLarge));
        let large = format!("GET / HTTP/1.1\r\nHost: a\r\na: {}\r\n\r\n", "b".repeat(MAX_HEAD_BYTES));
        assert_eq!(verdict(&large), Err(Violation::HeadTooLarge));
    }
}
