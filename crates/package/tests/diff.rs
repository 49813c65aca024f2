//! What a diff says of pairs of WIT and of components. Each file in `diff/` is a case; adding a case is adding a file.
//!
//! A file says why it exists, then `=== old KIND`, `=== new KIND` and `=== expected`. KIND is `wit` for a package,
//! `component` for the component that a toolchain would make of its only world, or `wat` for a binary as text. `UPDATE=1`
//! writes what is expected; look at what it changed.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

use std::path::Path;

use coracle_package::diff::{Diff, Subject};
use coracle_package::inspect::{binary, inspect};
use coracle_package::wit::{World, of_binary, of_path};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// Fewer cases than this would mean that some have been lost.
const LEAST: usize = 30;

#[test]
fn pairs_differ_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diff");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= LEAST, "{} cases, and there should be {LEAST} at least", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let came = expected(&text);
        if came != text {
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&path, &came).unwrap();
            } else {
                wrong.push(format!("{} should be\n{text}\nbut is\n{came}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// The case with what comes of it.
fn expected(text: &str) -> String {
    let mut parts = text.split("=== ");
    let mut why = parts.next().unwrap().to_owned();
    assert!(why.starts_with("# "), "a case begins with `# ` and why it exists: {text}");
    let mut subject = |age: &str| {
        let part = parts.next().unwrap();
        why += &format!("=== {part}");
        let (head, content) = part.split_once('\n').unwrap();
        subject(head.strip_prefix(age).unwrap().trim(), content)
    };
    let (old, new) = (subject("old"), subject("new"));
    let diff = Diff::new(&old, &new);
    let verdict = if diff.effect().is_refused() { "refused" } else { "accepted" };
    format!("{why}=== expected\n{verdict}\n{diff}\n")
}

fn subject(kind: &str, content: &str) -> Subject {
    match kind {
        "wit" => {
            let file = tempfile::Builder::new().suffix(".wit").tempfile().unwrap();
            std::fs::write(file.path(), content).unwrap();
            Subject::of_worlds(of_path(file.path()).unwrap_or_else(|error| panic!("{error:?}")))
        }
        "component" => of_bytes(&component(content)),
        "wat" => of_bytes(&binary(content.as_bytes()).unwrap()),
        kind => panic!("there is no kind {kind:?}"),
    }
}

fn of_bytes(bytes: &[u8]) -> Subject {
    let inspection = inspect(bytes).unwrap();
    let surface = of_binary(bytes).unwrap();
    Subject {
        capabilities: inspection.capabilities,
        worlds: vec![World { name: None, surface }],
        size: Some(inspection.size),
    }
}

/// A component of the only world of some WIT, as a toolchain makes one.
fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
