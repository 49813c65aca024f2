//! Does, for tests, whatever a host must grant, limit or survive: one path for each. `/` lists them.
//!
//! As a command it does the same: the path and then `NAME=VALUE` of the query are its arguments, and it writes what it would
//! answer.

mod canary;
mod files;
mod misbehave;
mod network;
mod streams;

use std::io::Write;

use http_rust::{Answer, target, value};
use wasip2::cli::{environment, stderr, stdout};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam, Scheme};
use wasip2::random::random;

/// The paths, each with what it takes and what it answers.
const PATHS: &str = "\
/request                      the request as it arrived: method, scheme, authority, path, headers
/body                         the length of the request's body
/env                          the environment, one NAME=VALUE a line
/arguments                    the arguments, one a line
/fs?path=P                    the file P; with &list its entries, with &write=TEXT, &remove, &link=TO, &hardlink=TO, &rename=TO,
                              &mkdir, &rmdir, &truncate=N, &touch, &fill=N or &files=N does that
/folders                      the granted folders, one a line
/outbound?url=U               status and body of an outgoing request; with &timeout=N each of its timeouts is N nanoseconds
/lookup?name=N                the addresses of a name
/connect?address=A:P          connects by TCP to an address
/clock                        monotonic nanoseconds, and wall time in seconds
/random?bytes=N               random bytes as hexadecimal digits
/sleep?ms=N                   answers after N milliseconds
/entropy?bytes=N              draws N random bytes, 64 KiB at a time
/hide                         keeps the request's body in memory
/search?for=HEX               how often these bytes are in all the memory that the guest can have
/handle?kind=K&number=N       calls a method of handle N, as a request, fields, body, stream or descriptor
/handles?count=N              how many handles of N the guest got
/lift?bytes=N                 hands the host a list of N bytes; with &items=N one of N empty lists, with &name=N a string
/timers                       timers of 0, of 2^63 and of 2^64 - 1 nanoseconds: which of them are over at once
/stdout?text=T&lines=N        writes N lines to standard output; /stderr likewise
/status?code=N                a response of that status
/header?name=N&value=V        a response with that header, or what the host said of it
/headers?count=N              how many of N header fields the host took; with &answer a response that has them
/bytes?count=N                a body of N bytes
/trickle?count=N&ms=M         a body of N lines, one each M milliseconds
/spin                         loops for ever
/grow                         takes memory until it gets none
/recurse                      calls itself for ever
/trap                         executes an unreachable instruction
/panic                        panics
/exit?code=N                  ends itself, with success when N is 0
/silent                       returns without a response
/unfinished                   begins a body and leaves it";

struct Probe;

wasip2::http::proxy::export!(Probe);
wasip2::cli::command::export!(Probe);

impl wasip2::exports::cli::run::Guest for Probe {
    fn run() -> Result<(), ()> {
        let mut arguments = environment::get_arguments().into_iter().skip(1);
        let name = arguments.next().unwrap_or_default();
        let query: Vec<_> = arguments
            .map(|argument| match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => (argument, String::new()),
            })
            .collect();
        let answer = act(&name, &query);
        stdout::get_stdout().write_all(&answer.body).map_err(drop)?;
        if answer.status == 200 { Ok(()) } else { Err(()) }
    }
}

impl wasip2::exports::http::incoming_handler::Guest for Probe {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let (path, query) = target(&request);
        let text = |key| value(&query, key).unwrap_or_default();
        let number = |key| value(&query, key).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        // What follows the last slash, so that the probe can be mounted anywhere.
        let response = match path.rsplit('/').next().unwrap_or_default() {
            "request" => Answer::text(200, describe(&request)),
            "body" => match http_rust::body(&request, usize::MAX - 1) {
                Ok(body) => Answer::text(200, body.len().to_string()),
                Err(refusal) => refusal,
            },
            "hide" => match http_rust::body(&request, usize::MAX - 1) {
                Ok(body) => Answer::text(200, canary::hide(body)),
                Err(refusal) => refusal,
            },
            "status" => return streams::respond_with_status(answer, number("code")),
            "header" => return streams::respond_with_header(answer, text("name"), text("value")),
            "headers" if value(&query, "answer").is_some() => {
                return streams::respond_with_headers(answer, number("count"));
            }
            "bytes" => return streams::respond_with_bytes(answer, number("count")),
            "trickle" => return streams::trickle(answer, number("count"), number("ms")),
            "unfinished" => return streams::leave_unfinished(answer),
            "silent" => return,
            name => act(name, &query),
        };
        response.send(answer);
    }
}

/// What needs neither the request nor the response.
fn act(name: &str, query: &[(String, String)]) -> Answer {
    let text = |key| value(query, key).unwrap_or_default();
    let number = |key| value(query, key).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    match name {
        "" => Answer::text(200, PATHS),
        "env" => {
            let mut lines: Vec<_> =
                environment::get_environment().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
            lines.sort();
            Answer::text(200, lines.join("\n"))
        }
        "arguments" => Answer::text(200, environment::get_arguments().join("\n")),
        "fs" => files::answer(query),
        "folders" => Answer::text(200, files::folders()),
        "outbound" => network::fetch(text("url"), value(query, "timeout").and_then(|text| text.parse().ok())),
        "lookup" => network::lookup(text("name")),
        "connect" => network::connect(text("address")),
        "clock" => Answer::text(200, format!("{}\n{}", monotonic_clock::now(), wall_clock::now().seconds)),
        "random" => {
            let bytes = random::get_random_bytes(number("bytes"));
            Answer::text(200, bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        "sleep" => {
            monotonic_clock::subscribe_duration(number("ms") * 1_000_000).block();
            Answer::text(200, "awake")
        }
        "entropy" => Answer::text(200, misbehave::draw(number("bytes"))),
        "search" => Answer::text(200, canary::search(text("for"))),
        "handle" => Answer::text(200, canary::reach(text("kind"), number("number"))),
        "handles" => Answer::text(200, misbehave::hold_handles(number("count"))),
        "lift" => Answer::text(200, misbehave::lift(number("bytes"), number("items"), number("name"))),
        "timers" => Answer::text(200, misbehave::timers()),
        "stdout" => streams::write_lines(stdout::get_stdout(), text("text"), number("lines")),
        "stderr" => streams::write_lines(stderr::get_stderr(), text("text"), number("lines")),
        "headers" => streams::count_headers(number("count")),
        "spin" => misbehave::spin(),
        "grow" => Answer::text(200, misbehave::grow()),
        "recurse" => Answer::text(200, misbehave::recurse(number("seed")).to_string()),
        "trap" => misbehave::trap(),
        "panic" => misbehave::panic(),
        "exit" => misbehave::exit(number("code")),
        unknown => Answer::text(404, format!("the probe knows no {unknown}")),
    }
}

fn describe(request: &IncomingRequest) -> String {
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(other) => other,
    };
    let scheme = match request.scheme() {
        None => "none".to_owned(),
        Some(Scheme::Http) => "http".to_owned(),
        Some(Scheme::Https) => "https".to_owned(),
        Some(Scheme::Other(other)) => other,
    };
    let authority = request.authority().unwrap_or_default();
    let path = request.path_with_query().unwrap_or_default();
    let mut lines = vec![
        format!("method: {method}"),
        format!("scheme: {scheme}"),
        format!("authority: {authority}"),
        format!("path: {path}"),
    ];
    let mut headers: Vec<_> = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| format!("header {name}: {}", String::from_utf8_lossy(&value)))
        .collect();
    headers.sort();
    lines.append(&mut headers);
    lines.join("\n")
}
