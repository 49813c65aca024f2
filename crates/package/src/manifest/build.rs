//! How a component's file is made from its source.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::keys;
use super::parse::check_path;
use crate::check::{Check, Reader, Span, list};
use crate::fault::SyntaxError;
use crate::suggest::nearest;

/// How a component's file is made from its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The language, which says what builds it.
    pub language: Language,
    /// Where its source is; the manifest's folder where it is empty.
    pub folder: PathBuf,
    /// The folder of its WIT package, from `folder`, where it is named: see [`Build::wit`].
    pub wit: Option<PathBuf>,
    /// The world that it is built for.
    pub world: Option<String>,
    /// Whether its runtime's start-up work is done by the build. Only where [`Language::Go`] is built for a world.
    pub snapshot: bool,
    /// Where bindings of the world are written, from `folder`; none are written where there is none.
    pub bindings: Option<PathBuf>,
}

impl Build {
    /// The folder of its WIT package, from `folder`.
    pub fn wit(&self) -> &Path {
        self.wit.as_deref().unwrap_or(Path::new("wit"))
    }
}

/// The languages that components are built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Rust, by cargo.
    Rust,
    /// Go, by go.
    Go,
    /// Python, by componentize-py.
    Python,
    /// JavaScript, by componentize-js or componentize-qjs.
    JavaScript,
    /// TypeScript, as JavaScript.
    TypeScript,
    /// C, by a clang for WASI.
    C,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 6] = [Self::Rust, Self::Go, Self::Python, Self::JavaScript, Self::TypeScript, Self::C];

    /// Its name in a manifest and on a command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::C => "c",
        }
    }

    /// The language of this name.
    pub fn find(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.key() == key)
    }
}

/// The name that people write.
impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
            Self::C => "C",
        })
    }
}

pub(super) fn read_build(check: &mut Check<'_>, table: &DeTable<'_>, span: Span) -> Option<Build> {
    let build = Reader::new(check, &keys::BUILD, table, span);
    build.require(check, "language", "name the language: language = \"rust\"");
    let language = build.text(check, "language").and_then(|(text, span)| check.accept(span, read_language(text)));
    let mut path = |key: &str| build.text(check, key).and_then(|(text, span)| check.accept(span, check_path(text)));
    let (folder, wit) = (path("folder"), path("wit"));
    let world = build.owned_text(check, "world");
    let snapshot = build.flag(check, "snapshot").is_some_and(|(snapshot, span)| {
        let refused = language.and_then(|language| {
            refuse_snapshot(language, world.is_some() || build.misspells("world")).filter(|_| snapshot)
        });
        refused.into_iter().for_each(|error| check.fault(span.clone(), error));
        snapshot
    });
    let bindings = build.text(check, "bindings").and_then(|(text, span)| {
        let has_world = world.is_some() || build.misspells("world");
        check.accept(span, read_bindings(text, language, has_world))
    });
    Some(Build { language: language?, folder: folder.unwrap_or_default(), wit, world, snapshot, bindings })
}

/// Why what a language builds, for a world or not, has no snapshot to take.
fn refuse_snapshot(language: Language, world: bool) -> Option<SyntaxError> {
    let (message, hint) = match (language, world) {
        (Language::Go, true) => return None,
        (Language::Go, false) => (
            "a command in Go has no snapshot: the function that starts its runtime runs it too".to_owned(),
            "leave `snapshot` out, or name the `world` of a component whose functions are called",
        ),
        (Language::Rust | Language::C, _) => {
            (format!("{language} has no runtime that starts: there is nothing to snapshot"), "leave `snapshot` out")
        }
        (Language::Python | Language::JavaScript | Language::TypeScript, _) => (
            format!("components in {language} are snapshots already: the tool that makes them starts the interpreter"),
            "leave `snapshot` out",
        ),
    };
    Some(SyntaxError::new(message).hint(hint))
}

/// Where bindings go, if there are any to write.
fn read_bindings(text: &str, language: Option<Language>, has_world: bool) -> Result<PathBuf, SyntaxError> {
    match language {
        Some(language @ (Language::Rust | Language::Python | Language::JavaScript | Language::TypeScript)) => {
            let error = SyntaxError::new(format!("no bindings are written for {language}"));
            Err(error.hint("leave `bindings` out: the language's own tool makes them while it builds"))
        }
        Some(Language::Go | Language::C) if !has_world => {
            let error = SyntaxError::new("bindings are those of a world, and none is named");
            Err(error.hint("name it in the same build: world = \"...\""))
        }
        Some(Language::Go | Language::C) | None => check_path(text),
    }
}

fn read_language(text: &str) -> Result<Language, SyntaxError> {
    Language::find(text).ok_or_else(|| {
        let known = || Language::ALL.into_iter().map(Language::key);
        SyntaxError::new(format!("{text:?} is no language that `coracle build` knows")).hint(
            match nearest(text, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the languages are {}", list(known())),
            },
        )
    })
}
