//! One file of steps: how it is read, run, compared and written.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// Stands for any text in an expected line.
const ANY: &str = "[..]";

/// The steps of one file.
pub(crate) struct Case {
    comment: Vec<String>,
    steps: Vec<Step>,
}

/// One run of the program, with what came of it or should.
#[derive(Clone)]
struct Step {
    command: String,
    exit: i32,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

impl Case {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut case = Self { comment: Vec::new(), steps: Vec::new() };
        let mut section = "";
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let command = command.to_owned();
                case.steps.push(Step { command, exit: 0, stdout: Vec::new(), stderr: Vec::new() });
                section = "";
            } else if let Some(step) = case.steps.last_mut() {
                match (line, section) {
                    ("--- stdout", _) => section = "stdout",
                    ("--- stderr", _) => section = "stderr",
                    (line, "stdout") => step.stdout.push(line.to_owned()),
                    (line, "stderr") => step.stderr.push(line.to_owned()),
                    ("", _) => {}
                    (line, _) => {
                        let code = line.strip_prefix("exit ").and_then(|code| code.parse().ok());
                        step.exit = code.ok_or_else(|| format!("`{line}` is neither `exit CODE` nor a section"))?;
                    }
                }
            } else {
                case.comment.push(line.to_owned());
            }
        }
        if !case.comment.iter().any(|line| line.starts_with("# ")) {
            return Err("a case begins with `# ` and why it exists".into());
        }
        if case.steps.is_empty() {
            return Err("a case has a step, `$ coracle ...`".into());
        }
        Ok(case)
    }

    /// The same case with what comes of its steps in `folder`.
    pub(crate) fn run(&self, folder: &Path, cache: &Path) -> Self {
        Self { comment: self.comment.clone(), steps: self.steps.iter().map(|step| step.run(folder, cache)).collect() }
    }

    pub(crate) fn matches(&self, came: &Self) -> bool {
        self.steps.iter().zip(&came.steps).all(|(expected, came)| {
            expected.exit == came.exit
                && lines_match(&expected.stdout, &came.stdout)
                && lines_match(&expected.stderr, &came.stderr)
        })
    }

    /// What came of the steps, with the expected lines kept where they match.
    pub(crate) fn updated(&self, came: Self) -> Self {
        let steps = self.steps.iter().zip(came.steps).map(|(expected, came)| Step {
            stdout: keep_matching(&expected.stdout, came.stdout),
            stderr: keep_matching(&expected.stderr, came.stderr),
            ..came
        });
        Self { comment: self.comment.clone(), steps: steps.collect() }
    }
}

impl Step {
    fn run(&self, folder: &Path, cache: &Path) -> Self {
        let mut words = words(&self.command);
        let mut command = Command::new(support::coracle());
        // Nothing of whoever runs the tests may show.
        command.current_dir(folder).env_clear().env("CORACLE_CACHE", cache).stdin(Stdio::null());
        if let Some(root) = std::env::var_os("SystemRoot") {
            command.env("SystemRoot", root);
        }
        if let [.., less, file] = words.as_slice()
            && less == "<"
        {
            command.stdin(File::open(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}")));
            words.truncate(words.len() - 2);
        }
        let mut words = words.into_iter();
        let program = words.by_ref().find(|word| match word.split_once('=') {
            Some((name, value)) => {
                command.env(name, value);
                false
            }
            None => true,
        });
        assert_eq!(program.as_deref(), Some("coracle"), "a step runs `coracle`");
        let output = command.args(words).output().expect("coracle starts");
        let lines = |bytes: &[u8]| -> Vec<String> {
            let text = String::from_utf8_lossy(bytes).replace(&*folder.to_string_lossy(), "[FOLDER]");
            // An editor that strips blanks at the ends of lines must not change a case.
            text.lines().map(|line| line.trim_end().to_owned()).collect()
        };
        Self {
            command: self.command.clone(),
            exit: output.status.code().unwrap_or(-1),
            stdout: lines(&output.stdout),
            stderr: lines(&output.stderr),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.comment {
            writeln!(f, "{line}")?;
        }
        for step in &self.steps {
            writeln!(f, "$ {}\nexit {}", step.command, step.exit)?;
            for (name, lines) in [("stdout", &step.stdout), ("stderr", &step.stderr)] {
                if !lines.is_empty() {
                    writeln!(f, "--- {name}\n{}", lines.join("\n"))?;
                }
            }
        }
        Ok(())
    }
}

/// Splits a command as a shell does: at blanks, with quotes of both kinds.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in command.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

fn lines_match(expected: &[String], came: &[String]) -> bool {
    expected.len() == came.len() && expected.iter().zip(came).all(|(expected, came)| line_matches(expected, came))
}

fn line_matches(expected: &str, came: &str) -> bool {
    let mut parts = expected.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| came.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

fn keep_matching(expected: &[String], came: Vec<String>) -> Vec<String> {
    let kept = |line: String| expected.iter().find(|expected| line_matches(expected, &line)).cloned().unwrap_or(line);
    came.into_iter().map(kept).collect()
}

#[test]
fn a_line_matches_what_it_says() {
    for (expected, came, matches) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("[..]", "", true),
        ("a[..]", "abc", true),
        ("a[..]c", "abc", true),
        ("a[..]c", "ab", false),
        ("a[..]b[..]c", "a1b2c", true),
        ("a[..]b[..]c", "a12c", false),
    ] {
        assert_eq!(line_matches(expected, came), matches, "{expected:?} and {came:?}");
    }
}

#[test]
fn words_are_those_of_a_shell() {
    assert_eq!(words(r#"a 'b "c"' d"e f" '' < g"#), ["a", "b \"c\"", "de f", "", "<", "g"]);
}
