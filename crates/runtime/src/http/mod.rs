//! Guests that answer HTTP requests: `wasi:http/incoming-handler` 0.2 and `wasi:http/handler` 0.3.

mod body;
mod driven;
mod gathered;
mod guest;
mod shared;
mod spare;
mod writer;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use coracle_package::manifest;
use http::uri::Scheme;
use tokio::sync::oneshot;
use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::authority::Authority;
use crate::compile::Code;
use crate::engine::{Engine, EngineError};
use crate::host::Host;
use crate::invocation::{Invocation, Observer, Record, Reporter};
use crate::log::GuestLog;
use crate::outcome::Outcome;
use crate::places::Places;
use crate::turn::Share;
use crate::wired::{Import, WireError, link};
use body::Fate;
use shared::Shared;
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
    /// It cannot be wired to those that provide for it.
    #[error(transparent)]
    Wire(WireError),
    /// The engine itself.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<WireError> for LinkError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Engine(error) => Self::Engine(error),
            error => Self::Wire(error),
        }
    }
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
    reuse: Reuse,
    /// What its instances leave behind, where each has a fresh one after it.
    places: Option<Arc<Places>>,
    /// Its share of the processors.
    share: Arc<Share>,
}

/// How often an instance is used, as the manifest chose.
enum Reuse {
    /// Once.
    Never,
    /// For one invocation after the other.
    Spare(Spare),
    /// For several at once.
    Shared(Shared),
}

/// Which of the two interfaces the component exports.
enum Handler {
    /// `wasi:http/incoming-handler` 0.2.
    P2(ProxyPre<Host>),
    /// `wasi:http/handler` 0.3.
    P3(ServicePre<Host>),
}

impl Handler {
    /// The engine of its code.
    fn wasm(&self) -> &wasmtime::Engine {
        match self {
            Self::P2(handler) => handler.engine(),
            Self::P3(handler) => handler.engine(),
        }
    }
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
        reuse: Option<manifest::Reuse>,
    ) -> Result<Self, LinkError> {
        let Code::Component(component) = code else { return Err(LinkError::Module) };
        Self::linked(engine, component, &engine.linker_for(component)?, authority, reuse)
    }

    /// Links `code`, whose name in the app is `name`, to the host and to those that provide for it. Its instances are not
    /// used again: those of its providers would have to be kept too, with what they remember.
    ///
    /// # Errors
    /// As for [`Function::new`], and when it passes to another component what cannot cross.
    pub fn wired(
        engine: &Engine,
        name: &str,
        code: &Code,
        authority: Arc<Authority>,
        imports: &[Import],
    ) -> Result<Self, LinkError> {
        let Code::Component(component) = code else { return Err(LinkError::Module) };
        let linker = link(engine, name, component, imports)?;
        Self::linked(engine, component, &linker, authority, None)
    }

    fn linked(
        engine: &Engine,
        component: &Component,
        linker: &Linker<Host>,
        authority: Arc<Authority>,
        reuse: Option<manifest::Reuse>,
    ) -> Result<Self, LinkError> {
        let instance = linker.instantiate_pre(component).map_err(LinkError::Import)?;
        let handler = if let Ok(handler) = ProxyPre::new(instance.clone()) {
            Handler::P2(handler)
        } else if let Ok(handler) = ServicePre::new(instance) {
            Handler::P3(handler)
        } else {
            return Err(LinkError::NoHandler);
        };
        let places = if reuse.is_none() { Places::of(engine, component) } else { None };
        let reuse = match (reuse, &handler) {
            (None, _) => Reuse::Never,
            (Some(reuse), _) if reuse.concurrent.get() == 1 => Reuse::Spare(Spare::new(reuse, engine.budget())),
            (Some(reuse), Handler::P3(service)) => Reuse::Shared(Shared::new(reuse, service.clone())),
            (Some(_), Handler::P2(_)) => return Err(LinkError::Concurrent),
        };
        let share = engine.turns().share(authority.limits.weight);
        Ok(Self { inner: Arc::new(Inner { engine: engine.clone(), handler, authority, reuse, places, share }) })
    }

    /// Answers one request: in a fresh instance, or in one that is used again where the manifest chose that.
    ///
    /// The guest runs inside the caller's future until it answers, and in a task of its own for what it still does then.
    /// Dropping the future, or the response's body before its end, cancels the guest; of an instance that answers several,
    /// only the call.
    ///
    /// # Errors
    /// [`Failure`] when the guest ended without an answer that can be sent.
    pub async fn call(
        &self,
        request: http::Request<RequestBody>,
        call: Call,
    ) -> Result<http::Response<ResponseBody>, Failure> {
        let Call { scheme, traceparent, logs, observer } = call;
        let invocation = Arc::new(Invocation::new(&self.inner.authority.limits, logs, traceparent));
        let reporter = Reporter::new(Arc::clone(&invocation), observer);
        let bodiless = request.method() == http::Method::HEAD;
        let (answer, mut answered) = oneshot::channel();
        let job = Job { request, scheme, answer, invocation, reporter };
        let mut guest = match &self.inner.reuse {
            Reuse::Shared(shared) => shared.call(&self.inner, job),
            Reuse::Never | Reuse::Spare(_) => guest::start(&self.inner, job),
        };

        let mut ended = None;
        let answer = poll_fn(|context| {
            if ended.is_none()
                && let Poll::Ready(end) = guest.as_mut().poll(context)
            {
                ended = Some(end);
            }
            match Pin::new(&mut answered).poll(context) {
                Poll::Ready(Err(_)) if ended.is_none() => Poll::Pending,
                answer => answer,
            }
        })
        .await;

        match (answer, ended) {
            (Ok(response), None) => {
                let (fate, told) = oneshot::channel();
                let guest = tokio::spawn(report(guest, told));
                let promised = content_length(&response);
                Ok(response.map(|body| ResponseBody::streaming(body, promised, &guest, fate)))
            }
            (Ok(response), Some(Some(ended))) => whole(response, ended, bodiless),
            (Err(_), Some(Some(ended))) => Err(failure(ended.invalid("the guest ended without an answer"))),
            (_, None | Some(None)) => {
                Err(Failure { outcome: Outcome::HostError, detail: "the host panicked in this invocation".into() })
            }
        }
    }
}

