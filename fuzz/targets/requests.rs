//! HTTP/1 through the listener of a real server: what it answers is what a strict reader of RFC 9112 finds in the same bytes.
//!
//! The server may refuse more than that reader does. What it must not do is find a request where the reader finds none, or
//! another body: whoever stands before it could then be led to see other requests than it does.

#![no_main]
// The server's own check runs over the same bytes, so that its branches guide the search.
#![allow(dead_code)]

#[path = "../../crates/server/src/http1/framing.rs"]
mod framing;
#[path = "../../crates/server/src/http1/head.rs"]
mod head;
#[allow(dead_code, reason = "each target drives it in its own way")]
#[path = "../program.rs"]
mod program;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;

/// How long an answer may take. The server is on this machine, and what it does is to send a body back.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request, as the strict reader finds it.
struct Request {
    head_only: bool,
    /// After it there is nothing more: its connection ends.
    last: bool,
    body: Vec<u8>,
}

/// What comes after the last whole request.
#[derive(Debug, PartialEq)]
enum End {
    /// Nothing, or the beginning of another.
    Open,
    /// What is no request.
    Wrong,
    /// A request whose body is not whole: it may be answered before that is seen, without a body.
    PartBody,
    /// A request whose body is none: likewise.
    WrongBody,
}

/// A final answer.
struct Answer {
    status: u16,
    /// None where it ends early.
    body: Option<Vec<u8>>,
}

fuzz_target!(|stream: &[u8]| {
    let _ = framing::Framing::default().feed(stream);
    if stream.starts_with(b"PRI * HTTP/2.0") {
        return;
    }
    let (requests, end) = read(stream);
    let answers = answers(stream, &requests, &end);
    for (number, answer) in answers.iter().enumerate() {
        match requests.get(number) {
            // An answer that is broken off refuses what came after its beginning.
            Some(request) => {
                let body = answer.body.as_ref().filter(|_| answer.status == 200);
                assert!(body.is_none_or(|body| *body == request.body), "another body of request {number}: {body:?}");
            }
            None => {
                let begun = number == requests.len() && matches!(end, End::PartBody | End::WrongBody);
                let answered =
                    answer.status == 200 && answer.body.as_ref().is_some_and(|body| !begun || !body.is_empty());
                assert!(!answered, "a request where there is none: {end:?}");
            }
        }
    }
    let refused = answers.last().is_some_and(|answer| answer.status >= 400 || answer.body.is_none());
    let closed = requests.last().is_some_and(|request| request.last);
    assert!(answers.len() >= requests.len() || refused || closed, "{} of {}", answers.len(), requests.len());
});

/// Sends the bytes, and reads the answers to every request that is whole, and to what is none.
fn answers(stream: &[u8], requests: &[Request], end: &End) -> Vec<Answer> {
    let mut connection = TcpStream::connect(server()).expect("the server is there");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // The server may have refused the beginning, and closed, before it is given the end.
    let _ = connection.write_all(stream);
    let mut received = Vec::new();
    let mut open = true;
    loop {
        let answers = parse(&received, requests, open);
        let answered = answers.len() >= requests.len() && matches!(end, End::Open | End::PartBody);
        // What is refused ends its connection, which the server does not hurry with: it reads what is still on its way.
        let refused = answers.last().is_some_and(|answer| answer.status >= 400);
        if !open || answered || refused {
            return answers;
        }
        let mut part = [0; 4096];
        match connection.read(&mut part) {
            Ok(0) => open = false,
            Ok(length) => received.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("no answer: {} of {}, then {end:?}", answers.len(), requests.len());
            }
            // A reset is an end too.
            Err(_) => open = false,
        }
    }
}

fn server() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| program::serve("samples/echo-rust/echo-rust.wasm"))
}

/// The answers in what was received; while more may come, only those that are whole.
fn parse(mut bytes: &[u8], requests: &[Request], open: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = response.parse(bytes) else { return answers };
        let status = response.code.expect("an answer has a status");
        let field = |wanted: &str| response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(wanted));
        bytes = &bytes[length..];
        if status < 200 {
            continue;
        }
        let nothing =
            requests.get(answers.len()).is_some_and(|request| request.head_only) || status == 204 || status == 304;
        let found = if nothing {
            Some((Vec::new(), bytes))
        } else if field("transfer-encoding").is_some() {
            match chunked(bytes) {
                Chunked::Whole(body, rest) => Some((body, rest)),
                _ => None,
            }
        } else {
            let length = field("content-length").map_or(0, |field| number(field.value, 10).expect("a length"));
            bytes.split_at_checked(length).map(|(body, rest)| (body.to_vec(), rest))
        };
        match found {
            Some((body, rest)) => {
                answers.push(Answer { status, body: Some(body) });
                bytes = rest;
            }
            None => {
                if !open {
                    answers.push(Answer { status, body: None });
                }
                return answers;
            }
        }
    }
}

