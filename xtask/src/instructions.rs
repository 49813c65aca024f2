//! The regression gate: how many instructions a request and a command take, held against what is kept in the tree.
//!
//! Instructions are the same on a busy machine as on a quiet one, so that this can be part of the tests. They are counted by
//! callgrind in two programs of ours that do nothing else, built as the tests are, but with our own crates optimised too: their
//! number is not that of a release build, and rises and falls with it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::packages::{self, Package};
use crate::project::Project;
use crate::{Result, shell};

/// By how much a count may grow, in percent.
///
/// Reason: hash tables have other seeds in every run, which moves a count by some tenths of a percent.
const TOLERANCE: u64 = 3;

/// Requests in the two runs of which the difference is taken: the start falls out of it.
const REQUESTS: [u64; 2] = [200, 1_200];

/// The sample that answers the requests, and the one that is run as a command.
const SAMPLES: [&str; 2] = ["hello-c", "command-c"];

/// What is optimised besides what the tests' own profile does.
const OURS: [&str; 5] =
    ["coracle-capability", "coracle-daemon", "coracle-package", "coracle-runtime", "coracle-server"];

const COUNTER: [Package; 1] =
    [Package { name: "valgrind", shown_by: "valgrind", purpose: "instructions are counted by its callgrind" }];

/// Count the instructions of a request and of a command, and hold them against those kept in `bench/instructions.json`
#[derive(Args)]
pub(crate) struct Arguments {
    /// Keep what was counted, in place of what was kept before
    #[arg(long)]
    keep: bool,
}

/// What counts depend on besides our own code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Setting {
    rust: String,
    /// Which instructions it has decides what is compiled for it.
    processor: String,
    /// It has functions of its own for each processor.
    library: String,
    counter: String,
}

/// What is kept in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    setting: Setting,
    /// Instructions by what was counted.
    instructions: BTreeMap<String, u64>,
}

/// Counts, and compares.
pub(crate) fn check(project: &Project) -> Result {
    run(project, &Arguments { keep: false })
}

/// Counts, and keeps the result or compares it.
pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    let found = count(project)?;
    if arguments.keep {
        let mut text = serde_json::to_string_pretty(&found)?;
        text.push('\n');
        fs::write(file(project), text)?;
    }
    let kept: Counts = serde_json::from_str(&fs::read_to_string(file(project))?)?;
    if !kept.instructions.keys().eq(found.instructions.keys()) {
        return Err("what is kept in `bench/instructions.json` is not what is counted: \
                    `cargo xtask bench instructions --keep` keeps it anew"
            .into());
    }
    let comparison = compare(&kept, &found);
    println!("{comparison}");
    if comparison.is_worse() {
        return Err("more instructions than before: find out why, or keep the new count with \
                    `cargo xtask bench instructions --keep` and say in the commit what it buys"
            .into());
    }
    Ok(())
}

fn file(project: &Project) -> PathBuf {
    project.root.join("bench/instructions.json")
}

fn count(project: &Project) -> Result<Counts> {
    packages::ensure(&COUNTER)?;
    let [function, command] = SAMPLES.map(|sample| project.sample(sample));
    let (function, command) = (function?, command?);
    let folder = project.tools().join("bench/instructions");
    // An empty cache: the first run then fills it, whatever was counted here before.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let programs = build(project)?;
    let program = |name: &str| programs.get(name).ok_or(format!("cargo built no program `{name}`"));

    let requests = |count: u64| {
        let mut counted = callgrind(program("request")?, &folder.join(format!("request-{count}")));
        instructions(counted.arg(&function).arg(count.to_string()))
    };
    let [few, many] = REQUESTS;
    let request = (requests(many)?.saturating_sub(requests(few)?)) / (many - few);

    let start = || {
        let mut counted = callgrind(program("command")?, &folder.join("command"));
        instructions(counted.arg(&command).arg(folder.join("cache")))
    };
    start()?;
    let cached = start()?;
    let instructions = BTreeMap::from([
        ("a request to hello-c".to_owned(), request),
        ("a cached run of command-c".to_owned(), cached),
    ]);
    Ok(Counts { setting: Setting::here()?, instructions })
}

