//! The worked pilots, run as a user runs them, with their figures held against those of other programs.
//!
//! A target of its own, one test after another: beside other tests the machine would tell the two apart.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A run as short as it can be while rounds still make intervals.
const SHORT: &str = "\n[length]\nrounds = 12\ntime = \"20s\"\nstorm = 20\ncopies = 20\n";

/// An input that other programs can be given too: plans make theirs up.
const PICTURE: &str = "picture.ppm";

/// How long a short run may take, generously: on a machine that does nothing else it is one minute.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// By how much the two programs may differ beyond their intervals. They measure one after the other, and the load of the
/// machine may change between them.
const DRIFT: f64 = 1.25;

/// How often hyperfine measures before it is believed that the two differ: the pilot has measured in rounds that spread over
/// half a minute, and hyperfine's ten runs of a command that takes 10 ms fall into one burst of whatever else runs.
const TRIES: usize = 5;

/// By how much two measurements of the peak of resident memory may differ: the share, or the bytes where they are more. The
/// kernel counts what is resident in batches on each processor (proc(5): the figure is inexact), and maps more or fewer of
/// the pages of a program at once, by what is at hand; a program of 1.5 MB was seen to differ by 0.2 MB.
const MEMORY: (f64, f64) = (0.1, 512.0 * 1024.0);

/// How often a pilot is run before its disagreement with other programs is believed: a machine that somebody else used during
/// the whole of the pilot, and no longer when the others measure, makes one.
const RUNS: usize = 2;

/// One pilot, in a folder of its own, and its report.
struct Pilot {
    folder: TempDir,
    name: &'static str,
    report: Value,
    _alone: MutexGuard<'static, ()>,
}

impl Pilot {
    /// Builds and runs `samples/pilots/NAME`. `change` makes its plan one that other programs can be given too.
    fn run(name: &'static str, change: impl FnOnce(String) -> String) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a folder for a test");
        let samples = support::root().join("samples/pilots");
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
        for file in std::fs::read_dir(samples.join(name)).expect("a sample").map(|entry| entry.expect("an entry")) {
            if file.file_type().expect("a type").is_file() {
                std::fs::copy(file.path(), folder.path().join(name).join(file.file_name())).expect("a copy");
            }
        }
        let mut picture = b"P6\n64 48\n255\n".to_vec();
        picture.extend((0..64 * 48 * 3_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8));
        std::fs::write(folder.path().join(name).join(PICTURE), picture).expect("a picture");
        std::fs::copy(samples.join("build.sh"), folder.path().join("build.sh")).expect("a copy");
        succeed(Command::new("sh").current_dir(folder.path()).args(["build.sh", name]));
        let plan = folder.path().join(name).join("pilot.toml");
        let text = change(std::fs::read_to_string(&plan).expect("a plan"));
        std::fs::write(&plan, text + SHORT).expect("a plan");

        let began = Instant::now();
        let output = succeed(Command::new(support::coracle()).args(["pilot", "run"]).arg(folder.path().join(name)));
        assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
        println!("{}", String::from_utf8_lossy(&output.stdout));
        let report = std::fs::read(folder.path().join(name).join("report/report.json")).expect("a report");
        let report = serde_json::from_slice(&report).expect("JSON");
        let pilot = Self { folder, name, report, _alone: alone };
        pilot.check();
        pilot
    }

    /// What holds of every report.
    fn check(&self) {
        for candidate in self.candidates() {
            assert!(candidate["failure"].is_null(), "{candidate:#}");
        }
        let verdicts = self.report["verdicts"].as_array().expect("a list");
        let ports = self.candidates().iter().filter(|candidate| candidate["role"] == "port").count();
        assert_eq!(verdicts.len(), ports, "{verdicts:#?}");
        let page = self.path("report/report.html");
        // Tidy says nothing of a page that has no fault.
        let said = succeed(Command::new("tidy").args(["-errors", "-quiet"]).arg(page)).stderr;
        assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }

    fn candidates(&self) -> &[Value] {
        self.report["candidates"].as_array().expect("a list")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(self.name).join(file)
    }

