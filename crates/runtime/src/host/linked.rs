//! Every interface under every name that guests import it by is there, with the types that they expect.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::compile::{Code, Compiler, load};
use crate::engine::{Engine, EngineOptions};

const CONFIG: &str = "
  get: func(key: string) -> result<option<string>, config-error>;
  get-all: func() -> result<list<tuple<string, string>>, config-error>;";

/// A component that imports all of one interface.
fn importing(package: &str, interface: &str, items: &str) -> Vec<u8> {
    let (name, version) = package.split_once('@').map_or((package, String::new()), |(n, v)| (n, format!("@{v}")));
    let wit = format!(
        "package test:guest;
         world guest {{ import {name}/{interface}{version}; }}
         package {package} {{ interface {interface} {{ {items} }} }}"
    );
    component(&wit)
}

fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn assert_linked(bytes: &[u8]) {
    let engine = Engine::new(EngineOptions::command(), Compiler::InProcess).unwrap();
    let Code::Component(component) = load(&engine, None, bytes, &()).unwrap() else { panic!("not a component") };
    engine.linker_for(&component).unwrap().instantiate_pre(&component).map(drop).unwrap();
}

#[test]
fn config_is_there_under_all_its_names() {
    let error = |name: &str| {
        format!("variant {name} {{ upstream(string), io(string) }} {}", CONFIG.replace("config-error", name))
    };
    for (package, interface, items) in [
        ("wasi:config@0.2.0-rc.1", "store", error("error")),
        ("wasi:config@0.2.0-draft-2024-09-27", "store", error("error")),
        ("wasi:config@0.2.0-draft", "store", error("config-error")),
        ("wasi:config@0.2.0-draft", "runtime", error("config-error")),
    ] {
        assert_linked(&importing(package, interface, &items));
    }
}

#[test]
fn logging_is_there_with_and_without_a_version() {
    let items = "enum level { trace, debug, info, warn, error, critical }
                 log: func(level: level, context: string, message: string);";
    assert_linked(&importing("wasi:logging@0.1.0-draft", "logging", items));
    assert_linked(&importing("wasi:logging", "logging", items));
}

#[test]
fn both_drafts_of_keyvalue_are_there_at_once() {
    let nested = |text: &str| {
        let (package, interfaces) = text.split_once(';').unwrap();
        format!("{package} {{ {interfaces} }}")
    };
    let world = include_str!("../../wit/keyvalue/world.wit").replace("world keyvalue", "world guest");
    let (first, second) = (
        nested(include_str!("../../wit/keyvalue/deps/draft.wit")),
        nested(include_str!("../../wit/keyvalue/deps/draft2.wit")),
    );
    assert_linked(&component(&format!("{world}\n{first}\n{second}")));
}

/// All that is linked where nothing else is imported, so that a name that is left out shows.
#[test]
fn the_small_interfaces_are_there_alone() {
    let standard = |name: &str, stream: &str| {
        format!(
            r#"(import "wasi:cli/{name}@0.2.6" (instance
                 (alias outer 1 ${stream} (type $stream))
                 (export "{stream}-stream" (type (eq $stream)))
                 (export "get-{name}" (func (result (own $stream))))))"#
        )
    };
    let text = [
        r#"(component
             (import "wasi:io/error@0.2.6" (instance (export "error" (type (sub resource)))))
             (import "wasi:io/poll@0.2.6" (instance (export "pollable" (type (sub resource)))))
             (import "wasi:clocks/monotonic-clock@0.2.6" (instance (export "now" (func (result u64)))))
             (import "wasi:clocks/wall-clock@0.2.6" (instance
               (type $time (record (field "seconds" u64) (field "nanoseconds" u32)))
               (export "datetime" (type $datetime (eq $time)))
               (export "now" (func (result $datetime)))))
             (import "wasi:random/random@0.2.6" (instance (export "get-random-u64" (func (result u64)))))
             (import "wasi:io/streams@0.2.6" (instance $streams
               (export "input-stream" (type (sub resource)))
               (export "output-stream" (type (sub resource)))))
             (alias export $streams "input-stream" (type $input))
             (alias export $streams "output-stream" (type $output))"#
            .to_owned(),
        standard("stdin", "input"),
        standard("stdout", "output"),
        standard("stderr", "output"),
        ")".to_owned(),
    ]
    .concat();
    assert_linked(text.as_bytes());
    for name in super::SMALL {
        assert!(text.contains(name), "{name} is not imported here");
    }
}
