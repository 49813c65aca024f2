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

    /// The versions that are compatible with this one by semantic versioning, as the first of them: `1` of 1.2.3, `0.2` of
    /// 0.2.9. Versions below 0.1 and pre-releases are compatible with nothing else. Empty without a version.
    pub fn track(&self) -> String {
        match &self.version {
            None => String::new(),
            Some(version) if !version.pre.is_empty() => version.to_string(),
            Some(Version { major: 0, minor: 0, patch, .. }) => format!("0.0.{patch}"),
            Some(Version { major: 0, minor, .. }) => format!("0.{minor}"),
            Some(Version { major, .. }) => major.to_string(),
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

    #[test]
    fn a_track_is_what_stays_compatible() {
        let tracks = [("1.2.3", "1"), ("0.2.9", "0.2"), ("0.0.4", "0.0.4"), ("0.3.0-rc-1", "0.3.0-rc-1")];
        for (version, track) in tracks {
            assert_eq!(InterfaceName::new(&format!("a:b/c@{version}")).track(), track);
        }
        assert_eq!(InterfaceName::new("resize").track(), "");
    }
}
