//! Answers every request with a greeting.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct App;

wasip2::http::proxy::export!(App);

impl wasip2::exports::http::incoming_handler::Guest for App {
    fn handle(_request: IncomingRequest, answer: ResponseOutparam) {
        let headers = Fields::new();
        headers.set("content-type", &[b"text/plain".to_vec()]).expect("this header is allowed");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(answer, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        stream.blocking_write_and_flush(b"Hello from {{name}}!\n").expect("the client listens");
        drop(stream);
        OutgoingBody::finish(body, None).expect("the body is whole");
    }
}
