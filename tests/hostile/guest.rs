//! The guests that attack, and how a core module becomes a component.

use std::path::PathBuf;

/// Where the component of a case comes from.
#[derive(Clone, Copy)]
pub enum Guest {
    /// `guests/NAME`: a component's text, or a core module's that exports `attack`.
    Text(&'static str),
    /// A sample of the tree.
    Sample(&'static str),
    /// Made by the case itself, where writing it down would take megabytes.
    Made(fn() -> Vec<u8>),
}

impl Guest {
    /// The component.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(name) => {
                let path = folder().join(name);
                let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                component(&text)
            }
            Self::Sample(name) => std::fs::read(support::sample(name)).expect("a readable sample"),
            Self::Made(make) => make(),
        }
    }
}

fn folder() -> PathBuf {
    support::root().join("tests/hostile/guests")
}

/// The component of a text: a core module's is wrapped.
///
/// A module may import `host.now`, a call of the host that costs nothing else, and must export `attack`, which takes and
/// returns nothing. The component attacks when it is asked by HTTP, when it is run as a command, and when another component
/// calls it.
pub fn component(text: &str) -> Vec<u8> {
    let text = match text.find("(module") {
        Some(at) if text[..at].lines().all(|line| line.is_empty() || line.starts_with(";;")) => {
            wrapped(&format!("(core module $attack {}", &text[at + "(module".len()..]))
        }
        _ => text.to_owned(),
    };
    wat::parse_str(&text).unwrap_or_else(|why| panic!("{why}"))
}

/// The component around a `(core module $attack ...)`, which may also be a binary one.
pub fn wrapped(module: &str) -> String {
    format!(
        r#"(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $answer))
  {module}
  (core module $doors
    (import "attack" "attack" (func $attack))
    (func (export "handle") (param i32 i32) (call $attack))
    (func (export "run") (result i32) (call $attack) (i32.const 0)))
  (core func $now (canon lower (func $clock "now")))
  (core instance $host (export "now" (func $now)))
  (core instance $attack (instantiate $attack (with "host" (instance $host))))
  (core instance $doors (instantiate $doors (with "attack" (instance $attack))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $answer))
    (canon lift (core func $doors "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler))
  (func $run (result (result)) (canon lift (core func $doors "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command))
  (func $attacks (canon lift (core func $attack "attack")))
  (instance $provided (export "attack" (func $attacks)))
  (export "hostile:wired/api@1.0.0" (instance $provided)))
"#
    )
}
