//! Versions of WASI meet in one program: a component says the one it was built for, and any of the same line must do.
//!
//! Toolchains of each age cannot be had, so a real component is taken and says another version in all of its imports and
//! exports. What an interface gained later is simply not used then.

use std::path::Path;
use std::process::Command;

use support::{App, Server, client, sample};

/// Every release of WASI 0.2.
const LINE_2: [&str; 13] = [
    "0.2.0", "0.2.1", "0.2.2", "0.2.3", "0.2.4", "0.2.5", "0.2.6", "0.2.7", "0.2.8", "0.2.9", "0.2.10", "0.2.11",
    "0.2.12",
];

/// Every release of WASI 0.3.
const LINE_3: [&str; 3] = ["0.3.0", "0.3.1", "0.3.2"];

/// Writes a sample anew, with `version` where it says `from`. Where it says `version` too, it is a case of it as it is.
fn rewrite(name: &str, from: &str, version: &str, to: &Path) {
    let text = wasmprinter::print_file(sample(name)).unwrap();
    let (parts, says) = (split(&text, from), split(&text, version).len() > 1);
    assert!(parts.len() > 1, "{name} names no {from}");
    let text = if says { text } else { parts.join(&format!("@{version}")) };
    std::fs::write(to, wat::parse_str(text).unwrap()).unwrap();
}

/// The text between the places that name a version.
fn split<'a>(text: &'a str, version: &str) -> Vec<&'a str> {
    let mark = format!("@{version}");
    let mut parts = Vec::new();
    let mut start = 0;
    for (place, _) in text.match_indices(&mark) {
        let end = place + mark.len();
        // 0.2.1 is no part of 0.2.12.
        if !text[end..].starts_with(|next: char| next.is_ascii_digit()) {
            parts.push(&text[start..place]);
            start = end;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Serves a sample once for each version, and asks each.
async fn serve_each(name: &str, from: &str, versions: &[&str]) {
    let app = App::new("");
    let mut manifest = "[app]\nname = 'versions'\n".to_owned();
    for (index, version) in versions.iter().enumerate() {
        rewrite(name, from, version, &app.path().join(format!("{version}.wasm")));
        manifest += &format!("[component.v{index}]\nsource = '{version}.wasm'\n");
        manifest += &format!("[[route]]\npath = '/{version}'\ncomponent = 'v{index}'\n");
    }
    app.write("coracle.toml", manifest);
    let server = Server::start([app.path()]);
    for version in versions {
        let answer = client::get(server.address, &format!("/{version}")).await;
        assert_eq!(answer.status, 200, "{name} for {version}: {answer:?}");
        assert!(answer.text().starts_with("Hello from Rust!"), "{name} for {version}: {answer:?}");
    }
}

#[tokio::test]
async fn functions_of_every_0_2_answer() {
    serve_each("hello-rust", "0.2.12", &LINE_2).await;
}

#[tokio::test]
async fn functions_of_every_0_3_answer() {
    serve_each("hello-rust-p3", "0.3.2", &LINE_3).await;
}

#[test]
fn commands_of_every_0_2_run() {
    let folder = tempfile::tempdir().unwrap();
    for version in LINE_2 {
        let file = folder.path().join(format!("{version}.wasm"));
        rewrite("command-rust", "0.2.6", version, &file);
        let output =
            Command::new(support::coracle()).arg("run").arg(&file).args(["--", "one", "two"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{version}: {output:?}");
        assert!(text.contains("arguments: one two"), "{version}: {text}");
        assert!(text.contains("variables: 0"), "{version}: nothing was granted, and yet: {text}");
    }
}
