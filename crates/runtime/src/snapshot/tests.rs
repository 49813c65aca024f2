use super::*;
use crate::compile::Compiler;
use crate::engine::EngineOptions;
use wasmtime::{Linker, TypedFunc};

fn engine() -> Engine {
    Engine::new(EngineOptions::command(), Compiler::InProcess).unwrap()
}

async fn take_text(module: &str) -> Result<Vec<u8>, SnapshotError> {
    take(&engine(), &wat::parse_str(module).unwrap(), "resume").await
}

/// What a module that starts with `body` is refused for, and what it wrote before.
async fn refused(body: &str) -> (String, Vec<String>) {
    let module = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "wasi_snapshot_preview1" "path_open"
                (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $wait (param i32 i32 i32 i32) (result i32)))
            (import "shop:quote/pricing" "price" (func $price (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\08\00\00\00\0c\00\00\00it is wrong\n")
            (func (export "_initialize") {body})
            (func (export "resume")))"#
    );
    match take_text(&module).await {
        Err(SnapshotError::Stopped { reason, said, .. }) => (reason, said),
        other => panic!("{body}: {other:?}"),
    }
}

#[tokio::test]
async fn an_instance_starts_with_what_was_done_and_goes_on_from_there() {
    let module = r#"(module
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (memory (export "memory") 1)
        (global $count (mut i32) (i32.const 0))
        (func (export "_initialize")
            (i32.store (i32.const 100) (i32.const -1))
            (i32.store (i32.const 104) (i32.const -1))
            (drop (call $sizes (i32.const 100) (i32.const 104)))
            (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 112)))
            (drop (memory.grow (i32.const 2)))
            (i32.store (i32.const 150000) (i32.const 42))
            (global.set $count (i32.add (global.get $count) (i32.const 1))))
        (func (export "resume") (global.set $count (i32.add (global.get $count) (i32.const 10))))
        (func (export "count") (result i32) (global.get $count)))"#;
    let snapshot = take_text(module).await.unwrap();

    let engine = engine();
    let module = Module::new(engine.wasm(), snapshot).unwrap();
    let _clock = engine.run_clock();
    let mut store = Store::new(engine.wasm(), ());
    store.set_epoch_deadline(u64::MAX / 2);
    let mut linker = Linker::new(engine.wasm());
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance = linker.instantiate_async(&mut store, &module).await.unwrap();
    let count: TypedFunc<(), i32> = instance.get_typed_func(&mut store, "count").unwrap();
    assert_eq!(count.call_async(&mut store, ()).await.unwrap(), 1);
    let initialize: TypedFunc<(), ()> = instance.get_typed_func(&mut store, "_initialize").unwrap();
    initialize.call_async(&mut store, ()).await.unwrap();
    assert_eq!(count.call_async(&mut store, ()).await.unwrap(), 11);
    assert!(instance.get_func(&mut store, "resume").is_none());

    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let word = |at: usize| u32::from_le_bytes(memory.data(&store)[at..at + 4].try_into().unwrap());
    assert_eq!((word(100), word(104)), (0, 0), "there are no variables");
    assert_eq!((word(112), word(116)), (1, 0), "the clock stands before any instance's own");
    assert_eq!((memory.size(&store), word(150_000)), (3, 42));
}

#[tokio::test]
async fn what_would_be_the_same_in_every_instance_is_refused() {
    let seed = "(drop (call $random (i32.const 100) (i32.const 32)))";
    for (body, reason) in [
        (format!("{seed} {seed}"), "it draws random numbers"),
        ("(drop (call $random (i32.const 100) (i32.const 33)))".to_owned(), "it draws random numbers"),
        ("(drop (call $clock (i32.const 0) (i64.const 0) (i32.const 100)))".to_owned(), "it asks for the time of day"),
        (
            "(loop (drop (call $wait (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 300))) (br 0))"
                .to_owned(),
            "it waits",
        ),
        ("(drop (call $price))".to_owned(), "it calls `shop:quote/pricing.price`"),
        (
            format!(
                "(drop (call $open {} (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)))",
                "(i32.const 0)".repeat(5)
            ),
            "it calls `wasi_snapshot_preview1.path_open`",
        ),
    ] {
        assert_eq!(refused(&body).await, (reason.to_owned(), Vec::new()));
    }
}

#[tokio::test]
async fn the_runtimes_own_seed_is_the_modules_own() {
    let module = |more: &str| {
        format!(
            r#"(module
                (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "_initialize") (drop (call $random (i32.const 100) (i32.const 32))))
                (func (export "resume") {more}))"#
        )
    };
    let one = take_text(&module("")).await.unwrap();
    assert_eq!(one, take_text(&module("")).await.unwrap(), "what is built twice is the same");
    let other = take_text(&module("nop")).await.unwrap();
    assert_eq!(memory(&one).len(), 32);
    assert_ne!(memory(&one), memory(&other), "another module has another");
}

/// What the memory of a module begins with.
fn memory(module: &[u8]) -> Vec<u8> {
    let payloads = wasmparser::Parser::new(0).parse_all(module);
    let sections = payloads.filter_map(|payload| match payload.unwrap() {
        wasmparser::Payload::DataSection(section) => Some(section),
        _ => None,
    });
    sections.flatten().flat_map(|segment| segment.unwrap().data.to_vec()).collect()
}

#[tokio::test]
async fn a_program_that_ends_itself_is_told_by_its_own_words() {
    let write = "(drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 100)))";
    let (reason, said) = refused(&format!("{write} (call $exit (i32.const 2))")).await;
    assert_eq!((reason.as_str(), said), ("it ends itself with code 2", vec!["it is wrong".to_owned()]));
}

#[tokio::test]
async fn start_up_work_has_limits() {
    let (reason, _) = refused("(drop (memory.grow (i32.const 4096))) (drop (i32.load (i32.const 200000000)))").await;
    assert!(reason.contains("out of bounds"), "{reason}");

    let limits = Limits { cpu_time: Some(Duration::from_millis(50)), ..limits() };
    let endless = r#"(module (memory 1) (func (export "_initialize") (loop (br 0))) (func (export "resume")))"#;
    let ended = take_within(&engine(), &wat::parse_str(endless).unwrap(), "resume", limits).await;
    assert!(
        matches!(&ended, Err(SnapshotError::Stopped { reason, hint: Some(_), .. }) if reason.contains("CPU time")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_module_that_does_not_go_on_is_refused() {
    let text = r#"(module (memory 1) (func (export "_initialize")))"#;
    assert!(matches!(take_text(text).await, Err(SnapshotError::NoFunction(name)) if name == "resume"));
    let text = r#"(module (memory 1) (table 1 funcref) (func (export "_initialize")) (func (export "resume")
        (table.set (i32.const 0) (ref.null func))))"#;
    assert!(matches!(take_text(text).await, Err(SnapshotError::Unfit(_))));
}
