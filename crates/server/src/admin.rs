//! What those who run the server ask it, on an address of its own: `/healthz`, `/readyz` and `/metrics`.
//!
//! The address is for the inside of a network: there is no TLS and nobody is asked who they are.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coracle_daemon::metrics;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::listener::{Accepted, Listener};
use crate::server::Server;

/// Connections to this address at one time.
///
/// Reason: a few probes and collectors; they must find a place, and have no reason to take many.
pub const MAX_CONNECTIONS: usize = 64;

/// How long a connection may take for a request's head, which includes the time between two requests.
///
/// Reason: longer than the usual interval of collectors, which is 15 to 60 s, would only hold a slot.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// Answers for ever.
pub(crate) async fn serve(server: &Arc<Server>, listener: Listener) {
    loop {
        let Accepted { stream, peer, slot } = listener.accept(|| ()).await;
        let server = Arc::clone(server);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&server, &request);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let ended = tokio::select! {
                ended = connection => ended,
                () = server.stop.cancelled() => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection to the admin address ended with an error");
            }
            drop(slot);
        });
    }
}

fn answer<B>(server: &Server, request: &Request<B>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" if server.drain.is_cancelled() => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        "/readyz" => text(StatusCode::OK, "ready\n"),
        "/metrics" => match server.metrics.registry.encode() {
            Ok(encoded) => {
                let mut response = Response::new(Full::from(encoded));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
                response
            }
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n")
            }
        },
        _ => text(StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
