//! Guests that are asked without a server between.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use coracle_package::grant::Grants;
use coracle_package::limit::Limits;
use coracle_package::manifest::Reuse;
use coracle_runtime::cache::Cache;
use coracle_runtime::compile::{self, Code, Compiler};
use coracle_runtime::http::{Call, Function};
use coracle_runtime::{Authority, Engine, EngineOptions, GuestLog, Observer, Record, Resolution};
use http_body_util::{BodyExt, Empty};

/// With so much memory for all guests together.
pub fn engine(memory: Option<u64>) -> Engine {
    Engine::new(EngineOptions { memory, ..EngineOptions::server(128) }, Compiler::InProcess).unwrap()
}

pub fn probe(engine: &Engine, limits: Limits) -> Function {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/probe-rust/probe-rust.wasm");
    function(engine, &std::fs::read(path).unwrap(), limits)
}

/// A component that was granted nothing.
pub fn function(engine: &Engine, component: &[u8], limits: Limits) -> Function {
    made(engine, component, limits, None)
}

/// The probe, whose instances are used again.
pub fn reused_probe(engine: &Engine) -> Function {
    let reuse = Reuse { invocations: NonZeroU32::MAX, concurrent: NonZeroU32::MIN, idle: Duration::from_secs(60) };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/probe-rust/probe-rust.wasm");
    made(engine, &std::fs::read(path).unwrap(), Limits::http(), Some(reuse))
}

/// The same, whose code is kept in `cache` and mapped from there.
pub fn mapped(engine: &Engine, cache: &Cache, component: &[u8], limits: Limits) -> Function {
    linked(engine, &compile::load(engine, Some(cache), component, &()).unwrap(), limits, None)
}

fn made(engine: &Engine, component: &[u8], limits: Limits, reuse: Option<Reuse>) -> Function {
    linked(engine, &compile::load(engine, None, component, &()).unwrap(), limits, reuse)
}

fn linked(engine: &Engine, code: &Code, limits: Limits, reuse: Option<Reuse>) -> Function {
    let resolution = Resolution {
        directory: std::path::Path::new("."),
        variables: &std::collections::BTreeMap::new(),
        secrets: &std::collections::BTreeMap::new(),
        environment: &|_| None,
        roots: &[],
    };
    let authority = Authority::resolve(&Grants::default(), limits, &resolution).unwrap();
    Function::new(engine, code, Arc::new(authority), reuse).unwrap()
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Record>>>);

impl Observer for Kept {
    fn ended(self: Box<Self>, record: Record) {
        *self.0.lock().unwrap() = Some(record);
    }
}

/// Asks for `path` and returns how that ended.
pub async fn ask(function: &Function, path: &str, logs: Option<Arc<dyn GuestLog>>) -> Record {
    ask_until(std::future::pending(), function, path, logs).await
}

/// Asks for `path` and returns the text of the answer.
pub async fn text(function: &Function, path: &str) -> String {
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::builder().uri(path).header("host", "localhost").body(body).unwrap();
    let observer = Box::new(Kept::default());
    let call = Call { scheme: http::uri::Scheme::HTTP, traceparent: None, logs: None, observer };
    let response = function.call(request, call).await.unwrap();
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

/// Asks for `path`, leaves when `left` completes, and returns how that ended.
pub async fn ask_until(
    left: impl Future<Output = ()>,
    function: &Function,
    path: &str,
    logs: Option<Arc<dyn GuestLog>>,
) -> Record {
    let kept = Kept::default();
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::builder().uri(path).header("host", "localhost").body(body).unwrap();
    let call = Call { scheme: http::uri::Scheme::HTTP, traceparent: None, logs, observer: Box::new(kept.clone()) };
    let answered = async {
        if let Ok(response) = function.call(request, call).await {
            // What the guest does after the head of its answer is awaited with its body; a broken one tells in the record.
            let _ = response.into_body().collect().await;
        }
    };
    tokio::select! {
        () = answered => {}
        () = left => {}
    }
    for _ in 0..1_000 {
        if let Some(record) = kept.0.lock().unwrap().take() {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the invocation never ended");
}
