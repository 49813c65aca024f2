//! `coracle run` with what real toolchains build.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use support::{coracle, sample};
use tempfile::TempDir;

/// `coracle run` with a cache that all tests of one program share.
fn run() -> Command {
    let mut command = Command::new(coracle());
    command.arg("run").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command's sample with arguments for it.
fn command(name: &str, options: &[&str], arguments: &[&str]) -> Output {
    run().args(options).arg(sample(name)).arg("--").args(arguments).output().expect("coracle starts")
}

/// What every command's sample does with the same arguments, in all languages.
fn says_hello(name: &str, language: &str) {
    let output = command(name, &["--env", "ONE=1", "--env", "TWO=2"], &["a", "b c"]);
    assert_eq!(text(&output.stdout), format!("Hello from {language}!\narguments: a b c\nvariables: 2\n"));
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

fn copies_standard_input(name: &str) {
    let mut child = run()
        .arg(sample(name))
        .args(["--", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("coracle starts");
    // More than a pipe holds, so that both ends have to move.
    let line = "All work and no play makes Jack a dull boy.\n".repeat(20_000);
    let mut input = child.stdin.take().expect("a pipe");
    let sent = line.clone();
    let writer = std::thread::spawn(move || input.write_all(sent.as_bytes()));
    let output = child.wait_with_output().expect("coracle ends");
    writer.join().expect("the writer").expect("all is read");
    assert!(text(&output.stdout).ends_with(&line));
    assert_eq!(output.status.code(), Some(0));
}

fn reads_what_it_was_granted(name: &str) {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("note.txt"), "granted\n").expect("a file");
    let grant = format!("{}::/data:ro", folder.path().display());
    let output = command(name, &["--dir", &grant], &["--read", "/data/note.txt"]);
    assert!(text(&output.stdout).ends_with("granted\n"), "{output:?}");
    let output = command(name, &[], &["--read", "/data/note.txt"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("`--dir HOST::GUEST` grants it"), "{output:?}");
}

macro_rules! every_command {
    ($($module:ident: $sample:literal, $language:literal;)+) => {$(
        mod $module {
            #[test]
            fn says_hello() {
                super::says_hello($sample, $language);
            }

            #[test]
            fn copies_standard_input() {
                super::copies_standard_input($sample);
            }

            #[test]
            fn reads_what_it_was_granted() {
                super::reads_what_it_was_granted($sample);
            }
        }
    )+};
}

every_command! {
    c: "command-c", "C";
    go: "command-go", "Go";
    python: "command-python", "Python";
    rust: "command-rust", "Rust";
}

/// Preview 1 modules are not adapted, which would make every code above 1 a 1.
#[test]
fn exit_codes_of_preview_1_pass_unchanged() {
    for name in ["command-c", "command-go"] {
        assert_eq!(command(name, &[], &["--exit", "42"]).status.code(), Some(42), "{name}");
    }
}

#[test]
fn functions_of_a_library_in_javascript_can_be_called() {
    let call = |call: &str| {
        let output = run().args(["--invoke", call]).arg(sample("library-javascript")).output().expect("coracle starts");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stdout)
    };
    assert_eq!(call("greet(\"Ann\")"), "\"Hello, Ann!\"\n");
    assert_eq!(
        call("geometry.measure([{x: 0, y: 0}, {x: 3, y: 4}])"),
        "ok({count: 2, length: 5, corners: [{x: 0, y: 0}, {x: 3, y: 4}]})\n"
    );
    assert_eq!(call("sample:library/geometry.measure([])"), "err(\"a line needs two points\")\n");
}

#[test]
fn a_trap_shows_the_functions_of_the_source() {
    let output = command("command-rust", &[], &["--panic"]);
    assert_eq!(output.status.code(), Some(134));
    let said = text(&output.stderr);
    assert!(said.contains("asked to"), "the guest's own words: {said}");
    assert!(said.contains(": command_rust::main ("), "{said}");
    let output = command("command-c", &[], &["--abort"]);
    assert_eq!(output.status.code(), Some(134));
    assert!(text(&output.stderr).contains(": abort ("), "{output:?}");
}

/// The engine would resolve its own backtrace at every trap when this variable is set, which takes long.
#[test]
fn a_trap_costs_the_same_whatever_the_environment_says() {
    let mut slowest = std::time::Duration::ZERO;
    for value in ["0", "1", "full"] {
        let began = std::time::Instant::now();
        let output = run()
            .arg(sample("command-c"))
            .args(["--", "--abort"])
            .env("RUST_BACKTRACE", value)
            .output()
            .expect("coracle starts");
        assert!(!text(&output.stderr).contains("stack backtrace"), "{output:?}");
        if value != "0" {
            slowest = slowest.max(began.elapsed());
        }
    }
    assert!(slowest.as_secs() < 5, "{slowest:?}");
}

#[test]
fn a_profile_names_the_functions_of_the_guest() {
    let folder = TempDir::new().expect("a folder");
    let (guest, profile) = (folder.path().join("spin.wat"), folder.path().join("profile.json"));
    std::fs::write(&guest, r#"(module (func $busy (export "spin") (loop $again (br $again))))"#).expect("a file");
    let output = run()
        .args(["--cpu-time", "200ms", "--invoke", "spin()", "--profile"])
        .args([&profile, &guest])
        .output()
        .expect("coracle starts");
    assert_eq!(output.status.code(), Some(124), "{output:?}");
    let profile: serde_json::Value =
        serde_json::from_slice(&std::fs::read(profile).expect("a profile")).expect("a profile in JSON");
    assert!(profile["meta"]["preprocessedProfileVersion"].is_number());
    let thread = &profile["threads"][0];
    let samples = thread["samples"]["length"].as_u64().expect("samples");
    assert!(samples >= 10, "{samples} samples in 200 ms");
    assert!(profile.to_string().contains("\"busy\""));
}

#[test]
fn a_core_dump_can_be_opened() {
    let folder = TempDir::new().expect("a folder");
    let dump = folder.path().join("core");
    let output = run()
        .arg("--coredump")
        .arg(&dump)
        .arg(sample("command-c"))
        .args(["--", "--abort"])
        .output()
        .expect("coracle starts");
    assert_eq!(output.status.code(), Some(134), "{output:?}");
    let dump = std::fs::read(dump).expect("a core dump");
    let printed = wasmprinter::print_bytes(&dump).expect("a core dump is a WebAssembly module");
    for section in ["core", "coremodules", "coreinstances", "corestack"] {
        assert!(printed.contains(&format!("(@custom \"{section}\"")), "{section}");
    }
    assert!(text(&dump).contains("Hello from C!"), "the guest's memory is in it");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_a_guest_in_a_loop() {
    use std::os::unix::process::ExitStatusExt;

    let folder = TempDir::new().expect("a folder");
    let guest = folder.path().join("spin.wat");
    std::fs::write(&guest, r#"(module (func (export "_start") (loop $again (br $again))))"#).expect("a file");
    let interrupted = |options: &[&str]| {
        let mut child = run().args(options).arg(&guest).current_dir(&folder).spawn().expect("coracle starts");
        std::thread::sleep(std::time::Duration::from_secs(2));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
        child.wait().expect("coracle ends")
    };
    assert_eq!(interrupted(&[]).signal(), Some(2), "the system's own way, which always works");
    // With a profile the interrupt is caught, so that what was measured is not lost.
    assert_eq!(interrupted(&["--profile", "profile.json"]).code(), Some(130));
    assert!(folder.path().join("profile.json").is_file());
}
