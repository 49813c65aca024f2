//! Real guests answering real requests through [`Function::call`], without a server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use coracle_package::grant::Grants;
use coracle_package::limit::Limits;
use coracle_runtime::compile::Code;
use coracle_runtime::http::{Call, Failure, Function, RequestBody, RequestBodyError, ResponseBody};
use coracle_runtime::{Authority, Engine, EngineOptions, Observer, Outcome, Record, Resolution};
use http_body_util::{BodyExt, Full};

/// A built sample, which is kept in the tree.
fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/../../samples/{name}/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn function(name: &str, limits: Limits) -> Function {
    let engine = Engine::new(EngineOptions::server(8)).unwrap();
    let code = Code::compile(&engine, &sample(name)).unwrap();
    let none = std::collections::BTreeMap::new();
    let secrets = std::collections::BTreeMap::new();
    let resolution = Resolution {
        directory: std::path::Path::new("."),
        variables: &none,
        secrets: &secrets,
        environment: &|_| None,
        roots: &[],
    };
    let authority = Authority::resolve(&Grants::default(), limits, &resolution).unwrap();
    Function::new(&engine, &code, Arc::new(authority), None).unwrap()
}

/// Keeps the record of one invocation.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Record>>>);

impl Observer for Kept {
    fn ended(self: Box<Self>, record: Record) {
        assert!(self.0.lock().unwrap().replace(record).is_none(), "an invocation ends once");
    }
}

fn body(text: &'static str) -> RequestBody {
    Full::new(Bytes::from(text)).map_err(|never| -> RequestBodyError { match never {} }).boxed_unsync()
}

async fn call(
    function: &Function,
    path: &str,
    text: &'static str,
) -> (Result<http::Response<ResponseBody>, Failure>, Kept) {
    let kept = Kept::default();
    let request = http::Request::builder().uri(path).header("host", "localhost").body(body(text)).unwrap();
    let call = Call {
        scheme: http::uri::Scheme::HTTP,
        traceparent: None,
        logs: None,
        observer: Box::new(kept.clone()),
    };
    (function.call(request, call).await, kept)
}

#[tokio::test]
async fn a_guest_answers_and_is_accounted_for() {
    let function = function("hello-rust", Limits::http());
    let (response, kept) = call(&function, "/", "").await;
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert!(text.starts_with(b"Hello"), "{text:?}");
    let record = kept.0.lock().unwrap().take().unwrap();
    assert_eq!(record.outcome, Outcome::Ok);
    assert!(record.cpu > Duration::ZERO && record.cpu < Duration::from_secs(1), "{record:?}");
    assert!(record.peak_memory > 0, "{record:?}");
}

#[tokio::test]
async fn a_body_streams_through_a_guest() {
    let function = function("echo-rust", Limits::http());
    let (response, _) = call(&function, "/echo", "to and fro").await;
    let text = response.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "to and fro");
}
