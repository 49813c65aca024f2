use std::sync::{Arc, Mutex};

use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, Store};

use super::definitions::Instance;
use super::*;

/// What an instance may take.
const LARGEST: usize = 1 << 20;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// How many instances of modules a component makes by itself.
fn instances(component: &[u8]) -> usize {
    let definitions = Definitions::read(component).unwrap();
    definitions.instances.iter().filter(|instance| matches!(instance, Instance::Module { .. })).count()
}

/// What `run` of a component answers and what it said to `say`, or the first line of why not.
fn run(component: &[u8]) -> (Result<Vec<Val>, String>, Vec<String>) {
    let mut config = Config::new();
    config.wasm_function_references(true).wasm_tail_call(true).wasm_multi_memory(true);
    let engine = Engine::new(&config).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let mut linker = Linker::new(&engine);
    let saying = Arc::clone(&said);
    linker
        .root()
        .func_wrap("say", move |_, (text,): (String,)| {
            saying.lock().unwrap().push(text);
            Ok(())
        })
        .unwrap();
    let answer = (|| {
        let component = Component::new(&engine, component)?;
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &component)?;
        let run = instance.get_func(&mut store, "run").unwrap();
        let mut results = vec![Val::U32(0)];
        run.call(&mut store, &[], &mut results)?;
        Ok(results)
    })();
    let said = said.lock().unwrap().clone();
    (answer.map_err(|error: wasmtime::Error| error.root_cause().to_string()), said)
}

/// Merges a component, and sees that it then has so many instances and does the same.
fn merges(text: &str, into: usize) -> (Result<Vec<Val>, String>, Vec<String>) {
    let before = wasm(text);
    let after = merge(&before, LARGEST).unwrap();
    assert_eq!(instances(&after), into, "{}", wasmprinter::print_bytes(&after).unwrap());
    let answer = run(&before);
    assert_eq!(run(&after), answer);
    answer
}

fn answer(number: u32) -> (Result<Vec<Val>, String>, Vec<String>) {
    (Ok(vec![Val::U32(number)]), Vec::new())
}

/// Three libraries that are linked as a component is instantiated: they share a memory, a table with an offset for each, and
/// one calls the other by a pointer.
const LINKED: &str = r#"(component
    (core module $env
      (memory (export "memory") 1)
      (table (export "table") 8 funcref)
      (global (export "base") i32 (i32.const 16))
      (global (export "slot") i32 (i32.const 2))
      (global (export "stack") (mut i32) (i32.const 1024)))
    (core module $one
      (type $get (func (result i32)))
      (import "env" "memory" (memory 1))
      (import "env" "table" (table 1 funcref))
      (import "env" "base" (global $base i32))
      (import "env" "slot" (global $slot i32))
      (import "env" "stack" (global $stack (mut i32)))
      (func $load (type $get) (i32.load (i32.add (global.get $base) (i32.const 4))))
      (func $push (result i32)
        (global.set $stack (i32.sub (global.get $stack) (i32.const 8)))
        (global.get $stack))
      (export "load" (func $load))
      (export "push" (func $push))
      (elem (offset (i32.add (global.get $slot) (i32.const 1))) func $load)
      (data (offset (i32.add (global.get $base) (i32.const 4))) "\07\00\00\00"))
    (core module $two
      (type $unused (func (param f64)))
      (type $get (func (result i32)))
      (import "env" "memory" (memory 1))
      (import "env" "table" (table 1 funcref))
      (import "one" "push" (func $push (type $get)))
      (import "one" "load" (func $load (type $get)))
      (data $more "\05\00\00\00")
      (elem $late func $five)
      (elem declare func $load)
      (func $five (result i32) (i32.load (i32.const 64)))
      (func (export "run") (result i32)
        (memory.init $more (i32.const 64) (i32.const 0) (i32.const 4))
        (data.drop $more)
        (table.init $late (i32.const 6) (i32.const 0) (i32.const 1))
        (table.set (i32.const 7) (ref.func $load))
        (i32.add (i32.add (call $push) (call $push))
          (i32.add (call_indirect (type $get) (i32.const 3))
            (i32.add (call_indirect (type $get) (i32.const 6)) (call_indirect (type $get) (i32.const 7)))))))
    (core instance $env (instantiate $env))
    (core instance $one (instantiate $one (with "env" (instance $env))))
    (core instance $two (instantiate $two (with "env" (instance $env)) (with "one" (instance $one))))
    (func (export "run") (result u32) (canon lift (core func $two "run"))))"#;

