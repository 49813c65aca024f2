//! What a component's own bytes say about it: its world, imports, exports, language, size and digest.

use crate::digest::Digest;

/// What was found in some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Core module or component.
    pub kind: Kind,
    /// How it can be run.
    pub world: World,
    /// The interfaces it imports; of a core module, the modules it imports from.
    pub imports: Vec<InterfaceName>,
    /// The interfaces and functions it exports.
    pub exports: Vec<InterfaceName>,
    /// The language it was written in, as far as the bytes tell.
    pub language: Option<String>,
    /// Bytes of the binary form.
    pub size: u64,
    /// The digest of the binary form.
    pub digest: Digest,
}

/// The two forms of WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

/// How it can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum World {
    /// A core module with `_start`, for WASI preview 1.
    CommandPreview1,
    /// A component that exports `wasi:cli/run` in this version.
    Command(semver::Version),
    /// A component that exports `wasi:http/incoming-handler` (0.2) or `wasi:http/handler` (0.3) in this version.
    Http(semver::Version),
    /// Anything else: its exports can be invoked by name.
    Library,
}

/// The name of an interface, as `wasi:http/handler@0.3.0`, or of a plain function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName {
    /// The name without the version: `wasi:http/handler`.
    pub name: String,
    /// The version.
    pub version: Option<semver::Version>,
}
