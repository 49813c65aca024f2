use proptest::prelude::*;
use wasmtime::{Config, Engine, Instance, Module, Store, Val};

use super::unroll::{GROWTH, LEAST_GROWTH, MAX_COPIES, UNROLLED, UNROLLED_FLOATS};
use super::*;
use crate::compile::rewrite::bulk::PIECE;

/// How large a body may become.
const LARGEST: usize = 2 << 20;

/// What comes of bytes that can be read.
fn unroll(binary: &[u8]) -> Vec<u8> {
    rewrite(binary, LARGEST).unwrap()
}

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn function_of(body: &str) -> Vec<u8> {
    wasm(&format!("(module (memory 1) (func (param i32 i32) (local i32 i64) {body}))"))
}

/// A loop with this body, written out.
fn written_out(body: &str, copies: usize) -> String {
    format!("block loop {} br 0 end end", format!("block {body} br 2 end ").repeat(copies))
}

#[test]
fn a_round_goes_on_with_the_next_copy_or_leaves() {
    for body in [
        "local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0",
        "local.get 0 i32.eqz br_if 1 local.get 1 br_if 0 br 0",
        "local.get 0 br_if 0 nop",
        "block local.get 0 br_if 1 local.get 1 br_if 0 end",
        "local.get 0 if br 1 else br 0 end",
    ] {
        // Those that leave the loop leave two labels more: the block of the copy, and the one around the loop.
        let copied = body.replace("i32.eqz br_if 1", "i32.eqz br_if 3");
        let before = function_of(&format!("block loop {body} end end"));
        let after = function_of(&format!("block {} end", written_out(&copied, MAX_COPIES)));
        assert_eq!(unroll(&before), after, "{body}");
        wasmparser::validate(&after).unwrap();
    }
}

#[test]
fn branches_that_leave_the_loop_still_lead_to_the_same_place() {
    let body = |out: [u32; 3]| {
        let [one, two, three] = out;
        format!(
            "local.get 0 br_if {one} block local.get 1 if br {two} end local.get 0 br_if 1 local.get 1 br_if {three} \
             local.get 0 br_table 0 1 {three} 1 {three} end local.get 0 br_if 0"
        )
    };
    let before = function_of(&format!("block block loop {} end end end", body([1, 3, 2])));
    let after = function_of(&format!("block block {} end end", written_out(&body([3, 5, 4]), UNROLLED / 17)));
    assert_eq!(unroll(&before), after);
    wasmparser::validate(&after).unwrap();
}

#[test]
fn loops_of_floats_and_vectors_may_be_longer() {
    for of_floats in ["f64.const 1 f64.const 2 f64.add drop", "v128.const i64x2 0 0 v128.any_true drop"] {
        // With the conditional branch and the `end`.
        let filled = UNROLLED_FLOATS / 5 - 3 - of_floats.split(" drop").next().unwrap().matches("const").count() - 2;
        let body = format!("{of_floats} {} local.get 0 br_if 0", "nop ".repeat(filled));
        let after = function_of(&written_out(&body, 5));
        assert_eq!(unroll(&function_of(&format!("loop {body} end"))), after, "{of_floats}");
    }
}

#[test]
fn other_loops_are_left_alone() {
    for body in [
        // With a result, a call, and one that never begins again.
        "loop (result i32) local.get 0 br_if 0 i32.const 1 end drop",
        "loop local.get 0 local.get 1 call 0 local.get 0 br_if 0 end",
        "block loop local.get 0 br_table 1 1 end end",
    ] {
        let before = function_of(body);
        assert_eq!(unroll(&before), before, "{body}");
    }
    let before = function_of(&format!("loop {} local.get 0 br_if 0 end", "nop ".repeat(UNROLLED / 2)));
    assert_eq!(unroll(&before), before, "it is long");
}

#[test]
fn only_the_innermost_of_loops_is_written_out() {
    let inner = "local.get 1 i32.const 1 i32.sub local.tee 1 br_if 0";
    let before = function_of(&format!("loop loop {inner} end local.get 0 br_if 0 end"));
    let inner = written_out(inner, MAX_COPIES);
    assert_eq!(unroll(&before), function_of(&format!("loop {inner} local.get 0 br_if 0 end")));
}

#[test]
fn code_does_not_grow_without_bound() {
    let many = "loop local.get 0 local.get 1 i32.add local.tee 0 br_if 0 end ".repeat(10_000);
    let before = function_of(&many);
    let after = unroll(&before);
    assert!(after.len() > before.len() + LEAST_GROWTH / 2);
    assert!(after.len() <= before.len() + before.len() / GROWTH + LEAST_GROWTH, "{} of {}", after.len(), before.len());
}