/// One request on its way to an instance.
struct Job {
    request: http::Request<RequestBody>,
    scheme: Scheme,
    /// Where the head of the answer goes as soon as the guest gives it.
    answer: oneshot::Sender<http::Response<WasiBody>>,
    invocation: Arc<Invocation>,
    reporter: Reporter,
}

/// A guest at work on one request. It ends with nothing when the host panicked; dropped before its end, it is cancelled.
type Guest = Pin<Box<dyn Future<Output = Option<Ended>> + Send>>;

/// How a guest ended. It is reported when what became of its answer is known too; dropped before that, it was cancelled.
struct Ended {
    reporter: Reporter,
    outcome: Outcome,
    detail: Option<String>,
}

impl Ended {
    /// A guest that ended well, but without an answer that can be sent.
    fn invalid(mut self, why: &'static str) -> Self {
        if self.outcome == Outcome::Ok {
            self.outcome = Outcome::InvalidResponse;
            self.detail = Some(why.to_owned());
        }
        self
    }

    fn report(self) -> Record {
        self.reporter.end(self.outcome, self.detail)
    }
}

/// The answer of a guest that has ended: all of it is there, or it will never be.
///
/// An answer to HEAD (`bodiless`) may promise the length of a body that is not sent.
fn whole(
    response: http::Response<WasiBody>,
    ended: Ended,
    bodiless: bool,
) -> Result<http::Response<ResponseBody>, Failure> {
    let (head, body) = response.into_parts();
    let body = if bodiless { WasiBody::default() } else { body };
    match ResponseBody::whole(body) {
        Ok(body) => {
            ended.report();
            Ok(http::Response::from_parts(head, body))
        }
        Err(why) => Err(failure(ended.invalid(why))),
    }
}

/// Runs a guest that goes on after the head of its answer, and reports it when it has ended and its body has been read.
async fn report(guest: Guest, told: oneshot::Receiver<Fate>) {
    let Some(ended) = guest.await else { return };
    if ended.outcome != Outcome::Ok {
        ended.report();
        return;
    }
    match told.await {
        Ok(Fate::Whole) => ended.report(),
        Ok(Fate::Broken) => ended.invalid("the guest left its answer unfinished").report(),
        // Nobody reads on: the end is reported as cancelled.
        Err(_) => return,
    };
}

fn content_length(response: &http::Response<WasiBody>) -> Option<u64> {
    response.headers().get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn failure(ended: Ended) -> Failure {
    let record = ended.report();
    Failure { outcome: record.outcome, detail: record.detail.unwrap_or_default() }
}
