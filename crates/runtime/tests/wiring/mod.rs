//! Components that are wired to each other: their interfaces, and code that is just enough to call and be called.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a helper of tests fails the test that called it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use coracle_package::grant::Grants;
use coracle_package::limit::Limits;
use coracle_runtime::compile::{self, Code};
use coracle_runtime::http::Function;
use coracle_runtime::wired::{Import, Provider};
use coracle_runtime::{Authority, Engine, Outcome, Record, Resolution};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::guests;

const WIT: &str = r#"
package test:guests;

world provider { export test:counter/api@1.0.0; }
world between { import test:counter/api@1.0.0; export test:counter/lender@1.0.0; }
world front {
  import test:counter/api@1.0.0;
  import test:counter/lender@1.0.0;
  export wasi:http/incoming-handler@0.2.0;
}
world double { export test:counter/number@1.0.0; }
world more { import test:counter/number@1.0.0; export test:counter/number@1.0.0; }
world asking { import test:counter/number@1.0.0; export wasi:http/incoming-handler@0.2.0; }
world streaming { import test:counter/streams@1.0.0; export wasi:http/incoming-handler@0.2.0; }
world streams { export test:counter/streams@1.0.0; }
world taking { export test:counter/bytes@1.0.0; }
world giving { import test:counter/bytes@1.0.0; export wasi:http/incoming-handler@0.2.0; }
world passing { import test:counter/bytes@1.0.0; export test:counter/number@1.0.0; }
world later { export test:counter/later@1.0.0; }
world awaiting { import test:counter/later@1.0.0; export wasi:http/incoming-handler@0.2.0; }
world configured { export wasi:config/store@0.2.0-rc.1; }

package test:counter@1.0.0 {
  interface api {
    resource counter {
      constructor(start: u32);
      add: func(by: u32) -> u32;
    }
    finish: func(of: counter) -> u32;
    live: func() -> u32;
    misbehave: func(how: u32) -> u32;
  }
  interface lender {
    use api.{counter};
    add-two: func(to: borrow<counter>) -> u32;
    end: func(of: counter) -> u32;
    make: func(start: u32) -> counter;
  }
  interface number {
    of: func(number: u32) -> u32;
  }
  interface bytes {
    take: func(bytes: list<u8>) -> u32;
    make: func(length: u32) -> list<u8>;
  }
  interface later {
    wait: async func();
  }
  interface streams {
    read: func(bytes: stream<u8>);
  }
}

package wasi:config@0.2.0-rc.1 {
  interface store {
    variant error { upstream(string), io(string) }
    get: func(key: string) -> result<option<string>, error>;
    get-all: func() -> result<list<tuple<string, string>>, error>;
  }
}

package wasi:http@0.2.0 {
  interface types { resource incoming-request; resource response-outparam; }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
}
"#;

