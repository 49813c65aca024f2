//! One request, from its head to its answer.
//!
//! [`handle`] returns no error: whatever goes wrong becomes a response in one place. Its phases are those of
//! `docs/life-of-a-request.md`, one line each:
//!
//! 1. identify: the request's id, its trace, the client's address.
//! 2. check: what must hold of any request before it means anything.
//! 3. route: host, path and method to a component or a folder.
//! 4. admit: a permit of the component and one of the server, or 503.
//! 5. call: a fresh instance (or a reused one, where the manifest says so) under the component's limits; bodies stream.
//! 6. record: one line, one count.
//!
//! There is no phase that authorizes: what a component may touch is fixed in its authority when the app is loaded, and
//! who may call it is not restricted here. A phase that has nothing to decide would only look like protection.

use std::sync::Arc;

use coracle_runtime::Outcome;
use coracle_runtime::http::Call;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::admit::Permit;
use crate::app::{Component, Target};
use crate::body::{self, Body, Broken};
use crate::connection::Peer;
use crate::headers;
use crate::identify::{self, Identity};
use crate::record::Access;
use crate::response::{self, REQUEST_ID, ServeError};
use crate::route::Miss;
use crate::server::{InFlight, Server};

/// Answers one request.
pub(crate) async fn handle(server: Arc<Server>, peer: Arc<Peer>, mut request: Request<Incoming>) -> Response<Body> {
    let in_flight = InFlight::new(&server, &peer);
    let identity = Arc::new(Identity::establish(&mut request, &peer, &server.trusted));
    let access = Access::new(Arc::clone(&identity), server.metrics.clone());

    let result = answer(&server, &peer, &identity, &access, request).await;

    let error = result.as_ref().err().cloned();
    let mut response = result.unwrap_or_else(|error| response::from_error(&error, identity.id.as_str(), identity.json));
    response.headers_mut().insert(REQUEST_ID, identity.id.header());
    access.answered(response.status(), error.as_ref());
    response.map(|body| body.keep(in_flight))
}

async fn answer(
    server: &Server,
    peer: &Peer,
    identity: &Identity,
    access: &Access,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, ServeError> {
    let host = identify::check(&mut request, peer)?;
    let app = server.app.load_full();
    let route = match app.router.find(host.as_ref(), request.uri().path(), request.method()) {
        Ok(route) => route,
        Err(Miss::Options(allow)) => return Ok(options(allow)),
        Err(Miss::Method(allow)) => return Err(ServeError::MethodNotAllowed(allow)),
        Err(Miss::Path) => return Err(ServeError::NotFound),
    };
    access.routed(&route.label);
    match &route.target {
        Target::Files(folder) => {
            folder.serve(request.method(), &route.path, request.uri().path(), request.headers()).await
        }
        Target::Function(component) => {
            let permits = admit(server, component, &request).await?;
            call(component, permits, identity, access, request).await
        }
    }
}

/// The answer to `OPTIONS` where no component wants to give it.
fn options(allow: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

/// Lets the request in, or turns it away. The component's own gate comes first, so that a component that is overrun
/// does not fill the server's queue with requests that would then wait for it.
async fn admit(server: &Server, component: &Component, request: &Request<Incoming>) -> Result<[Permit; 2], ServeError> {
    let declared = hyper::body::Body::size_hint(request.body()).exact();
    if declared.is_some_and(|length| length > component.limits.request_body) {
        return Err(ServeError::BodyTooLarge);
    }
    let enter = async {
        let own = component.gate.enter().await?;
        let all = server.gate.enter().await?;
        // What is left is for guests that are inside already.
        if server.memory.has_room() { Ok([own, all]) } else { Err(crate::admit::Overload) }
    };
    enter.await.map_err(|_: crate::admit::Overload| {
        component.metrics.shed.inc();
        ServeError::Overload
    })
}

/// Runs the guest until it answers.
async fn call(
    component: &Arc<Component>,
    permits: [Permit; 2],
    identity: &Identity,
    access: &Access,
    request: Request<Incoming>,
) -> Result<Response<Body>, ServeError> {
    let method: Method = request.method().clone();
    let broken = Broken::default();
    let request = request.map(|incoming| body::inbound(incoming, component.limits.request_body, &broken));
    let call = Call {
        scheme: identity.scheme.clone(),
        traceparent: Some(identity.traceparent.clone()),
        logs: Some(access.guest_log(component)),
        observer: access.invocation(component, permits),
    };
    let called = component.function.call(request, call).await;
    // Whatever the guest made of half a body: the client is told what was wrong with it.
    if let Some(error) = broken.error() {
        return Err(error);
    }
    let mut response = called.map_err(|failure| ServeError::Guest(failure.outcome))?;
    if let Err(why) = headers::check_response(&mut response, &method) {
        tracing::warn!(
            request_id = identity.id.as_str(),
            component = &*component.name,
            why,
            "a response cannot be sent"
        );
        return Err(ServeError::Guest(Outcome::InvalidResponse));
    }
    Ok(response.map(Body::guest))
}
