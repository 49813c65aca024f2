//! What a component's own bytes say about it: its world, imports, exports, language, size and digest, and what kinds of
//! things it wants to touch. Nothing is compiled or validated here; that is the engine's work.

mod binary;
mod capability;
mod language;
mod name;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use semver::Version;

use crate::digest::Digest;
pub use capability::Capability;
pub use language::Producer;
pub use name::InterfaceName;

/// What every binary WebAssembly file starts with.
const MAGIC: &[u8] = b"\0asm";

/// What was found in some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Core module or component.
    pub kind: Kind,
    /// How it can be run. A component may have a command and answer HTTP; [`Inspection::command`] and
    /// [`Inspection::http`] say each.
    pub world: World,
    /// The interfaces it imports; of a core module, the modules it imports from. Sorted, each once.
    pub imports: Vec<InterfaceName>,
    /// The interfaces and functions it exports; of a core module, the functions. Sorted, each once.
    pub exports: Vec<InterfaceName>,
    /// The kinds of things it wants to touch, from what it imports. Many toolchains import more than they use.
    pub capabilities: BTreeSet<Capability>,
    /// The language it was written in, as far as the bytes tell; none of a component whose parts differ in it.
    pub language: Option<String>,
    /// The components that were composed into this one; empty where it is a single one.
    pub parts: Vec<Part>,
    /// The tools that its producers sections name, those of nested modules and components included. Sorted, each once.
    pub producers: Vec<Producer>,
    /// Bytes of the binary form.
    pub size: u64,
    /// The digest of the binary form.
    pub digest: Digest,
}

/// A component inside of a composed one. All of them have the one authority of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, where whoever composed it wrote one.
    pub name: Option<String>,
    /// The language it was written in, as far as the bytes tell.
    pub language: Option<String>,
    /// Its bytes.
    pub size: u64,
}

/// The two forms of WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

/// How it can be run. Where several would fit, HTTP comes before a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum World {
    /// A core module with `_start`, for WASI preview 1.
    CommandPreview1,
    /// A component that exports `wasi:cli/run` in this version.
    Command(Version),
    /// A component that exports `wasi:http/incoming-handler` (0.2) or `wasi:http/handler` (0.3) in this version.
    Http(Version),
    /// Anything else: its exports can be invoked by name.
    Library,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandPreview1 => f.write_str("command for WASI 0.1"),
            Self::Command(version) => write!(f, "command for WASI {version}"),
            Self::Http(version) => write!(f, "HTTP function for WASI {version}"),
            Self::Library => f.write_str("library"),
        }
    }
}

impl Inspection {
    /// The version of the `wasi:cli/run` that a component exports.
    pub fn command(&self) -> Option<&Version> {
        self.newest(&["wasi:cli/run"])
    }

    /// The languages it was written in, each once, as far as the bytes tell.
    pub fn languages(&self) -> Vec<&str> {
        let mut languages: Vec<&str> = Vec::new();
        for language in self.language.iter().chain(self.parts.iter().flat_map(|part| &part.language)) {
            if !languages.contains(&language.as_str()) {
                languages.push(language);
            }
        }
        languages
    }

    /// The version of the HTTP handler that a component exports.
    pub fn http(&self) -> Option<&Version> {
        self.newest(&["wasi:http/handler", "wasi:http/incoming-handler"])
    }

    fn newest(&self, interfaces: &[&str]) -> Option<&Version> {
        let exports = self.exports.iter().filter(|export| interfaces.contains(&export.name.as_str()));
        exports.filter_map(|export| export.version.as_ref()).max()
    }

    fn world(&self) -> World {
        match (self.kind, self.http(), self.command()) {
            (Kind::Component, Some(version), _) => World::Http(version.clone()),
            (Kind::Component, None, Some(version)) => World::Command(version.clone()),
            (Kind::Module, ..) if self.exports.iter().any(|export| export.name == "_start") => World::CommandPreview1,
            _ => World::Library,
        }
    }
}

/// Why some bytes could not be inspected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InspectError {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// The binary form of `bytes`, which are that form already or WebAssembly text (`.wat`).
///
/// # Errors
/// The bytes are neither.
pub fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, InspectError> {
    if bytes.starts_with(MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.trim_start().starts_with(['(', ';']));
    let Some(text) = text else { return Err(foreign(bytes)) };
    wat::parse_str(text).map(Cow::Owned).map_err(|error| {
        // The message is followed by its place and the line with a caret, which no caller has room for.
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default();
        let place = message.lines().find_map(|line| line.trim().strip_prefix("--> <anon>:")).unwrap_or("1:1");
        let (line, column) = place.split_once(':').unwrap_or((place, "1"));
        let hint = Some("check the text against the WebAssembly text format".to_owned());
        InspectError {
            message: format!("the WebAssembly text is wrong in line {line}, column {column}: {first}"),
            hint,
        }
    })
}

/// The fault of bytes that are no WebAssembly.
fn foreign(bytes: &[u8]) -> InspectError {
    let (what, hint) = match bytes {
        [] => ("the file is empty", None),
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] | [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => (
            "this is a native program, not WebAssembly",
            Some(
                "build it for a WebAssembly target, like wasm32-wasip2; code that an engine compiled ahead is not portable either",
            ),
        ),
        [0x1f, 0x8b, ..] | [b'P', b'K', ..] => {
            ("this is a compressed archive, not WebAssembly", Some("unpack it first"))
        }
        _ => (
            "this is not WebAssembly",
            Some("a component or module starts with the bytes `\\0asm`, its text form with `(`"),
        ),
    };
    InspectError { message: what.to_owned(), hint: hint.map(str::to_owned) }
}

/// Says what is in `bytes`: a component, a core module, or the text of one.
///
/// # Errors
/// The bytes are neither, or their sections cannot be read.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let bytes = binary(bytes)?;
    let mut found = binary::read(&bytes).map_err(|error| InspectError {
        message: format!("the WebAssembly is damaged at byte {}: {}", error.offset(), error.message()),
        hint: Some("build or fetch the file again".to_owned()),
    })?;
    // What nobody named and no compiler marked is glue: shims of a toolchain are no parts that somebody composed.
    found.parts.retain(|part| part.name.is_some() || part.language.is_some());
    if found.parts.len() < 2 {
        found.parts.clear();
    }
    let mut inspection = Inspection {
        kind: found.kind,
        world: World::Library,
        language: language_of(&found),
        imports: found.imports.into_iter().collect(),
        exports: found.exports.into_iter().collect(),
        capabilities: found.capabilities,
        parts: found.parts,
        producers: found.evidence.all.into_iter().collect(),
        size: bytes.len().try_into().unwrap_or(u64::MAX),
        digest: Digest::of(&bytes),
    };
    inspection.world = inspection.world();
    Ok(inspection)
}

/// The language of the whole: where all its code is that of parts, the one that they share.
fn language_of(found: &binary::Found) -> Option<String> {
    match found.parts.split_first() {
        Some((first, rest)) if !found.has_code => {
            first.language.clone().filter(|language| rest.iter().all(|part| part.language.as_ref() == Some(language)))
        }
        _ => language::guess(&found.evidence),
    }
}
