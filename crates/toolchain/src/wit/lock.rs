//! `coracle.lock`: which content each package of `[wit]` had when it was first fetched, or last updated.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use coracle_package::check::{Check, Reader, Section, Span, table, wrong_type};
use coracle_package::digest::Digest;
use coracle_package::document;
use coracle_package::fault::{Faults, SyntaxError};
use coracle_package::manifest::{WitName, WitSource};
use coracle_package::reference::{KeyDoc, key};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The lock file's name, beside the manifest.
pub const LOCK_NAME: &str = "coracle.lock";

/// The version of the lock file's format. One that is higher was written by a newer `coracle`, and is refused.
const LOCK_VERSION: i64 = 1;

/// What is written above the entries.
const HEAD: &str = "# What the packages of [wit] in coracle.toml are. Written by `coracle wit`; commit it.\n";

const fn of(name: &'static str, reason: &'static str) -> KeyDoc {
    key(name, "", "", "", reason)
}

const ROOT: Section = Section {
    title: "top level",
    noun: "the lock file",
    about: "",
    keys: &[of("version", "The version of the format."), of("package", "The packages.")],
    elsewhere: Section::nowhere,
};

const PACKAGE: Section = Section {
    title: "[[package]]",
    noun: "a package",
    about: "",
    keys: &[
        of("name", "The package's name, as the manifest has it."),
        of("version", "The package's own version."),
        of("path", "Where it came from."),
        of("reference", "Where it came from."),
        of("digest", "The digest of its content."),
    ],
    elsewhere: Section::nowhere,
};

/// The entries of a lock file, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The entries, in the order of their names.
    pub packages: Vec<Locked>,
}

/// What one package was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Its name, as the manifest has it.
    pub name: WitName,
    /// Its own version, where it has one.
    pub version: Option<String>,
    /// Where it came from.
    pub source: WitSource,
    /// The digest of its content: of the artifact's layer, or of the files below a path.
    pub digest: Digest,
}

impl Lock {
    /// Reads the lock file; none where there is none.
    ///
    /// # Errors
    /// Every fault of the file.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, Faults> {
        if !file.exists() {
            return Ok(None);
        }
        let text = document::read(file, "lock file", "`coracle wit fetch` writes it")?;
        Self::parse(&text, file).map(Some)
    }

    /// Reads the text of a lock file.
    ///
    /// # Errors
    /// Every fault of the text.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Faults> {
        document::parse(text, file, "lock file", |check, document| read_document(check, document.get_ref()))
    }

    /// The entry of a package.
    pub(super) fn get(&self, name: &WitName) -> Option<&Locked> {
        self.packages.iter().find(|locked| locked.name == *name)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}version = {LOCK_VERSION}\n");
        for Locked { name, version, source, digest } in &self.packages {
            let quoted = |value: &dyn std::fmt::Display| toml::Value::String(value.to_string()).to_string();
            // Writing to a string does not fail.
            let _ = write!(text, "\n[[package]]\nname = {}\n", quoted(name));
            let _ = version.iter().try_for_each(|version| writeln!(text, "version = {}", quoted(version)));
            let key = if matches!(source, WitSource::Path(_)) { "path" } else { "reference" };
            let _ = writeln!(text, "{key} = {}\ndigest = {}", quoted(source), quoted(digest));
        }
        text
    }
}

fn read_document(check: &mut Check<'_>, document: &DeTable<'_>) -> Lock {
    let root = Reader::new(check, &ROOT, document, 0..0);
    let mut lock = Lock::default();
    let Some(version) = root.require(check, "version", "remove the file; `coracle wit fetch` writes it anew") else {
        return lock;
    };
    if version.get_ref().as_integer().and_then(|number| number.as_str().parse().ok()) != Some(LOCK_VERSION) {
        let error = SyntaxError::new(format!("the lock file's version is not {LOCK_VERSION}"));
        check.fault(version.span(), error.hint("a newer coracle wrote it: use that, or remove the file"));
        return lock;
    }
    let Some(entries) = root.get("package") else { return lock };
    let DeValue::Array(entries) = entries.get_ref() else {
        check.fault(entries.span(), wrong_type("package", "a list of tables", entries));
        return lock;
    };
    for entry in entries {
        lock.packages.extend(read_package(check, entry));
    }
    lock.packages.sort_by(|one, other| one.name.cmp(&other.name));
    lock
}

fn read_package(check: &mut Check<'_>, entry: &Spanned<DeValue<'_>>) -> Option<Locked> {
    let table = table(check, "package", entry)?;
    let package = Reader::new(check, &PACKAGE, table, entry.span());
    let hint = "remove the entry; `coracle wit fetch` writes it anew";
    package.require(check, "name", hint);
    package.require(check, "digest", hint);
    let name = package.text(check, "name").and_then(|found| accept(check, found));
    let digest = package.text(check, "digest").and_then(|found| accept(check, found));
    let version = package.owned_text(check, "version");
    let path = package.text(check, "path").map(|(path, _)| WitSource::Path(PathBuf::from(path)));
    let reference = package.text(check, "reference").and_then(|found| accept(check, found)).map(WitSource::Reference);
    let misspelt = package.misspells("path") || package.misspells("reference");
    if path.is_some() == package.get("reference").is_some() && !misspelt {
        let error = SyntaxError::new("a package has a `path` or a `reference`, and not both");
        check.absent(package.span, error.hint(hint));
    }
    Some(Locked { name: name?, version, source: path.or(reference)?, digest: digest? })
}

fn accept<T: std::str::FromStr<Err = SyntaxError>>(check: &mut Check<'_>, (text, span): (&str, Span)) -> Option<T> {
    check.accept(span, text.parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"version = 1

[[package]]
name = "shop:pricing"
path = "../shared \"wit\""
digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

[[package]]
name = "wasi:clocks@0.2.6"
version = "0.2.6"
reference = "ghcr.io/webassembly/wasi/clocks:0.2.6"
digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"#;

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = format!("{HEAD}{TEXT}");
        let lock =
            Lock::parse(&text.replace("\"../shared \\\"wit\\\"\"", "'../shared \"wit\"'"), Path::new("l")).unwrap();
        assert_eq!(lock.packages.len(), 2);
        assert_eq!(Lock::parse(&lock.text(), Path::new("l")).unwrap(), lock);
    }

    #[test]
    fn every_fault_has_its_place() {
        for (from, to, line) in [
            ("version = 1", "version = 2", 1),
            ("digest = \"sha256:e3", "digest = \"sha256:E3", 6),
            ("reference =", "refrence =", 11),
            ("shop:pricing", "pricing", 4),
            ("path = ", "reference = \"ghcr.io/a:1\"\npath = ", 3),
        ] {
            let faults = Lock::parse(&TEXT.replacen(from, to, 1), Path::new("coracle.lock")).unwrap_err().faults;
            assert_eq!(faults[0].line, line, "{from}: {faults:?}");
        }
    }
}
