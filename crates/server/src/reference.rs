//! The server's own limits as a table, which the reference document is made from.

use std::borrow::Cow;
use std::time::Duration;

use coracle_package::reference::{KeyDoc, Table};
use coracle_package::unit::{format_duration, format_size};

use crate::http1::{framing, guard, head};
use crate::{Timeouts, admin, admit, body, config, connection, files, forwarded, listener, response, tls, watch};

/// Every limit of the server that no manifest sets. Those with a flag have its name.
pub fn limits() -> Table {
    let times = Timeouts::default();
    let keys = vec![
        count(
            "--max-connections",
            listener::MAX_CONNECTIONS,
            "connections open at one time; others wait in the kernel",
        ),
        count("--max-invocations", admit::MAX_INVOCATIONS, "invocations at one time"),
        key(
            "--memory-budget",
            "size",
            format!("1/{} of the memory that the process may have", config::MEMORY_PART),
            "bytes",
            "what all guests together may hold; growth past it fails in the guest that grows",
        ),
        count(
            "invocations that wait",
            admit::MAX_WAITING,
            "requests that wait for an invocation to end; others get 503",
        ),
        time("wait for an invocation", admit::MAX_WAIT, "how long they wait before they get 503"),
        time("Retry-After", Duration::from_secs(response::RETRY_AFTER_SECONDS.into()), "when a client may come again"),
        time("--drain", config::DRAIN, "how long requests under way may take when the server ends"),
        time("TLS handshake", times.handshake, "some round trips on a bad line"),
        time("request head, time", times.head, "from its first byte to its last; 408 after it"),
        size("request head, size", head::MAX_HEAD_BYTES, "the request line and all headers; 431 beyond it"),
        count("request head, lines", head::MAX_HEADER_LINES, "header lines; 431 beyond it"),
        size("request target", head::MAX_TARGET_BYTES, "path and query; 414 beyond it"),
        size("chunk line", framing::MAX_CHUNK_LINE_BYTES, "a chunk's size with its extensions"),
        time(
            "request body, patience",
            body::BODY_PATIENCE,
            "how long a body may lag behind its least rate; 408 after it",
        ),
        rate("request body, rate", body::BODY_MIN_RATE, "the least rate of a body"),
        time("idle connection", times.idle, "a connection without a request is closed after once to twice this time"),
        time("stalled client", times.stall, "a client that takes nothing of its answer is given up"),
        time("connection, age", times.total, "a connection takes no more requests then"),
        time("connection, grace", times.grace, "how long its last requests may take"),
        time(
            "closing connection, time",
            times.linger,
            "how long an unfinished request is read so that its answer arrives",
        ),
        size("closing connection, bytes", guard::LINGER_BYTES, "how much of it"),
        size("HTTP/1.1 buffer", connection::HTTP1_BUFFER, "in each direction of a connection"),
        count("HTTP/2 streams", connection::HTTP2_STREAMS, "requests at one time on one connection"),
        count(
            "HTTP/2 pending resets",
            connection::HTTP2_PENDING_RESETS,
            "streams opened and reset at once; then the connection ends",
        ),
        count(
            "HTTP/2 error resets",
            connection::HTTP2_ERROR_RESETS,
            "streams reset for a client's errors; then the connection ends",
        ),
        size(
            "HTTP/2 stream window",
            to_usize(connection::HTTP2_WINDOWS.0),
            "what a client may send ahead on one stream",
        ),
        size("HTTP/2 connection window", to_usize(connection::HTTP2_WINDOWS.1), "and on all of them"),
        size(
            "HTTP/2 send buffer",
            connection::HTTP2_SEND_BUFFER,
            "what is held of an answer that its client does not take",
        ),
        time("HTTP/2 ping", connection::HTTP2_PING.0, "how often a connection is asked whether it lives"),
        time("HTTP/2 ping, answer", connection::HTTP2_PING.1, "how long it may take to say so"),
        count("forwarding hops", forwarded::MAX_HOPS, "addresses of a proxy chain that are looked at"),
        size("file piece", files::PIECE_BYTES, "what is read of a static file at once"),
        time("certificate check", tls::RELOAD_INTERVAL, "how often the certificate's files are looked at"),
        time("watch, quiet", watch::QUIET, "how long files must be quiet before a change counts"),
        count("admin connections", admin::MAX_CONNECTIONS, "connections to --admin-addr at one time"),
    ];
    Table {
        title: "coracle serve",
        about: "Limits of the server itself, which no manifest sets. Those with a flag's name have that flag.",
        keys,
    }
}

fn key(key: &'static str, kind: &'static str, default: String, unit: &'static str, reason: &'static str) -> KeyDoc {
    KeyDoc { key, kind, default: Cow::Owned(default), unit, reason }
}

fn count(name: &'static str, value: impl ToString, reason: &'static str) -> KeyDoc {
    key(name, "count", value.to_string(), "", reason)
}

fn size(name: &'static str, bytes: usize, reason: &'static str) -> KeyDoc {
    key(name, "size", format_size(bytes as u64), "bytes", reason)
}

fn time(name: &'static str, value: Duration, reason: &'static str) -> KeyDoc {
    key(name, "duration", format_duration(value), "seconds", reason)
}

fn rate(name: &'static str, bytes: u64, reason: &'static str) -> KeyDoc {
    key(name, "rate", format_size(bytes), "bytes a second", reason)
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
