//! What is told of components and modules without running them.

use coracle_package::digest::Digest;
use coracle_package::inspect::{Capability, Inspection, Kind, World, binary, inspect};
use proptest::prelude::*;
use semver::Version;

/// Inspects a component that exports an empty instance under each name and imports one under each other.
fn component(exports: &[&str], imports: &[&str]) -> Inspection {
    let imports: String = imports.iter().map(|name| format!("(import \"{name}\" (instance))")).collect();
    let exports: String = exports.iter().map(|name| format!("(export \"{name}\" (instance $i))")).collect();
    inspect(format!("(component {imports} (instance $i) {exports})").as_bytes())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn names(list: &[coracle_package::inspect::InterfaceName]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn a_handler_of_either_wasi_makes_a_function() {
    let version = |text: &str| Version::parse(text).unwrap();
    assert_eq!(component(&["wasi:http/incoming-handler@0.2.3"], &[]).world, World::Http(version("0.2.3")));
    assert_eq!(component(&["wasi:http/handler@0.3.0"], &[]).world, World::Http(version("0.3.0")));
    let both = component(&["wasi:http/handler@0.3.0", "wasi:http/incoming-handler@0.2.3"], &[]);
    assert_eq!(both.world, World::Http(version("0.3.0")));
}

#[test]
fn a_guest_can_be_a_command_and_a_function() {
    let guest = component(&["wasi:cli/run@0.2.10", "wasi:http/incoming-handler@0.2.10"], &[]);
    assert_eq!(guest.world.to_string(), "HTTP function for WASI 0.2.10");
    assert_eq!(guest.command().map(ToString::to_string).as_deref(), Some("0.2.10"));
    let command = component(&["wasi:cli/run@0.3.0"], &[]);
    assert_eq!(command.world.to_string(), "command for WASI 0.3.0");
    assert_eq!(command.http(), None);
}

#[test]
fn a_component_without_an_entry_is_a_library() {
    let library = component(&["shop:pricing/api@1.2.0"], &["wasi:cli/run@0.2.0", "wasi:http/handler@0.3.0"]);
    assert_eq!(library.world, World::Library);
    assert_eq!(names(&library.exports), ["shop:pricing/api@1.2.0"]);
    assert_eq!(names(&library.imports), ["wasi:cli/run@0.2.0", "wasi:http/handler@0.3.0"]);
}

#[test]
fn imports_tell_what_a_component_wants_to_touch() {
    let imports = [
        "wasi:filesystem/types@0.2.0",
        "wasi:filesystem/preopens@0.2.6",
        "wasi:config/store@0.2.0-rc.1",
        "wasi:io/poll@0.2.0",
    ];
    let guest = component(&["wasi:cli/run@0.2.0"], &imports);
    assert_eq!(guest.capabilities.into_iter().collect::<Vec<_>>(), [Capability::Files, Capability::Config]);
}

#[test]
fn what_nested_parts_import_and_export_is_their_own() {
    let text = r#"(component
        (component (import "wasi:sockets/tcp@0.2.0" (instance)))
        (core module (import "wasi_snapshot_preview1" "path_open" (func)) (func (export "_start"))))"#;
    let guest = inspect(text.as_bytes()).unwrap();
    assert_eq!((guest.kind, &guest.world), (Kind::Component, &World::Library));
    assert!(guest.imports.is_empty() && guest.exports.is_empty() && guest.capabilities.is_empty());
}

#[test]
fn a_module_with_a_start_function_is_a_command() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")))"#;
    let guest = inspect(text.as_bytes()).unwrap();
    assert_eq!((guest.kind, &guest.world), (Kind::Module, &World::CommandPreview1));
    assert_eq!(
        (names(&guest.imports), names(&guest.exports)),
        (vec!["wasi_snapshot_preview1".into()], vec!["_start".into()])
    );
    assert_eq!(guest.capabilities.into_iter().collect::<Vec<_>>(), [Capability::Environment]);
    assert_eq!(inspect(b"(module)").unwrap().world, World::Library);
}