    /// Holds wall time and peak memory of `command` on the first input against what hyperfine and GNU time say, and says
    /// where they differ.
    fn agrees(&self, candidate: &str, command: &[&str], stdin: Option<&str>) -> Result<(), String> {
        let found = self.candidates().iter().find(|it| it["name"] == candidate).expect("it was measured");
        let of = |figure: &str, key: &str| {
            let value = &found["figures"]["inputs"][0][figure][key];
            value.as_f64().unwrap_or_else(|| panic!("no {key} of {figure} in {found:#}"))
        };
        let stdin = stdin.map_or_else(|| PathBuf::from("/dev/null"), |file| self.path(file));
        let (low, high) = (of("p50", "low"), of("p50", "high"));
        let mut by_hyperfine = Vec::new();
        while !by_hyperfine.last().is_some_and(|(fastest, slowest)| low <= slowest * DRIFT && *fastest <= high * DRIFT)
        {
            if by_hyperfine.len() == TRIES {
                return Err(format!("{candidate}: {low} to {high} s, and by hyperfine {by_hyperfine:?}"));
            }
            by_hyperfine.push(self.hyperfine(command, &stdin));
        }
        let (peak, by_time) = (of("peak", "value"), self.time(command, &stdin));
        if (peak - by_time).abs() > f64::max(MEMORY.0 * by_time, MEMORY.1) {
            return Err(format!("{candidate}: a peak of {peak} bytes, and by time {by_time}"));
        }
        Ok(())
    }

    /// The fastest and the slowest of some runs, in seconds.
    fn hyperfine(&self, command: &[&str], stdin: &Path) -> (f64, f64) {
        let json = self.path("hyperfine.json");
        // It takes the start of the shell off.
        succeed(
            Command::new("hyperfine")
                .current_dir(self.path("."))
                .args(["--warmup=2", "--runs=10", "--style=none", "--export-json"])
                .arg(&json)
                .arg(format!("{} < {}", command.join(" "), stdin.display())),
        );
        let found: Value = serde_json::from_slice(&std::fs::read(json).expect("a file")).expect("JSON");
        let of = |key: &str| found["results"][0][key].as_f64().expect("a number");
        (of("min"), of("max"))
    }

    /// The peak of resident memory, in bytes.
    fn time(&self, command: &[&str], stdin: &Path) -> f64 {
        let file = self.path("time");
        let stdin = std::fs::File::open(stdin).expect("an input");
        succeed(
            Command::new("/usr/bin/time")
                .current_dir(self.path("."))
                .args(["-f", "%M", "-o"])
                .arg(&file)
                .args(command)
                .stdin(stdin),
        );
        let kib: f64 = std::fs::read_to_string(file).expect("a figure").trim().parse().expect("a number of KiB");
        kib * 1024.0
    }
}

/// Runs a program that must be there and succeed.
fn succeed(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let hint = "`cargo xtask test setup` gets what the tests need";
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start: {error}; {hint}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// This `coracle`, as a word of a command line.
fn coracle() -> String {
    support::coracle().display().to_string()
}

/// Runs a pilot and holds its figures against those of other programs.
fn agree(run: impl Fn() -> Pilot, compare: impl Fn(&Pilot) -> Result<(), String>) {
    let differences: Vec<String> = (0..RUNS).map_while(|_| compare(&run()).err()).collect();
    assert!(differences.len() < RUNS, "{differences:#?}");
}

#[test]
fn the_image_filter_agrees_with_hyperfine_and_time() {
    // A picture that is in a file can be given to other programs.
    let with_a_file = |plan: String| {
        plan.replace("generate = \"6912 B\"\nkind = \"picture\"", &format!("file = \"{PICTURE}\""))
            .replace("generate = \"57600 B\"\nkind = \"picture\"", &format!("file = \"{PICTURE}\""))
    };
    agree(
        || Pilot::run("blur", with_a_file),
        |pilot| {
            pilot.agrees("python", &["python3", "filter.py"], Some(PICTURE))?;
            pilot.agrees("rust-native", &["./blur-native"], Some(PICTURE))?;
            pilot.agrees("rust-wasm", &[&coracle(), "run", "blur.wasm"], Some(PICTURE))
        },
    );
}

#[test]
fn the_kernel_agrees_with_hyperfine_and_time() {
    agree(
        || Pilot::run("kernel", |plan| plan),
        |pilot| {
            pilot.agrees("native", &["./kernel-native", "256", "30"], None)?;
            pilot.agrees("wasm", &[&coracle(), "run", "kernel.wasm", "--", "256", "30"], None)?;
            pilot.agrees("wasm-simd", &[&coracle(), "run", "kernel-simd.wasm", "--", "256", "30"], None)
        },
    );
}

#[test]
fn the_template_renderer_is_measured_behind_http() {
    let pilot = Pilot::run("invoice", |plan| plan);
    for candidate in pilot.candidates() {
        assert_eq!(candidate["calls"], "requests");
        assert_eq!(candidate["figures"]["storm"]["failed"], 0, "{candidate:#}");
    }
}