#[test]
fn what_copies_add_besides_their_bodies_is_counted() {
    // The smallest loop there is: written out it would have twelve times its size.
    let before = function_of(&"loop br 0 end ".repeat(100_000));
    let after = unroll(&before);
    assert!(after.len() > before.len());
    assert!(after.len() <= before.len() + before.len() / GROWTH + LEAST_GROWTH, "{} {}", before.len(), after.len());
}

#[test]
fn a_function_does_not_become_larger_than_one_may_be() {
    let long = format!("{} {}", "loop local.get 0 br_if 0 end ".repeat(100), "nop ".repeat(LARGEST - 2_000));
    let room = "nop ".repeat(LARGEST);
    let before = wasm(&format!("(module (func (param i32) {long}) (func {room}))"));
    let after = unroll(&before);
    assert!(after.len() > before.len() && after.len() <= before.len() + 2_000, "{} {}", before.len(), after.len());
}

#[test]
fn modules_inside_components_are_found() {
    let short = "(func (local i32) loop local.get 0 br_if 0 end)";
    let text = |body: &str| wasm(&format!("(component (component (core module {body})) (core module {body}))"));
    let before = text(short);
    let after = unroll(&before);
    wasmparser::validate(&after).unwrap();
    assert!(after.len() > before.len() + 2 * 7 * 5, "{} of {}", after.len(), before.len());
}

#[test]
fn what_is_no_module_is_not_made_one() {
    let whole = function_of("loop local.get 0 br_if 0 end");
    for broken in [&whole[..whole.len() - 3], b"", b"\0asm", b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\x0f"] {
        assert!(rewrite(broken, LARGEST).is_err(), "{broken:?}");
    }
    // Two bytes of code behind the last function, which the section counts in.
    let mut trailing = wasm("(module (func (local i32) loop local.get 0 br_if 0 end))");
    let section = trailing.iter().rposition(|byte| *byte == SectionId::Code as u8).unwrap();
    assert_eq!(usize::from(trailing[section + 1]), trailing.len() - section - 2, "the section's size");
    trailing[section + 1] += 2;
    trailing.extend([0, 0]);
    assert!(rewrite(&trailing, LARGEST).is_err());
}

#[test]
fn annotations_of_places_are_left_out() {
    let text = |more: &str| wasm(&format!("(module (func (local i32) loop local.get 0 br_if 0 end) {more})"));
    let annotated = text("(@custom \"metadata.code.branch_hint\" \"\")");
    assert_eq!(unroll(&annotated), unroll(&text("")));
}

/// A module whose `body` fills or copies, with memories of 4 MiB whose bytes tell where they stood.
fn bulk(instruction: &str) -> Vec<u8> {
    wasm(&format!(
        "(module (memory (export \"memory\") 64 64) (memory 64 64)
          (func (export \"prepare\") (local i32)
            loop
              local.get 0 local.get 0 i32.const 2654435761 i32.mul i32.store8
              local.get 0 local.get 0 i32.const 40503 i32.mul i32.store8 1
              local.get 0 i32.const 127 i32.add local.tee 0 i32.const 4194304 i32.lt_u br_if 0
            end)
          (func (export \"body\") (param i32 i32 i32) local.get 0 local.get 1 local.get 2 {instruction}))"
    ))
}

/// Whether it trapped, and the memory then.
fn done(engine: &Engine, binary: &[u8], arguments: (i32, i32, i32)) -> (Option<wasmtime::Trap>, Vec<u8>) {
    let module = Module::new(engine, binary).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "prepare").unwrap().call(&mut store, ()).unwrap();
    let body = instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "body").unwrap();
    let ended = body.call(&mut store, arguments);
    let trap = ended.err().map(|error| *error.downcast_ref::<wasmtime::Trap>().unwrap());
    (trap, instance.get_memory(&mut store, "memory").unwrap().data(&store).to_vec())
}

/// Lengths and places around pieces and the memory's end.
fn place() -> impl Strategy<Value = i32> {
    let piece = PIECE.cast_signed();
    prop_oneof![
        0..4_500_000_i32,
        (0..5_i32, -2..3_i32).prop_map(move |(pieces, more)| pieces * piece + more),
        Just(-1),
        Just(i32::MIN),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Reason: whether memory is filled and copied in one piece or several must not be seen, nor where it traps.
    #[test]
    fn memory_is_filled_and_copied_as_by_one_instruction(
        to in place(), from in place(), length in place(), which in 0..4_usize,
    ) {
        let engine = Engine::new(&Config::new()).unwrap();
        let instruction = ["memory.fill", "memory.copy", "memory.copy 0 1", "memory.fill 0"][which];
        let before = bulk(instruction);
        let after = rewrite(&before, LARGEST).unwrap();
        prop_assert!(after.len() > before.len() + 20);
        wasmparser::validate(&after).unwrap();
        let (one, other) = (done(&engine, &before, (to, from, length)), done(&engine, &after, (to, from, length)));
        prop_assert_eq!(one.0, other.0);
        prop_assert!(one.1 == other.1, "the memories differ");
    }
}

#[test]
fn memories_of_64_bits_are_filled_and_copied_too() {
    let text = "(module (memory i64 64 64) (memory 64 64) (func (export \"run\") (result i32)
          (memory.fill (i64.const 3) (i32.const 7) (i64.const 3000000))
          (memory.copy (i64.const 1048570) (i64.const 0) (i64.const 2000000))
          (memory.copy 1 0 (i32.const 5) (i64.const 1) (i32.const 2500000))
          (i32.add (i32.load8_u 1 (i32.const 2500004)) (i32.load8_u 0 (i64.const 3048569)))))";
    let before = wasm(text);
    let engine = Engine::new(&Config::new()).unwrap();
    let run = |binary: &[u8]| {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &Module::new(&engine, binary).unwrap(), &[]).unwrap();
        instance.get_typed_func::<(), i32>(&mut store, "run").unwrap().call(&mut store, ()).unwrap()
    };
    assert_eq!(run(&before), 14);
    assert_eq!(run(&rewrite(&before, LARGEST).unwrap()), 14);
}

