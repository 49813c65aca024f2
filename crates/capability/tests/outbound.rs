//! The client against real servers.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

mod http_server;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use coracle_capability::net::{Class, Reason};
use coracle_capability::outbound::{BoxError, Client, MAX_CONNECTIONS, Options, OutboundError, ResponseBody};
use futures_util::future::join_all;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Channel, Empty};
use http_server::{Body, Identity, Server, client, full, trusting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const LOOPBACK: &[&str] = &["127.0.0.1/32"];

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(full("")).unwrap()
}

async fn send(client: &Client, request: Request<Body>) -> Result<Response<ResponseBody>, OutboundError> {
    client.send(request, Options::default()).await
}

async fn text(response: Response<ResponseBody>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Answers with the method, the target, the version, the host and the body.
async fn echo(request: Request<hyper::body::Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host").map_or("-", |host| host.to_str().unwrap()).to_owned();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Response::new(full(format!("{} {} {:?} {host} {body}", head.method, head.uri, head.version)))
}

/// A server that answers every connection with these bytes, whatever it is asked, and then waits or closes.
async fn raw(answer: &'static [u8], close: bool) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _read = stream.read(&mut head).await.unwrap();
                stream.write_all(answer).await.unwrap();
                if !close {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_request_reaches_the_server_as_it_was_meant() {
    let server = Server::http(echo).await;
    let uri = format!("http://127.0.0.1:{}/a/b?c=d", server.port());
    let request = Request::post(&uri)
        .header("host", "evil.example")
        .header("connection", "x-secret")
        .header("te", "trailers")
        .body(full("body"))
        .unwrap();
    let response = send(&client(LOOPBACK), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, format!("POST /a/b?c=d HTTP/1.1 127.0.0.1:{} body", server.port()));
}

#[tokio::test]
async fn localhost_is_reached_without_a_look_up() {
    let server = Server::http(echo).await;
    let response = send(&client(&["localhost"]), get(&format!("http://LOCALHOST:{}", server.port()))).await.unwrap();
    assert_eq!(text(response).await, format!("GET / HTTP/1.1 LOCALHOST:{} ", server.port()));
}

#[tokio::test]
async fn what_is_not_granted_is_not_connected_to() {
    let server = Server::http(echo).await;
    let port = server.port();
    for hosts in [&[][..], &["example.com"], &["127.0.0.2/32"], &["0.0.0.0/0", "::/0"]] {
        for host in ["127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"] {
            let error = send(&client(hosts), get(&format!("http://{host}:{port}/"))).await.unwrap_err();
            assert!(matches!(error, OutboundError::Refused(_)), "{hosts:?} {host}: {error:?}");
        }
    }
    assert_eq!(server.accepted(), 0);
}

/// A name beside `localhost` that this machine knows and that does not lead to the public internet.
#[cfg(unix)]
fn local_name() -> String {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
    let mut names = hosts.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        (coracle_capability::net::classify(address) != Class::Public).then_some(words.map(str::to_owned))
    });
    names.find_map(|mut names| names.find(|name| name != "localhost")).expect("/etc/hosts names no local host")
}

#[cfg(unix)]
#[tokio::test]
async fn a_granted_name_that_resolves_to_a_private_address_is_refused() {
    let name = local_name();
    let server = Server::http(echo).await;
    let uri = format!("http://{name}:{}/", server.port());
    let error = send(&client(&[&name]), get(&uri)).await.unwrap_err();
    let OutboundError::Refused(refused) = &error else { panic!("{error:?}") };
    assert!(matches!(refused.reason, Reason::NotPublic(..)), "{refused}");
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn connections_are_used_again_and_only_by_their_client() {
    let server = Server::http(echo).await;
    let uri = format!("http://127.0.0.1:{}/", server.port());
    let one = client(LOOPBACK);
    for _ in 0..10 {
        text(send(&one, get(&uri)).await.unwrap()).await;
    }
    assert_eq!(server.accepted(), 1);
    text(send(&client(LOOPBACK), get(&uri)).await.unwrap()).await;
    assert_eq!(server.accepted(), 2);
    // A body that is dropped half way takes its connection with it.
    drop(send(&one, get(&uri)).await.unwrap());
    text(send(&one, get(&uri)).await.unwrap()).await;
    assert!(server.accepted() <= 3);
}

#[tokio::test]
async fn busy_connections_are_not_shared() {
    let server = Server::http(|_| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Response::new(full("late"))
    })
    .await;
    let uri = format!("http://127.0.0.1:{}/", server.port());
    let client = client(LOOPBACK);
    for _ in 0..2 {
        let sent = join_all((0..5).map(|_| async { text(send(&client, get(&uri)).await.unwrap()).await })).await;
        assert_eq!(sent, ["late"; 5]);
    }
    assert_eq!(server.accepted(), 5);
}

#[tokio::test]
async fn requests_beyond_the_last_connection_wait_for_one() {
    let slow = Server::http(|_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Response::new(full("late"))
    })
    .await;
    let other = Server::http(echo).await;
    let client = client(LOOPBACK);
    let started = Instant::now();
    let to_slow = (0..MAX_CONNECTIONS + 50).map(|_| format!("http://127.0.0.1:{}/", slow.port()));
    let to_other = (0..10).map(|_| format!("http://127.0.0.1:{}/", other.port()));
    let sent = join_all(to_slow.chain(to_other).map(|uri| {
        let client = &client;
        async move { text(send(client, get(&uri)).await.unwrap()).await }
    }));
    assert_eq!(sent.await.len(), MAX_CONNECTIONS + 60);
    // Far less than the time after which idle connections are closed, or waiting ends.
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let port = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true).await;
    let client = client(LOOPBACK);
    for _ in 0..20 {
        let response = send(&client, get(&format!("http://127.0.0.1:{port}/"))).await.unwrap();
        assert_eq!(text(response).await, "ok");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn http2_carries_many_requests_on_one_connection() {
    let identity = Identity::new(&["localhost"]);
    let server = Server::https(&identity, &[b"h2", b"http/1.1"], echo).await;
    let client = trusting(&["localhost"], &identity.trust());
    let uri = format!("https://localhost:{}/x", server.port());
    let first = text(send(&client, get(&uri)).await.unwrap()).await;
    assert_eq!(first, format!("GET https://localhost:{}/x HTTP/2.0 - ", server.port()));
    let sent = join_all((0..50).map(|_| async { text(send(&client, get(&uri)).await.unwrap()).await })).await;
    assert!(sent.iter().all(|text| *text == first));
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn http1_is_spoken_where_the_server_has_no_other() {
    let identity = Identity::new(&["localhost", "127.0.0.1"]);
    let trust = identity.trust();
    for protocols in [&[b"http/1.1".as_slice()][..], &[]] {
        let server = Server::https(&identity, protocols, echo).await;
        for host in ["localhost", "127.0.0.1"] {
            let uri = format!("https://{host}:{}/", server.port());
            let response = send(&trusting(LOOPBACK, &trust), get(&uri)).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_11);
            assert_eq!(text(response).await, format!("GET / HTTP/1.1 {host}:{} ", server.port()));
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_is_not_trusted() {
    let identity = Identity::new(&["other.example"]);
    let server = Server::https(&identity, &[], echo).await;
    let uri = format!("https://localhost:{}/", server.port());
    let unknown = send(&client(LOOPBACK), get(&uri)).await.unwrap_err();
    assert!(matches!(unknown, OutboundError::TlsCertificateError(_)), "{unknown:?}");
    let other_name = send(&trusting(LOOPBACK, &identity.trust()), get(&uri)).await.unwrap_err();
    assert!(matches!(other_name, OutboundError::TlsCertificateError(_)), "{other_name:?}");
    let plain = Server::http(echo).await;
    let no_tls = send(&client(LOOPBACK), get(&format!("https://localhost:{}/", plain.port()))).await.unwrap_err();
    assert!(matches!(no_tls, OutboundError::TlsProtocolError(_)), "{no_tls:?}");
}

#[tokio::test]
async fn each_step_has_its_timeout() {
    let short = Duration::from_millis(100);
    let client = client(LOOPBACK);
    let started = Instant::now();

    let silent = raw(b"", false).await;
    let options = Options { connect_timeout: short, ..Options::default() };
    let error = client.send(get(&format!("https://127.0.0.1:{silent}/")), options).await.unwrap_err();
    assert!(matches!(error, OutboundError::ConnectionTimeout), "{error:?}");

    let options = Options { first_byte_timeout: short, ..Options::default() };
    let error = client.send(get(&format!("http://127.0.0.1:{silent}/")), options).await.unwrap_err();
    assert!(matches!(error, OutboundError::ResponseTimeout), "{error:?}");

    let stalls = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false).await;
    let options = Options { between_bytes_timeout: short, ..Options::default() };
    let response = client.send(get(&format!("http://127.0.0.1:{stalls}/")), options).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(matches!(error, OutboundError::ReadTimeout), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));

    // Timeouts that no clock can hold are none.
    let endless = Duration::MAX;
    let options = Options { connect_timeout: endless, first_byte_timeout: endless, between_bytes_timeout: endless };
    let server = Server::http(echo).await;
    let response = client.send(get(&format!("http://127.0.0.1:{}/", server.port())), options).await.unwrap();
    text(response).await;
}

#[tokio::test]
async fn a_slow_reader_is_no_slow_server() {
    let server = Server::http(echo).await;
    let options = Options { between_bytes_timeout: Duration::from_millis(50), ..Options::default() };
    let response = client(LOOPBACK).send(get(&format!("http://127.0.0.1:{}/", server.port())), options).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(text(response).await.starts_with("GET /"));
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let error = send(&client(LOOPBACK), get(&format!("http://{closed}/"))).await.unwrap_err();
    assert!(matches!(error, OutboundError::ConnectionRefused), "{error:?}");
}

#[tokio::test]
async fn bad_responses_are_told_apart() {
    let client = client(LOOPBACK);
    let answer = async |bytes: &'static [u8]| {
        let port = raw(bytes, true).await;
        match send(&client, get(&format!("http://127.0.0.1:{port}/"))).await {
            Ok(response) => response.into_body().collect().await.unwrap_err(),
            Err(error) => error,
        }
    };
    let error = answer(b"").await;
    assert!(matches!(error, OutboundError::ResponseIncomplete(_)), "{error:?}");
    let error = answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    assert!(matches!(error, OutboundError::ResponseIncomplete(_)), "{error:?}");
    let error = answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n").await;
    assert!(matches!(error, OutboundError::ProtocolError(_)), "{error:?}");
    let error = answer(b"SSH-2.0-OpenSSH_9\r\n\r\n").await;
    assert!(matches!(error, OutboundError::ProtocolError(_)), "{error:?}");
    let error = answer(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n").await;
    assert!(matches!(error, OutboundError::ProtocolError(_)), "{error:?}");
    let long: &'static [u8] =
        Box::leak(format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(70_000)).into_boxed_str()).as_bytes();
    let error = answer(long).await;
    assert!(matches!(error, OutboundError::ResponseHeadersTooLarge), "{error:?}");
    let many: &'static [u8] =
        Box::leak(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(300)).into_boxed_str()).as_bytes();
    let error = answer(many).await;
    assert!(matches!(error, OutboundError::ResponseHeadersTooLarge), "{error:?}");
}

