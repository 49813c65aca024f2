//! Shows tests what one instance does for several requests at once, by `wasi:http/handler` 0.3. `/` lists its paths.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use wasip3::clocks::monotonic_clock;
use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::rt::async_support::StreamReader;
use wasip3::{wit_bindgen, wit_future, wit_stream};

const PATHS: &str = "\
/count         how many requests this instance has been given
/wait?N        answers after N milliseconds
/later?N       answers at once, and works on for N milliseconds after its body
/echo          the request's body
/say?TEXT      logs a line
/fill?N        writes N bytes to the file `p3` of the first granted folder, and says how that ended
/spin          loops for ever
/trap          executes an unreachable instruction
";

static GIVEN: AtomicU32 = AtomicU32::new(0);

struct Probe;

wasip3::http::service::export!(Probe);

impl wasip3::exports::http::handler::Guest for Probe {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let given = GIVEN.fetch_add(1, Relaxed) + 1;
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let milliseconds = query.parse::<u64>().unwrap_or(0);
        // What follows the last slash, so that the probe can be mounted anywhere.
        match path.rsplit('/').next().unwrap_or_default() {
            "" => Ok(text(PATHS.to_owned())),
            "count" => Ok(text(format!("{given}\n"))),
            "wait" => {
                monotonic_clock::wait_for(milliseconds * 1_000_000).await;
                Ok(text(format!("{given} waited\n")))
            }
            "later" => {
                wit_bindgen::spawn_local(async move { monotonic_clock::wait_for(milliseconds * 1_000_000).await });
                Ok(text("now\n".to_owned()))
            }
            "echo" => {
                let (done, result) = wit_future::new(|| Ok(()));
                let (body, _trailers) = Request::consume_body(request, result);
                drop(done);
                Ok(respond(body))
            }
            "say" => {
                eprintln!("{query}");
                Ok(text("said\n".to_owned()))
            }
            "fill" => Ok(text(fill(query.parse().unwrap_or(0)).await)),
            "spin" => loop {
                std::hint::spin_loop();
            },
            "trap" => core::arch::wasm32::unreachable(),
            unknown => Ok(text(format!("the probe knows no {unknown}\n"))),
        }
    }
}

/// Writes by a stream, as far as that goes.
async fn fill(count: usize) -> String {
    let Some((folder, _)) = get_directories().into_iter().next() else { return "no folder\n".to_owned() };
    let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    match folder.open_at(PathFlags::empty(), "p3".to_owned(), flags, DescriptorFlags::WRITE).await {
        Err(code) => format!("{code:?}\n"),
        Ok(file) => {
            let (mut bytes, reader) = wit_stream::new();
            let written = file.write_via_stream(reader, 0);
            let left = bytes.write_all(vec![b'x'; count]).await.len();
            drop(bytes);
            format!("{} bytes, {:?}\n", count - left, written.await)
        }
    }
}

fn text(text: String) -> Response {
    let (mut body, reader) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        // What is left over when the client has gone is nobody's.
        body.write_all(text.into_bytes()).await;
    });
    respond(reader)
}

fn respond(body: StreamReader<u8>) -> Response {
    let headers =
        Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]).expect("a response may say its type");
    let (no_trailers, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(headers, Some(body), trailers);
    drop(no_trailers);
    response
}
