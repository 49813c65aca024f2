//! Guests that answer HTTP requests: `wasi:http/incoming-handler` 0.2 and `wasi:http/handler` 0.3.

mod body;
mod guest;
mod spare;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use coracle_package::manifest::Reuse;
use http::uri::Scheme;
use tokio::sync::oneshot;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::authority::Authority;
use crate::compile::Code;
use crate::engine::{Engine, EngineError};
use crate::host::Host;
use crate::invocation::{Invocation, Observer, Record, Reporter};
use crate::log::GuestLog;
use crate::meter::Metered;
use crate::outcome::Outcome;
use spare::Spare;

pub use body::{RequestBody, RequestBodyError, ResponseBody, ResponseBodyError};

/// Why a component cannot serve HTTP.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A core module has no HTTP interface.
    #[error("this is a core module, and only a component can answer HTTP requests")]
    Module,
    /// The component imports something that Coracle does not have.
    #[error("the component imports an interface that Coracle does not have")]
    Import(#[source] wasmtime::Error),
    /// The component exports neither handler.
    #[error("the component exports neither wasi:http/incoming-handler@0.2 nor wasi:http/handler@0.3")]
    NoHandler,
    /// Reuse with several requests at once needs an asynchronous (0.3) handler.
    #[error("a wasi:http 0.2 guest answers one request at a time: `reuse.concurrent` must be 1")]
    Concurrent,
    /// The engine itself.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What one call brings with it besides the request.
pub struct Call {
    /// The scheme by which the client came.
    pub scheme: Scheme,
    /// W3C trace context for the guest's own outbound requests.
    pub traceparent: Option<String>,
    /// Where the guest's output goes.
    pub logs: Option<Arc<dyn GuestLog>>,
    /// Told once how the invocation ended.
    pub observer: Box<dyn Observer>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How the invocation ended.
    pub outcome: Outcome,
    /// More about it for the log, never for the client.
    pub detail: String,
}

/// A component that answers HTTP requests, linked and ready. Clones share it.
#[derive(Clone)]
pub struct Function {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    handler: Handler,
    authority: Arc<Authority>,
    /// Instances kept for another invocation, where the manifest chose that.
    spare: Option<Spare>,
}

/// Which of the two interfaces the component exports.
enum Handler {
    /// `wasi:http/incoming-handler` 0.2.
    P2(ProxyPre<Host>),
    /// `wasi:http/handler` 0.3.
    P3(ServicePre<Host>),
}

impl Function {
    /// Links `code` to the host.
    ///
    /// # Errors
    /// When `code` is no component, imports what does not exist, or has no HTTP handler.
    pub fn new(
        engine: &Engine,
        code: &Code,
        authority: Arc<Authority>,
        reuse: Option<Reuse>,
    ) -> Result<Self, LinkError> {
        let Code::Component(component) = code else { return Err(LinkError::Module) };
        let instance = engine.linker()?.instantiate_pre(component).map_err(LinkError::Import)?;
        let handler = if let Ok(handler) = ProxyPre::new(instance.clone()) {
            Handler::P2(handler)
        } else if let Ok(handler) = ServicePre::new(instance) {
            Handler::P3(handler)
        } else {
            return Err(LinkError::NoHandler);
        };
        if matches!(handler, Handler::P2(_)) && reuse.is_some_and(|reuse| reuse.concurrent.get() > 1) {
            return Err(LinkError::Concurrent);
        }
        let spare = reuse.map(Spare::new);
        Ok(Self { inner: Arc::new(Inner { engine: engine.clone(), handler, authority, spare }) })
    }

    /// Answers one request: in a fresh instance, or in a spare one where the manifest chose reuse.
    ///
    /// The guest runs inside the caller's future until it answers, and in a task of its own for what it still does then.
    /// Dropping the future, or the response's body before its end, cancels the guest.
    ///
    /// # Errors
    /// [`Failure`] when the guest ended without an answer.
    pub async fn call(
        &self,
        request: http::Request<RequestBody>,
        call: Call,
    ) -> Result<http::Response<ResponseBody>, Failure> {
        let Call { scheme, traceparent, logs, observer } = call;
        let invocation = Arc::new(Invocation::new(&self.inner.authority.limits, logs, traceparent));
        let reporter = Reporter::new(Arc::clone(&invocation), observer);
        let (answer, mut answered) = oneshot::channel();
        let guest = guest::run(Arc::clone(&self.inner), request, scheme, answer, Arc::clone(&invocation), reporter);
        let mut guest: Pin<Box<dyn Future<Output = Option<Record>> + Send>> = Box::pin(Metered::new(invocation, guest));

        let mut ended = None;
        let answer = poll_fn(|context| {
            if ended.is_none()
                && let Poll::Ready(record) = guest.as_mut().poll(context)
            {
                ended = Some(record);
            }
            match Pin::new(&mut answered).poll(context) {
                Poll::Ready(Err(_)) if ended.is_none() => Poll::Pending,
                answer => answer,
            }
        })
        .await;

        match (answer, ended) {
            (Ok(response), Some(_)) => Ok(response.map(ResponseBody::finished)),
            (Ok(response), None) => {
                let guest = tokio::spawn(guest);
                Ok(response.map(|body| ResponseBody::streaming(body, guest)))
            }
            (Err(_), ended) => Err(failure(ended.flatten())),
        }
    }
}

fn failure(ended: Option<Record>) -> Failure {
    match ended {
        Some(record) => Failure { outcome: record.outcome, detail: record.detail.unwrap_or_default() },
        None => Failure { outcome: Outcome::HostError, detail: "the host panicked in this invocation".into() },
    }
}
