//! Components that provide for each other, served apart: each edge in the log, each with its own limits.

use support::{App, Server, client, root};

fn app(limits: &str) -> App {
    let sample = root().join("samples/quote");
    let manifest = std::fs::read_to_string(sample.join("coracle.toml")).unwrap();
    let manifest = manifest
        .replace("pricing/pricing.wasm\"", &format!("pricing-c/pricing-c.wasm\"\n{limits}"))
        .replace("source = \"", &format!("source = \"{}/", sample.display()));
    App::new(&manifest)
}

const ORDER: &str = "/quote?customer=Ada&item=apple:10";

#[tokio::test]
async fn each_edge_is_told_with_its_cost_and_its_span() {
    let app = app("");
    let server = Server::start(["--log".as_ref(), "info,coracle::edge=debug".as_ref(), app.path().as_os_str()]);
    let answer = client::get(server.address, ORDER).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (to, function) in [
        ("validation", "shop:quote/validation@1.0.0.check"),
        ("pricing", "shop:quote/pricing@1.0.0.quote"),
        ("rendering", "shop:quote/rendering@1.0.0.page"),
    ] {
        let edge = server.wait_for("an edge", |event| event["target"] == "coracle::edge" && event["to"] == to);
        assert_eq!((&edge["from"], &edge["function"]), (&"front".into(), &function.into()), "{edge}");
        assert_eq!(edge["outcome"], "ok");
        assert!(edge["traceparent"].as_str().is_some_and(|it| it.len() == 55), "{edge}");
    }
}

#[tokio::test]
async fn what_providers_use_is_in_the_access_line_and_in_the_metrics() {
    let app = app("");
    let server = Server::start([app.path()]);
    let answer = client::get(server.address, ORDER).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let access = server.access(answer.header("x-request-id"));
    let providers = access["providers"].as_str().unwrap_or_else(|| panic!("{access}"));
    let names: Vec<&str> = providers.split(", ").filter_map(|it| it.split(' ').next()).collect();
    assert_eq!(names, ["validation", "pricing", "rendering"], "{access}");
    assert!(providers.contains(" cpu_us=") && providers.contains(" peak_memory="), "{access}");
    assert!(access["providers_cpu_us"].as_u64().is_some_and(|it| it > 0), "{access}");
    let metrics = client::get(server.admin, "/metrics").await;
    for name in ["front", "validation", "pricing", "rendering"] {
        let sample = format!("coracle_invocation_cpu_seconds_total{{component=\"{name}\"}} ");
        let seconds = metrics.text().lines().find_map(|line| line.strip_prefix(&sample));
        assert!(seconds.is_some_and(|it| it.parse::<f64>().is_ok_and(|it| it > 0.0)), "{name}: {}", metrics.text());
    }
}

#[tokio::test]
async fn a_provider_that_may_not_have_its_memory_fails_the_call_and_is_named() {
    let app = app("limits = { memory = \"1 KiB\" }");
    let server = Server::start([app.path()]);
    let answer = client::get(server.address, ORDER).await;
    assert_eq!(answer.status.as_u16() / 100, 5, "{answer:?}");
    let access = server.access(answer.header("x-request-id"));
    let detail = access["detail"].as_str().unwrap();
    assert!(detail.starts_with("`pricing` failed ("), "{detail}");
    assert!(!answer.text().contains("pricing"), "inside detail shows outside: {answer:?}");
}
