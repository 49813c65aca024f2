//! One guest answering one request, from its instance to its end.

use std::future::poll_fn;
use std::sync::Arc;

use http::uri::Scheme;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings as p2;
use wasmtime_wasi_http::p3::{self, bindings as p3_bindings};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::spare::{Exports, Instance};
use super::writer::Writer;
use super::{Ended, Guest, Handler, Inner, Job, RequestBody, Reuse};
use crate::current::Current;
use crate::host::{Host, Stdio};
use crate::invocation::{Invocation, Reporter};
use crate::meter::{EPOCHS_PER_SLICE, Exhausted, Metered, passed};
use crate::outcome::Outcome;
use crate::trap;

/// How a guest's own part ended when the engine had nothing to complain of.
pub(super) enum Ending {
    /// It answered.
    Answered,
    /// It said that it failed.
    Failed(String),
    /// It gave an answer that may not be sent, or none.
    Invalid(&'static str),
}

/// Has an instance of its own, or a spare one, answer.
pub(super) fn start(function: &Arc<Inner>, job: Job) -> Guest {
    let current = Current::of(&job.invocation);
    Box::pin(Metered::sharing(current, &function.share, run(Arc::clone(function), job)))
}

/// Runs the guest to its end.
async fn run(function: Arc<Inner>, job: Job) -> Ended {
    let Job { request, scheme, answer, invocation, reporter } = job;
    let _clock = function.engine.run_clock();
    // Whoever asked for a head alone is gone when it is there, and would take the look along.
    let places = function.places.as_ref().filter(|_| request.method() != http::Method::HEAD);
    let guest = answer_request(&function, request, scheme, answer, &invocation);
    // The time first: a guest that is late does not run for another slice.
    let result = tokio::select! {
        biased;
        () = passed(invocation.meter.wall_deadline()) => Err(Exhausted::Wall.into()),
        result = guest => result,
    };
    match result {
        Ok((ending, instance)) => {
            if let Some(places) = places {
                places.tend(invocation.meter.memory_peak()).await;
            }
            if matches!(ending, Ending::Answered) {
                function.keep(instance);
            }
            Ended::by_itself(reporter, ending)
        }
        Err(error) => Ended::failed(reporter, &error, &invocation),
    }
}

impl Ended {
    /// A guest that ended as it wanted to.
    pub(super) fn by_itself(reporter: Reporter, ending: Ending) -> Self {
        let (outcome, detail) = match ending {
            Ending::Answered => (Outcome::Ok, None),
            Ending::Failed(code) => (Outcome::GuestError, Some(code)),
            Ending::Invalid(why) => (Outcome::InvalidResponse, Some(why.to_owned())),
        };
        Self { reporter, outcome, detail }
    }