#[tokio::test]
async fn bad_requests_are_refused_before_anything_is_sent() {
    let client = client(&["127.0.0.1/32", "localhost"]);
    for uri in ["/path", "ftp://localhost/", "http://user@localhost/", "http://user:pass@localhost/"] {
        let error = send(&client, get(uri)).await.unwrap_err();
        assert!(matches!(error, OutboundError::UriInvalid(_)), "{uri}: {error:?}");
    }
    let connect = Request::builder().method("CONNECT").uri("http://localhost:1/").body(full("")).unwrap();
    assert!(matches!(send(&client, connect).await, Err(OutboundError::MethodInvalid)));
    let lengths = Request::post("http://localhost:1/").header("content-length", "1").header("content-length", "2");
    let error = send(&client, lengths.body(full("x")).unwrap()).await.unwrap_err();
    assert!(matches!(error, OutboundError::HeadersInvalid(_)), "{error:?}");
}

#[tokio::test]
async fn redirects_are_the_callers_to_follow() {
    let server = Server::http(|_| async {
        Response::builder().status(302).header("location", "http://169.254.169.254/").body(full("")).unwrap()
    })
    .await;
    let response = send(&client(LOOPBACK), get(&format!("http://127.0.0.1:{}/", server.port()))).await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let identity = Identity::new(&["localhost"]);
    let stream_back = |request: Request<hyper::body::Incoming>| async {
        Response::new(request.into_body().map_err(|error| Box::new(error) as BoxError).boxed_unsync())
    };
    let plain = Server::http(stream_back).await;
    let tls = Server::https(&identity, &[b"h2"], stream_back).await;
    let client = trusting(&["localhost"], &identity.trust());
    for uri in [format!("http://localhost:{}/", plain.port()), format!("https://localhost:{}/", tls.port())] {
        let (mut sender, body) = Channel::<Bytes, BoxError>::new(1);
        let mut response = client.send(Request::post(&uri).body(body).unwrap(), Options::default()).await.unwrap();
        for number in 0..100 {
            let piece = Bytes::from(format!("piece {number}"));
            sender.send_data(piece.clone()).await.unwrap();
            let frame = response.body_mut().frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), piece);
        }
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", "7".parse().unwrap());
        sender.send_trailers(trailers).await.unwrap();
        drop(sender);
        let rest = response.into_body().collect().await.unwrap();
        assert!(rest.to_bytes().is_empty());
    }
}

