//! Streams the body of a request back, trailers included, while it still arrives.

use wasip2::http::types::{
    Fields, FutureTrailers, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::StreamError;

/// Bytes passed on in one step: more costs memory in the host, less costs calls.
const STEP: u64 = 64 * 1024;

/// What is said about the body goes back with it. A client of HTTP/1.1 gets only trailers that were announced.
const KEPT_HEADERS: [&str; 4] = ["content-type", "content-encoding", "content-length", "trailer"];

struct Echo;

wasip2::http::proxy::export!(Echo);

impl wasip2::exports::http::incoming_handler::Guest for Echo {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let received = request.headers();
        let headers = Fields::new();
        for name in KEPT_HEADERS {
            headers.set(name, &received.get(name)).expect("what came in a request may go in a response");
        }
        let response = OutgoingResponse::new(headers);
        let sent = response.body().expect("nobody took the body before");
        ResponseOutparam::set(answer, Ok(response));

        let body = request.consume().expect("nobody took the body before");
        let input = body.stream().expect("nobody took the stream before");
        let output = sent.write().expect("nobody took the stream before");
        loop {
            match output.blocking_splice(&input, STEP) {
                Ok(_) => {}
                Err(StreamError::Closed) => break,
                // Nothing more can be said: the response has begun. Leaving it unfinished tells the client.
                Err(StreamError::LastOperationFailed(_)) => return,
            }
        }
        drop((input, output));
        let trailers = trailers(&IncomingBody::finish(body));
        // A client that left needs no end of the body.
        let _ = OutgoingBody::finish(sent, trailers);
    }
}

/// Waits for what follows the body.
fn trailers(future: &FutureTrailers) -> Option<Fields> {
    future.subscribe().block();
    future.get()?.ok()?.ok()?
}