/// The two programs, by name.
fn build(project: &Project) -> Result<BTreeMap<String, PathBuf>> {
    /// A line of what cargo says.
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let mut command = project.cargo();
    command.args(["build", "--workspace", "--bench", "request", "--bench", "command"]);
    for package in OURS {
        command.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=2"));
    }
    let said = shell::output(command.args(["--message-format", "json-render-diagnostics"]))?;
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    Ok(messages.filter_map(|message| Some((message.target?.name, message.executable?))).collect())
}

fn callgrind(program: &Path, file: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(file);
    command.arg("--tool=callgrind").arg(out).arg(program);
    command
}

/// How many instructions a program took, by what callgrind says at its end.
fn instructions(command: &mut Command) -> Result<u64> {
    shell::measured(command).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().map_err(|error| format!("could not start `{}`: {error}", shell::line(command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match (output.status.success(), collected(&said)) {
        (true, Some(count)) => Ok(count),
        _ => Err(format!("`{}` failed: {}\n{said}", shell::line(command), output.status).into()),
    }
}

/// The number in `==1234== Collected : 5678`.
fn collected(said: &str) -> Option<u64> {
    said.lines().rev().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

impl Setting {
    fn here() -> Result<Self> {
        let said = |program: &str, argument: &str| -> Result<String> {
            Ok(shell::output(Command::new(program).arg(argument))?.trim().to_owned())
        };
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            rust: said("rustc", "--version")?,
            processor: model.map_or("unknown", |(_, model)| model).trim().to_owned(),
            library: said("getconf", "GNU_LIBC_VERSION")?,
            counter: said("valgrind", "--version")?,
        })
    }
}

/// What is kept beside what was found.
struct Comparison<'a> {
    kept: &'a Counts,
    found: &'a Counts,
}

fn compare<'a>(kept: &'a Counts, found: &'a Counts) -> Comparison<'a> {
    Comparison { kept, found }
}

impl Comparison<'_> {
    /// What was counted, before (if it is comparable) and now.
    fn rows(&self) -> impl Iterator<Item = (&str, Option<u64>, u64)> {
        let comparable = self.kept.setting == self.found.setting;
        self.found.instructions.iter().map(move |(what, now)| {
            (what.as_str(), self.kept.instructions.get(what).copied().filter(|_| comparable), *now)
        })
    }

    fn is_worse(&self) -> bool {
        self.rows().any(|(_, before, now)| before.is_some_and(|before| now * 100 > before * (100 + TOLERANCE)))
    }
}

/// In percent.
#[expect(clippy::cast_precision_loss, reason = "counts of less than 2^53")]
fn growth(before: u64, now: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, before, now) in self.rows() {
            match before {
                Some(before) => {
                    let percent = growth(before, now);
                    writeln!(f, "{what}: {now} instructions, {percent:+.2} % of {before}")?;
                }
                None => writeln!(f, "{what}: {now} instructions")?,
            }
        }
        if self.kept.setting == self.found.setting {
            return write!(f, "more than {TOLERANCE} % on top would be too many");
        }
        write!(
            f,
            "cannot be compared: what is kept was counted with\n  {:?}\nand this with\n  {:?}",
            self.kept.setting, self.found.setting
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rust: &str, instructions: u64) -> Counts {
        let setting = Setting {
            rust: rust.into(),
            processor: "a processor".into(),
            library: "a library".into(),
            counter: "a counter".into(),
        };
        Counts { setting, instructions: BTreeMap::from([("a request".into(), instructions)]) }
    }

    #[test]
    fn three_percent_more_is_allowed_and_no_more() {
        let kept = counts("1.95", 100_000);
        for (now, worse) in [(50_000, false), (103_000, false), (103_001, true)] {
            assert_eq!(compare(&kept, &counts("1.95", now)).is_worse(), worse, "{now}");
        }
    }

    #[test]
    fn what_was_counted_elsewhere_is_told_and_not_judged() {
        let (kept, found) = (counts("1.95", 100_000), counts("1.96", 200_000));
        let comparison = compare(&kept, &found);
        assert!(!comparison.is_worse());
        let text = comparison.to_string();
        assert!(text.starts_with("a request: 200000 instructions\ncannot be compared"), "{text}");
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let said = "==12== Events    : Ir\n==12== Collected : 223040843\n==12==\n==12== I   refs:      223,040,843\n";
        assert_eq!(collected(said), Some(223_040_843));
        assert_eq!(collected("==12== Process terminating"), None);
    }
}
