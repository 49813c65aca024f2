//! Failures as the user sees them: exit codes, and the one place that renders them.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use clap::error::ErrorKind;
use coracle_package::fault::{Kind, Problem};
use coracle_runtime::Outcome;

use crate::output::{self, visible};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Success,
    /// A guest's own code.
    Guest(i32),
    /// What was checked does not hold: a test failed, a new component breaks the callers of the old one.
    Unmet,
    /// The command line is wrong.
    Usage,
    /// A component, a manifest or another input is not what it should be.
    BadData,
    /// A guest used up its time.
    Deadline,
    /// Coracle itself failed.
    Internal,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// A guest broke a rule of the machine.
    Trap,
}

impl Exit {
    /// How the process ends where the guest was stopped with this outcome.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => Self::Success,
            Outcome::GuestError => Self::Guest(1),
            Outcome::CpuDeadline | Outcome::WallDeadline => Self::Deadline,
            Outcome::Trap(_) | Outcome::OutOfMemory => Self::Trap,
            Outcome::Cancelled => Self::Interrupted,
            Outcome::Refused | Outcome::Overload | Outcome::InvalidResponse | Outcome::HostError => Self::Internal,
        }
    }

    /// The process's exit code.
    ///
    /// 124 and 125 are those of `timeout`, 130 and 134 are what a shell shows of a process that was interrupted or
    /// aborted, 65 is `EX_DATAERR`.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Success => 0,
            Self::Guest(code) => code,
            Self::Unmet => 1,
            Self::Usage => 2,
            Self::BadData => 65,
            Self::Deadline => 124,
            Self::Internal => 125,
            Self::Interrupted => 130,
            Self::Trap => 134,
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Data => Self::BadData,
            Kind::Usage => Self::Usage,
            Kind::Machine => Self::Internal,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What is wrong, in one line.
    pub(crate) what: String,
    /// Where: a file, a file with line and column, or an option.
    pub(crate) place: Option<String>,
    /// More lines, shown as they are: a piece of source, a call stack.
    pub(crate) details: Vec<String>,
    /// What to do about it.
    pub(crate) hints: Vec<String>,
}

impl From<&Problem> for Fault {
    fn from(problem: &Problem) -> Self {
        let Problem { what, place, details, hint, .. } = problem.clone();
        Self { what, place, details, hints: hint.into_iter().collect() }
    }
}

/// Why a verb did not succeed, and the exit code that says so.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) faults: Vec<Fault>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Display) -> Self {
        let fault = Fault { what: what.to_string(), place: None, details: Vec::new(), hints: Vec::new() };
        Self { exit, faults: vec![fault] }
    }

    /// All of the problems that there are, at least one.
    pub(crate) fn of(problems: &[Problem]) -> Self {
        let kind = problems.iter().map(|problem| problem.kind).max().unwrap_or(Kind::Machine);
        Self { exit: kind.into(), faults: problems.iter().map(Fault::from).collect() }
    }

    /// Coracle, or the machine under it, failed.
    pub(crate) fn internal(what: impl Display) -> Self {
        Self::new(Exit::Internal, what)
    }

    /// The command line is wrong.
    pub(crate) fn usage(what: impl Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// An input is not what it should be.
    pub(crate) fn bad_data(what: impl Display) -> Self {
        Self::new(Exit::BadData, what)
    }

    /// Says where.
    pub(crate) fn at(mut self, place: impl Display) -> Self {
        if let Some(fault) = self.faults.last_mut() {
            fault.place = Some(place.to_string());
        }
        self
    }

    /// Says what to do.
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        if let Some(fault) = self.faults.last_mut() {
            fault.hints.push(hint.to_string());
        }
        self
    }

    /// Adds a line of detail.
    pub(crate) fn detail(mut self, line: impl Display) -> Self {
        if let Some(fault) = self.faults.last_mut() {
            fault.details.push(line.to_string());
        }
        self
    }

    /// Writes the faults to standard error. Colours are dropped where standard error is no terminal, and with `NO_COLOR`.
    pub(crate) fn report(self) -> Exit {
        let mut text = String::new();
        for fault in &self.faults {
            render(fault, &mut text);
        }
        // Where standard error is closed there is nobody to tell.
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
        self.exit
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

fn render(fault: &Fault, text: &mut String) {
    text.push_str(&format!("{ERROR}error:{ERROR:#} {}", visible(&fault.what)));
    if let Some(place) = &fault.place {
        text.push_str(&format!(" ({})", visible(place)));
    }
    text.push('\n');
    for line in &fault.details {
        text.push_str(&format!("  {}\n", visible(line)));
    }
    for hint in &fault.hints {
        text.push_str(&format!("  {HINT}hint:{HINT:#} {}\n", visible(hint)));
    }
}

/// What the command-line parser said: help goes out as it is, errors are put into our own form.
pub(crate) fn from_clap(error: &clap::Error) -> Result<Exit, Failure> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        output::print(error.render().ansi())?;
        return Ok(Exit::Success);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Help that nobody asked for is an error, and must not be mistaken for output. Where standard error is closed there
        // is nobody to tell.
        let _ = write!(anstream::stderr().lock(), "{}", error.render().ansi());
        return Ok(Exit::Usage);
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let what: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let what = what.join(" ");
    let mut failure = Failure::usage(what.strip_prefix("error: ").unwrap_or(&what));
    let mut usage = text.lines().filter_map(|line| line.strip_prefix("Usage: "));
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")) {
        failure = failure.hint(line.strip_prefix("tip: ").unwrap_or(line));
    }
    if let Some(usage) = usage.next() {
        let unexplained = failure.faults.iter().all(|fault| fault.hints.is_empty());
        if error.kind() == ErrorKind::UnknownArgument && unexplained && usage.contains("[-- ") {
            failure = failure.hint("arguments for the guest go after `--`");
        }
        failure = failure.hint(format!("usage: {usage}"));
    }
    Err(failure)
}

/// An error with what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_what_where_hint() {
        let failure =
            Failure::bad_data("unknown key `colour`").at("coracle.toml:3:1").detail("3 | colour = 1").hint("remove it");
        let mut text = String::new();
        render(&failure.faults[0], &mut text);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain, "error: unknown key `colour` (coracle.toml:3:1)\n  3 | colour = 1\n  hint: remove it\n");
    }
}