#[test]
fn each_instruction_is_one_function_however_often_it_stands() {
    let fill = "(memory.fill (i32.const 0) (i32.const 0) (i32.const 1))";
    let text = |times: usize| wasm(&format!("(module (memory 1) (func {}))", fill.repeat(times)));
    let added = |times: usize| {
        let after = rewrite(&text(times), LARGEST).unwrap();
        let functions = wasmparser::Parser::new(0).parse_all(&after).find_map(|payload| match payload.unwrap() {
            wasmparser::Payload::FunctionSection(section) => Some(section.count()),
            _ => None,
        });
        functions.unwrap() - 1
    };
    assert_eq!((added(0), added(1), added(9)), (0, 1, 1));
}

/// A statement of a random program. Names of labels are how far out they are, taken modulo what there is.
#[derive(Clone, Debug)]
enum Statement {
    /// Mixes a local into another.
    Mix(u8, u8, i32),
    /// Writes a local to memory.
    Store(u8, u8),
    /// Leaves, or begins again, where a local has this bit.
    Branch(u8, u8, u8),
    /// Leaves, or begins again, always.
    Always(u8),
    /// Goes to one of these labels or the last, as a local says.
    Table(u8, Vec<u8>, u8),
    /// Calculates with a float.
    Float(u8),
    /// Divides by the lowest bits of a local, and traps where they are 0.
    Divide(u8, u8),
    If(u8, Vec<Statement>, Vec<Statement>),
    Block(Vec<Statement>),
    /// A loop, which ends with a condition on a local or always begins again.
    Loop(u8, bool, Vec<Statement>),
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    use Statement::{Always, Block, Branch, Divide, Float, If, Loop, Mix, Store, Table};
    let leaf = prop_oneof![
        4 => (0..4_u8, 0..4_u8, any::<i32>()).prop_map(|(a, b, c)| Mix(a, b, c)),
        2 => (0..4_u8, 0..4_u8).prop_map(|(a, b)| Store(a, b)),
        3 => (0..4_u8, 0..8_u8, 0..6_u8).prop_map(|(a, bit, label)| Branch(a, bit, label)),
        1 => (0..6_u8).prop_map(Always),
        2 => (0..4_u8, prop::collection::vec(0..6_u8, 0..6), 0..6_u8).prop_map(|(a, some, other)| Table(a, some, other)),
        1 => (0..4_u8).prop_map(Float),
        1 => (0..4_u8, 0..4_u8).prop_map(|(a, b)| Divide(a, b)),
    ];
    let statement = leaf.prop_recursive(5, 60, 6, |inner| {
        let some = prop::collection::vec(inner, 0..6);
        prop_oneof![
            (0..4_u8, some.clone(), some.clone()).prop_map(|(a, then, other)| If(a, then, other)),
            some.clone().prop_map(Block),
            (0..4_u8, any::<bool>(), some).prop_map(|(a, always, body)| Loop(a, always, body)),
        ]
    });
    prop::collection::vec(statement, 1..6)
}

