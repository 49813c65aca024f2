//! Answers every request with a greeting, by `wasi:http/handler` 0.3.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Hello;

wasip3::http::service::export!(Hello);

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())])
            .expect("a response may say its type");
        let (mut body, reader) = wit_stream::new();
        let (no_trailers, trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(reader), trailers);
        drop(no_trailers);
        wit_bindgen::spawn_local(async move {
            // What is left over when the client has gone is nobody's.
            body.write_all(b"Hello from Rust!\n".to_vec()).await;
        });
        Ok(response)
    }
}
