//! Keeps values, reads its configuration, writes logs: `wasi:keyvalue`, `wasi:config` and `wasi:logging`.

use http_rust::{Answer, target, value};
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

use crate::wasi::keyvalue::store::{Bucket, Error, open};
use crate::wasi::keyvalue::{atomics, batch};
use crate::wasi::logging::logging::{Level, log};

wit_bindgen::generate!({ path: "wit", generate_all });

/// The paths, each with what it takes and what it answers.
const PATHS: &str = "\
/keyvalue?key=K        GET answers the value, PUT and POST keep the body as it, DELETE forgets it;
                       &store=NAME for another store than `default`
/keys                  all keys, one a line
/count?key=K&by=N      adds to a number and answers the sum
/batch?keys=A,B        GET answers KEY=VALUE lines, DELETE forgets them; PUT and POST keep KEY=VALUE lines of the body
/config                the configuration as KEY=VALUE lines; with ?key=K the value of one
/log?level=L&text=T    writes a line to the log";

/// The longest value, in bytes.
const MAX_VALUE: usize = 1024 * 1024;

struct Store;

wasip2::http::proxy::export!(Store);

impl wasip2::exports::http::incoming_handler::Guest for Store {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        respond(&request).unwrap_or_else(|refusal| refusal).send(answer);
    }
}

fn respond(request: &IncomingRequest) -> Result<Answer, Answer> {
    let (path, query) = target(request);
    let text = |key| value(&query, key).unwrap_or_default();
    let bucket = || open(value(&query, "store").unwrap_or("default")).map_err(refused);
    match path.rsplit('/').next().unwrap_or_default() {
        "" => Ok(Answer::text(200, PATHS)),
        "keyvalue" => one(request, &bucket()?, text("key")),
        "keys" => Ok(Answer::text(200, keys(&bucket()?).map_err(refused)?.join("\n"))),
        "count" => {
            let by = text("by").parse().unwrap_or(1);
            let sum = atomics::increment(&bucket()?, text("key"), by).map_err(refused)?;
            Ok(Answer::text(200, sum.to_string()))
        }
        "batch" => many(request, &bucket()?, text("keys")),
        "config" => configuration(value(&query, "key")),
        "log" => {
            log(level(text("level")), "sample", text("text"));
            Ok(Answer::text(200, "written"))
        }
        unknown => Err(Answer::text(404, format!("the store knows no {unknown}"))),
    }
}

fn one(request: &IncomingRequest, bucket: &Bucket, key: &str) -> Result<Answer, Answer> {
    match request.method() {
        Method::Get => match bucket.get(key).map_err(refused)? {
            Some(body) => Ok(Answer { status: 200, content_type: "application/octet-stream", body }),
            None => Err(Answer::text(404, format!("there is no {key}"))),
        },
        Method::Put | Method::Post => {
            bucket.set(key, &http_rust::body(request, MAX_VALUE)?).map_err(refused)?;
            Ok(Answer::text(200, "kept"))
        }
        Method::Delete => {
            let existed = bucket.exists(key).map_err(refused)?;
            bucket.delete(key).map_err(refused)?;
            Ok(Answer::text(200, if existed { "forgotten" } else { "there was none" }))
        }
        _ => Err(Answer::text(405, "GET, PUT, POST or DELETE")),
    }
}

fn many(request: &IncomingRequest, bucket: &Bucket, keys: &str) -> Result<Answer, Answer> {
    let keys: Vec<String> = keys.split(',').map(str::to_owned).collect();
    match request.method() {
        Method::Get => {
            let found = batch::get_many(bucket, &keys).map_err(refused)?;
            let lines =
                found.into_iter().flatten().map(|(key, value)| format!("{key}={}", String::from_utf8_lossy(&value)));
            Ok(Answer::text(200, lines.collect::<Vec<_>>().join("\n")))
        }
        Method::Put | Method::Post => {
            let body = String::from_utf8_lossy(&http_rust::body(request, MAX_VALUE)?).into_owned();
            let pairs: Vec<_> = body
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
                .collect();
            batch::set_many(bucket, &pairs).map_err(refused)?;
            Ok(Answer::text(200, format!("kept {}", pairs.len())))
        }
        Method::Delete => {
            batch::delete_many(bucket, &keys).map_err(refused)?;
            Ok(Answer::text(200, "forgotten"))
        }
        _ => Err(Answer::text(405, "GET, PUT, POST or DELETE")),
    }
}

fn keys(bucket: &Bucket) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let mut page = bucket.list_keys(cursor)?;
        keys.append(&mut page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            keys.sort();
            return Ok(keys);
        }
    }
}

fn configuration(key: Option<&str>) -> Result<Answer, Answer> {
    use crate::wasi::config::store::{get, get_all};

    let failed = |error| Answer::text(500, format!("{error:?}"));
    match key {
        Some(key) => match get(key).map_err(failed)? {
            Some(value) => Ok(Answer::text(200, value)),
            None => Err(Answer::text(404, format!("there is no {key}"))),
        },
        None => {
            let mut lines: Vec<_> =
                get_all().map_err(failed)?.iter().map(|(key, value)| format!("{key}={value}")).collect();
            lines.sort();
            Ok(Answer::text(200, lines.join("\n")))
        }
    }
}

fn level(name: &str) -> Level {
    match name {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "warn" => Level::Warn,
        "error" => Level::Error,
        "critical" => Level::Critical,
        _ => Level::Info,
    }
}

fn refused(error: Error) -> Answer {
    Answer::text(403, format!("{error:?}"))
}
