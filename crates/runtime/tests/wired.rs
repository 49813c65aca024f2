//! Components that provide for each other and stay apart: their calls, resources, limits and failures.

mod guests;
mod wiring;

use std::time::Duration;

use coracle_package::limit::Limits;
use coracle_runtime::compile::{self, Compiler};
use coracle_runtime::http::{Function, LinkError};
use coracle_runtime::wired::{Import, Provider, WireError};
use coracle_runtime::{Engine, EngineOptions, Outcome, TrapKind};
use wiring::{BYTES, PROVIDER, assert_went_well, authority, code, function, import, outcome_of, wired, with_bytes};

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
    let [counter] = record.providers.as_slice() else { panic!("{record:?}") };
    assert_eq!(&*counter.name, "counter");
    assert!(counter.cpu >= limit && counter.peak_memory >= 65_536, "{counter:?}");
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
fn streams_and_asynchronous_calls_cannot_cross_and_that_is_said_before_anything_runs() {
    let engine = guests::engine(None);
    for (interface, function, parameters, worlds, refused) in [
        ("test:counter/streams@1.0.0", "read", "(param i32)", ["streams", "streaming"], "a stream"),
        ("test:counter/later@1.0.0", "wait", "", ["later", "awaiting"], "an asynchronous call"),
    ] {
        let provider =
            format!(r#"(module (memory (export "memory") 1) (func (export "{interface}#{function}") {parameters}))"#);
        let provider = code(&engine, worlds[0], &provider);
        let provider = Provider::new(&engine, "provider", &provider, authority(Limits::http()), &[]).unwrap();
        let front = format!(
            r#"(module
            (import "{interface}" "{function}" (func {parameters}))
            (memory (export "memory") 1)
            (func (export "wasi:http/incoming-handler@0.2.0#handle") (param i32 i32)))"#
        );
        let front = code(&engine, worlds[1], &front);
        let imports = [import(interface, &provider)];
        let error = Function::wired(&engine, "front", &front, authority(Limits::http()), &imports).err().unwrap();
        assert!(matches!(&error, LinkError::Wire(WireError::Value { what, .. }) if *what == refused), "{error}");
    }
}

#[tokio::test]
async fn every_provider_that_ran_is_in_the_record_once() {
    let work = "(local.set $c (call $make-there (i32.const 3))) (drop (call $end (local.get $c)))";
    let record = outcome_of(work, Limits::http()).await;
    let names: Vec<&str> = record.providers.iter().map(|provider| &*provider.name).collect();
    assert_eq!(names, ["lender", "counter"], "the one was called first and called the other: {record:?}");
    assert!(outcome_of("", Limits::http()).await.providers.is_empty(), "nobody was called");
}