#[test]
fn libraries_that_share_memory_and_table_become_one() {
    assert_eq!(merges(LINKED, 1), answer(1016 + 1008 + 7 + 5 + 7));
}

#[test]
fn a_segment_at_the_offset_of_another_module_is_laid_out_beforehand() {
    let merged = wasmprinter::print_bytes(merge(&wasm(LINKED), LARGEST).unwrap()).unwrap();
    assert!(merged.contains("(elem (;0;) (i32.const 3) func $load)"), "{merged}");
    assert!(merged.contains("(i32.const 20) \"\\07\\00\\00\\00\""), "{merged}");
}

/// As tools make them: the functions of the host need the guest's memory and its allocator, so the guest calls them through a
/// table that is filled when it is there.
fn wired(start: &str) -> String {
    format!(
        r#"(component
    (import "say" (func $say (param "text" string)))
    (core module $main
      (import "host" "say" (func $say (param i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 8) "hello")
      (func $begin {start})
      (start $begin)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "run") (result i32) (call $say (i32.const 8) (i32.const 5)) (i32.const 3)))
    (core module $shim
      (type $call (func (param i32 i32)))
      (table (export "$imports") 1 funcref)
      (func (export "0") (type $call)
        (call_indirect (type $call) (local.get 0) (local.get 1) (i32.const 0))))
    (core module $fixup
      (import "" "0" (func (param i32 i32)))
      (import "" "$imports" (table 1 funcref))
      (elem (i32.const 0) func 0))
    (core instance $shim (instantiate $shim))
    (alias core export $shim "0" (core func $indirect))
    (core instance $host (export "say" (func $indirect)))
    (core instance $main (instantiate $main (with "host" (instance $host))))
    (alias core export $main "memory" (core memory $memory))
    (core func $realloc (alias core export $main "realloc"))
    (core func $lowered (canon lower (func $say) (memory $memory) (realloc $realloc)))
    (alias core export $shim "$imports" (core table $imports))
    (core instance $all (export "0" (func $lowered)) (export "$imports" (table $imports)))
    (core instance (instantiate $fixup (with "" (instance $all))))
    (func (export "run") (result u32) (canon lift (core func $main "run"))))"#
    )
}

#[test]
fn what_calls_the_host_through_a_table_becomes_two() {
    assert_eq!(merges(&wired(""), 2), (Ok(vec![Val::U32(3)]), vec!["hello".to_owned()]));
}

#[test]
fn a_start_function_that_calls_the_host_too_early_still_does() {
    let (answer, said) = merges(&wired("(call $say (i32.const 8) (i32.const 5))"), 2);
    assert_eq!((answer.unwrap_err().as_str(), said), ("wasm trap: uninitialized element", Vec::new()));
}

/// Two modules, the second of which writes what the first reads as it starts.
fn in_order(first: &str, second: &str) -> String {
    format!(
        r#"(component
    (core module $first (memory (export "memory") 1) {first})
    (core module $second (import "first" "memory" (memory 1)) {second}
      (func (export "run") (result i32) (i32.load (i32.const 0))))
    (core instance $first (instantiate $first))
    (core instance $second (instantiate $second (with "first" (instance $first))))
    (func (export "run") (result u32) (canon lift (core func $second "run"))))"#
    )
}