/// Locals 0 to 3 are mixed, 6 is a float; 4 counts rounds down, so that every program ends.
fn write(statements: &[Statement], depth: u32, text: &mut String) {
    let named = |label: &u8| u32::from(*label) % (depth + 1);
    for statement in statements {
        match statement {
            Statement::Mix(a, b, c) => {
                *text += &format!(
                    "local.get {a} i32.const {c} i32.mul local.get {b} i32.const 7 i32.rotl i32.xor local.set {a}\n"
                );
            }
            Statement::Store(a, b) => {
                *text += &format!("local.get {a} i32.const 1023 i32.and local.get {b} i32.store offset=16\n");
            }
            Statement::Branch(a, bit, label) => {
                *text += &format!("local.get {a} i32.const {} i32.and br_if {}\n", 1 << bit, named(label));
            }
            Statement::Always(label) => *text += &format!("br {}\n", named(label)),
            Statement::Table(a, some, other) => {
                let labels: String = some.iter().chain([other]).map(|label| format!(" {}", named(label))).collect();
                *text += &format!("local.get {a} i32.const 7 i32.and br_table{labels}\n");
            }
            Statement::Float(a) => {
                *text += &format!(
                    "local.get 6 f64.const 1.5 f64.mul local.get {a} f64.convert_i32_s f64.add local.tee 6 \
                     i32.trunc_sat_f64_s local.set {a}\n"
                );
            }
            Statement::Divide(a, b) => {
                *text += &format!("local.get {a} local.get {b} i32.const 15 i32.and i32.div_u local.set {a}\n");
            }
            Statement::If(a, then, other) => {
                *text += &format!("local.get {a} if\n");
                write(then, depth + 1, text);
                *text += "else\n";
                write(other, depth + 1, text);
                *text += "end\n";
            }
            Statement::Block(inner) => {
                *text += "block\n";
                write(inner, depth + 1, text);
                *text += "end\n";
            }
            Statement::Loop(a, always, inner) => {
                // Out of all when the rounds are used up: label `depth + 1` is the function's, seen from the loop.
                *text += &format!(
                    "loop\nlocal.get 4 i32.eqz br_if {}\nlocal.get 4 i32.const 1 i32.sub local.set 4\n",
                    depth + 1
                );
                write(inner, depth + 1, text);
                *text += &match always {
                    true => "br 0\nend\n".to_owned(),
                    false => format!("local.get {a} i32.const 3 i32.and br_if 0\nend\n"),
                };
            }
        }
    }
}

fn program(statements: &[Statement]) -> Vec<u8> {
    let mut text = "(module (memory (export \"memory\") 1) (global (export \"rounds\") (mut i32) (i32.const 0))\n\
        (func $body (param i32 i32 i32 i32 i32) (result i32) (local i32 f64)\nblock\n"
        .to_owned();
    write(statements, 0, &mut text);
    text += "end\n\
        local.get 4 global.set 0\n\
        local.get 0 local.get 1 i32.xor local.get 2 i32.add local.get 3 i32.xor)\n(export \"body\" (func $body)))";
    wasm(&text)
}

/// What a program computes: its result or why it trapped, the rounds that are left, its memory.
fn run(engine: &Engine, binary: &[u8], seed: i32) -> (Result<i32, wasmtime::Trap>, i32, Vec<u8>) {
    let module = Module::new(engine, binary).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let body = instance.get_typed_func::<(i32, i32, i32, i32, i32), i32>(&mut store, "body").unwrap();
    let result = body.call(&mut store, (seed, seed.wrapping_mul(31), !seed, 5, 1_000));
    let result = result.map_err(|error| *error.downcast_ref().unwrap());
    let rounds = match instance.get_global(&mut store, "rounds").unwrap().get(&mut store) {
        Val::I32(rounds) => rounds,
        other => panic!("{other:?}"),
    };
    let memory = instance.get_memory(&mut store, "memory").unwrap().data(&store)[..2_048].to_vec();
    (result, rounds, memory)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Reason: no program may tell whether its loops were written out.
    #[test]
    fn a_program_computes_the_same(statements in statements(), seed: i32) {
        let engine = Engine::new(&Config::new()).unwrap();
        let before = program(&statements);
        let after = unroll(&before);
        wasmparser::validate(&after).unwrap();
        prop_assert_eq!(run(&engine, &before, seed), run(&engine, &after, seed));
    }
}
