//! A server's life: it starts or says why not, changes while it serves, and ends without breaking what it accepted.

use std::time::{Duration, Instant};

use support::client::{self, Answer};
use support::{App, Server};

#[cfg(unix)]
#[tokio::test]
async fn requests_in_flight_end_before_the_server_does() {
    let (_app, server) = crate::probe("");
    let address = server.address;
    let mut sender = client::http1(address).await;
    let request = client::request(address, "GET", "/trickle?count=20&ms=50").body(client::empty()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    server.terminate();
    server.wait_for("that it drains", |event| support::text(event, "message") == "draining");
    assert!(Answer::read(response).await.unwrap().text().ends_with("19\n"), "what was accepted is answered whole");
    assert_eq!(server.wait_for_end().code(), Some(0));
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[cfg(unix)]
#[tokio::test]
async fn what_outlasts_the_drain_is_cancelled_and_counted() {
    let app = App::new(
        r#"
        [app]
        name = "slow"
        [component.probe]
        source = "@probe-rust"
        limits = { wall-time = "10m" }
        [[route]]
        path = "/*"
        component = "probe"
        "#,
    );
    let server = Server::start(["--drain".as_ref(), "500ms".as_ref(), app.path()]);
    let mut sender = client::http1(server.address).await;
    let request = client::request(server.address, "GET", "/trickle?count=10000&ms=50").body(client::empty()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let began = Instant::now();
    server.terminate();
    assert_eq!(server.wait_for_end().code(), Some(0), "an end within the drain's rules is a good end");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(Answer::read(response).await.is_err());
    let events = server.events();
    let said = events.iter().any(|event| event["cancelled"] == 1);
    assert!(said, "it says how many it cancelled: {events:#?}");
}

#[tokio::test]
async fn a_changed_component_is_swapped_in_and_running_requests_end_on_the_old_one() {
    let app = App::new(
        r#"
        [app]
        name = "watched"
        [component.it]
        source = "it.wasm"
        [[route]]
        path = "/*"
        component = "it"
        "#,
    );
    let read = |name: &str| std::fs::read(support::sample(name)).unwrap();
    app.write("it.wasm", read("probe-rust"));
    let server = Server::start(["--watch".as_ref(), app.path()]);
    let mut sender = client::http1(server.address).await;
    let request = client::request(server.address, "GET", "/trickle?count=60&ms=50").body(client::empty()).unwrap();
    let old = sender.send_request(request).await.unwrap();

    app.write("it.wasm", read("hello-rust"));
    wait_until(&server, |answer| answer.text().starts_with("Hello")).await;
    assert!(Answer::read(old).await.unwrap().text().ends_with("59\n"), "the old one ends what it began");

    // What cannot be served changes nothing: the good one stays.
    app.write("it.wasm", b"no component");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(client::get(server.address, "/").await.text().starts_with("Hello"));
}

#[tokio::test]
async fn faults_of_a_manifest_come_all_at_once_and_before_listening() {
    let app = App::new(
        r#"
        [app]
        name = "wrong"
        [component.a]
        source = "missing.wasm"
        memory = "12 MiB"
        [[route]]
        path = "no-slash"
        component = "b"
        "#,
    );
    let output = std::process::Command::new(support::coracle())
        .args(["serve", "--addr", "127.0.0.1:0"])
        .arg(app.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    for named in ["memory", "no-slash", "coracle.toml:6", "coracle.toml:8"] {
        assert!(errors.contains(named), "{named} is not in:\n{errors}");
    }
}

/// Asks until the answer is as it should be.
async fn wait_until(server: &Server, good: impl Fn(&Answer) -> bool) {
    let began = Instant::now();
    loop {
        let answer = client::get(server.address, "/").await;
        if good(&answer) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "still answers {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
