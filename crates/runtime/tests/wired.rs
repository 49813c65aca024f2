//! Components that provide for each other and stay apart: their calls, resources, limits and failures.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

mod guests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coracle_package::grant::Grants;
use coracle_package::limit::Limits;
use coracle_runtime::compile::{self, Code};
use coracle_runtime::http::{Function, LinkError};
use coracle_runtime::wired::{Import, Provider, WireError};
use coracle_runtime::{Authority, Engine, Outcome, Resolution, TrapKind};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

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
  interface streams {
    read: func(bytes: stream<u8>);
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
const PROVIDER: &str = r#"
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
const BETWEEN: &str = r#"
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
fn front(work: &str) -> String {
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

fn component(world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

fn code(engine: &Engine, world: &str, module: &str) -> Code {
    compile::load(engine, None, &component(world, module), &()).unwrap()
}

fn authority(limits: Limits) -> Arc<Authority> {
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

fn import(interface: &str, provider: &Provider) -> Import {
    Import { import: interface.to_owned(), provider: provider.clone(), export: interface.to_owned() }
}

/// What comes of a front that does `work`, with these limits of the component that counts.
async fn outcome_of(work: &str, limits: Limits) -> coracle_runtime::Record {
    let engine = guests::engine(None);
    let record = guests::ask(&function(&engine, work, limits), "/", None).await;
    assert_eq!(engine.budget().used(), 0, "nothing stays charged: {record:?}");
    record
}

/// The front that does `work`, wired to its providers; `limits` are those of the one that counts.
fn function(engine: &Engine, work: &str, limits: Limits) -> Function {
    let counter = code(engine, "provider", PROVIDER);
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
fn assert_went_well(record: &coracle_runtime::Record) {
    assert_eq!(record.outcome, Outcome::InvalidResponse, "{record:?}");
}

#[tokio::test]
async fn resources_of_another_component_are_made_used_and_dropped() {
    let work = "
        (local.set $c (call $make (i32.const 5)))
        (call $is (call $add (local.get $c) (i32.const 2)) (i32.const 7))
        (call $is (call $live) (i32.const 1))
        (call $is (call $finish (local.get $c)) (i32.const 7))
        (call $is (call $live) (i32.const 0))
        (local.set $c (call $make (i32.const 1)))
        (call $drop (local.get $c))
        (call $is (call $live) (i32.const 0))";
    assert_went_well(&outcome_of(work, Limits::http()).await);
}

#[tokio::test]
async fn a_resource_is_lent_and_given_to_a_third_component() {
    let work = "
        (local.set $c (call $make (i32.const 5)))
        (call $is (call $add-two (local.get $c)) (i32.const 7))
        (call $is (call $add (local.get $c) (i32.const 1)) (i32.const 8))
        (call $is (call $end (local.get $c)) (i32.const 8))
        (call $is (call $live) (i32.const 0))
        (local.set $c (call $make-there (i32.const 3)))
        (call $is (call $add (local.get $c) (i32.const 1)) (i32.const 4))
        (call $is (call $live) (i32.const 1))
        (call $is (call $finish (local.get $c)) (i32.const 4))";
    assert_went_well(&outcome_of(work, Limits::http()).await);
}

#[tokio::test]
async fn every_invocation_has_instances_of_its_own() {
    let work = "(call $is (call $live) (i32.const 0)) (drop (call $make (i32.const 1)))";
    let engine = guests::engine(None);
    let function = function(&engine, work, Limits::http());
    for _ in 0..3 {
        assert_went_well(&guests::ask(&function, "/", None).await);
        assert_eq!(engine.budget().used(), 0);
    }
}

#[tokio::test]
async fn a_trap_of_a_provider_ends_the_call_and_names_the_edge() {
    let record = outcome_of("(drop (call $misbehave (i32.const 0)))", Limits::http()).await;
    assert_eq!(record.outcome, Outcome::Trap(TrapKind::Unreachable));
    let detail = record.detail.unwrap();
    let said = "`counter` failed (trap-unreachable) when `front` called test:counter/api@1.0.0.misbehave: ";
    assert!(detail.starts_with(said), "{detail}");
}

#[tokio::test]
async fn a_provider_has_its_own_limit_of_cpu_time_and_is_charged_for_it() {
    let limit = Duration::from_millis(400);
    let limits = Limits { cpu_time: Some(limit), ..Limits::http() };
    let record = outcome_of("(drop (call $misbehave (i32.const 1)))", limits).await;
    assert_eq!(record.outcome, Outcome::CpuDeadline, "{record:?}");
    assert!(record.wall >= limit && record.cpu < limit / 2, "the front did next to nothing: {record:?}");
}

#[tokio::test]
async fn a_provider_has_its_own_limit_of_wall_time() {
    let limits = Limits { cpu_time: None, wall_time: Some(Duration::from_millis(200)), ..Limits::http() };
    let record = outcome_of("(drop (call $misbehave (i32.const 1)))", limits).await;
    assert_eq!(record.outcome, Outcome::WallDeadline, "{record:?}");
}

#[tokio::test]
async fn a_provider_has_its_own_limit_of_memory() {
    let grow = "(call $is (call $misbehave (i32.const 2))";
    assert_went_well(&outcome_of(&format!("{grow} (i32.const 1))"), Limits::http()).await);
    let limits = Limits { memory: 1 << 20, ..Limits::http() };
    assert_went_well(&outcome_of(&format!("{grow} (i32.const -1))"), limits).await);
}

#[tokio::test]
async fn a_component_stands_between_two_others_and_consumers_have_providers_of_their_own() {
    const NUMBER: &str = "test:counter/number@1.0.0";
    let engine = guests::engine(None);
    let double = r#"(module (memory (export "memory") 1)
        (func (export "test:counter/number@1.0.0#of") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;
    let more = r#"(module
        (import "test:counter/number@1.0.0" "of" (func $of (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "test:counter/number@1.0.0#of") (param i32) (result i32)
          (i32.add (call $of (local.get 0)) (i32.const 1))))"#;
    let asking = |expected: u32| {
        format!(
            r#"(module
            (import "test:counter/number@1.0.0" "of" (func $of (param i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "wasi:http/incoming-handler@0.2.0#handle") (param i32 i32)
              (if (i32.ne (call $of (i32.const 20)) (i32.const {expected})) (then unreachable))))"#
        )
    };
    let provider = |name: &str, world: &str, module: &str, imports: &[Import]| {
        Provider::new(&engine, name, &code(&engine, world, module), authority(Limits::http()), imports).unwrap()
    };
    let double = provider("double", "double", double, &[]);
    let once = provider("once", "more", more, &[import(NUMBER, &double)]);
    let twice = provider("twice", "more", more, &[import(NUMBER, &once)]);
    for (provider, expected) in [(&double, 40), (&once, 41), (&twice, 42)] {
        let front = code(&engine, "asking", &asking(expected));
        let imports = [import(NUMBER, provider)];
        let function = Function::wired(&engine, "front", &front, authority(Limits::http()), &imports).unwrap();
        assert_went_well(&guests::ask(&function, "/", None).await);
    }
}

#[test]
fn streams_cannot_cross_and_that_is_said_before_anything_runs() {
    let engine = guests::engine(None);
    let provider =
        r#"(module (memory (export "memory") 1) (func (export "test:counter/streams@1.0.0#read") (param i32)))"#;
    let provider = code(&engine, "streams", provider);
    let provider = Provider::new(&engine, "streams", &provider, authority(Limits::http()), &[]).unwrap();
    let front = r#"(module
        (import "test:counter/streams@1.0.0" "read" (func (param i32)))
        (memory (export "memory") 1)
        (func (export "wasi:http/incoming-handler@0.2.0#handle") (param i32 i32)))"#;
    let front = code(&engine, "streaming", front);
    let imports = [import("test:counter/streams@1.0.0", &provider)];
    let error = Function::wired(&engine, "front", &front, authority(Limits::http()), &imports).err().unwrap();
    assert!(matches!(error, LinkError::Wire(WireError::Value { what: "a stream", .. })), "{error}");
}
