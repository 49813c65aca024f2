//! What the command line says, word for word. Each file in `cases/` is a case; adding a case is adding a file.
//!
//! A case is a comment that says why it exists, and one or more steps. A step is a line `$ coracle ARGUMENTS`, perhaps with
//! `NAME=VALUE` before it and `< FILE` behind, and what has to come of it:
//!
//! ```text
//! # The guest's exit code passes through.
//! $ coracle run exit.wat
//! exit 7
//! --- stdout
//! leaving
//! ```
//!
//! The steps run in a folder of their own that begins as a copy of `guests/`. For each world in `guests/compose/` there is a
//! component of it, `NAME.wit` beside `NAME.wasm`, whose code does nothing. `[..]` in an expected line stands for any
//! text. `UPDATE=1` writes what came of the steps into the files; look at what it changed.

mod case;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use case::Case;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// Fewer cases than this would mean that some have been lost.
const LEAST: usize = 30;

#[test]
fn the_command_line_says_what_it_should() {
    let folder = support::root().join("tests/golden");
    let paths = support::files(&folder.join("cases"), "txt");
    assert!(paths.len() >= LEAST, "{} cases, and there should be {LEAST} at least", paths.len());
    let update = std::env::var_os("UPDATE").is_some();
    let cache = tempfile::tempdir().expect("a folder for the cache");
    let wrong: Vec<String> = paths.iter().filter_map(|path| check(path, &folder, cache.path(), update)).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), paths.len(), wrong.join("\n"));
}

/// What differs, if anything does.
fn check(path: &Path, folder: &Path, cache: &Path, update: bool) -> Option<String> {
    let text = std::fs::read_to_string(path).expect("a readable case");
    let name = path.strip_prefix(folder).unwrap_or(path).display();
    let case = Case::parse(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
    let place = tempfile::tempdir().expect("a folder for a case");
    copy(&folder.join("guests"), place.path());
    for (name, component) in COMPONENTS.iter() {
        std::fs::write(place.path().join("compose").join(name), component).expect("a writable folder");
    }
    let came: Case = case.run(place.path(), cache);
    if case.matches(&came) {
        return None;
    }
    if update {
        std::fs::write(path, case.updated(came).to_string()).expect("a writable case");
        return None;
    }
    Some(format!("{name} should be\n\n{}\n\nbut is\n\n{}\n", indent(&case), indent(&came)))
}

fn indent(case: &Case) -> String {
    case.to_string().lines().map(|line| format!("    {line}\n")).collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the guests' folder") {
        let path: PathBuf = entry.expect("a readable folder").path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            std::fs::create_dir(&to).expect("a folder for guests");
            copy(&path, &to);
        } else {
            std::fs::copy(&path, to).expect("a guest that can be copied");
        }
    }
}

/// The components of the worlds in `guests/compose/`, by file name.
static COMPONENTS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let worlds = support::files(&support::root().join("tests/golden/guests/compose"), "wit");
    worlds.iter().map(|path| (format!("{}.wasm", path.file_stem().unwrap().display()), component(path))).collect()
});

/// A component of the one world in a WIT file.
fn component(wit: &Path) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = match resolve.push_path(wit) {
        Ok((package, _)) => package,
        Err(error) => panic!("{}", resolve.render_error(&error)),
    };
    let world = resolve.select_world(&[package], None).expect("one world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module with its world");
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).expect("a component")
}
