//! Modules of a component that become one before it is compiled: a component that is valid stays valid, and bytes that are none are
//! refused.
//!
//! The modules are taken in by their files, since the crate around them would build the engine too.

#![no_main]
// What else of these files the crate around them uses.
#![allow(dead_code)]

#[path = "../../crates/runtime/src/compile/merge/mod.rs"]
mod merge;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use wasm_smith::{Config, Module};
use wasmparser::{Validator, WasmFeatures};

/// What an instance of a merged module may take, in bytes.
const LARGEST: usize = 1 << 20;

/// What the first module exports and the second may import.
const SHARED: &str = r#"(func (export "f") (param i32) (result i64) i64.const 0)
    (global (export "g") i64 (i64.const 0))"#;
const IMPORTS: &str = r#"(import "first" "f" (func (param i32) (result i64))) (import "first" "g" (global i64))"#;

fuzz_target!(|input: &[u8]| -> Corpus {
    // Bytes that are no component are refused, or passed through: all that counts is that they are read.
    let _ = merge::merge(input, LARGEST);
    let Ok(before) = component(&mut Unstructured::new(input)) else { return Corpus::Reject };
    // The two libraries may know different versions of WebAssembly: what both find valid counts.
    if !is_valid(&before) {
        return Corpus::Reject;
    }
    if let Ok(after) = merge::merge(&before, LARGEST) {
        assert!(is_valid(&after), "it was valid before");
    }
    Corpus::Keep
});

/// Two random modules, one of which may import from the other, and the component around them.
fn component(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let config =
        || Config { simd_enabled: true, bulk_memory_enabled: true, exceptions_enabled: true, ..Config::default() };
    let shape = |text: &str| Some(wat::parse_str(format!("(module {text})")).expect("a module"));
    let first = Module::new(Config { max_imports: 0, exports: shape(SHARED), ..config() }, input)?;
    let second = Module::new(Config { available_imports: shape(IMPORTS), ..config() }, input)?;
    let (first, second) = (printed(&first), printed(&second));
    let text = format!(
        r#"(component
             (core module $first {first}
             (core module $second {second}
             (core instance $first (instantiate $first))
             (core instance (instantiate $second (with "first" (instance $first)))))"#
    );
    Ok(wat::parse_str(&text).expect("a component around modules"))
}

fn printed(module: &Module) -> String {
    let text = wasmprinter::print_bytes(module.to_bytes()).expect("a module that can be printed");
    text.strip_prefix("(module").expect("the text of a module").to_owned()
}

fn is_valid(binary: &[u8]) -> bool {
    Validator::new_with_features(WasmFeatures::all()).validate_all(binary).is_ok()
}