/// Counters, each a number in memory; `live` says how many there are.
pub const PROVIDER: &str = r#"
(module
  (import "[export]test:counter/api@1.0.0" "[resource-new]counter" (func $new (param i32) (result i32)))
  (import "[export]test:counter/api@1.0.0" "[resource-rep]counter" (func $rep (param i32) (result i32)))
  (import "[export]test:counter/api@1.0.0" "[resource-drop]counter" (func $drop (param i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 8))
  (global $live (mut i32) (i32.const 0))
  (func (export "test:counter/api@1.0.0#[constructor]counter") (param $start i32) (result i32)
    (global.set $next (i32.add (global.get $next) (i32.const 4)))
    (global.set $live (i32.add (global.get $live) (i32.const 1)))
    (i32.store (global.get $next) (local.get $start))
    (call $new (global.get $next)))
  (func (export "test:counter/api@1.0.0#[method]counter.add") (param $self i32) (param $by i32) (result i32)
    (i32.store (local.get $self) (i32.add (i32.load (local.get $self)) (local.get $by)))
    (i32.load (local.get $self)))
  (func (export "test:counter/api@1.0.0#finish") (param $of i32) (result i32)
    (local $value i32)
    (local.set $value (i32.load (call $rep (local.get $of))))
    (call $drop (local.get $of))
    (local.get $value))
  (func (export "test:counter/api@1.0.0#[dtor]counter") (param i32)
    (global.set $live (i32.sub (global.get $live) (i32.const 1))))
  (func (export "test:counter/api@1.0.0#live") (result i32) (global.get $live))
  (func (export "test:counter/api@1.0.0#misbehave") (param $how i32) (result i32)
    (if (i32.eqz (local.get $how)) (then unreachable))
    (if (i32.eq (local.get $how) (i32.const 1)) (then (loop $forever (br $forever))))
    (memory.grow (i32.const 100))))
"#;

/// Is lent counters that are another component's, takes them, and makes them.
pub const BETWEEN: &str = r#"
(module
  (import "test:counter/api@1.0.0" "[method]counter.add" (func $add (param i32 i32) (result i32)))
  (import "test:counter/api@1.0.0" "[constructor]counter" (func $make (param i32) (result i32)))
  (import "test:counter/api@1.0.0" "[resource-drop]counter" (func $drop (param i32)))
  (memory (export "memory") 1)
  (func (export "test:counter/lender@1.0.0#add-two") (param $to i32) (result i32)
    (local $sum i32)
    (local.set $sum (call $add (local.get $to) (i32.const 2)))
    (call $drop (local.get $to))
    (local.get $sum))
  (func (export "test:counter/lender@1.0.0#end") (param $of i32) (result i32)
    (local $sum i32)
    (local.set $sum (call $add (local.get $of) (i32.const 0)))
    (call $drop (local.get $of))
    (local.get $sum))
  (func (export "test:counter/lender@1.0.0#make") (param $start i32) (result i32) (call $make (local.get $start))))
"#;

/// A front that does `work` for a request and never answers: what it finds wrong is a trap.
pub fn front(work: &str) -> String {
    format!(
        r#"
(module
  (import "test:counter/api@1.0.0" "[constructor]counter" (func $make (param i32) (result i32)))
  (import "test:counter/api@1.0.0" "[method]counter.add" (func $add (param i32 i32) (result i32)))
  (import "test:counter/api@1.0.0" "[resource-drop]counter" (func $drop (param i32)))
  (import "test:counter/api@1.0.0" "finish" (func $finish (param i32) (result i32)))
  (import "test:counter/api@1.0.0" "live" (func $live (result i32)))
  (import "test:counter/api@1.0.0" "misbehave" (func $misbehave (param i32) (result i32)))
  (import "test:counter/lender@1.0.0" "add-two" (func $add-two (param i32) (result i32)))
  (import "test:counter/lender@1.0.0" "end" (func $end (param i32) (result i32)))
  (import "test:counter/lender@1.0.0" "make" (func $make-there (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $is (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
  (func (export "wasi:http/incoming-handler@0.2.0#handle") (param i32 i32) (local $c i32)
    {work}))
"#
    )
}

pub fn component(world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

pub fn code(engine: &Engine, world: &str, module: &str) -> Code {
    compile::load(engine, None, &component(world, module), &()).unwrap()
}

pub fn authority(limits: Limits) -> Arc<Authority> {
    let (variables, secrets) = (BTreeMap::new(), BTreeMap::new());
    let resolution = Resolution {
        directory: Path::new("."),
        variables: &variables,
        secrets: &secrets,
        environment: &|_| None,
        roots: &[],
    };
    Arc::new(Authority::resolve(&Grants::default(), limits, &resolution).unwrap())
}

pub fn import(interface: &str, provider: &Provider) -> Import {
    Import { import: interface.to_owned(), provider: provider.clone(), export: interface.to_owned() }
}

/// What comes of a front that does `work`, with these limits of the component that counts.
pub async fn outcome_of(work: &str, limits: Limits) -> Record {
    let engine = guests::engine(None);
    let record = guests::ask(&function(&engine, work, limits), "/", None).await;
    assert_eq!(engine.budget().used(), 0, "nothing stays charged: {record:?}");
    record
}

/// The front that does `work`, wired to its providers; `limits` are those of the one that counts.
pub fn function(engine: &Engine, work: &str, limits: Limits) -> Function {
    wired(engine, work, limits, PROVIDER)
}

/// The same with other code of the one that counts.
pub fn wired(engine: &Engine, work: &str, limits: Limits, provider: &str) -> Function {
    let counter = code(engine, "provider", provider);
    let counter = Provider::new(engine, "counter", &counter, authority(limits), &[]).unwrap();
    let counts = import("test:counter/api@1.0.0", &counter);
    let between = code(engine, "between", BETWEEN);
    let between =
        Provider::new(engine, "lender", &between, authority(Limits::http()), std::slice::from_ref(&counts)).unwrap();
    let imports = [counts, import("test:counter/lender@1.0.0", &between)];
    let front = code(engine, "front", &front(work));
    Function::wired(engine, "front", &front, authority(Limits::http()), &imports).unwrap()
}

/// The front came to its end, and found nothing wrong.
pub fn assert_went_well(record: &Record) {
    assert_eq!(record.outcome, Outcome::InvalidResponse, "{record:?}");
}

/// Takes and makes lists of bytes, which lie where they fell.
pub const BYTES: &str = r#"
(module
  (memory (export "memory") 1)
  (func $more (param $pages i32) (result i32) (i32.shl (memory.grow (local.get $pages)) (i32.const 16)))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $more (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))))
  (func (export "test:counter/bytes@1.0.0#take") (param i32 i32) (result i32) (local.get 1))
  (func (export "test:counter/bytes@1.0.0#make") (param i32) (result i32)
    (i32.store (i32.const 0) (i32.const 0))
    (i32.store (i32.const 4) (local.get 0))
    (drop (call $more (i32.add (i32.shr_u (local.get 0) (i32.const 16)) (i32.const 1))))
    (i32.const 0)))
"#;

/// A front that does `work` with lists of bytes.
pub fn with_bytes(engine: &Engine, work: &str, limits: Limits) -> Function {
    let bytes = code(engine, "taking", BYTES);
    let bytes = Provider::new(engine, "bytes", &bytes, authority(Limits::http()), &[]).unwrap();
    let front = format!(
        r#"
(module
  (import "test:counter/bytes@1.0.0" "take" (func $take (param i32 i32) (result i32)))
  (import "test:counter/bytes@1.0.0" "make" (func $make (param i32 i32)))
  (memory (export "memory") 200)
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get 3))))
  (func $is (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
  (func (export "wasi:http/incoming-handler@0.2.0#handle") (param i32 i32)
    {work}))
"#
    );
    let front = code(engine, "giving", &front);
    Function::wired(engine, "front", &front, authority(limits), &[import("test:counter/bytes@1.0.0", &bytes)]).unwrap()
}
