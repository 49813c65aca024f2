//! WIT packages that an app's components are built against and that come from elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use semver::Version;
use toml::Spanned;
use toml::de::DeValue;

use super::parse::check_path;
use super::{MAX_WIT_PACKAGES, keys};
use crate::check::{Check, Reader, Span, table};
use crate::fault::SyntaxError;
use crate::oci::Reference;

/// The name of a WIT package as a manifest writes it: with a version only where that one is meant and no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WitName {
    /// The name without the version: `wasi:clocks`.
    pub name: String,
    /// The version.
    pub version: Option<Version>,
}

/// Where a WIT package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitDependency {
    /// Its source.
    pub source: WitSource,
    /// The line of the manifest that names it.
    pub line: u32,
}

/// Where a WIT package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitSource {
    /// A folder of `.wit` files, or one of them, as it was written.
    Path(PathBuf),
    /// A registry.
    Reference(Reference),
}

/// As the manifest writes it.
impl fmt::Display for WitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Reference(reference) => reference.fmt(f),
        }
    }
}

impl fmt::Display for WitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|version| write!(f, "@{version}"))
    }
}

impl FromStr for WitName {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        if !name.split_once(':').is_some_and(|(namespace, name)| is_id(namespace) && is_id(name)) {
            let error = SyntaxError::new(format!("{text:?} is no name of a WIT package"));
            return Err(error.hint("write its namespace and its name, as \"wasi:clocks\""));
        }
        let wrong = |_| SyntaxError::new(format!("{text:?} ends in no semantic version"));
        let version = version.map(Version::parse).transpose().map_err(wrong)?;
        Ok(Self { name: name.to_owned(), version })
    }
}

/// Words of letters and digits, each starting with a letter, parted by hyphens.
fn is_id(text: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|letter: char| letter.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.split('-').all(word)
}

pub(super) fn read_wit(check: &mut Check<'_>, root: &Reader<'_, '_>) -> BTreeMap<WitName, WitDependency> {
    let mut packages = BTreeMap::new();
    let Some((found, span)) = root.table(check, "wit") else { return packages };
    if found.len() > MAX_WIT_PACKAGES {
        let error = SyntaxError::new(format!("[wit] has at most {MAX_WIT_PACKAGES} packages, not {}", found.len()));
        check.fault(span, error.hint("what a package from a registry needs itself comes with it"));
        return packages;
    }
    for (name, value) in found {
        let parsed = check.accept(name.span(), name.get_ref().parse::<WitName>());
        let line = check.line(name.span().start);
        let source = read_source(check, name.get_ref(), value, name.span());
        if let (Some(parsed), Some(source)) = (parsed, source) {
            packages.insert(parsed, WitDependency { source, line });
        }
    }
    packages
}

fn read_source(check: &mut Check<'_>, name: &str, value: &Spanned<DeValue<'_>>, span: Span) -> Option<WitSource> {
    if let DeValue::String(text) = value.get_ref() {
        let key = if text.starts_with(['.', '/']) { "path" } else { "reference" };
        let error = SyntaxError::new(format!("the WIT package `{name}` takes a table, and this is text"));
        check.fault(value.span(), error.hint(format!("write {name:?} = {{ {key} = {text:?} }}")));
        return None;
    }
    let table = table(check, name, value)?;
    let package = Reader::new(check, &keys::WIT, table, span);
    let path = package.text(check, "path");
    let reference = package.text(check, "reference");
    match (path, reference) {
        (Some((path, span)), None) => check.accept(span, check_path(path)).map(WitSource::Path),
        (None, Some((text, span))) => check.accept(span, text.parse()).map(WitSource::Reference),
        (Some(_), Some((_, span))) => {
            let error = SyntaxError::new(format!("the WIT package `{name}` has both a `path` and a `reference`"));
            check.fault(span, error.hint("keep one of them"));
            None
        }
        (None, None) => {
            if table.is_empty() {
                let error = SyntaxError::new(format!("the WIT package `{name}` does not say where it comes from"));
                let hint = "write { path = \"../wit\" } or { reference = \"REGISTRY/REPOSITORY:TAG\" }";
                check.absent(package.span, error.hint(hint));
            }
            None
        }
    }
}
