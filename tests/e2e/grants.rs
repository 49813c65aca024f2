//! A guest may touch what its manifest grants, and nothing else.

use support::{App, Server, client};

#[tokio::test]
async fn what_is_not_granted_is_not_there() {
    let (_app, server) = crate::probe("");
    let address = server.address;
    for path in ["/env", "/folders"] {
        let answer = client::get(address, path).await;
        assert_eq!((answer.status.as_u16(), answer.text().trim()), (200, ""), "{path}");
    }
    let own = address.to_string();
    let refused = [
        "/fs?path=/etc/passwd".to_owned(),
        "/fs?path=coracle.toml".to_owned(),
        "/lookup?name=localhost".to_owned(),
        format!("/connect?address={own}"),
        format!("/outbound?url=http://{own}/"),
        "/outbound?url=http://169.254.169.254/latest/meta-data".to_owned(),
    ];
    for path in refused {
        let answer = client::get(address, &path).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn folders_are_granted_to_read_or_to_write() {
    let app = App::new(
        r#"
        [app]
        name = "files"
        [component.probe]
        source = "@probe-rust"
        grants = { dirs = ["./open::/open", "./shut::/shut:ro"] }
        [[route]]
        path = "/*"
        component = "probe"
        "#,
    );
    for folder in ["open", "shut"] {
        std::fs::create_dir(app.path().join(folder)).unwrap();
        app.write(&format!("{folder}/file"), format!("in {folder}"));
    }
    app.write("secret", "outside");
    let server = Server::start([app.path()]);
    let cases = [
        ("/folders", 200, "/open\n/shut"),
        ("/fs?path=/open/file", 200, "in open"),
        ("/fs?path=/shut/file", 200, "in shut"),
        ("/fs?path=/open/new&write=text", 200, "wrote 4 bytes"),
        ("/fs?path=/open/new", 200, "text"),
        ("/fs?path=/shut/new&write=text", 403, ""),
        ("/fs?path=/shut/file&remove", 403, ""),
        ("/fs?path=/open/../secret", 403, ""),
        // A link may say anything; following it is what must fail.
        ("/fs?path=/open/out&link=../secret", 200, "linked"),
        ("/fs?path=/open/out", 403, ""),
    ];
    for (path, status, text) in cases {
        let answer = client::get(server.address, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.text().trim() == text || status == 403, "{path}: {answer:?}");
        assert!(!answer.text().contains("outside"), "{path}: {answer:?}");
    }
    assert_eq!(std::fs::read_to_string(app.path().join("shut/file")).unwrap(), "in shut");
}

#[tokio::test]
async fn the_network_is_granted_by_host_and_port() {
    let (_app, inner) = crate::probe("");
    let (open, shut) = (inner.address, inner.admin);
    let (_app, server) = crate::probe(&format!("grants = {{ net = ['http://{open}'], env = {{ PLACE = 'here' }} }}"));
    let ask = |path: String| async move { client::get(server.address, &path).await };

    assert_eq!(ask("/env".to_owned()).await.text().trim(), "PLACE=here");
    let answer = ask(format!("/outbound?url=http://{open}/status?code=418")).await;
    assert!(answer.text().starts_with("418"), "{answer:?}");
    assert_eq!(ask(format!("/outbound?url=http://{shut}/healthz")).await.status, 403, "another port");
    assert_eq!(ask(format!("/connect?address={open}")).await.status, 403, "HTTP is granted, and no socket");
}

#[tokio::test]
async fn folders_of_files_are_served_beside_functions() {
    let app = App::new(
        r#"
        [app]
        name = "site"
        [component.probe]
        source = "@probe-rust"
        [[route]]
        path = "/api/*"
        component = "probe"
        [[route]]
        path = "/*"
        static = "./public"
        "#,
    );
    std::fs::create_dir(app.path().join("public")).unwrap();
    app.write("public/index.html", "<p>a page");
    app.write("public/style.css", "p {}");
    let server = Server::start([app.path()]);
    let page = client::get(server.address, "/").await;
    assert_eq!((page.text(), page.header("content-type").starts_with("text/html")), ("<p>a page", true), "{page:?}");
    assert!(client::get(server.address, "/style.css").await.header("content-type").starts_with("text/css"));
    assert_eq!(client::get(server.address, "/api/status?code=204").await.status, 204);
    for outside in ["/../coracle.toml", "/%2e%2e/coracle.toml", "/..%2fcoracle.toml", "/missing"] {
        let answer = client::get(server.address, outside).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{outside}: {answer:?}");
    }
}

#[tokio::test]
async fn a_quota_holds_for_guests_of_both_versions() {
    let app = App::new(
        r#"
        [app]
        name = "quotas"
        [component.second]
        source = "@probe-rust"
        grants = { dirs = ["./second::/data:quota=100 KiB"] }
        [component.third]
        source = "@probe-rust-p3"
        grants = { dirs = ["./third::/data:quota=100 KiB"] }
        [[route]]
        path = "/second/*"
        component = "second"
        [[route]]
        path = "/third/*"
        component = "third"
        "#,
    );
    for folder in ["second", "third"] {
        std::fs::create_dir(app.path().join(folder)).unwrap();
    }
    let server = Server::start([app.path()]);
    for (path, says) in [
        ("/second/fs?path=/data/file&fill=50000", "wrote 53248 bytes\n"),
        ("/second/fs?path=/data/file&fill=1000000", "wrote 102400 bytes, then quota\n"),
        // It is cut off before it is written again.
        ("/second/fs?path=/data/file&fill=50000", "wrote 53248 bytes\n"),
        ("/third/fill?50000", "50000 bytes, Ok(())\n"),
        ("/third/fill?1000000", "Quota"),
        ("/third/fill?50000", "50000 bytes, Ok(())\n"),
    ] {
        let answer = client::get(server.address, path).await;
        assert!(answer.status == 200 && answer.text().contains(says), "{path}: {answer:?}");
        for file in ["second/file", "third/p3"] {
            assert!(app.path().join(file).metadata().map_or(0, |about| about.len()) <= 100 << 10, "{path}: {file}");
        }
    }
}

#[test]
fn a_core_module_gets_no_folder_with_a_quota() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("module.wasm");
    std::fs::write(&file, support::hostile_code::long_body(1)).unwrap();
    let mut command = std::process::Command::new(support::coracle());
    command.current_dir(folder.path()).args(["run", "--dir", ".::/data:quota=1 MiB"]).arg(&file);
    let output = command.output().expect("coracle starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a quota holds for components, and this is a core module"), "{said}");
    assert!(!output.status.success());
}
