//! Files of TOML that a user writes, from bytes to a checked value or to all their faults.

use std::io::Read as _;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use crate::check::{Check, end_of};
use crate::fault::{Fault, Faults, SyntaxError};

/// The longest file, in bytes: thousands of routes fit, and reading it stays a matter of milliseconds. How deep values nest is
/// bounded by the TOML reader (80 levels), and no key takes more than three.
pub const FILE_BYTES: usize = 1 << 20;

/// Reads a file as text. `noun` is what messages call it; `missing` says what to do where there is no such file.
///
/// # Errors
/// One fault: that it cannot be read, or where it ceases to be UTF-8.
pub fn read(file: &Path, noun: &str, missing: &str) -> Result<String, Faults> {
    let refuse = |line, column, message: String, hint: Option<&str>| Faults {
        file: file.to_owned(),
        faults: vec![Fault { line, column, message, details: Vec::new(), hint: hint.map(str::to_owned) }],
    };
    let bytes = read_bounded(file).map_err(|error| {
        let absent = error.kind() == std::io::ErrorKind::NotFound;
        refuse(0, 0, format!("cannot read the {noun}: {error}"), absent.then_some(missing))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let (line, column) = end_of(std::str::from_utf8(&error.as_bytes()[..valid]).unwrap_or_default());
        refuse(line, column, format!("the {noun} is not UTF-8 text from here on"), Some("save it as UTF-8"))
    })
}

/// Reads a file, and one byte more than it may have at the most.
fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(file)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads `text`, which stands in `file`, with a reader that notes what is wrong.
///
/// # Errors
/// Every fault of the text.
pub fn parse<T>(
    text: &str,
    file: &Path,
    noun: &str,
    read: impl FnOnce(&mut Check<'_>, &Spanned<DeTable<'_>>) -> T,
) -> Result<T, Faults> {
    let refuse = |faults| Faults { file: file.to_owned(), faults };
    if text.len() > FILE_BYTES {
        let limit = crate::unit::format_size(FILE_BYTES as u64);
        let message = format!("the {noun} is larger than {limit}");
        return Err(refuse(vec![Fault { line: 0, column: 0, message, details: Vec::new(), hint: None }]));
    }
    let mut check = Check::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or_default();
        check.not_toml(span, not_toml(error.message()));
    }
    let value = read(&mut check, &document);
    let faults = check.finish();
    if faults.is_empty() { Ok(value) } else { Err(refuse(faults)) }
}

/// What the TOML reader says, in the words of this parser.
fn not_toml(message: &str) -> SyntaxError {
    if message.starts_with("duplicate key") {
        return SyntaxError::new("this is written twice").hint("keep one of them");
    }
    let error = SyntaxError::new(format!("this is not TOML: {}", message.replace('\n', ", ")));
    if message.starts_with("string values must be quoted") {
        return SyntaxError::new("this is not TOML: text without quotes")
            .hint("put it into quotes, like name = \"shop\"");
    }
    error
}
