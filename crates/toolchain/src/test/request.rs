//! One request, on a connection of its own.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::case::Request;
use super::check;

/// Sends the request of a case whose file lies in `folder`, and reads the answer to its end.
pub(super) async fn send(address: SocketAddr, request: &Request, folder: &Path) -> Result<Response<Bytes>, String> {
    let body = match (&request.body, &request.body_file) {
        (_, Some(file)) => check::read(folder, file)?,
        (Some(text), None) => text.clone().into_bytes(),
        (None, None) => Vec::new(),
    };
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(&request.path);
    if !request.headers.keys().any(|name| name.eq_ignore_ascii_case("host")) {
        builder = builder.header("host", address.to_string());
    }
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let built = builder.body(Full::new(Bytes::from(body))).map_err(|error| format!("it is no request: {error}"))?;

    let failed = |error: &dyn std::error::Error| format!("there was no answer: {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends with its sender; what goes wrong with it is told there.
    tokio::spawn(connection);
    let answer = sender.send_request(built).await.map_err(|error| failed(&error))?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| format!("the answer broke off: {error}"))?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
