//! Output of odd shapes: long, slow, cut off, and what a response may not hold.

use std::io::Write;

use http_rust::Answer;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// Written in one piece, in bytes.
const PIECE: u64 = 64 * 1024;

/// Writes lines to a stream of the process.
pub fn write_lines(mut stream: OutputStream, text: &str, lines: u64) -> Answer {
    let line = format!("{text}\n");
    for _ in 0..lines.max(1) {
        if let Err(error) = stream.write_all(line.as_bytes()) {
            return Answer::text(500, error.to_string());
        }
    }
    Answer::text(200, "written")
}

/// An empty response of any status that the host takes.
pub fn respond_with_status(answer: ResponseOutparam, code: u64) {
    let response = OutgoingResponse::new(Fields::new());
    match u16::try_from(code).map_err(drop).and_then(|code| response.set_status_code(code)) {
        Ok(()) => ResponseOutparam::set(answer, Ok(response)),
        Err(()) => Answer::text(400, "the host refuses this status").send(answer),
    }
}

/// A response with any header that the host takes.
pub fn respond_with_header(answer: ResponseOutparam, name: &str, value: &str) {
    let headers = Fields::new();
    match headers.append(name, value.as_bytes()) {
        Ok(()) => ResponseOutparam::set(answer, Ok(OutgoingResponse::new(headers))),
        Err(error) => Answer::text(400, error.to_string()).send(answer),
    }
}

/// How many header fields the host takes.
pub fn count_headers(count: u64) -> Answer {
    let (_, taken, refusal) = headers(count);
    Answer::text(200, format!("{taken} of {count}{}", refusal.unwrap_or_default()))
}

/// A response with as many header fields as the host takes.
pub fn respond_with_headers(answer: ResponseOutparam, count: u64) {
    let (headers, ..) = headers(count);
    ResponseOutparam::set(answer, Ok(OutgoingResponse::new(headers)));
}

fn headers(count: u64) -> (Fields, u64, Option<String>) {
    let headers = Fields::new();
    for taken in 0..count {
        if let Err(error) = headers.append(&format!("x-{taken}"), b"") {
            return (headers, taken, Some(format!(", then {error}")));
        }
    }
    (headers, count, None)
}

/// A body of many bytes.
pub fn respond_with_bytes(answer: ResponseOutparam, count: u64) {
    let piece = vec![b'x'; PIECE as usize];
    stream(answer, |out| {
        let mut left = count;
        while left > 0 {
            let now = left.min(PIECE);
            out.write_all(&piece[..now as usize])?;
            left -= now;
        }
        Ok(())
    });
}

/// A body that takes its time.
pub fn trickle(answer: ResponseOutparam, count: u64, milliseconds: u64) {
    stream(answer, |out| {
        for line in 0..count {
            subscribe_duration(milliseconds * 1_000_000).block();
            writeln!(out, "{line}")?;
            Write::flush(out)?;
        }
        Ok(())
    });
}

/// Begins a body and leaves it: the client must not take it for whole.
pub fn leave_unfinished(answer: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("nobody took the body before");
    ResponseOutparam::set(answer, Ok(response));
    let mut stream = body.write().expect("nobody took the stream before");
    stream.write_all(b"the beginning").expect("the client is there");
    Write::flush(&mut stream).expect("the client is there");
}

fn stream(answer: ResponseOutparam, write: impl FnOnce(&mut OutputStream) -> std::io::Result<()>) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("nobody took the body before");
    ResponseOutparam::set(answer, Ok(response));
    let mut stream = body.write().expect("nobody took the stream before");
    let written = write(&mut stream);
    drop(stream);
    // A client that left needs no rest of the body.
    if written.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}
