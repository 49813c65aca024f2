//! Answers every request with a greeting.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct App;

wasip3::http::service::export!(App);

impl wasip3::exports::http::handler::Guest for App {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())])
            .expect("this header is allowed");
        let (mut body, reader) = wit_stream::new();
        // What the future is worth when its writing end is dropped: there are no trailers.
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(reader), trailers);
        // The body is written while the response is on its way.
        wit_bindgen::spawn_local(async move {
            // What is left over when the client has gone is nobody's.
            body.write_all(b"Hello from {{name}}!\n".to_vec()).await;
        });
        Ok(response)
    }
}
