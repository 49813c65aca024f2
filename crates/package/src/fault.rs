//! Faults of a file that a user wrote: all of them at once, each with its place and a hint.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1; 0 when the fault is that of the file as a whole.
    pub line: u32,
    /// The column in characters, counted from 1; 0 when the fault is that of the file as a whole.
    pub column: u32,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// More lines: each piece of it.
    pub details: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// Everything that is wrong in one file, in the order of the lines. Never empty when it is returned as an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The file as its reader named it.
    pub file: PathBuf,
    /// The faults, sorted by place.
    pub faults: Vec<Fault>,
}

/// Renders one line `file:line:column: message` for each fault, followed by its details and its hint, each on a line of its own.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file.display())?;
            if fault.line > 0 {
                write!(f, "{}:{}:", fault.line, fault.column)?;
            }
            write!(f, " {}", fault.message)?;
            fault.details.iter().try_for_each(|line| write!(f, "\n  {line}"))?;
            if let Some(hint) = &fault.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Faults {
    /// Each of them as a problem of its own.
    pub fn problems(&self) -> Vec<Problem> {
        let file = self.file.display();
        let problem = |fault: &Fault| {
            let place = match fault.line {
                0 => file.to_string(),
                line => format!("{file}:{line}:{}", fault.column),
            };
            let Fault { message, details, hint, .. } = fault.clone();
            Problem { details, hint, ..Problem::new(message).at(place) }
        };
        self.faults.iter().map(problem).collect()
    }
}

/// Text that does not say what its reader expects: one value of a flag or of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// More lines: each piece of it.
    pub details: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl SyntaxError {
    /// What is wrong, in one sentence without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), hint: None }
    }

    /// Says a piece of it.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Who has to act where something is wrong. Of several problems the last one here says what is to be done first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The author: a component, a manifest or another input is not what it should be.
    Data,
    /// Who wrote the command line.
    Usage,
    /// Who runs the machine, or what it speaks to: a file cannot be written, a process cannot be started, a registry does not
    /// answer.
    Machine,
}

/// One thing that is wrong with what a program was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Who has to act.
    pub kind: Kind,
    /// What is wrong, in one line.
    pub what: String,
    /// Where: a file with line and column, a component, an option.
    pub place: Option<String>,
    /// More lines: each piece of it.
    pub details: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Problem {
    /// What is wrong, in one line, and that the author has to act.
    pub fn new(what: impl fmt::Display) -> Self {
        Self { kind: Kind::Data, what: what.to_string(), place: None, details: Vec::new(), hint: None }
    }

    /// An error with everything that caused it.
    pub fn of(error: &dyn std::error::Error) -> Self {
        let mut what = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            what.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self::new(what)
    }

    /// Says who has to act.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Says a piece of it.
    #[must_use]
    pub fn detail(mut self, line: impl fmt::Display) -> Self {
        self.details.push(line.to_string());
        self
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl From<SyntaxError> for Problem {
    fn from(error: SyntaxError) -> Self {
        Self { details: error.details, hint: error.hint, ..Self::new(error.message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} ({place})", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What points at byte `column` of a line, in the line below: as wide as the text there.
pub fn caret(line: &str, column: usize) -> String {
    let before = line.char_indices().take_while(|(at, _)| *at < column);
    before.map(|(_, character)| if character == '\t' { '\t' } else { ' ' }).chain(['^']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_its_character() {
        assert_eq!(caret("f(\"ü\", x)", 8), "       ^");
        assert_eq!(caret("\tab", 2), "\t ^");
        assert_eq!(caret("ab", 99), "  ^");
    }
}
