//! A real guest that keeps values, reads its configuration and logs, with what it was granted and no more.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use coracle_capability::secret::Secret;
use coracle_package::grant::{Grants, KeyValueBackend, VariableValue};
use coracle_package::limit::Limits;
use coracle_runtime::compile::{self, Compiler};
use coracle_runtime::http::{Call, Function, RequestBodyError};
use coracle_runtime::{
    Authority, Engine, EngineOptions, GuestLog, LogLevel, LogStream, Observer, Outcome, Record, Refusal, Resolution,
};
use http_body_util::{BodyExt, Full};

/// Everything that one guest logged and how its last invocation ended.
#[derive(Clone, Default)]
struct Seen {
    lines: Arc<Mutex<Vec<(LogLevel, String, String)>>>,
    record: Arc<Mutex<Option<Record>>>,
}

impl GuestLog for Seen {
    fn line(&self, stream: LogStream<'_>, text: &str) {
        let LogStream::Log(level, context) = stream else { return };
        self.lines.lock().unwrap().push((level, context.to_owned(), text.to_owned()));
    }
}

impl Observer for Seen {
    fn ended(self: Box<Self>, record: Record) {
        *self.record.lock().unwrap() = Some(record);
    }
}

struct Guest {
    function: Function,
    seen: Seen,
}

impl Guest {
    fn new(grants: &Grants) -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/store-rust/store-rust.wasm");
        let engine = Engine::new(EngineOptions::server(8), Compiler::InProcess).unwrap();
        let code = compile::load(&engine, None, &std::fs::read(path).unwrap(), &()).unwrap();
        let resolution = Resolution {
            directory: Path::new("."),
            variables: &BTreeMap::from([("currency".to_owned(), "EUR".to_owned())]),
            secrets: &BTreeMap::from([("stripe".to_owned(), Secret::from("hunter2".to_owned()))]),
            environment: &|_| None,
            roots: &[],
        };
        let authority = Authority::resolve(grants, Limits::http(), &resolution).unwrap();
        let function = Function::new(&engine, &code, Arc::new(authority), None).unwrap();
        Self { function, seen: Seen::default() }
    }

    /// The status and the text of the answer.
    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        let body = body.map_err(|never| -> RequestBodyError { match never {} }).boxed_unsync();
        let request = http::Request::builder().method(method).uri(path).header("host", "localhost").body(body).unwrap();
        let call = Call {
            scheme: http::uri::Scheme::HTTP,
            traceparent: None,
            logs: Some(Arc::new(self.seen.clone())),
            observer: Box::new(self.seen.clone()),
        };
        self.seen.record.lock().unwrap().take();
        let response = self.function.call(request, call).await.unwrap();
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        // The guest's end may come a moment after that of its answer.
        for _ in 0..500 {
            if self.seen.record.lock().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(self.record().outcome, Outcome::Ok);
        (status, String::from_utf8(text.to_vec()).unwrap().trim_end().to_owned())
    }

    fn record(&self) -> Record {
        self.seen.record.lock().unwrap().clone().unwrap()
    }
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[tokio::test]
async fn values_outlive_an_invocation_and_the_store_of_another_name_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| KeyValueBackend::Redb(folder.path().join(name));
    let keyvalue = BTreeMap::from([("default".to_owned(), file("a")), ("second".to_owned(), file("b"))]);
    let guest = Guest::new(&Grants { keyvalue, ..Grants::default() });
    assert_eq!(guest.call("GET", "/keyvalue?key=k", "").await.0, 404);
    assert_eq!(guest.call("PUT", "/keyvalue?key=k", "value").await, ok("kept"));
    assert_eq!(guest.call("GET", "/keyvalue?key=k", "").await, ok("value"));
    assert_eq!(guest.call("GET", "/keyvalue?key=k&store=second", "").await.0, 404);
    assert_eq!(guest.call("GET", "/count?key=n&by=5", "").await, ok("5"));
    assert_eq!(guest.call("GET", "/count?key=n&by=2", "").await, ok("7"));
    assert_eq!(guest.call("POST", "/batch", "a=1\nb=2").await, ok("kept 2"));
    assert_eq!(guest.call("GET", "/batch?keys=b,missing,a", "").await, ok("b=2\na=1"));
    assert_eq!(guest.call("GET", "/keys", "").await, ok("a\nb\nk\nn"));
    assert_eq!(guest.call("DELETE", "/batch?keys=a,b", "").await, ok("forgotten"));
    assert_eq!(guest.call("DELETE", "/keyvalue?key=k", "").await, ok("forgotten"));
    assert_eq!(guest.call("GET", "/keys", "").await, ok("n"));
}

#[tokio::test]
async fn what_was_not_granted_is_refused_and_named() {
    let guest = Guest::new(&Grants::default());
    assert_eq!(guest.call("GET", "/keys", "").await, (403, "Error::AccessDenied".to_owned()));
    assert_eq!(guest.record().refusals, [Refusal::Store("default".to_owned())]);
    assert_eq!(guest.call("GET", "/config?key=stripe", "").await.0, 404);
    assert_eq!(guest.record().refusals, [Refusal::Variable("stripe".to_owned())]);
    assert_eq!(guest.call("GET", "/config", "").await, ok(""));
    assert_eq!(guest.record().refusals, []);
}

#[tokio::test]
async fn configuration_is_what_was_granted() {
    let variables = BTreeMap::from([
        ("greeting".to_owned(), VariableValue::Literal("hello".to_owned())),
        ("money".to_owned(), VariableValue::Variable("currency".to_owned())),
        ("key".to_owned(), VariableValue::Secret("stripe".to_owned())),
    ]);
    let guest = Guest::new(&Grants { variables, ..Grants::default() });
    assert_eq!(guest.call("GET", "/config?key=key", "").await, ok("hunter2"));
    assert_eq!(guest.call("GET", "/config", "").await, ok("greeting=hello\nkey=hunter2\nmoney=EUR"));
    assert_eq!(guest.record().refusals, []);
}

#[tokio::test]
async fn messages_reach_the_log_with_their_level() {
    let guest = Guest::new(&Grants::default());
    for (name, level) in [("trace", LogLevel::Trace), ("warn", LogLevel::Warn), ("critical", LogLevel::Critical)] {
        assert_eq!(guest.call("GET", &format!("/log?level={name}&text=words"), "").await, ok("written"));
        let last = guest.seen.lines.lock().unwrap().pop().unwrap();
        assert_eq!(last, (level, "sample".to_owned(), "words".to_owned()));
    }
}
