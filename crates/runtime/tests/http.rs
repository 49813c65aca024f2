//! Real guests answering real requests through [`Function::call`], without a server.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use coracle_package::grant::{Access, DirGrant, Grants};
use coracle_package::limit::Limits;
use coracle_package::manifest::Reuse;
use coracle_runtime::compile::{self, Compiler};
use coracle_runtime::http::{Call, Failure, Function, RequestBody, RequestBodyError, ResponseBody};
use coracle_runtime::{Authority, Engine, EngineOptions, Observer, Outcome, Record, Refusal, Resolution, TrapKind};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};

/// A built sample, which is kept in the tree.
fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/../../samples/{name}/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn function(name: &str, limits: Limits) -> Function {
    function_with(name, &Grants::default(), limits, None)
}

fn function_with(name: &str, grants: &Grants, limits: Limits, reuse: Option<Reuse>) -> Function {
    let engine = Engine::new(EngineOptions::server(8), Compiler::InProcess).unwrap();
    let code = compile::load(&engine, None, &sample(name), &()).unwrap();
    let none = std::collections::BTreeMap::new();
    let secrets = std::collections::BTreeMap::new();
    let resolution = Resolution {
        directory: std::path::Path::new("."),
        variables: &none,
        secrets: &secrets,
        environment: &|_| None,
        roots: &[],
    };
    let authority = Authority::resolve(grants, limits, &resolution).unwrap();
    Function::new(&engine, &code, Arc::new(authority), reuse).unwrap()
}

/// Keeps the record of one invocation.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Record>>>);

impl Observer for Kept {
    fn ended(self: Box<Self>, record: Record) {
        assert!(self.0.lock().unwrap().replace(record).is_none(), "an invocation ends once");
    }
}

