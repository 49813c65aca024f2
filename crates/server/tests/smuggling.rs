//! Requests that two parsers may read differently, as bytes over a socket: each is refused, the connection is closed, and
//! what may or may not be a second request behind it is never answered.

mod running;

use running::{exchange, start, status};

/// What an attacker wants to be read as a request of its own. The path has no file, so that it would show as a 404.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Heads that are refused before anything is made of them, each with the status.
const HEADS: [(&str, &str, u16); 46] = [
    (
        "length and encoding",
        "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    (
        "encoding and length",
        "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
        400,
    ),
    (
        "encoding twice",
        "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    ("a list of encodings", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
    ("chunked in a list", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
    (
        "chunked twice in a list",
        "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        400,
    ),
    ("identity", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400),
    ("an unknown encoding", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
    ("a quoted encoding", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", 400),
    (
        "an encoding behind a vertical tab",
        "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        400,
    ),
    ("an encoding without a value", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400),
    ("an encoding in HTTP/1.0", "POST /f/a.txt HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("a blank before the colon", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
    ("a tab before the colon", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length\t: 4\r\n\r\n", 400),
    ("a folded encoding", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", 400),
    ("a folded header", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\nA: b\r\n\tContent-Length: 4\r\n\r\n", 400),
    ("a folded first header", "GET /f/a.txt HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("length twice", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n", 400),
    ("two lengths", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\ncontent-length: 44\r\n\r\n", 400),
    ("a list of lengths", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n", 400),
    ("a signed length", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n", 400),
    ("a negative length", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    ("a hexadecimal length", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\n", 400),
    ("a length with an underscore", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", 400),
    ("a length with a blank", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4 4\r\n\r\n", 400),
    ("no length", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
    ("a length of 2^64", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", 400),
    ("lines without CR", "GET /f/a.txt HTTP/1.1\nHost: a\n\n", 400),
    ("one line without CR", "GET /f/a.txt HTTP/1.1\r\nHost: a\nContent-Length: 4\r\n\r\n", 400),
    ("a CR in a value", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\nA: b\rContent-Length: 4\r\n\r\n", 400),
    ("a CR at the end of a value", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\nA: b\r\r\nContent-Length: 4\r\n\r\n", 400),
    ("a NUL in a value", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n", 400),
    ("a NUL in a name", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\nA\0: b\r\n\r\n", 400),
    ("a header without a colon", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length 4\r\n\r\n", 400),
    ("a header without a name", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ("no host", "GET /f/a.txt HTTP/1.1\r\n\r\n", 400),
    ("two hosts", "GET /f/a.txt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("a tab for a blank", "GET\t/f/a.txt\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("two blanks", "GET  /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a blank in the target", "GET /f/a.txt HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a blank at the end", "GET /f/a.txt HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("HTTP/0.9", "GET /f/a.txt\r\n\r\n", 400),
    ("a version in lower case", "GET /f/a.txt http/1.1\r\nHost: a\r\n\r\n", 505),
    ("a version that is none", "GET /f/a.txt HTTP/1.10\r\nHost: a\r\n\r\n", 505),
    ("two empty lines before", "\r\n\r\nGET /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a method with a colon", "GET: /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400),
];

/// Bodies in chunks that are no chunks: what the head asked for may be answered, and then the connection ends.
const CHUNKS: [(&str, &str); 21] = [
    ("a blank behind the size", "4 \r\nabcd\r\n0\r\n\r\n"),
    ("a blank before the size", " 4\r\nabcd\r\n0\r\n\r\n"),
    ("a tab behind the size", "4\t\r\nabcd\r\n0\r\n\r\n"),
    ("a signed size", "+4\r\nabcd\r\n0\r\n\r\n"),
    ("a negative size", "-4\r\nabcd\r\n0\r\n\r\n"),
    ("a size with a prefix", "0x4\r\nabcd\r\n0\r\n\r\n"),
    ("a size with an underscore", "1_0\r\nabcd\r\n0\r\n\r\n"),
    ("no size", "\r\nabcd\r\n0\r\n\r\n"),
    ("a size of 2^64", "10000000000000004\r\nabcd\r\n0\r\n\r\n"),
    ("a size of many digits", "00000000000000000000004\r\nabcd\r\n0\r\n\r\n"),
    ("a size without CR", "4\nabcd\r\n0\r\n\r\n"),
    ("a size with a CR", "4\r\r\nabcd\r\n0\r\n\r\n"),
    ("an extension with a line feed", "4;a\nb\r\nabcd\r\n0\r\n\r\n"),
    ("an extension with a CR", "4;a\rb\r\nabcd\r\n0\r\n\r\n"),
    ("data without an end", "4\r\nabcdGET / HTTP/1.1\r\n\r\n"),
    ("data that ends in a line feed", "4\r\nabcd\n0\r\n\r\n"),
    ("a trailer that is a length", "0\r\nContent-Length: 9\r\n\r\n"),
    ("a trailer that is an encoding", "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("a trailer that is a host", "0\r\nHost: b\r\n\r\n"),
    ("a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"),
    ("a trailer without CR", "0\r\nA: b\n\r\n"),
];

/// How many answers there are.
fn answers(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("HTTP/1.1 ")).count()
}

#[tokio::test]
async fn ambiguous_heads_are_refused_and_nothing_behind_them_is_read() {
    let running = start(|_| {}).await;
    for (name, head, expected) in HEADS {
        let answer = exchange(running.address, &[head, SMUGGLED].concat()).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{name}: {answer}");
        assert_eq!(answers(&answer), 1, "{name}: {answer}");
    }
}

#[tokio::test]
async fn bodies_in_odd_chunks_end_the_connection() {
    let running = start(|_| {}).await;
    for (name, body) in CHUNKS {
        let head = "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = exchange(running.address, &[head, body, SMUGGLED].concat()).await;
        assert!(answers(&answer) <= 1, "{name}: {answer}");
        assert!(!answer.contains(" 404 "), "{name}: what was smuggled is answered: {answer}");
    }
}

/// Reason: what is refused must not come from refusing everything.
#[tokio::test]
async fn what_is_beyond_doubt_is_read_one_after_another() {
    let running = start(|_| {}).await;
    let last = "GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (name, request) in [
        ("no body", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a length", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd"),
        ("chunks", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"),
        (
            "chunks with extensions",
            "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nabcd\r\n0\r\n\r\n",
        ),
        ("a trailer", "POST /f/a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n"),
        ("an empty line before", "\r\nPOST /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let answer = exchange(running.address, &[request, last].concat()).await;
        assert_eq!(status(&answer), 405, "{name}: {answer}");
        assert!(answers(&answer) == 2 && answer.contains("HTTP/1.1 404 "), "{name}: {answer}");
    }
}
