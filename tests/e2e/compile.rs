//! Compiling in a child: what a component cannot make of the compiler.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::coracle;
use support::hostile_code::nested_loops;
use tempfile::TempDir;

/// A file to run and a cache of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(code: &[u8]) -> Self {
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("code.wasm"), code).expect("a file");
        Self { folder }
    }

    fn run(&self) -> Command {
        let mut command = Command::new(coracle());
        command.arg("run").arg(self.folder.path().join("code.wasm")).env("CORACLE_CACHE", self.cache());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Everything in the cache but its locks.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.cache()).expect("the cache").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| !path.ends_with("locks")).collect()
    }
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{error}");
    assert!(error.contains(why), "{error}");
    assert!(error.contains("hint: "), "{error}");
}

/// 21 kB that would take the compiler gigabytes.
#[test]
fn a_component_that_needs_too_much_memory_is_stopped_and_leaves_nothing() {
    let place = Place::new(&nested_loops(500, 2_000));
    refused(&place.run().output().expect("coracle starts"), "compiling it needs more memory than the 513 MiB");
    assert_eq!(place.kept(), Vec::<PathBuf>::new());
}

#[test]
fn a_component_with_too_many_exports_is_refused_before_it_is_compiled() {
    let exports: String = (0..100_000).map(|n| format!(r#"(export "{n}" (func 0))"#)).collect();
    let place = Place::new(format!("(module (func) {exports})").as_bytes());
    refused(&place.run().output().expect("coracle starts"), "exports, more than the 50000 that are compiled");
    assert_eq!(place.kept(), Vec::<PathBuf>::new());
}

/// What Linux says of the compiler's process.
#[cfg(target_os = "linux")]
mod process {
    use super::*;

    /// A component whose compiling takes until it is stopped: a quarter of a minute of CPU time.
    fn endless() -> Place {
        Place::new(&nested_loops(100, 1_000))
    }

    /// Waits for something to come true of a process.
    fn within_a_minute<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn about(process: u32, what: &str) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{process}/{what}")).ok()
    }

    /// The compiler's process, when it is confined and compiles.
    fn compiler_of(coracle: &Child) -> u32 {
        let children = format!("task/{0}/children", coracle.id());
        within_a_minute("a compiler's process in its confinement", || {
            let child = about(coracle.id(), &children)?.split_whitespace().next()?.parse().ok()?;
            // Two filters, one after the other.
            about(child, "status")?.contains("Seccomp_filters:\t2").then_some(child)
        })
    }

    fn kill(process: u32) {
        let status = Command::new("kill").args(["-KILL", &process.to_string()]).status().expect("kill");
        assert!(status.success());
    }

    #[test]
    fn it_has_nothing_but_its_input_and_output() {
        let place = endless();
        let mut coracle = place.run().env("SECRET", "canary").spawn().expect("coracle starts");
        let compiler = compiler_of(&coracle);
        let status = about(compiler, "status").expect("a status");
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        assert_eq!(about(compiler, "environ").expect("an environment"), "");
        let open = std::fs::read_dir(format!("/proc/{compiler}/fd")).expect("its descriptors");
        let mut open: Vec<_> = open.map(|entry| entry.expect("a descriptor").file_name()).collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2"]);
        let limits = about(compiler, "limits").expect("its limits");
        for limit in ["Max cpu time", "Max data size", "Max file size", "Max core file size"] {
            let line = limits.lines().find(|line| line.starts_with(limit)).expect("a limit");
            assert!(!line.contains("unlimited"), "{line}");
        }
        coracle.kill().expect("it runs");
        coracle.wait().expect("it ends");
    }

    #[test]
    fn when_it_is_killed_nothing_is_kept() {
        let place = endless();
        let coracle = place.run().spawn().expect("coracle starts");
        kill(compiler_of(&coracle));
        refused(&coracle.wait_with_output().expect("it ends"), "the compiler broke off: signal: 9");
        assert_eq!(place.kept(), Vec::<PathBuf>::new());
    }

    #[test]
    fn it_ends_with_whoever_wanted_the_code() {
        let place = endless();
        let mut coracle = place.run().spawn().expect("coracle starts");
        let compiler = compiler_of(&coracle);
        kill(coracle.id());
        coracle.wait().expect("it ends");
        within_a_minute("the compiler's process is gone", || {
            let gone = !Path::new(&format!("/proc/{compiler}")).exists()
                || about(compiler, "status").is_none_or(|status| status.contains("State:\tZ"));
            gone.then_some(())
        });
    }

    #[test]
    fn it_is_stopped_at_its_cpu_time() {
        let place = endless();
        let is_late = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("takes longer than the 1m");
        let mut output = place.run().output().expect("coracle starts");
        // Where others take three quarters of the processors, wall time is over before it: they may not for ever.
        for _ in 0..2 {
            if is_late(&output) {
                output = place.run().output().expect("coracle starts");
            }
        }
        refused(&output, "compiling it takes more CPU time than the 15s");
        assert_eq!(place.kept(), Vec::<PathBuf>::new());
    }
}