#[tokio::test]
async fn a_provider_that_cannot_start_ends_the_call() {
    let engine = guests::engine(None);
    let provider = PROVIDER.replacen("(memory", "(func $begin unreachable) (start $begin) (memory", 1);
    let record = guests::ask(&wired(&engine, "(drop (call $live))", Limits::http(), &provider), "/", None).await;
    assert_eq!(record.outcome, Outcome::Trap(TrapKind::Unreachable), "{record:?}");
    let detail = record.detail.unwrap();
    assert!(detail.starts_with("`counter` failed (trap-unreachable) when `front` called"), "{detail}");
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test]
async fn a_trap_in_the_destructor_of_a_resource_names_it() {
    let engine = guests::engine(None);
    let provider = PROVIDER.replacen("[dtor]counter\") (param i32)", "[dtor]counter\") (param i32) unreachable", 1);
    let work = "(call $drop (call $make (i32.const 1)))";
    let record = guests::ask(&wired(&engine, work, Limits::http(), &provider), "/", None).await;
    assert_eq!(record.outcome, Outcome::Trap(TrapKind::Unreachable), "{record:?}");
    let detail = record.detail.unwrap();
    let said =
        "`counter` failed (trap-unreachable) when `front` called the destructor of test:counter/api@1.0.0.counter: ";
    assert!(detail.starts_with(said), "{detail}");
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_client_leaves_a_provider_at_work_ends_too() {
    let engine = guests::engine(None);
    let function = function(&engine, "(drop (call $misbehave (i32.const 1)))", Limits::http());
    // When both instances are there, each with a page of memory.
    let left = async {
        while engine.budget().used() < 2 * (256 << 10) + 2 * 65_536 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let record = guests::ask_until(left, &function, "/", None).await;
    assert_eq!(record.outcome, Outcome::Cancelled, "{record:?}");
    assert!(record.providers.iter().any(|it| !it.cpu.is_zero()), "the provider was at work: {record:?}");
    assert_eq!(engine.budget().used(), 0, "both instances are gone");
}

#[tokio::test]
async fn what_crosses_is_charged_to_both_while_it_is_held() {
    let engine = guests::engine(None);
    let take = "(call $is (call $take (i32.const 0) (i32.const 500000)) (i32.const 500000))";
    let record = guests::ask(&with_bytes(&engine, take, Limits::http()), "/", None).await;
    assert_went_well(&record);
    let memory = 200 * 65_536;
    // As values a byte takes many times its size.
    assert!(record.peak_memory >= memory + 10 * 500_000, "{record:?}");
    assert!(record.providers[0].peak_memory >= 10 * 500_000, "{record:?}");
    assert_eq!(engine.budget().used(), 0, "and given back");
    // What was given back is there for the next call.
    let often = format!(
        "(local $n i32) (loop {take} (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get $n) (i32.const 20))))"
    );
    assert_went_well(&guests::ask(&with_bytes(&engine, &often, Limits::http()), "/", None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_arrived_is_charged_no_longer() {
    let engine = guests::engine(None);
    let limits = Limits { cpu_time: Some(Duration::from_secs(10)), ..Limits::http() };
    let work = "(drop (call $take (i32.const 0) (i32.const 500000))) (loop $forever (br $forever))";
    let function = with_bytes(&engine, work, limits);
    // Two instances, the memory of the front, and that of the provider, which grows for what it is given.
    let memories = 2 * (256 << 10) + (200 + 1 + 8) * 65_536;
    let left = async {
        while !(memories..memories + (4 << 20)).contains(&engine.budget().used()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let record = guests::ask_until(left, &function, "/", None).await;
    assert_eq!(record.outcome, Outcome::Cancelled, "{record:?}");
    assert!(record.peak_memory >= 200 * 65_536 + 10 * 500_000, "it was, on its way: {record:?}");
}

#[tokio::test]
async fn what_a_provider_was_given_by_another_goes_with_its_call() {
    let engine = guests::engine(None);
    let deep = code(&engine, "taking", BYTES);
    let deep = Provider::new(&engine, "deep", &deep, authority(Limits::http()), &[]).unwrap();
    let passing = r#"(module
        (import "test:counter/bytes@1.0.0" "make" (func $make (param i32 i32)))
        (memory (export "memory") 20)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
        (func (export "test:counter/number@1.0.0#of") (param i32) (result i32)
          (call $make (local.get 0) (i32.const 0)) (local.get 0)))"#;
    let imports = [import("test:counter/bytes@1.0.0", &deep)];
    let passing = code(&engine, "passing", passing);
    let passing = Provider::new(&engine, "passing", &passing, authority(Limits::http()), &imports).unwrap();
    let asking = r#"(module
        (import "test:counter/number@1.0.0" "of" (func $of (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "wasi:http/incoming-handler@0.2.0#handle") (param i32 i32)
          (drop (call $of (i32.const 400000))) (loop $forever (br $forever))))"#;
    let limits = Limits { cpu_time: Some(Duration::from_secs(10)), ..Limits::http() };
    let imports = [import("test:counter/number@1.0.0", &passing)];
    let asking = code(&engine, "asking", asking);
    let function = Function::wired(&engine, "front", &asking, authority(limits), &imports).unwrap();
    // Three instances and their memories, of which the deepest has grown for what it made.
    let memories = 3 * (256 << 10) + (1 + 20 + 8) * 65_536;
    let left = async {
        while !(memories..memories + (4 << 20)).contains(&engine.budget().used()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let record = guests::ask_until(left, &function, "/", None).await;
    assert_eq!(record.outcome, Outcome::Cancelled, "{record:?}");
}

#[tokio::test]
async fn more_than_the_host_may_keep_does_not_cross_and_the_edge_is_named() {
    let engine = guests::engine(None);
    let limits = || Limits { host_memory: 4 << 20, ..Limits::http() };
    for (work, function, what) in [
        ("(drop (call $take (i32.const 0) (i32.const 500000)))", "take", "arguments"),
        ("(call $make (i32.const 500000) (i32.const 0))", "make", "results"),
    ] {
        let record = guests::ask(&with_bytes(&engine, work, limits()), "/", None).await;
        assert_eq!(record.outcome, Outcome::OutOfMemory, "{record:?}");
        let detail = record.detail.unwrap();
        let said = format!(
            "`bytes` failed (out-of-memory) when `front` called test:counter/bytes@1.0.0.{function}: the {what} take "
        );
        assert!(detail.starts_with(&said), "{detail}");
        assert!(detail.contains("`host-memory` of `front` allows 4.0 MiB in all; pass smaller pieces"), "{detail}");
        assert_eq!(engine.budget().used(), 0);
    }
    // The engine refuses to read what is more than one call may pass, and the provider is never called.
    let work = "(drop (call $take (i32.const 0) (i32.const 2000000)))";
    let record = guests::ask(&with_bytes(&engine, work, Limits::http()), "/", None).await;
    assert!(record.detail.as_ref().is_some_and(|it| it.contains("than `call-bytes` allows")), "{record:?}");
}

#[tokio::test]
async fn what_crosses_is_part_of_what_all_guests_hold() {
    let engine = guests::engine(Some(20 << 20));
    let work = "(drop (call $take (i32.const 0) (i32.const 500000)))";
    let record = guests::ask(&with_bytes(&engine, work, Limits::http()), "/", None).await;
    assert_eq!(record.outcome, Outcome::Overload, "{record:?}");
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test]
async fn where_the_pool_has_no_place_for_a_provider_the_outcome_is_overload() {
    // As after a reload: the pool was made for a wiring that was less deep.
    let engine = Engine::new(EngineOptions::server(1), Compiler::InProcess).unwrap();
    let record = guests::ask(&function(&engine, "(drop (call $live))", Limits::http()), "/", None).await;
    assert_eq!(record.outcome, Outcome::Overload, "{record:?}");
}

/// Says "wired" whatever it is asked for.
const CONFIGURED: &str = r#"
(module
  (memory (export "memory") 1)
  (data (i32.const 4) "\01\00\00\00\10\00\00\00\05\00\00\00wired")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "wasi:config/store@0.2.0-rc.1#get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "wasi:config/store@0.2.0-rc.1#get-all") (result i32) (i32.const 64)))
"#;

#[tokio::test]
async fn another_component_may_provide_what_the_host_has_too() {
    const CONFIG: &str = "wasi:config/store@0.2.0-rc.1";
    let engine = guests::engine(None);
    let provider = code(&engine, "configured", CONFIGURED);
    let provider = Provider::new(&engine, "configured", &provider, authority(Limits::http()), &[]).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/store-rust/store-rust.wasm");
    let store = compile::load(&engine, None, &std::fs::read(path).unwrap(), &()).unwrap();
    let imports = [import(CONFIG, &provider)];
    let store = Function::wired(&engine, "store", &store, authority(Limits::http()), &imports).unwrap();
    assert_eq!(guests::text(&store, "/config?key=currency").await.trim_end(), "wired");
}
