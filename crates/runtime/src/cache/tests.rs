//! Whatever happens to the files of an entry, the code that comes back is the right code.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::*;
use crate::compile::{Compiler, Progress, load, load_file};
use crate::engine::{Engine, EngineOptions};

/// A module whose export says which one it is.
fn module(answer: i32) -> Vec<u8> {
    format!(r#"(module (func (export "answer") (result i32) (i32.const {answer})))"#).into_bytes()
}

/// Counts how often something was compiled.
#[derive(Default)]
struct Count(Cell<u32>);

impl Progress for Count {
    fn started(&self, _: u64) {
        self.0.set(self.0.get() + 1);
    }
    fn finished(&self) {}
}

struct Fixture {
    folder: tempfile::TempDir,
    engine: Engine,
    cache: Cache,
    compiled: Count,
}

impl Fixture {
    fn new() -> Self {
        Self::with(EngineOptions::command())
    }

    fn with(options: EngineOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new(options, Compiler::InProcess).unwrap();
        let cache = Cache::open(&folder.path().join("cache")).unwrap();
        Self { folder, engine, cache, compiled: Count::default() }
    }

    /// Loads the module through the cache, runs it, and tells how many were compiled since the last time.
    fn run(&self, answer: i32) -> u32 {
        let code = load(&self.engine, Some(&self.cache), &module(answer), &self.compiled).unwrap();
        assert_eq!(self.answer(&code), answer, "the code is that of another module");
        self.compiled.0.take()
    }

    fn answer(&self, code: &Code) -> i32 {
        let Code::Module(module) = code else { panic!("not a module") };
        let mut store = wasmtime::Store::new(self.engine.wasm(), ());
        store.set_epoch_deadline(1);
        let instance = wasmtime::Instance::new(&mut store, module, &[]).unwrap();
        instance.get_typed_func::<(), i32>(&mut store, "answer").unwrap().call(&mut store, ()).unwrap()
    }

    fn only(&self, extension: &str) -> PathBuf {
        let mut found = files_with(self.cache.directory(), extension);
        assert_eq!(found.len(), 1, "one .{extension}");
        found.remove(0)
    }
}

fn files_with(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[test]
fn the_second_start_compiles_nothing() {
    let fixture = Fixture::new();
    assert_eq!(fixture.run(1), 1);
    assert_eq!(fixture.run(1), 0);
    assert_eq!(fixture.run(2), 1, "another module is another entry");
    assert_eq!(fixture.run(1), 0);
}

#[test]
fn other_settings_are_other_entries() {
    let fixture = Fixture::new();
    assert_eq!(fixture.run(1), 1);
    let fuel = Engine::new(EngineOptions { fuel: true, ..EngineOptions::command() }, Compiler::InProcess).unwrap();
    load(&fuel, Some(&fixture.cache), &module(1), &fixture.compiled).unwrap();
    assert_eq!(fixture.compiled.0.take(), 1);
    assert_eq!(files_with(fixture.cache.directory(), CODE).len(), 2);
}

#[test]
fn a_servers_code_is_let_go_and_comes_back_as_it_was() {
    let fixture = Fixture::with(EngineOptions::server(1));
    for (answer, compiled) in [(1, 1), (2, 1), (1, 0), (2, 0)] {
        assert_eq!(fixture.run(answer), compiled);
    }
}

#[test]
fn code_comes_back_for_the_engine_that_it_was_compiled_for() {
    let fixture = Fixture::new();
    for (text, concurrent) in [("(component)", false), ("(component (import \"f\" (func async)))", true)] {
        for compiled in [1, 0] {
            let code = load(&fixture.engine, Some(&fixture.cache), text.as_bytes(), &fixture.compiled).unwrap();
            assert_eq!(fixture.compiled.0.take(), compiled, "{text}");
            let Code::Component(component) = code else { panic!("not a component") };
            let engine = fixture.engine.wasm_for(concurrent).unwrap();
            assert!(wasmtime::Engine::same(component.engine(), engine), "{text}");
        }
    }
}

/// A flipped bit anywhere in the code or its record.
#[test]
fn damage_anywhere_is_rebuilt() {
    let fixture = Fixture::new();
    fixture.run(1);
    for extension in [CODE, RECORD] {
        let path = fixture.only(extension);
        let length = fs::metadata(&path).unwrap().len();
        // Every header, section and table of an ELF file of this size has a byte among these.
        for step in 0..64 {
            let offset = usize::try_from(length * step / 64).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            bytes[offset] ^= 0x40;
            fs::write(&path, bytes).unwrap();
            assert_eq!(fixture.run(1), 1, ".{extension} with byte {offset} changed");
            assert_eq!(fixture.run(1), 0, ".{extension} was not put right");
        }
    }
}

#[test]
fn a_truncated_or_extended_entry_is_rebuilt() {
    let fixture = Fixture::new();
    fixture.run(1);
    for extension in [CODE, RECORD] {
        let path = fixture.only(extension);
        let length = fs::metadata(&path).unwrap().len();
        for length in [0, 1, 64, length / 2, length - 1, length + 1] {
            fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
            assert_eq!(fixture.run(1), 1, ".{extension} of {length} bytes");
        }
    }
}

#[test]
fn an_entry_under_anothers_name_is_rebuilt() {
    let fixture = Fixture::new();
    fixture.run(1);
    let (code, record) = (fixture.only(CODE), fixture.only(RECORD));
    let aside = fixture.folder.path().join("aside");
    fs::create_dir(&aside).unwrap();
    let (code_aside, record_aside) = (aside.join("code"), aside.join("record"));
    fs::rename(&code, &code_aside).unwrap();
    fs::rename(&record, &record_aside).unwrap();
    fixture.run(2);
    fs::rename(code_aside, fixture.only(CODE)).unwrap();
    fs::rename(record_aside, fixture.only(RECORD)).unwrap();
    assert_eq!(fixture.run(2), 1);
}

#[test]
fn untouched_bytes_in_a_touched_file_are_compared_and_kept() {
    let fixture = Fixture::new();
    fixture.run(1);
    let path = fixture.only(CODE);
    fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let before = fs::read(fixture.only(RECORD)).unwrap();
    assert_eq!(fixture.run(1), 0);
    assert_ne!(before, fs::read(fixture.only(RECORD)).unwrap(), "the new time was not recorded");
}

/// Each is what a crash at one point of writing an entry leaves.
#[test]
fn the_remains_of_a_crash_are_no_entry() {
    let fixture = Fixture::new();
    fixture.run(1);
    let directory = fixture.cache.directory();
    fs::remove_file(fixture.only(RECORD)).unwrap();
    assert_eq!(fixture.run(1), 1, "code without a record");
    fs::remove_file(fixture.only(CODE)).unwrap();
    assert_eq!(fixture.run(1), 1, "a record without code");
    let writing = directory.join(format!("{}abc", disk::TEMPORARY));
    fs::write(&writing, b"half").unwrap();
    assert_eq!(fixture.run(1), 0, "a file that was being written");
    fixture.cache.prune(Prune::default()).unwrap();
    assert!(writing.exists(), "somebody may be writing it now");
    fs::File::options().write(true).open(&writing).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    fixture.cache.prune(Prune::default()).unwrap();
    assert!(!writing.exists());
}

#[test]
#[cfg(unix)]
fn what_others_may_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let fixture = Fixture::new();
    fixture.run(1);
    for extension in [CODE, RECORD] {
        let path = fixture.only(extension);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(fixture.run(1), 1, ".{extension} open to a group");
        assert_eq!(fs::metadata(fixture.only(extension)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let directory = fixture.cache.directory();
    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let error = Cache::open(directory).unwrap_err();
    assert!(matches!(error, CacheError::NotPrivate { .. }), "{error}");
}

#[test]
#[cfg(unix)]
fn a_link_in_place_of_an_entry_is_not_followed() {
    let fixture = Fixture::new();
    fixture.run(1);
    let path = fixture.only(CODE);
    let elsewhere = fixture.folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(fixture.run(1), 1);
    assert!(fs::symlink_metadata(fixture.only(CODE)).unwrap().is_file());
}

/// Only a privileged process can give files away; the check itself is the same for both.
#[test]
#[cfg(unix)]
fn what_belongs_to_another_user_is_not_used() {
    let fixture = Fixture::new();
    fixture.run(1);
    let stamp = Stamp::of(&fixture.only(CODE)).unwrap();
    assert!(stamp.is_private());
    let foreign = Stamp { identity: record::Identity { owner: stamp.identity.owner + 1, ..stamp.identity }, ..stamp };
    assert!(!foreign.is_private());
    if rustix::process::geteuid().is_root() {
        for extension in [CODE, RECORD] {
            std::os::unix::fs::chown(fixture.only(extension), Some(65_534), None).unwrap();
            assert_eq!(fixture.run(1), 1, ".{extension} of another user");
        }
        std::os::unix::fs::chown(fixture.cache.directory(), Some(65_534), None).unwrap();
        assert!(matches!(Cache::open(fixture.cache.directory()), Err(CacheError::NotPrivate { .. })));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_no_obstacle() {
    let fixture = Fixture::new();
    // A folder in the place of the locks' folder's files, and the cache's own folder gone: nothing can be written.
    fs::remove_dir_all(fixture.cache.directory()).unwrap();
    fs::write(fixture.cache.directory(), b"not a folder").unwrap();
    assert_eq!(fixture.run(1), 1);
    assert_eq!(fixture.run(1), 1);
}

/// The environment variable by which this test program tells itself to be a child.
const CHILD: &str = "CORACLE_TEST_CACHE_CHILD";

/// Several processes that start at once compile once.
#[test]
fn processes_that_want_the_same_code_build_it_once() {
    if let Some(directory) = std::env::var_os(CHILD) {
        child(Path::new(&directory));
        return;
    }
    let fixture = Fixture::new();
    let children: Vec<_> = (0..4)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "cache::tests::processes_that_want_the_same_code_build_it_once", "--nocapture"])
                .env(CHILD, fixture.cache.directory())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(files_with(fixture.cache.directory(), "built").len(), 1);
    assert_eq!(fixture.run(7), 0);
}

/// Builds slowly, and leaves a mark when it did.
fn child(directory: &Path) {
    struct Mark<'a>(&'a Path);
    impl Progress for Mark<'_> {
        fn started(&self, _: u64) {
            fs::write(self.0.join(format!("{}.built", std::process::id())), b"").unwrap();
            std::thread::sleep(Duration::from_millis(300));
        }
        fn finished(&self) {}
    }
    let engine = Engine::new(EngineOptions::command(), Compiler::InProcess).unwrap();
    load(&engine, Some(&Cache::open(directory).unwrap()), &module(7), &Mark(directory)).unwrap();
}

#[test]
fn a_full_cache_drops_what_was_used_longest_ago() {
    let fixture = Fixture::new();
    let mut used = SystemTime::now() - Duration::from_secs(1_000_000);
    for answer in 0..4 {
        fixture.run(answer);
        // The records get times an hour apart, in the order of their use.
        let entries = fixture.cache.list().unwrap();
        let newest = entries.iter().max_by_key(|entry| entry.used).unwrap();
        let record = fixture.cache.directory().join(format!("{}.{RECORD}", newest.key));
        used += Duration::from_secs(3_600);
        fs::File::options().write(true).open(record).unwrap().set_modified(used).unwrap();
    }
    let entries = fixture.cache.list().unwrap();
    assert_eq!(entries.len(), 4);
    let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let pruned = fixture.cache.prune(Prune { max_bytes: Some(total - 1), older_than: None }).unwrap();
    assert_eq!((pruned.removed, pruned.left_bytes), (1, total - pruned.removed_bytes));
    let left: Vec<_> = fixture.cache.list().unwrap().into_iter().map(|entry| entry.key).collect();
    assert_eq!(left, entries[..3].iter().map(|entry| entry.key.clone()).collect::<Vec<_>>());
    let pruned = fixture.cache.prune(Prune { max_bytes: None, older_than: Some(Duration::from_secs(60)) }).unwrap();
    assert_eq!((pruned.removed, pruned.left_bytes), (3, 0));
}

#[test]
fn the_cache_stays_within_its_size() {
    let mut fixture = Fixture::new();
    fixture.run(0);
    let one = fixture.cache.list().unwrap()[0].bytes;
    fixture.cache = fixture.cache.clone().with_max_bytes(one * 5 / 2);
    for answer in 1..6 {
        fixture.run(answer);
        let total: u64 = fixture.cache.list().unwrap().iter().map(|entry| entry.bytes).sum();
        assert!(total <= one * 5 / 2, "{total} bytes after {answer}");
    }
    assert_eq!(fixture.run(5), 0, "the newest entry stays");
}

/// A large component that was not touched is not read again; one that was is.
#[test]
#[cfg(unix)]
fn a_large_file_is_known_by_its_stamp() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("large.wat");
    let padding = " ".repeat(2 << 20);
    let write = |answer: i32| fs::write(&path, [module(answer), padding.clone().into_bytes()].concat()).unwrap();
    let run = || {
        let code = load_file(&fixture.engine, Some(&fixture.cache), &path, &fixture.compiled).unwrap();
        (fixture.answer(&code), fixture.compiled.0.take())
    };
    write(1);
    assert_eq!(run(), (1, 1));
    assert!(!fixture.cache.sources().exists(), "a file of this very moment may change unseen");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(run(), (1, 0));
    assert_eq!(fs::read_dir(fixture.cache.sources()).unwrap().count(), 1);
    assert!(source::Source::new(&fixture.cache, &path).unwrap().known().is_some());
    assert_eq!(run(), (1, 0));
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    write(2);
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(run(), (2, 1), "the same size and time, set back on purpose");
}
