//! The few lines over `wasi:http` 0.2 that samples in Rust share: a request's parts, its whole body, a whole response.

use std::io::{Read, Write};

use wasip2::http::types::{Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// What a response is made of; where a request is refused, this is the refusal.
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Answer {
    /// A line of text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: (text.into() + "\n").into_bytes() }
    }

    /// Sends it.
    pub fn send(self, to: ResponseOutparam) {
        let headers = Fields::new();
        let length = self.body.len().to_string();
        headers.set("content-type", &[self.content_type.into()]).expect("a response may say its type");
        headers.set("content-length", &[length.into_bytes()]).expect("a response may say its length");
        let response = OutgoingResponse::new(headers);
        response.set_status_code(self.status).expect("the status is in range");
        let body = response.body().expect("nobody took the body before");
        ResponseOutparam::set(to, Ok(response));
        let mut stream = body.write().expect("nobody took the stream before");
        // A client that left needs no rest of the body.
        if stream.write_all(&self.body).is_ok() && stream.flush().is_ok() {
            drop(stream);
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

/// The path of a request, and its query as pairs in the order they came.
pub fn target(request: &IncomingRequest) -> (String, Vec<(String, String)>) {
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    });
    (path.to_owned(), pairs.collect())
}

/// The first value of a key in a query.
pub fn value<'a>(query: &'a [(String, String)], key: &str) -> Option<&'a str> {
    query.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
}

/// The whole body of a request, unless it is longer than a limit.
pub fn body(request: &IncomingRequest, limit: usize) -> Result<Vec<u8>, Answer> {
    let incoming = request.consume().expect("nobody took the body before");
    let mut stream = incoming.stream().expect("nobody took the stream before");
    let mut body = Vec::new();
    let read = (&mut stream).take(limit as u64 + 1).read_to_end(&mut body);
    drop(stream);
    drop(IncomingBody::finish(incoming));
    match read {
        Err(error) => Err(Answer::text(400, format!("the body ended early: {error}"))),
        Ok(_) if body.len() > limit => Err(Answer::text(413, format!("a body may have {limit} bytes at the most"))),
        Ok(_) => Ok(body),
    }
}

/// Undoes percent-encoding; what is not well encoded stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| str::from_utf8(digits).ok());
        match (bytes[at], digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
