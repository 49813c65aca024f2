//! HTTP/1.1 and HTTP/2, plain and over TLS.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use support::client::{self, Answer};
use support::{App, Server};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How many requests share one connection of HTTP/2.
const STREAMS: usize = 50;

#[tokio::test]
async fn http2_without_tls_serves_many_requests_at_once() {
    let (_app, server) = crate::probe("");
    let stream = TcpStream::connect(server.address).await.unwrap();
    let sender = client::http2_over(stream).await;
    let asked = (0..STREAMS).map(|index| {
        let mut sender = sender.clone();
        let uri = format!("http://{}/trickle?count={index}&ms=1", server.address);
        async move {
            let request = http::Request::get(uri).body(client::empty()).unwrap();
            (index, Answer::read(sender.send_request(request).await.unwrap()).await.unwrap())
        }
    });
    for (index, answer) in futures_util::future::join_all(asked).await {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text().lines().count(), index);
    }
}

#[tokio::test]
async fn one_connection_serves_one_request_after_another() {
    let (_app, server) = crate::probe("");
    let mut sender = client::http1(server.address).await;
    for path in ["/random?bytes=8", "/status?code=204", "/trap", "/random?bytes=8"] {
        let request = client::request(server.address, "GET", path).body(client::empty()).unwrap();
        let answer = Answer::read(sender.send_request(request).await.unwrap()).await.unwrap();
        assert!(answer.status == 200 || answer.status == 204 || path == "/trap", "{path}: {answer:?}");
        sender.ready().await.unwrap();
    }
}

#[tokio::test]
async fn tls_speaks_both_versions_and_takes_a_new_certificate_while_it_runs() {
    let app = App::new(
        r#"
        [app]
        name = "tls"
        [component.probe]
        source = "@probe-rust"
        [[route]]
        path = "/*"
        component = "probe"
        "#,
    );
    let old = certificate(&app);
    let [certificate_file, key_file] = ["cert.pem", "key.pem"].map(|name| app.path().join(name));
    let server = Server::start([
        "--tls-cert".as_ref(),
        certificate_file.as_os_str(),
        "--tls-key".as_ref(),
        key_file.as_os_str(),
        app.path().as_os_str(),
    ]);

    let stream = connect(&server, &old, b"http/1.1").await.unwrap();
    let mut sender = client::http1_over(stream).await;
    let request = client::request(server.address, "GET", "/request").body(client::empty()).unwrap();
    let answer = Answer::read(sender.send_request(request).await.unwrap()).await.unwrap();
    assert!(answer.text().contains("scheme: https"), "{answer:?}");

    let stream = connect(&server, &old, b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut sender = client::http2_over(stream).await;
    let request = http::Request::get(format!("https://localhost:{}/random?bytes=1", server.address.port()));
    let answer = sender.send_request(request.body(client::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);

    let new = certificate(&app);
    for _ in 0..600 {
        if connect(&server, &new, b"http/1.1").await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the new certificate is not used: {:#?}", server.events());
}

/// Writes a certificate for `localhost` and its key into the app.
fn certificate(app: &App) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    app.write("key.pem", made.signing_key.serialize_pem());
    app.write("cert.pem", made.cert.pem());
    made.cert.der().clone()
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(server.address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}