#[tokio::test]
async fn a_request_body_that_fails_is_the_callers_failure() {
    let server = Server::http(echo).await;
    let (sender, body) = Channel::<Bytes, BoxError>::new(1);
    sender.abort("the guest trapped".into());
    let request = Request::post(format!("http://127.0.0.1:{}/", server.port())).body(body).unwrap();
    let error = client(LOOPBACK).send(request, Options::default()).await.unwrap_err();
    assert!(matches!(error, OutboundError::RequestBody(_)), "{error:?}");
}

#[tokio::test]
async fn giving_up_is_noticed_by_the_server() {
    /// Set when the server lets go of the request.
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicBool::new(false));
    let handler_gone = Arc::clone(&gone);
    let server = Server::http(move |_| {
        let guard = Gone(Arc::clone(&handler_gone));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Response::new(full(""))
        }
    })
    .await;
    let request = Request::get(format!("http://127.0.0.1:{}/", server.port())).body(Empty::<Bytes>::new()).unwrap();
    let client = client(LOOPBACK);
    let given_up = tokio::time::timeout(Duration::from_millis(100), client.send(request, Options::default())).await;
    assert!(given_up.is_err());
    let started = Instant::now();
    while !gone.load(Ordering::SeqCst) {
        assert!(started.elapsed() < Duration::from_secs(10), "the server still works for nobody");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
