//! Any text is a manifest or has faults in it, and every fault has a place in the text.

#![no_main]

use std::path::Path;

use coracle_package::manifest::{MOST_FAULTS, Manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Err(faults) = Manifest::parse(text, Path::new("coracle.toml")) else { return };
    assert!(!faults.faults.is_empty() && faults.faults.len() <= MOST_FAULTS + 1);
    let lines: Vec<&str> = text.split('\n').collect();
    for fault in &faults.faults {
        assert!(!fault.message.is_empty());
        if fault.line > 0 {
            let line = lines[fault.line as usize - 1];
            assert!((1..=line.chars().count() + 1).contains(&(fault.column as usize)), "{fault:?}");
        }
    }
});