    /// A guest that the engine ended with `error`.
    pub(super) fn failed(reporter: Reporter, error: &wasmtime::Error, invocation: &Invocation) -> Self {
        Self { reporter, outcome: trap::classify(error, invocation), detail: Some(trap::describe(error)) }
    }
}

/// How it ended, with the instance as it then is.
async fn answer_request(
    function: &Arc<Inner>,
    request: http::Request<RequestBody>,
    scheme: Scheme,
    answer: oneshot::Sender<http::Response<WasiBody>>,
    invocation: &Arc<Invocation>,
) -> wasmtime::Result<(Ending, Instance)> {
    let spare = match &function.reuse {
        Reuse::Spare(spare) => spare.take(),
        Reuse::Never | Reuse::Shared(_) => None,
    };
    let mut instance = match spare {
        Some(mut instance) => {
            instance.store.data().begin(invocation);
            instance.store.set_epoch_deadline(EPOCHS_PER_SLICE);
            instance
        }
        None => instantiate(function, &Current::of(invocation)).await?,
    };
    // Declared behind the instance, so that it is dropped before it, however this ends.
    let writer = Writer::default();
    let store = &mut instance.store;
    let ending = match &instance.exports {
        Exports::P2(proxy) => handle_p2(store, proxy, request, &scheme, answer, &writer).await?,
        // On the heap: this future is larger than that of 0.2, and a guest of 0.2 would hold room for it.
        Exports::P3(service) => {
            Box::pin(handle_p3(store, service, with_scheme(request, scheme)?, answer, &writer)).await?
        }
    };
    writer.finish();
    Ok((ending, instance))
}

/// A fresh instance, which works for `current`.
async fn instantiate(function: &Inner, current: &Arc<Current>) -> wasmtime::Result<Instance> {
    loop {
        let made = instantiate_once(function, current).await;
        if !function.engine.has_made_place(&made) {
            return made;
        }
    }
}

async fn instantiate_once(function: &Inner, current: &Arc<Current>) -> wasmtime::Result<Instance> {
    let host = Host::new(&function.engine, &function.authority, current, Stdio::Log, &[])?;
    let mut store = host.into_store(&function.engine, function.handler.wasm())?;
    let exports = match &function.handler {
        Handler::P2(handler) => handler.instantiate_async(&mut store).await.map(Exports::P2),
        Handler::P3(handler) => handler.instantiate_async(&mut store).await.map(Exports::P3),
    };
    let exports = exports.map_err(|error| store.data().not_begun(error))?;
    Ok(Instance { store, exports, served: 0 })
}

async fn handle_p2(
    store: &mut Store<Host>,
    proxy: &p2::Proxy,
    request: http::Request<RequestBody>,
    scheme: &Scheme,
    answer: oneshot::Sender<http::Response<WasiBody>>,
    writer: &Writer,
) -> wasmtime::Result<Ending> {
    let watch = writer.watch();
    let scheme = if *scheme == Scheme::HTTPS { p2::http::types::Scheme::Https } else { p2::http::types::Scheme::Http };
    let (given, mut taken) = oneshot::channel();
    // The guest hands its answer over in the middle of the call; it is passed on at once, and what became of it is kept.
    let forward = move |said: Result<http::Response<WasiBody>, p2::http::types::ErrorCode>| {
        let ending = match said {
            Ok(response) => pass_on(response.map(|body| watch.over(body)), answer),
            Err(code) => Ending::Failed(format!("the guest answered with the error {code:?}")),
        };
        // The receiver lives as long as the call.
        let _ = given.send(ending);
    };
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let outparam = store.data_mut().http().new_response_outparam_from_callback(forward)?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, outparam).await?;
    Ok(taken.try_recv().unwrap_or(Ending::Invalid("the guest returned without an answer")))
}

async fn handle_p3(
    store: &mut Store<Host>,
    service: &p3_bindings::Service,
    request: http::Request<RequestBody>,
    answer: oneshot::Sender<http::Response<WasiBody>>,
    writer: &Writer,
) -> wasmtime::Result<Ending> {
    let (request, sent) = p3::Request::from_http(store.data_mut().http().hooks, request);
    store
        .run_concurrent(async |accessor| {
            let ending = match service.handle(accessor, request).await? {
                Ok(response) => {
                    let response = accessor.with(|mut store| response.into_http(&mut store, sent))?;
                    pass_on(response.map(|body| writer.watch().over(body)), answer)
                }
                Err(code) => Ending::Failed(format!("the guest answered with the error {code:?}")),
            };
            // The body is written by tasks of the guest that outlive the call.
            poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            Ok(ending)
        })
        .await?
}

/// Hands a checked response to whoever called.
pub(super) fn pass_on(response: http::Response<WasiBody>, answer: oneshot::Sender<http::Response<WasiBody>>) -> Ending {
    if response.status().is_informational() {
        return Ending::Invalid("the guest answered with an informational status (1xx), which is no answer");
    }
    match answer.send(response) {
        Ok(()) => Ending::Answered,
        // The caller left between two polls; the drop of this future is on its way.
        Err(_) => Ending::Invalid("the caller left before the answer"),
    }
}

/// 0.3 guests read scheme and authority from the request's target, which HTTP/1.1 leaves in the `host` header.
pub(super) fn with_scheme(
    mut request: http::Request<RequestBody>,
    scheme: Scheme,
) -> wasmtime::Result<http::Request<RequestBody>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if parts.authority.is_none()
        && let Some(host) = request.headers().get(http::header::HOST)
    {
        parts.authority = Some(http::uri::Authority::try_from(host.as_bytes())?);
    }
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    if parts.authority.is_some() {
        parts.scheme = Some(scheme);
    }
    *request.uri_mut() = http::Uri::from_parts(parts)?;
    Ok(request)
}
