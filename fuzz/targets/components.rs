//! Modules and components that nobody wrote, through a compiler's process and an invocation with limits: `coracle run` ends,
//! within its limits and with a code of its table, whatever they are.

#![no_main]

#[allow(dead_code, reason = "each target drives it in its own way")]
#[path = "../program.rs"]
mod program;

use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::arbitrary::{self, Arbitrary, Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;
use wasm_smith::{Component, Config, Module};

/// The codes that a run may end with: 0 and 1 are the guest's own, the others those of docs/outcomes.md.
const CODES: [i32; 6] = [0, 1, 65, 124, 125, 134];

/// How long a run may take whose own limits end it within a second: compiling comes before, and has its own.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is made of the input.
#[derive(Arbitrary)]
enum Kind {
    /// A core module that is run as it is.
    Command,
    /// The same inside a component.
    Wrapped,
    /// A component with whatever types, imports and parts come.
    Component,
}

fuzz_target!(|input: &[u8]| -> Corpus {
    match make(&mut Unstructured::new(input)) {
        Ok(guest) => {
            run(&guest);
            Corpus::Keep
        }
        Err(_) => Corpus::Reject,
    }
});

fn make(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let kind = Kind::arbitrary(input)?;
    Ok(match kind {
        Kind::Command => module(input, "_start")?,
        Kind::Wrapped => wrapped(&module(input, "attack")?),
        Kind::Component => Component::new(Config { max_components: 5, ..Config::default() }, input)?.to_bytes(),
    })
}

/// A random module with one export that can be called.
fn module(input: &mut Unstructured<'_>, export: &str) -> Result<Vec<u8>> {
    let shape = wat::parse_str(format!(r#"(module (func (export "{export}")))"#)).expect("a module");
    let config = Config { max_imports: 0, exports: Some(shape), simd_enabled: true, ..Config::default() };
    Ok(Module::new(config, input)?.to_bytes())
}

/// A command around a module.
fn wrapped(module: &[u8]) -> Vec<u8> {
    let module = wasmprinter::print_bytes(module).expect("a module that can be printed");
    let module = module.strip_prefix("(module").expect("the text of a module");
    let text = format!(
        r#"(component
             (core module $attack {module}
             (core module $door
               (import "attack" "attack" (func $attack))
               (func (export "run") (result i32) (call $attack) (i32.const 0)))
             (core instance $attack (instantiate $attack))
             (core instance $door (instantiate $door (with "attack" (instance $attack))))
             (func $run (result (result)) (canon lift (core func $door "run")))
             (instance $command (export "run" (func $run)))
             (export "wasi:cli/run@0.2.0" (instance $command)))"#
    );
    wat::parse_str(&text).expect("a component around a module")
}

fn run(guest: &[u8]) {
    let file = folder().join("guest.wasm");
    std::fs::write(&file, guest).expect("a file");
    let mut command = program::coracle();
    command.args(["run", "--cpu-time", "100ms", "--wall-time", "1s", "--memory", "16MiB"]).arg(&file);
    command.env("CORACLE_CACHE", folder().join("cache")).stdout(Stdio::null()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().expect("coracle starts");
    let mut said = String::new();
    child.stderr.take().expect("its errors are piped").read_to_string(&mut said).expect("its errors are text");
    let status = child.wait().expect("it ends");
    assert!(status.code().is_some_and(|code| CODES.contains(&code)), "{status}: {said}");
    assert!(!said.contains("panicked") && !said.contains("host-error"), "{said}");
    assert!(began.elapsed() < PATIENCE, "it took {:?}: {said}", began.elapsed());
    // What was compiled is not asked for again.
    let _ = std::fs::remove_dir_all(folder().join("cache"));
}

fn folder() -> PathBuf {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder")).path().to_owned()
}