impl Kept {
    /// The record, which may come a moment after the answer.
    async fn record(&self) -> Record {
        for _ in 0..500 {
            if let Some(record) = self.0.lock().unwrap().take() {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the invocation never ended");
    }
}

fn body(text: impl Into<Bytes>) -> RequestBody {
    Full::new(text.into()).map_err(|never| -> RequestBodyError { match never {} }).boxed_unsync()
}

async fn call(
    function: &Function,
    path: &str,
    text: impl Into<Bytes>,
) -> (Result<http::Response<ResponseBody>, Failure>, Kept) {
    send(function, path, body(text)).await
}

async fn send(
    function: &Function,
    path: &str,
    body: RequestBody,
) -> (Result<http::Response<ResponseBody>, Failure>, Kept) {
    let kept = Kept::default();
    let request = http::Request::builder().uri(path).header("host", "localhost").body(body).unwrap();
    let call =
        Call { scheme: http::uri::Scheme::HTTP, traceparent: None, logs: None, observer: Box::new(kept.clone()) };
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
    let record = kept.record().await;
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

#[tokio::test]
async fn a_guest_of_wasi_0_3_answers() {
    let function = function("hello-rust-p3", Limits::http());
    let (response, kept) = call(&function, "/", "").await;
    let text = response.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(text.starts_with(b"Hello"), "{text:?}");
    assert_eq!(kept.record().await.outcome, Outcome::Ok);
}

/// The outcome of one path of the probe that gives no answer.
async fn outcome(path: &str, limits: Limits) -> Record {
    let (response, kept) = call(&function("probe-rust", limits), path, "").await;
    let failure = response.err().unwrap_or_else(|| panic!("{path} answered"));
    let record = kept.record().await;
    assert_eq!(failure.outcome, record.outcome);
    record
}

#[tokio::test]
async fn what_a_guest_dies_of_is_named() {
    for (path, expected) in [
        ("/trap", Outcome::Trap(TrapKind::Unreachable)),
        ("/panic", Outcome::Trap(TrapKind::Unreachable)),
        // Rust keeps its own stack at the bottom of memory, and that ends before the engine's does.
        ("/recurse", Outcome::Trap(TrapKind::MemoryOutOfBounds)),
        ("/silent", Outcome::InvalidResponse),
        ("/exit?code=1", Outcome::GuestError),
        ("/exit?code=0", Outcome::InvalidResponse),
        ("/unfinished", Outcome::InvalidResponse),
    ] {
        assert_eq!(outcome(path, Limits::http()).await.outcome, expected, "{path}");
    }
}

#[tokio::test]
async fn a_trap_is_described_by_the_guests_own_functions() {
    let detail = outcome("/recurse", Limits::http()).await.detail.unwrap();
    assert!(detail.contains("recurse"), "{detail}");
}

#[tokio::test]
async fn a_loop_ends_at_its_cpu_time() {
    let limits = Limits { cpu_time: Some(Duration::from_millis(200)), ..Limits::http() };
    let record = outcome("/spin", limits).await;
    assert_eq!(record.outcome, Outcome::CpuDeadline);
    assert!(record.cpu >= Duration::from_millis(200), "{record:?}");
    assert!(record.cpu < Duration::from_millis(300), "{record:?}");
}

#[tokio::test]
async fn a_guest_that_waits_ends_at_its_wall_time() {
    let limits = Limits { wall_time: Some(Duration::from_millis(500)), ..Limits::http() };
    let record = outcome("/sleep?ms=60000", limits).await;
    assert_eq!(record.outcome, Outcome::WallDeadline);
    assert!(record.wall < Duration::from_secs(5), "{record:?}");
    assert!(record.cpu < Duration::from_millis(400), "waiting is no CPU time: {record:?}");
}

#[tokio::test]
async fn memory_ends_at_its_limit_inside_the_guest() {
    let limits = Limits { memory: 16 << 20, ..Limits::http() };
    let (response, kept) = call(&function("probe-rust", limits), "/grow", "").await;
    let answered = match response {
        Ok(response) => response.into_body().collect().await.is_ok(),
        Err(_) => false,
    };
    let record = kept.record().await;
    assert!(answered || record.outcome == Outcome::OutOfMemory, "{record:?}");
    assert!(record.peak_memory <= 16 << 20, "{record:?}");
    assert!(record.peak_memory > 8 << 20, "{record:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_loop_does_not_hold_its_thread_from_others() {
    let limits = Limits { cpu_time: Some(Duration::from_secs(2)), ..Limits::http() };
    let busy = function("probe-rust", limits);
    let quiet = function("hello-rust", Limits::http());
    let busy = tokio::spawn(async move { call(&busy, "/spin", "").await.1 });
    tokio::task::yield_now().await;
    let (response, record) = call(&quiet, "/", "").await;
    assert_eq!(response.unwrap().status(), 200);
    let wall = record.record().await.wall;
    assert!(wall < Duration::from_secs(1), "the neighbour waited {wall:?}");
    let busy = busy.await.unwrap().record().await;
    assert_eq!(busy.outcome, Outcome::CpuDeadline);
}

#[tokio::test]
async fn a_caller_that_leaves_the_body_ends_the_guest() {
    let function = function("probe-rust", Limits::http());
    let (response, kept) = call(&function, "/trickle?count=1000&ms=50", "").await;
    let mut body = response.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    drop(body);
    assert_eq!(kept.record().await.outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_body_that_the_guest_leaves_unfinished_is_an_error() {
    // It has answered before it waits for more of its own request, and leaves its answer when that breaks off.
    let function = function("echo-rust", Limits::http());
    let (more, frames) = tokio::sync::mpsc::channel::<Result<http_body::Frame<Bytes>, RequestBodyError>>(1);
    let frames = futures_util::stream::unfold(frames, async |mut frames| Some((frames.recv().await?, frames)));
    let body = http_body_util::StreamBody::new(Box::pin(frames)).boxed_unsync();
    more.send(Ok(http_body::Frame::data(Bytes::from_static(b"half")))).await.unwrap();
    let (response, kept) = send(&function, "/echo", body).await;
    let mut body = response.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    more.send(Err(RequestBodyError::Malformed)).await.unwrap();
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(kept.record().await.outcome, Outcome::InvalidResponse);
}

#[tokio::test]
async fn nothing_is_granted_by_default() {
    let function = function("probe-rust", Limits::http());
    for path in ["/env", "/arguments", "/folders"] {
        let (response, _) = call(&function, path, "").await;
        let text = response.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text.trim_ascii(), b"", "{path}");
    }
    for (path, refused) in [
        ("/outbound?url=http://127.0.0.1:1/", "Request"),
        ("/lookup?name=localhost", "Name"),
        ("/connect?address=127.0.0.1:1", "Socket"),
    ] {
        let (response, kept) = call(&function, path, "").await;
        drop(response.unwrap().into_body().collect().await);
        let record = kept.record().await;
        let refusals = format!("{:?}", record.refusals);
        assert!(refusals.contains(refused), "{path}: {refusals}");
    }
}

#[tokio::test]
async fn a_folder_ends_at_its_edge_and_read_only_is_read_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/in"), "inside").unwrap();
    std::fs::write(folder.path().join("out"), "outside").unwrap();
    let dir = DirGrant { host: folder.path().join("data"), guest: "/data".into(), access: Access::ReadOnly };
    let grants = Grants { dirs: vec![dir], ..Grants::default() };
    let function = function_with("probe-rust", &grants, Limits::http(), None);
    for (path, expected, refused) in [
        ("/fs?path=/data/in", "inside", None),
        ("/fs?path=/data/../out", "", Some(Refusal::Path("../out".into()))),
        ("/fs?path=/data/new&write=x", "", Some(Refusal::Path("new".into()))),
    ] {
        let (response, kept) = call(&function, path, "").await;
        let text = response.unwrap().into_body().collect().await.unwrap().to_bytes();
        let record = kept.record().await;
        assert_eq!(record.refusals, Vec::from_iter(refused.clone()), "{path}: {text:?}");
        assert!(refused.is_some() || text.trim_ascii() == expected.as_bytes(), "{path}: {text:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("out")).unwrap(), "outside");
    assert!(!folder.path().join("data/new").exists());
}

#[tokio::test]
async fn an_instance_serves_again_only_where_that_was_chosen() {
    let reuse =
        Reuse { invocations: NonZeroU32::new(3).unwrap(), concurrent: NonZeroU32::MIN, idle: Duration::from_secs(60) };
    let mut peaks = Vec::new();
    for reuse in [None, Some(reuse)] {
        let function = function_with("hello-rust", &Grants::default(), Limits::http(), reuse);
        for _ in 0..5 {
            let (response, kept) = call(&function, "/", "").await;
            assert!(!response.unwrap().into_body().collect().await.unwrap().to_bytes().is_empty());
            peaks.push(kept.record().await);
        }
    }
    assert!(peaks.iter().all(|record| record.outcome == Outcome::Ok && record.peak_memory > 0), "{peaks:?}");
}

/// The probe of WASI 0.3, with instances that answer two requests at once.
fn shared(limits: Limits) -> Function {
    let reuse = Reuse {
        invocations: NonZeroU32::new(1_000).unwrap(),
        concurrent: NonZeroU32::new(2).unwrap(),
        idle: Duration::from_secs(60),
    };
    function_with("probe-rust-p3", &Grants::default(), limits, Some(reuse))
}

/// What `path` answers, and how it ended.
async fn say(function: &Function, path: &str) -> (String, Record) {
    let (response, kept) = call(function, path, "").await;
    let text = match response {
        Ok(response) => response.into_body().collect().await.map(|body| body.to_bytes()),
        Err(failure) => return (failure.outcome.to_string(), kept.record().await),
    };
    let text = text.map_or_else(|error| error.to_string(), |text| String::from_utf8(text.into()).unwrap());
    (text, kept.record().await)
}

#[tokio::test]
async fn one_instance_answers_several_at_once_and_no_more_than_it_may() {
    let function = shared(Limits::http());
    let (one, two, three) =
        tokio::join!(say(&function, "/wait?300"), say(&function, "/wait?300"), say(&function, "/count"));
    assert_eq!((one.0.as_str(), two.0.as_str(), three.0.as_str()), ("1 waited\n", "2 waited\n", "1\n"));
    for record in [one.1, two.1, three.1] {
        assert_eq!(record.outcome, Outcome::Ok);
        assert!(record.peak_memory > 0 && record.cpu > Duration::ZERO, "{record:?}");
    }
}

#[tokio::test]
async fn a_body_streams_through_an_instance_that_is_shared() {
    let function = shared(Limits::http());
    let waiting = say(&function, "/wait?200");
    let echoing = async {
        let (response, kept) = call(&function, "/echo", "to and fro").await;
        (response.unwrap().into_body().collect().await.unwrap().to_bytes(), kept.record().await.outcome)
    };
    let (waited, echoed) = tokio::join!(waiting, echoing);
    assert_eq!(waited.1.outcome, Outcome::Ok);
    assert_eq!((echoed.0.as_ref(), echoed.1), (&b"to and fro"[..], Outcome::Ok));
}

#[tokio::test]
async fn a_small_answer_of_an_instance_that_is_shared_is_whole_when_it_comes() {
    let function = shared(Limits::http());
    let (response, kept) = call(&function, "/count", "").await;
    let record = kept.record().await;
    assert_eq!(record.outcome, Outcome::Ok, "it ends before its answer is read");
    let body = response.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(2));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "1\n");
}

#[tokio::test]
async fn a_large_answer_of_an_instance_that_is_shared_comes_whole() {
    let function = shared(Limits::http());
    let text = "to and fro ".repeat(100_000);
    let (response, kept) = call(&function, "/echo", text.clone()).await;
    let body = response.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!((body.len(), body == text), (text.len(), true));
    assert_eq!(kept.record().await.outcome, Outcome::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_threads_are_answered_each() {
    let function = shared(Limits::http());
    let mut callers = Vec::new();
    for caller in 0..8 {
        let function = function.clone();
        callers.push(tokio::spawn(async move {
            for number in 0..100 {
                let text = format!("{caller} {number}");
                let (response, kept) = call(&function, "/echo", text.clone()).await;
                assert_eq!(response.unwrap().into_body().collect().await.unwrap().to_bytes(), text);
                assert_eq!(kept.record().await.outcome, Outcome::Ok);
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn a_late_call_ends_alone_and_its_instance_takes_no_more() {
    let function = shared(Limits { wall_time: Some(Duration::from_secs(1)), ..Limits::http() });
    let (late, good) = tokio::join!(say(&function, "/wait?60000"), say(&function, "/wait?200"));
    assert_eq!(late.1.outcome, Outcome::WallDeadline);
    assert_eq!((good.0.as_str(), good.1.outcome), ("2 waited\n", Outcome::Ok));
    assert_eq!(say(&function, "/count").await.0, "1\n");
}

#[tokio::test]
async fn a_caller_that_leaves_a_shared_instance_takes_nobody_along() {
    let function = shared(Limits::http());
    let good = tokio::spawn({
        let function = function.clone();
        async move { say(&function, "/wait?500").await }
    });
    let mut leaving = Box::pin(say(&function, "/wait?60000"));
    let left = tokio::time::timeout(Duration::from_millis(200), &mut leaving).await;
    assert!(left.is_err());
    drop(leaving);
    assert_eq!(good.await.unwrap().1.outcome, Outcome::Ok);
    assert_eq!(say(&function, "/count").await.0, "1\n", "an instance with a call that nobody waits for is not used");
}

#[tokio::test]
async fn what_ends_a_shared_instance_ends_all_its_calls() {
    let function = shared(Limits::http());
    let (waiting, trap) = tokio::join!(say(&function, "/wait?60000"), say(&function, "/trap"));
    for record in [waiting.1, trap.1] {
        assert_eq!(record.outcome, Outcome::Trap(TrapKind::Unreachable));
    }
    assert_eq!(say(&function, "/count").await.0, "1\n");
}

#[tokio::test]
async fn calls_in_one_instance_share_its_cpu_time() {
    let limit = Duration::from_millis(200);
    let function = shared(Limits { cpu_time: Some(limit), ..Limits::http() });
    let (waiting, spinning) = tokio::join!(say(&function, "/wait?60000"), say(&function, "/spin"));
    for record in [&waiting.1, &spinning.1] {
        assert_eq!(record.outcome, Outcome::CpuDeadline, "{record:?}");
        // The one that came a moment later has a little less when the first has used its limit up, and ends with it.
        assert!(record.cpu >= limit / 2 && record.cpu < limit * 2, "{record:?}");
    }
    assert!(waiting.1.cpu.max(spinning.1.cpu) >= limit, "{waiting:?} {spinning:?}");
    assert!(spinning.1.wall >= limit * 2, "two calls have twice the time of one: {spinning:?}");
}

#[tokio::test]
async fn a_call_that_has_ended_is_charged_nothing_and_ends_nobody() {
    let (wall, limit) = (Duration::from_secs(3), Duration::from_millis(50));
    let function = shared(Limits { wall_time: Some(wall), cpu_time: Some(limit), ..Limits::http() });
    assert_eq!(say(&function, "/count").await.0, "1\n");
    tokio::time::sleep(wall + Duration::from_millis(100)).await;
    assert_eq!(say(&function, "/count").await.0, "2\n", "it is the same instance");
    tokio::time::sleep(wall + Duration::from_millis(100)).await;
    let record = say(&function, "/spin").await.1;
    assert_eq!(record.outcome, Outcome::CpuDeadline, "{record:?}");
    assert!(record.cpu >= limit, "{record:?}");
}

#[tokio::test]
async fn what_a_guest_does_after_its_last_answer_belongs_to_it() {
    let function = shared(Limits::http());
    let (text, record) = say(&function, "/later?300").await;
    assert_eq!((text.as_str(), record.outcome), ("now\n", Outcome::Ok));
    assert!(record.wall >= Duration::from_millis(300), "{record:?}");
}
