//! Names of interfaces, with their versions.

use std::fmt;

use semver::Version;

/// The name of an interface, as `wasi:http/handler@0.3.0`, or of a plain function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName {
    /// The name without the version: `wasi:http/handler`.
    pub name: String,
    /// The version.
    pub version: Option<Version>,
}

impl InterfaceName {
    /// Reads a name as a component writes it. What follows an `@` and is no version stays part of the name.
    pub fn new(text: &str) -> Self {
        let versioned = text.rsplit_once('@').and_then(|(name, version)| Some((name, read_version(version)?)));
        match versioned {
            Some((name, version)) => Self { name: name.to_owned(), version: Some(version) },
            None => Self { name: text.to_owned(), version: None },
        }
    }

    /// The package that the interface belongs to: `wasi:http` of `wasi:http/handler`.
    pub fn package(&self) -> Option<&str> {
        self.name.split_once('/').map(|(package, _)| package)
    }
}

/// Reads a version, also one that is cut to what decides on compatibility (`0.2`, `1`).
fn read_version(text: &str) -> Option<Version> {
    ["", ".0", ".0.0"].iter().find_map(|rest| Version::parse(&format!("{text}{rest}")).ok())
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_parted_from_the_name() {
        let handler = InterfaceName::new("wasi:http/handler@0.3.0-rc-2025-09-16");
        assert_eq!((handler.name.as_str(), handler.package()), ("wasi:http/handler", Some("wasi:http")));
        assert_eq!(handler.to_string(), "wasi:http/handler@0.3.0-rc-2025-09-16");
        assert_eq!(InterfaceName::new("wasi:http/types@0.2").version, Some(Version::new(0, 2, 0)));
        assert_eq!(InterfaceName::new("resize"), InterfaceName { name: "resize".into(), version: None });
        assert_eq!(InterfaceName::new("a@b").to_string(), "a@b");
    }
}