#[test]
fn starts_and_segments_keep_their_order() {
    let copies =
        "(func $copy (i32.store (i32.const 0) (i32.add (i32.load (i32.const 4)) (i32.const 1)))) (start $copy)";
    let writes = r#"(data (i32.const 4) "\09\00\00\00")"#;
    // It has to read before the second writes.
    assert_eq!(merges(&in_order(copies, writes), 2), answer(1));
    assert_eq!(merges(&in_order(writes, copies), 1), answer(10));
}

#[test]
fn a_segment_that_does_not_fit_stops_it_as_before() {
    let (answer, _) = merges(&in_order("", r#"(data (i32.const 65534) "\01\02\03")"#), 1);
    assert_eq!(answer.unwrap_err(), "wasm trap: out of bounds memory access");
}

#[test]
fn memories_stay_apart() {
    assert_eq!(merges(&in_order("", "(memory 1)"), 2), answer(0));
}

#[test]
fn a_module_with_two_instances_stays() {
    let text = r#"(component
    (core module $counter (global $count (mut i32) (i32.const 0))
      (func (export "next") (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count)))
    (core module $main
      (import "a" "next" (func $a (result i32))) (import "b" "next" (func $b (result i32)))
      (func (export "run") (result i32) (drop (call $a)) (i32.add (call $a) (call $b))))
    (core instance $a (instantiate $counter))
    (core instance $b (instantiate $counter))
    (core instance $main (instantiate $main (with "a" (instance $a)) (with "b" (instance $b))))
    (func (export "run") (result u32) (canon lift (core func $main "run"))))"#;
    assert_eq!(merges(text, 3), answer(3));
}

#[test]
fn components_are_merged_each_for_itself() {
    let inner = |name: &str| LINKED.replacen("(component", &format!("(component ${name}"), 1);
    let text = format!(
        r#"(component {} {}
    (instance $a (instantiate $a)) (instance $b (instantiate $b))
    (func (export "run") (alias export $b "run")))"#,
        inner("a"),
        inner("b")
    );
    let before = wasm(&text);
    let after = merge(&before, LARGEST).unwrap();
    for inner in Definitions::read(&after).unwrap().components {
        assert_eq!(instances(inner), 1);
    }
    assert_eq!(run(&after), run(&before));
    assert!(run(&after).0.is_ok());
}

