//! References to what OCI registries hold: `HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`.
//!
//! The syntax is that of the OCI distribution specification, v1.1, "Pulling manifests". A registry has to be named, as a
//! reference in a file means the same on every machine.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::digest::Digest;
use crate::fault::SyntaxError;

/// The longest name of a repository, host and port included: what registries take.
const LONGEST_NAME: usize = 255;

/// The longest tag: what the specification allows.
const LONGEST_TAG: usize = 128;

/// What names an artifact in a registry: by a tag, which may move, by a digest, which cannot, or by both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The registry, with its port where it has one.
    registry: String,
    /// The repository's name.
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry, as `ghcr.io` or `127.0.0.1:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository, as `webassembly/wasi/clocks`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest of the manifest that it has to be, where the reference says it.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest where there is one, else the tag.
    pub fn manifest(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        }
    }

    /// Whether the registry is on this machine, where nobody listens in between.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.registry)
    }
}

/// Whether a host, with a port or without, is this machine.
pub fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        if let Some((scheme, rest)) = text.split_once("://") {
            let error = SyntaxError::new(format!("a reference has no `{scheme}://`"));
            return Err(error.hint(format!("write {rest:?}")));
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let (registry, path) = name.split_once('/').unwrap_or(("", name));
        if !is_registry(registry) {
            let error = SyntaxError::new(format!("{text:?} names no registry"));
            return Err(error.hint("start with the registry's host, like \"ghcr.io/webassembly/wasi/clocks:0.2.6\""));
        }
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if let Some(wrong) = repository.split('/').find(|part| !is_part(part)) {
            let error = SyntaxError::new(format!("{wrong:?} cannot be part of a repository's name"));
            return Err(error.hint("it has lower-case letters and digits, parted by `.`, `_`, `__` or hyphens"));
        }
        if registry.len() + 1 + repository.len() > LONGEST_NAME {
            return Err(SyntaxError::new(format!("the name of a repository has at most {LONGEST_NAME} characters")));
        }
        if let Some(wrong) = tag.filter(|tag| !is_tag(tag)) {
            let error = SyntaxError::new(format!("{wrong:?} cannot be a tag"));
            return Err(error.hint(format!(
                "a tag has letters, digits, `_`, `.` and hyphens, starts with none of the last two, and has at most \
                 {LONGEST_TAG} characters"
            )));
        }
        if tag.is_none() && digest.is_none() {
            let error = SyntaxError::new(format!("{text:?} names no version: it has neither a tag nor a digest"));
            return Err(error.hint("add the tag, as `:0.2.6`, or the digest, as `@sha256:...`"));
        }
        let tag = tag.map(str::to_owned);
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag, digest })
    }
}

/// Whether text is a host, with a port or without, and not the first part of a repository's name.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => {
            return rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        }
        Some(_) => return false,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let letters = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    host.split('.').all(letters)
        && (host.contains('.') || host == "localhost" || port.is_some())
        && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse().is_ok_and(|port: u16| port > 0)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_part(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|byte| word(*byte)) && bytes.last().is_some_and(|byte| word(*byte));
    ends && text
        .split(|letter: char| letter.is_ascii() && word(letter as u8))
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]*`
fn is_tag(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    letters && !text.is_empty() && text.len() <= LONGEST_TAG && !text.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_is_taken_apart_and_put_together() {
        for (text, registry, repository, manifest) in [
            ("ghcr.io/webassembly/wasi/clocks:0.2.6", "ghcr.io", "webassembly/wasi/clocks", "0.2.6"),
            ("localhost/a:1", "localhost", "a", "1"),
            ("registry:5000/a__b/c---d:1.0_x", "registry:5000", "a__b/c---d", "1.0_x"),
            ("[::1]:5000/a:1", "[::1]:5000", "a", "1"),
            (&format!("ghcr.io/a@{DIGEST}"), "ghcr.io", "a", DIGEST),
            (&format!("ghcr.io/a:1@{DIGEST}"), "ghcr.io", "a", DIGEST),
            (&format!("a.io/{}:{}", "a".repeat(250), "1".repeat(128)), "a.io", &"a".repeat(250), &"1".repeat(128)),
        ] {
            let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!((reference.registry(), reference.repository()), (registry, repository));
            assert_eq!((reference.manifest().as_str(), reference.to_string().as_str()), (manifest, text));
        }
    }

    #[test]
    fn what_names_no_one_thing_is_refused() {
        for wrong in [
            "",
            "clocks",
            "wasi/clocks:1",
            "ghcr.io",
            "ghcr.io/",
            "ghcr.io/a",
            "ghcr.io/a:",
            "ghcr.io/a:.1",
            "ghcr.io/A:1",
            "ghcr.io/a//b:1",
            "ghcr.io/a..b:1",
            "ghcr.io/a:1@sha256:00",
            "ghcr.io:0/a:1",
            "ghcr.io:99999/a:1",
            "[::1/a:1",
            "https://ghcr.io/a:1",
            "ghcr.io/a b:1",
            "ghcr.io/ä:1",
            &format!("a.io/{}:1", "a".repeat(251)),
            &format!("a.io/a:{}", "1".repeat(129)),
        ] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, is) in [
            ("localhost:5000/a:1", true),
            ("127.0.0.9:5000/a:1", true),
            ("[::1]/a:1", true),
            ("localhost.example.com/a:1", false),
            ("127.0.0.1.example.com/a:1", false),
            ("10.0.0.1/a:1", false),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().is_loopback(), is, "{text}");
        }
    }
}
