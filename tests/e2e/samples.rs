//! Every sample answers every request in its `tests/` folder: samples/README.md says how such a file is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use support::client::{self, Answer};
use support::{Server, root};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    request: Request,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<String>,
    json: Option<Value>,
    #[serde(default)]
    contains: Vec<String>,
}

fn get() -> String {
    "GET".to_owned()
}

#[tokio::test]
async fn every_sample_answers_its_cases() {
    let samples = root().join("samples");
    let server = Server::start([&samples]);
    let mut failures = Vec::new();
    let mut answered = BTreeSet::new();
    let folders = std::fs::read_dir(&samples).unwrap().map(|entry| entry.unwrap().path());
    for folder in folders.map(|sample| sample.join("tests")).filter(|folder| folder.is_dir()) {
        for file in support::files(&folder, "toml") {
            let text = std::fs::read_to_string(&file).unwrap();
            let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let answer = send(&server, &case.request, &folder).await;
            if let Err(why) = check(&case.expect, &answer, &folder) {
                failures.push(format!("{}: {why}", file.display()));
            }
            answered.insert(case.request.path.split(['/', '?']).nth(1).unwrap_or_default().to_owned());
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));

    let manifest: toml::Table = std::fs::read_to_string(samples.join("coracle.toml")).unwrap().parse().unwrap();
    let served = manifest["component"].as_table().unwrap().keys();
    let untested: Vec<_> = served.filter(|name| !answered.contains(*name)).collect();
    assert!(untested.is_empty(), "served, and no case asks for them: {untested:?}");
}

async fn send(server: &Server, request: &Request, folder: &Path) -> Answer {
    let mut builder = client::request(server.address, &request.method, &request.path);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let body = match (&request.body, &request.body_file) {
        (None, None) => client::empty(),
        (Some(text), None) => client::full(text.clone()),
        (None, Some(file)) => client::full(std::fs::read(folder.join(file)).unwrap()),
        (Some(_), Some(_)) => panic!("a request has one body: {}", request.path),
    };
    client::send(server.address, builder.body(body).unwrap()).await
}

fn check(expect: &Expect, answer: &Answer, folder: &Path) -> Result<(), String> {
    if answer.status != expect.status {
        return Err(format!("status {}, not {}: {}", answer.status, expect.status, show(&answer.body)));
    }
    for (name, value) in &expect.headers {
        if answer.header(name) != value {
            return Err(format!("{name} is {:?}, not {value:?}", answer.header(name)));
        }
    }
    let file = expect.body_file.as_ref().map(|file| std::fs::read(folder.join(file)).unwrap());
    if let Some(body) = file.or(expect.body.clone().map(String::into_bytes))
        && answer.body != body
    {
        return Err(format!("the body is {}, not {}", show(&answer.body), show(&body)));
    }
    if let Some(json) = &expect.json {
        let found: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        if !same(json, &found) {
            return Err(format!("the body is {found}, not {json}"));
        }
    }
    match expect.contains.iter().find(|part| !String::from_utf8_lossy(&answer.body).contains(*part)) {
        Some(part) => Err(format!("{part:?} is not in {}", show(&answer.body))),
        None => Ok(()),
    }
}

/// Whether two values are equal; numbers are, however they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

/// Some of a body, as text where it is text.
fn show(body: &[u8]) -> String {
    let some: String = String::from_utf8_lossy(body).chars().take(400).collect();
    format!("{some:?} ({} bytes)", body.len())
}
