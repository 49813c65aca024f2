//! Components that provide for each other, served and run apart: each edge in the log, each with its own limits.

use std::process::{Command, Output};

use support::{App, Server, client, coracle, root};

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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `coracle run` of the sample `order`, with other limits of the component that knows the prices.
fn run(limits: &str, arguments: &[&str]) -> Output {
    let samples = root().join("samples");
    let manifest = std::fs::read_to_string(samples.join("order/coracle.toml")).unwrap();
    let manifest = manifest
        .replace("{ memory = \"4 MiB\", cpu-time = \"200ms\" }", limits)
        .replace("../quote", &samples.join("quote").display().to_string())
        .replace("\"order.wasm", &format!("\"{}/order/order.wasm", samples.display()));
    let app = App::new(&manifest);
    Command::new(coracle())
        .args(["run", "--log", "coracle::edge=debug"])
        .arg(app.path())
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a_command_calls_a_component_that_stays_apart() {
    let output = run("{}", &["--", "Ada", "apple:3", "fig:1"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "1.70\n".to_owned()), "{output:?}");
    let log = text(&output.stderr);
    assert!(log.contains("crossed") && log.contains("shop:quote/pricing@1.0.0.quote"), "{log}");
    let output = run("{}", &["--invoke", "cost(\"quince\", 10)", "order"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "ok(1140)\n".to_owned()), "{output:?}");
    let output = run("{}", &["--", "Ada", "moon:1"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn each_component_of_a_run_has_its_own_limits() {
    for (limits, code, outcome) in
        [("{ memory = \"1 KiB\" }", 134, "out-of-memory"), ("{ fuel = 100 }", 124, "cpu-deadline")]
    {
        let output = run(limits, &["--", "Ada", "apple:3"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let edge = format!("`pricing` failed ({outcome}) when `order` called shop:quote/pricing@1.0.0.quote");
        assert!(text(&output.stderr).contains(&edge), "{output:?}");
    }
}
