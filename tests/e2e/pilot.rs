//! `coracle pilot`, as a process, on candidates that do what candidates do.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A plan in a folder of its own. Fakes are in Python: they take a set time and a set amount of memory.
struct Pilot {
    folder: TempDir,
}

/// Waits, and holds memory.
const FAKE: &str = "import sys, time\nheld = b'x' * int(sys.argv[2])\ntime.sleep(float(sys.argv[1]))\nprint('done')\n";

/// What every plan here has: little time, and no storms.
const SHORT: &str = "[pilot]\nname = \"fakes\"\n[length]\nrounds = 12\ntime = \"40s\"\nstorm = 0\ncopies = 0\n";

impl Pilot {
    fn new(candidates: &str) -> Self {
        let pilot = Self { folder: tempfile::tempdir().expect("a folder for a test") };
        pilot.write("fake.py", FAKE);
        pilot.write("pilot.toml", &format!("{SHORT}{candidates}"));
        pilot
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file of a test");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(support::coracle());
        command.args(["pilot", "run"]).arg(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self) -> Output {
        self.command().output().expect("coracle starts")
    }

    fn report(&self) -> Value {
        let path = self.folder.path().join("report/report.json");
        serde_json::from_slice(&std::fs::read(&path).expect("a report")).expect("JSON")
    }
}

fn fake(name: &str, role: &str, seconds: f64, bytes: u64) -> String {
    format!("[candidate.{name}]\nrole = \"{role}\"\ncommand = [\"python3\", \"fake.py\", \"{seconds}\", \"{bytes}\"]\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The estimate of a figure of a candidate on the first input.
fn figure(report: &Value, candidate: usize, name: &str) -> (f64, f64, f64) {
    let figure = &report["candidates"][candidate]["figures"]["inputs"][0][name];
    let of = |key: &str| figure[key].as_f64().unwrap_or_else(|| panic!("no {name} in {report:#}"));
    (of("value"), of("low"), of("high"))
}

#[test]
fn delays_and_memory_that_are_set_are_found() {
    let pilot = Pilot::new(
        &[fake("slow", "today", 0.25, 64 << 20), fake("fast", "port", 0.02, 4 << 20), "[input.one]\n".to_owned()]
            .concat(),
    );
    // A sleep is never shorter than it was set to. The start of Python is on top; while the machine does something else that may
    // take as long, so that what is too near is measured again before it is believed.
    let found = (1..=3).find_map(|_| {
        let output = pilot.run();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report = pilot.report();
        let ((slow, ..), (fast, ..)) = (figure(&report, 0, "p50"), figure(&report, 1, "p50"));
        assert!(slow >= 0.25 && fast >= 0.02, "{slow} {fast}");
        (slow - fast > 0.1).then_some(report)
    });
    let report = found.expect("the slow one is a tenth of a second slower, in one of three pilots");
    let ((large, ..), (small, ..)) = (figure(&report, 0, "peak"), figure(&report, 1, "peak"));
    let apart = (large - small) / f64::from(60 << 20);
    assert!((0.95..1.05).contains(&apart), "{large} and {small}");
    let html = std::fs::read_to_string(pilot.folder.path().join("report/report.html")).expect("a page");
    assert!(
        html.contains("<svg") && !html.contains("http://") && !html.contains("https://") && !html.contains("<script")
    );
}

#[test]
fn a_candidate_that_answers_differently_is_not_timed() {
    let pilot = Pilot::new(
        "[candidate.today]\nrole = \"today\"\ncommand = [\"cat\"]\n\
         [candidate.wrong]\ncommand = [\"tr\", \"b\", \"c\"]\n\
         [candidate.right]\ncommand = [\"cat\", \"-\"]\n\
         [input.first]\ntext = \"aaa\"\n[input.second]\ntext = \"a\\nab\"\n",
    );
    let output = pilot.run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = pilot.report();
    let wrong =
        report["candidates"].as_array().expect("a list").iter().find(|it| it["name"] == "wrong").expect("it is named");
    assert_eq!(wrong["failure"]["input"], "second");
    assert_eq!(wrong["failure"]["details"][0], "byte 3, in line 2: \"c\" and not \"b\"");
    assert!(wrong["figures"]["inputs"][0]["p50"].is_null(), "{wrong:#}");
    let verdicts = report["verdicts"].as_array().expect("a list");
    assert!(verdicts.iter().any(|it| it["name"] == "wrong" && it["decision"] == "do-not-port"), "{verdicts:#?}");
    assert!(text(&output.stdout).contains("wrong: Do not port it"), "{}", text(&output.stdout));
}

#[test]
fn a_crash_in_a_later_run_is_told_with_its_number() {
    // It counts its runs in a file. Checking is one, measuring memory five, warming up twenty or more.
    let script =
        "n=$(cat runs 2>/dev/null || echo 0); n=$((n+1)); echo $n > runs; [ $n -ne 37 ] || kill -SEGV $$; echo same";
    let pilot = Pilot::new(&format!(
        "[candidate.today]\nrole = \"today\"\ncommand = [\"echo\", \"same\"]\n\
         [candidate.shaky]\ncommand = [\"sh\", \"-c\", '''{script}''']\n[input.one]\n"
    ));
    let output = pilot.run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = pilot.report();
    let failure = &report["candidates"][1]["failure"];
    assert_eq!(failure["what"], "it crashed (SIGSEGV)", "{report:#}");
    assert_eq!(failure["run"], 37, "{failure:#}");
    assert!(text(&output.stdout).contains("shaky: Do not port it"), "{}", text(&output.stdout));
}

#[test]
fn what_runs_out_of_memory_is_told_in_its_own_words() {
    let pilot = Pilot::new(
        "[candidate.today]\nrole = \"today\"\ncommand = [\"echo\", \"done\"]\n\
         [candidate.greedy]\ncommand = [\"sh\", \"-c\", \"ulimit -v 200000; exec python3 -c 'b = bytearray(1 << 30); print(1)'\"]\n\
         [input.one]\n",
    );
    let output = pilot.run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let failure = &pilot.report()["candidates"][1]["failure"];
    assert!(failure["details"].to_string().contains("MemoryError"), "{failure:#}");
}

#[test]
fn todays_candidate_that_cannot_start_ends_the_pilot() {
    let pilot = Pilot::new(
        "[candidate.today]\nrole = \"today\"\ncommand = [\"no-such-program\"]\n[candidate.port]\ncommand = [\"cat\"]\n[input.one]\n",
    );
    let output = pilot.run();
    assert_eq!(output.status.code(), Some(65));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("`no-such-program` is not on the search path"), "{stderr}");
}

#[test]
fn ctrl_c_keeps_what_was_measured() {
    let pilot =
        Pilot::new(&[fake("a", "today", 0.1, 1), fake("b", "port", 0.1, 1), "[input.one]\n".to_owned()].concat());
    pilot.write(
        "pilot.toml",
        &std::fs::read_to_string(pilot.folder.path().join("pilot.toml"))
            .expect("a plan")
            .replace("rounds = 12", "rounds = 2000")
            .replace("40s", "600s"),
    );
    let mut child = pilot.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("coracle starts");
    wait_for_rounds(&mut child);
    std::thread::sleep(Duration::from_secs(4));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    let began = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(60));
    let report = pilot.report();
    assert_eq!(report["ended"], "interrupted");
    assert!(report["rounds"].as_u64().expect("a number") > 0, "{report:#}");
    assert!(report["notes"].to_string().contains("interrupted"), "{report:#}");
    assert!(report["candidates"][1]["failure"].is_null(), "{report:#}");
}

/// Reads what it says of its parts until the rounds begin.
fn wait_for_rounds(child: &mut std::process::Child) {
    use std::io::{BufRead as _, BufReader};
    let stderr = child.stderr.take().expect("standard error is piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "measuring"), "the rounds begin");
    // What follows is read by nobody; the pipe has room for it.
    std::mem::forget(lines);
}

#[test]
fn a_component_is_measured_beside_its_twin_and_served_ones_too() {
    let sample = |name: &str| support::sample(name);
    let pilot = Pilot::new(&format!(
        "[candidate.first]\nrole = \"today\"\ncomponent = '{}'\n[candidate.second]\ncomponent = '{}'\nreuse = 10\n\
         [input.one]\npath = \"/\"\n",
        sample("hello-c").display(),
        sample("hello-c").display()
    ));
    pilot.write(
        "pilot.toml",
        &std::fs::read_to_string(pilot.folder.path().join("pilot.toml"))
            .expect("a plan")
            .replace("storm = 0", "storm = 5")
            .replace("copies = 0", "copies = 5"),
    );
    let output = pilot.run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = pilot.report();
    for candidate in 0..2 {
        let figures = &report["candidates"][candidate]["figures"];
        assert!(report["candidates"][candidate]["failure"].is_null(), "{report:#}");
        assert!(figures["cold"]["value"].as_f64().expect("a cold start") > 0.0);
        assert_eq!(figures["storm"]["copies"], 5, "{report:#}");
        assert_eq!(figures["storm"]["failed"], 0, "{report:#}");
        assert!(figures["idle"]["footprint"]["pss"].as_u64().expect("a size") > 1 << 20);
        let (median, low, high) = figure(&report, candidate, "p50");
        assert!(low <= median && median <= high && figure(&report, candidate, "p99").0 >= median);
    }
}