/// Every whole request in a stream, by RFC 9112 and no more leniently.
fn read(mut stream: &[u8]) -> (Vec<Request>, End) {
    let mut requests = Vec::new();
    loop {
        // Section 2.2: empty lines before a request are none of it.
        while let Some(rest) = stream.strip_prefix(b"\r\n") {
            stream = rest;
        }
        let Some(length) = find(stream, b"\r\n\r\n") else { return (requests, End::Open) };
        let (head, rest) = (&stream[..length], &stream[length + 4..]);
        let Some(head) = Head::read(head) else { return (requests, End::Wrong) };
        let (body, rest) = match head.length {
            Some(length) => match rest.split_at_checked(length) {
                Some((body, rest)) => (body.to_vec(), rest),
                None => return (requests, End::PartBody),
            },
            None => match chunked(rest) {
                Chunked::Whole(body, rest) => (body, rest),
                Chunked::Part => return (requests, End::PartBody),
                Chunked::Wrong => return (requests, End::WrongBody),
            },
        };
        requests.push(Request { head_only: head.head_only, last: head.last, body });
        if head.last {
            return (requests, End::Open);
        }
        stream = rest;
    }
}

struct Head {
    head_only: bool,
    last: bool,
    /// None where the body comes in chunks.
    length: Option<usize>,
}

impl Head {
    fn read(head: &[u8]) -> Option<Self> {
        let mut lines = lines(head)?.into_iter();
        let start: Vec<&[u8]> = lines.next()?.split(|byte| *byte == b' ').collect();
        let [method, target, version] = start[..] else { return None };
        let old = version == b"HTTP/1.0";
        if !is_token(method) || target.is_empty() || !(old || version == b"HTTP/1.1") {
            return None;
        }
        let (mut lengths, mut encodings, mut connection) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            let (name, value) = field(line)?;
            match &name.to_ascii_lowercase()[..] {
                b"content-length" => lengths.push(value),
                b"transfer-encoding" => encodings.push(value.to_ascii_lowercase()),
                b"connection" => connection
                    .extend(value.to_ascii_lowercase().split(|byte| *byte == b',').map(trim).map(<[u8]>::to_vec)),
                _ => {}
            }
        }
        let length = match (&lengths[..], &encodings[..]) {
            ([], []) => Some(0),
            ([length], []) => Some(number(length, 10)?),
            ([], [encoding]) if encoding == b"chunked" && !old => None,
            _ => return None,
        };
        let says = |word: &[u8]| connection.iter().any(|token| token == word);
        Some(Self { head_only: method == b"HEAD", last: says(b"close") || (old && !says(b"keep-alive")), length })
    }
}

enum Chunked<'a> {
    Whole(Vec<u8>, &'a [u8]),
    Part,
    Wrong,
}

fn chunked(mut rest: &[u8]) -> Chunked<'_> {
    let mut body = Vec::new();
    loop {
        let Some(end) = find(rest, b"\r\n") else { return Chunked::Part };
        let line = &rest[..end];
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let Some(size) = number(trim(digits), 16) else { return Chunked::Wrong };
        rest = &rest[end + 2..];
        if size == 0 {
            break;
        }
        let Some((data, after)) = rest.split_at_checked(size) else { return Chunked::Part };
        body.extend_from_slice(data);
        match after {
            [b'\r', b'\n', after @ ..] => rest = after,
            [] | [b'\r'] => return Chunked::Part,
            _ => return Chunked::Wrong,
        }
    }
    if let Some(rest) = rest.strip_prefix(b"\r\n") {
        return Chunked::Whole(body, rest);
    }
    let Some(end) = find(rest, b"\r\n\r\n") else { return Chunked::Part };
    match lines(&rest[..end])
        .and_then(|lines| lines.into_iter().map(|line| field(line).map(drop)).collect::<Option<()>>())
    {
        Some(()) => Chunked::Whole(body, &rest[end + 4..]),
        None => Chunked::Wrong,
    }
}

/// The lines of a head; none where a line break is not CR LF.
fn lines(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = find(rest, b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    let whole = lines.iter().all(|line| !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')));
    whole.then_some(lines)
}

/// A field's name and value. A line that begins with a space folds the one before, which nobody may send.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    is_token(name).then_some((name, trim(value)))
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Digits and nothing else.
fn number(text: &[u8], radix: u32) -> Option<usize> {
    let digits = str::from_utf8(text).ok()?;
    let only = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    only.then(|| usize::from_str_radix(digits, radix).ok()).flatten()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
