//! What is changed in a guest's code before it is compiled: a module that is valid stays valid, and bytes that are none are
//! refused.
//!
//! The modules are taken in by their files, since the crate around them would build the engine too.

#![no_main]
// What else of these files the crate around them uses.
#![allow(dead_code)]

#[path = "../../crates/runtime/src/compile/rewrite/mod.rs"]
mod rewrite;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::{Corpus, fuzz_target};
use wasm_smith::{Config, Module};
use wasmparser::{Validator, WasmFeatures};

/// How large a body may become, in bytes.
const LARGEST: usize = 2 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    // Bytes that are no module are refused, or passed through: all that counts is that they are read.
    let _ = rewrite::rewrite(input, LARGEST);
    // The two libraries may know different versions of WebAssembly: what both find valid counts.
    let config =
        Config { simd_enabled: true, bulk_memory_enabled: true, exceptions_enabled: true, ..Config::default() };
    let Ok(module) = Module::new(config, &mut Unstructured::new(input)) else { return Corpus::Reject };
    let before = module.to_bytes();
    if !is_valid(&before) {
        return Corpus::Reject;
    }
    let after = rewrite::rewrite(&before, LARGEST).expect("a valid module can be read");
    assert!(is_valid(&after), "it was valid before");
    Corpus::Keep
});

fn is_valid(module: &[u8]) -> bool {
    Validator::new_with_features(WasmFeatures::all()).validate_all(module).is_ok()
}
