//! The server over real sockets, byte by byte, with an app of static files: what needs no guest.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

mod running;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use coracle_runtime::compile::Compiler;
use coracle_server::{Bound, Config, Report, ServerError, Source, TlsFiles};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use running::{SOON, TIMEOUTS, any_port, exchange, get, read_to_end, start, status, write_manifest};

#[tokio::test]
async fn files_and_errors_over_http1() {
    let running = start(|_| {}).await;
    let answer = get(running.address, "/f/a.txt").await;
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("x-request-id: ") && answer.ends_with("first"), "{answer}");
    assert_eq!(status(&get(running.address, "/nothing").await), 404);
    assert_eq!(status(&get(running.address, "/f/../f/a.txt").await), 400);

    let ask =
        |method: &str, more: &str| format!("{method} /f/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n");
    let answer = exchange(running.address, &ask("POST", "Accept: application/json\r\n")).await;
    assert_eq!(status(&answer), 405);
    assert!(answer.contains("allow: GET, HEAD, OPTIONS\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    let answer = exchange(running.address, &ask("OPTIONS", "")).await;
    assert_eq!(status(&answer), 204);
    assert!(answer.contains("allow: GET, HEAD, OPTIONS\r\n"), "{answer}");
    let answer = exchange(running.address, &ask("HEAD", "")).await;
    assert!(answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(status(&exchange(running.address, &ask("TRACE", "")).await), 501);
}

/// Reason: a proxy in front that reads these otherwise could be made to smuggle a request past its own rules.
#[tokio::test]
async fn ambiguous_requests_are_refused_and_the_connection_closed() {
    let running = start(|_| {}).await;
    let good = "GET /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    for (bad, expected) in [
        ("POST /f/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET /f/a.txt HTTP/1.1\nHost: a\n\n", 400),
        ("GET /f/a.txt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET http://b/f/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET /f/a.txt HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400),
        ("GET /f/a.txt HTTP/3.1\r\nHost: a\r\n\r\n", 505),
    ] {
        let answer = exchange(running.address, &[good, bad, good].concat()).await;
        assert_eq!(status(&answer), 200, "{bad:?}: {answer}");
        let second = &answer[answer.find("first").expect("the good one is answered") + "first".len()..];
        assert_eq!(status(second), expected, "{bad:?}: {answer}");
        assert!(second.contains("x-request-id: ") && second.contains("connection: close\r\n"), "{answer}");
        assert_eq!(answer.matches("\r\nx-request-id: ").count(), 2, "nothing behind a bad request is read: {answer}");
    }
    let long = format!("GET /f/a.txt HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "b".repeat(40_000));
    assert_eq!(status(&exchange(running.address, &long).await), 431);
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "b".repeat(9_000));
    assert_eq!(status(&exchange(running.address, &long).await), 414);
}

#[tokio::test]
async fn slow_and_silent_clients_are_let_go() {
    let running = start(|_| {}).await;
    let started = Instant::now();
    let answer = exchange(running.address, "GET /f/a.txt HTTP/1.1\r\nHost").await;
    assert_eq!(status(&answer), 408, "{answer}");
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, "");
    let kept = exchange(running.address, "GET /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&kept), 200, "an idle connection is closed after its answer: {kept}");
    assert!(started.elapsed() < SOON);
}

#[tokio::test]
async fn a_connection_that_has_begun_a_head_is_not_idle() {
    let running = start(|config| config.timeouts.idle = TIMEOUTS.head / 5).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /f/a.txt HTTP/1.1\r\nHost").await.unwrap();
    let answers = read_to_end(&mut stream).await;
    assert_eq!(status(&answers), 200, "{answers}");
    assert!(answers.contains("HTTP/1.1 408 "), "the second is told why it was not answered: {answers}");
}

#[tokio::test]
async fn both_versions_are_spoken_with_and_without_tls() {
    let certificate = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: certificate.path().join("c.pem"), key: certificate.path().join("k.pem") };
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    std::fs::write(&files.certificate, pair.cert.pem()).unwrap();
    std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
    let plain = start(|_| {}).await;
    let secure = start(|config| config.tls = Some(files)).await;

    let stream = TcpStream::connect(plain.address).await.unwrap();
    assert_eq!(get_http2(stream, "http").await, "first");

    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    for protocol in ["h2", "http/1.1"] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(secure.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        if protocol == "h2" {
            assert_eq!(get_http2(stream, "https").await, "first");
        } else {
            stream.write_all(b"GET /f/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(status(&answer), 200);
        }
    }

    let mut no_tls = TcpStream::connect(secure.address).await.unwrap();
    no_tls.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(SOON, no_tls.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(!answer.starts_with(b"HTTP"));
}

async fn get_http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, scheme: &str) -> String {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::builder().uri(format!("{scheme}://localhost/f/a.txt"));
    let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    String::from_utf8(response.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn the_operator_sees_health_and_numbers() {
    let running = start(|_| {}).await;
    get(running.address, "/f/a.txt").await;
    assert_eq!(status(&get(running.admin, "/healthz").await), 200);
    assert_eq!(status(&get(running.admin, "/readyz").await), 200);
    let metrics = get(running.admin, "/metrics").await;
    assert!(metrics.contains("coracle_http_requests_total{status=\"2xx\"} 1\n"), "{metrics}");
    assert!(metrics.contains("coracle_http_requests_in_flight 0\n"), "{metrics}");
    assert_eq!(status(&get(running.admin, "/nothing").await), 404);
}

#[tokio::test]
async fn the_end_closes_idle_connections_at_once_and_refuses_new_ones() {
    let mut timeouts = TIMEOUTS;
    timeouts.idle = Duration::from_secs(60);
    let running = start(|config| config.timeouts = timeouts).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 64];
    idle.read_exact(&mut first).await.unwrap();
    let started = Instant::now();
    running.shutdown.request();
    read_to_end(&mut idle).await;
    let report = tokio::time::timeout(SOON, running.server).await.unwrap().unwrap();
    assert_eq!(report, Report { cancelled: 0 });
    assert!(started.elapsed() < Duration::from_secs(4), "idle connections are not waited for");
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_new_version_takes_over_and_a_broken_one_does_not() {
    let running = start(|config| config.watch = true).await;
    assert!(get(running.address, "/f/a.txt").await.ends_with("first"));
    write_manifest(running.place.path(), "missing");
    let failed = "coracle_reloads_total{result=\"failed\"} 1\n";
    until(async || get(running.admin, "/metrics").await.contains(failed)).await;
    assert!(get(running.address, "/f/a.txt").await.ends_with("first"));
    write_manifest(running.place.path(), "two");
    until(async || get(running.address, "/f/a.txt").await.ends_with("second")).await;
}

async fn until(condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it comes to pass");
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("gone.wasm"), "no component").unwrap();
    let text = "[app]\nname = \"wrong\"\n[variables]\nneeded = {}\n[secrets]\nhidden = { env = \"UNSET\" }\n\
                [component.gone]\nsource = \"gone.wasm\"\ngrants = { env-from-host = [\"UNSET_TOO\"], variables = { a = { variable = \"needed\" }, b = { secret = \"hidden\" } } }\n\
                [[route]]\npath = \"/\"\ncomponent = \"gone\"\n";
    std::fs::write(place.path().join("coracle.toml"), text).unwrap();
    let mut config = Config::new(Source::at(place.path()), any_port(), Compiler::InProcess);
    config.variables.insert("unknown".into(), "x".into());
    let key = place.path().join("none.pem");
    config.tls = Some(TlsFiles { certificate: key.clone(), key });
    let Err(ServerError::Config(problems)) = Bound::new(config).await else { panic!("it starts") };
    let all = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for part in ["`unknown`", "`needed`", "variable UNSET ", "variable UNSET_TOO", "gone.wasm", "none.pem"] {
        assert!(all.contains(part), "{part} is missing from:\n{all}");
    }
    assert_eq!(problems.len(), 6, "{all}");
}

/// Reason: streams that are held open cost a place each, and a client that takes nothing would hold them for an hour.
#[tokio::test]
async fn an_http2_client_that_takes_nothing_is_given_up() {
    let running = start(|_| {}).await;
    std::fs::write(running.place.path().join("one/large.txt"), vec![b'x'; 1 << 20]).unwrap();
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1_000)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let ended = tokio::spawn(connection);
    let request = http::Request::builder().uri("http://localhost/f/large.txt").body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let _ = tokio::time::timeout(SOON, ended).await.expect("the connection is ended");
    assert!(response.collect().await.is_err(), "and the answer is not taken for whole");
}

/// Reason: whoever opens connections first could keep all others out.
#[tokio::test]
async fn idle_connections_make_room_for_others() {
    let mut timeouts = TIMEOUTS;
    timeouts.idle = Duration::from_secs(600);
    let running = start(|config| {
        config.timeouts = timeouts;
        config.max_connections = 4;
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut kept = TcpStream::connect(running.address).await.unwrap();
        kept.write_all(b"GET /f/a.txt HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        kept.read_exact(&mut [0; 64]).await.unwrap();
        idle.extend([kept, TcpStream::connect(running.address).await.unwrap()]);
    }
    for _ in 0..3 {
        let answer = tokio::time::timeout(SOON, get(running.address, "/f/a.txt")).await.expect("there is room");
        assert_eq!(status(&answer), 200);
    }
    let metrics = get(running.admin, "/metrics").await;
    assert!(metrics.contains("coracle_connections_evicted_total 1\n"), "one was enough: {metrics}");
}
