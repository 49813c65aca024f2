//! Counting what passed and what failed, from what the test programs print.

use std::process::Command;

use crate::{Result, shell};

/// What a part counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many tests, or checks, passed.
    pub(crate) passed: usize,
    /// How many failed.
    pub(crate) failed: usize,
    /// What failed, by name, and why where the output above does not say it.
    pub(crate) notes: Vec<String>,
}

impl Tally {
    /// One check that passed.
    pub(crate) fn pass() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// One check that failed.
    pub(crate) fn fail(why: String) -> Self {
        Self { failed: 1, notes: vec![why], ..Self::default() }
    }

    /// One check, which passed where `result` is good.
    pub(crate) fn of(result: Result) -> Self {
        result.map_or_else(|error| Self::fail(error.to_string()), |()| Self::pass())
    }

    /// Adds what another part of the same part counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.notes.extend(other.notes);
    }

    /// Runs `cargo test ...` and counts what its test programs report.
    pub(crate) fn of_tests(command: &mut Command) -> Result<Self> {
        let mut tally = Self::default();
        let success = shell::watch(command, |line| tally.see(line))?;
        if !success && tally.failed == 0 {
            tally.failed = 1;
            tally.notes.push(format!("`{}` did not build or did not end well", shell::line(command)));
        } else if success && tally.passed == 0 {
            // A filter that matches nothing, or a target that lost its tests, would pass for ever.
            tally.failed = 1;
            tally.notes.push(format!("`{}` ran no test", shell::line(command)));
        }
        Ok(tally)
    }

    /// Reads one line of a test program: counts from its last line, names from those of single tests.
    fn see(&mut self, line: &str) {
        let Some(line) = line.strip_prefix("test ") else { return };
        if let Some(counts) = line.strip_prefix("result: ") {
            self.passed += count(counts, "passed");
            // Nothing may be skipped: an ignored test is a failed one.
            self.failed += count(counts, "failed") + count(counts, "ignored");
        } else if let Some((name, verdict)) = line.rsplit_once(" ... ") {
            if verdict == "FAILED" {
                self.notes.push(name.to_owned());
            } else if verdict.starts_with("ignored") {
                self.notes.push(format!("{name} is ignored, and nothing may be skipped"));
            }
        }
    }
}

/// The number before `word` in `FAILED. 3 passed; 1 failed; 0 ignored; ...`.
fn count(counts: &str, word: &str) -> usize {
    let mut words = counts.split([' ', ';', '.']).filter(|word| !word.is_empty());
    let mut before = "";
    words
        .find_map(|it| {
            if it == word {
                before.parse().ok()
            } else {
                before = it;
                None
            }
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is reported must come from what was run, so the lines that libtest prints are here as they are.
    #[test]
    fn lines_of_test_programs_are_counted() {
        let mut tally = Tally::default();
        for line in [
            "running 5 tests",
            "test grant::tests::a_port_is_a_number ... ok",
            "test slow has been running for over 60 seconds",
            "test crates/package/src/lib.rs - grant (line 12) ... ok",
            "test crates/package/src/lib.rs - grant (line 20) - compile fail ... ok",
            "test listener::stops ... FAILED",
            "test later ... ignored, needs a network",
            "test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.25s",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "what a test prints: 7 passed",
        ] {
            tally.see(line);
        }
        assert_eq!((tally.passed, tally.failed), (15, 2));
        assert_eq!(tally.notes, ["listener::stops", "later is ignored, and nothing may be skipped"]);
    }
}