#[test]
fn producers_tell_the_language() {
    let mut producers = wasm_metadata::Producers::empty();
    producers.add("language", "Rust", "");
    producers.add("processed-by", "rustc", "1.95.0");
    let bytes = producers.add_to_wasm(&binary(b"(module)").unwrap()).unwrap();
    let guest = inspect(&bytes).unwrap();
    assert_eq!(guest.language.as_deref(), Some("Rust"));
    assert_eq!(guest.producers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Rust", "rustc 1.95.0"]);
    assert_eq!(inspect(b"(module)").unwrap().language, None);
}

/// A component that was composed of others tells each of them.
#[test]
fn the_parts_of_a_composed_component_are_told() {
    let mut text = String::from("(component (component $glue (core module))");
    for (name, language) in [("front", "Rust"), ("pricing", "Fortran")] {
        text += &format!(r#"(component ${name} (core module (@producers (language "{language}" ""))))"#);
    }
    let whole = inspect((text + ")").as_bytes()).unwrap();
    let names: Vec<_> = whole.parts.iter().filter_map(|part| part.name.as_deref()).collect();
    assert_eq!(names, ["glue", "front", "pricing"]);
    assert_eq!((whole.language.as_deref(), whole.languages()), (None, vec!["Rust", "Fortran"]));
}

/// The samples that the tree keeps are what real toolchains emit.
#[test]
fn the_samples_in_the_tree_are_told_apart() {
    let expected = [
        ("command-c", "C", "command for WASI 0.1"),
        ("command-rust", "Rust", "command for WASI 0.2"),
        ("echo-rust", "Rust", "HTTP function for WASI 0.2"),
        ("hello-c", "C", "HTTP function for WASI 0.2"),
        ("hello-rust", "Rust", "HTTP function for WASI 0.2"),
        ("hello-rust-p3", "Rust", "HTTP function for WASI 0.3"),
        ("montecarlo", "C", "HTTP function for WASI 0.2"),
        ("thumbnail", "Rust", "HTTP function for WASI 0.2"),
    ];
    for (name, language, world) in expected {
        let guest = sample(name);
        assert_eq!(guest.language.as_deref(), Some(language), "{name}: {:?}", guest.producers);
        assert!(guest.world.to_string().starts_with(world), "{name}: {}", guest.world);
    }
}

#[test]
fn samples_that_touch_something_say_so() {
    let wants = |name: &str, kinds: &[Capability]| kinds.iter().all(|kind| sample(name).capabilities.contains(kind));
    assert!(wants("probe-rust", &[Capability::Files, Capability::Sockets, Capability::OutboundHttp]));
    assert!(wants("store-rust", &[Capability::KeyValue, Capability::Config, Capability::Logging]));
    assert!(sample("hello-c").capabilities.is_empty());
}

fn sample(name: &str) -> Inspection {
    let file = format!("{}/../../samples/{name}/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    inspect(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn size_and_digest_are_those_of_the_binary_form() {
    let bytes = binary(b"(module)").unwrap().into_owned();
    let (text, direct) = (inspect(b" ;; a comment\n(module)").unwrap(), inspect(&bytes).unwrap());
    assert_eq!((text.digest, text.size), (Digest::of(&bytes), 8));
    assert_eq!(text, direct);
}

#[test]
fn what_is_not_webassembly_is_named() {
    let message = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
    assert_eq!(message(b""), "the file is empty");
    assert_eq!(message(b"\x7fELF\x02\x01"), "this is a native program, not WebAssembly");
    assert_eq!(message(b"PK\x03\x04"), "this is a compressed archive, not WebAssembly");
    assert_eq!(message(b"#!/bin/sh\n"), "this is not WebAssembly");
    assert_eq!(
        message(b"(module\n  (funk))"),
        "the WebAssembly text is wrong in line 2, column 4: expected valid module field"
    );
    assert_eq!(message(b"\0asm\x01\0\0\0\x01\xff"), "the WebAssembly is damaged at byte 10: unexpected end-of-file");
    assert_eq!(message(b"\0asm"), "the WebAssembly is damaged at byte 4: unexpected end-of-file");
}

proptest! {
    #[test]
    fn no_bytes_panic(tail in proptest::collection::vec(any::<u8>(), 0..64), component in any::<bool>(), text in any::<String>()) {
        let head: &[u8] = if component { b"\0asm\x0d\0\x01\0" } else { b"\0asm\x01\0\0\0" };
        let _ = inspect(&[head, &tail].concat());
        let _ = inspect(format!("({text}").as_bytes());
    }
}