#[test]
fn a_destructor_that_is_there_before_the_guest_works() {
    // A resource's type names the shim's function, and the guest imports what makes that resource.
    let text = r#"(component
    (core module $shim
      (type $drop (func (param i32)))
      (table (export "$imports") 1 funcref)
      (func (export "drop") (type $drop) (call_indirect (type $drop) (local.get 0) (i32.const 0))))
    (core module $main
      (import "host" "new" (func $new (param i32) (result i32)))
      (import "host" "drop" (func $drop (param i32)))
      (global $dropped (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $dropped (local.get 0)))
      (func (export "run") (result i32) (call $drop (call $new (i32.const 21))) (global.get $dropped)))
    (core module $fixup
      (import "" "0" (func (param i32))) (import "" "$imports" (table 1 funcref)) (elem (i32.const 0) func 0))
    (core instance $shim (instantiate $shim))
    (core func $dtor (alias core export $shim "drop"))
    (type $thing (resource (rep i32) (dtor (func $dtor))))
    (core func $new (canon resource.new $thing))
    (core func $drop (canon resource.drop $thing))
    (core instance $main (instantiate $main
      (with "host" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
    (alias core export $shim "$imports" (core table $imports))
    (core instance (instantiate $fixup (with "" (instance
      (export "0" (func $main "dtor")) (export "$imports" (table $imports))))))
    (func (export "run") (result u32) (canon lift (core func $main "run"))))"#;
    assert_eq!(merges(text, 2), answer(21));
}

#[test]
fn what_is_invalid_does_not_become_valid() {
    let valid = in_order("", "");
    for (part, other) in [
        // Less than is imported, another kind, and another type in a body that nobody calls.
        ("(memory (export \"memory\") 1)", "(memory (export \"memory\") 0)"),
        ("(memory (export \"memory\") 1)", "(func (export \"memory\"))"),
        ("(i32.load (i32.const 0))", "(i64.load (i32.const 0))"),
        ("(with \"first\" (instance $first))", ""),
        // What nobody uses.
        ("(core instance $first (inst", "(core module (func (i32.add))) (core instance $first (inst"),
    ] {
        assert!(valid.contains(part), "{part}");
        let before = wasm(&valid.replace(part, other));
        let after = merge(&before, LARGEST).unwrap_or(Cow::Borrowed(&before));
        assert!(Validator::new_with_features(WasmFeatures::all()).validate_all(&after).is_err(), "{other}");
    }
}

#[test]
fn a_module_names_nothing_of_another() {
    let first = "(type (func)) (type (func (result i32))) (data $d \"ab\") (elem $e func) (func $f (export \"f\"))
        (func $use (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))";
    let second =
        |body: &str| format!("(type (func)) (data \"ab\") (elem func) (func $unnamed) (table 1 funcref) (func {body})");
    assert!(matches!(merge(&wasm(&in_order(first, &second("nop"))), LARGEST), Ok(Cow::Owned(_))));
    for invalid in [
        "(drop (call_indirect (type 9) (i32.const 0)))",
        "(data.drop 1)",
        "(elem.drop 1)",
        "(drop (ref.func $unnamed))",
    ] {
        assert!(merge(&wasm(&in_order(first, &second(invalid))), LARGEST).is_err(), "{invalid}");
    }
}

#[test]
fn what_several_import_from_outside_is_there_for_each() {
    let text = r#"(component
    (core module $env (global (export "g") i32 (i32.const 5)) (func (export "f") (result i32) (i32.const 6)))
    (core module $one (type (func)) (type $get (func (result i32)))
      (import "env" "f" (func $f (type $get))) (import "env" "g" (global $g i32))
      (func (export "sum") (result i32) (i32.add (global.get $g) (call $f))))
    (core module $two
      (import "env" "g" (global $g i32)) (import "one" "sum" (func $sum (result i32)))
      (import "env" "f" (func $f (result i32)))
      (func (export "run") (result i32) (i32.mul (call $sum) (i32.add (global.get $g) (call $f)))))
    (core instance (instantiate $env))
    (core instance $env (instantiate $env))
    (core instance $one (instantiate $one (with "env" (instance $env))))
    (core instance $two (instantiate $two (with "env" (instance $env)) (with "one" (instance $one))))
    (func (export "run") (result u32) (canon lift (core func $two "run"))))"#;
    assert_eq!(merges(text, 3), answer(121));
}

#[test]
fn a_table_that_begins_with_an_imported_value_stays() {
    let text = r#"(component
    (core module $one (func $f (result i32) (i32.const 4)) (global (export "g") funcref (ref.func $f)))
    (core module $two (type $get (func (result i32)))
      (import "one" "g" (global $g funcref)) (table 3 funcref (global.get $g))
      (func (export "run") (result i32) (call_indirect (type $get) (i32.const 2))))
    (core instance $one (instantiate $one))
    (core instance $two (instantiate $two (with "one" (instance $one))))
    (func (export "run") (result u32) (canon lift (core func $two "run"))))"#;
    assert_eq!(merges(text, 2), answer(4));
}

#[test]
fn an_instance_takes_no_more_than_it_may() {
    let before = wasm(LINKED);
    assert!(merge(&before, 8 << 10).is_ok());
    assert!(merge(&before, 4 << 10).is_err());
}

#[test]
fn functions_keep_their_names() {
    let text = in_order("(func $named (export \"unused\"))", "(func) (func $also)");
    let merged = merge(&wasm(&text), LARGEST).unwrap().into_owned();
    let merged = wasmprinter::print_bytes(merged).unwrap();
    for name in ["(func $named", "(func $\"function 0\"", "(func $also", "(func $\"function 2\""] {
        assert!(merged.contains(name), "{name}: {merged}");
    }
}
