//! The language that a guest was written in, told by the tools that made it.

use std::collections::BTreeSet;
use std::fmt;

/// One entry of a producers section.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// The tool's name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.version.is_empty() { Ok(()) } else { write!(f, " {}", self.version) }
    }
}

/// What is left in a guest by the toolchains of languages that bring a runtime with them, in producers or in the names of
/// nested parts. The runtimes are written in C++ and Rust, so these marks count before those languages.
const RUNTIMES: &[(&str, &[&str])] = &[
    ("Python", &["componentize-py", "componentize_py"]),
    ("TypeScript", &["typescript"]),
    (
        "JavaScript",
        &["componentizejs", "componentize-js", "componentize_qjs", "starlingmonkey", "quickjs", "javascript"],
    ),
    ("C#", &["componentize-dotnet", "nativeaot", "dotnet"]),
    ("Go", &["go cmd/compile", "go:buildid", "tinygo", "wit-bindgen-go"]),
    ("AssemblyScript", &["assemblyscript"]),
];

/// What the other languages and their compilers are called in producers sections. Those come first that link parts
/// written in the ones below.
const COMPILED: &[(&str, &[&str])] = &[
    ("Rust", &["rust", "rustc", "wit-bindgen-rust"]),
    ("C++", &["c_plus_plus", "c_plus_plus_11", "c_plus_plus_14", "c_plus_plus_17", "c_plus_plus_20", "c_plus_plus_23"]),
    ("C", &["c", "c89", "c99", "c11", "c17", "c18", "c23", "clang", "wit-bindgen-c"]),
];

/// What the language is told by.
#[derive(Default)]
pub(super) struct Evidence {
    /// The producers of the largest core module. The others are adapters and libraries in languages of their own.
    pub(super) main: BTreeSet<Producer>,
    /// The producers of everything.
    pub(super) all: BTreeSet<Producer>,
    /// The languages that the whole itself names, and none of its parts: whoever made it said so.
    pub(super) said: BTreeSet<String>,
    /// Names of custom sections and of the modules that nested modules import from.
    pub(super) names: BTreeSet<String>,
}

/// The language, as far as the evidence tells.
pub(super) fn guess(evidence: &Evidence) -> Option<String> {
    if evidence.said.len() == 1 {
        return evidence.said.first().cloned();
    }
    let names = evidence.all.iter().map(|producer| &producer.name).chain(&evidence.names);
    let names: Vec<String> = names.map(|name| name.to_lowercase()).collect();
    let runtime =
        RUNTIMES.iter().find(|(_, marks)| marks.iter().any(|mark| names.iter().any(|name| name.contains(mark))));
    if let Some((language, _)) = runtime {
        return Some((*language).to_owned());
    }
    let main: Vec<String> = evidence.main.iter().map(|producer| producer.name.to_lowercase()).collect();
    let written = evidence.main.iter().find(|producer| producer.field == "language");
    compiled(&main)
        .or(written.map(|producer| producer.name.as_str()))
        .or_else(|| names.iter().any(|name| name == "wit-bindgen-c").then_some("C"))
        .map(str::to_owned)
}

/// The compiled language that a producer of this name is for; distributors put their own name before the compiler's.
fn compiled(names: &[String]) -> Option<&'static str> {
    let is = |name: &str, mark: &str| name.rsplit(' ').next() == Some(mark);
    let fits = |marks: &[&str]| marks.iter().any(|mark| names.iter().any(|name| is(name, mark)));
    COMPILED.iter().find(|(_, marks)| fits(marks)).map(|(language, _)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The language of a guest whose main module and whose adapters have these producers, written `field=name`.
    fn of(main: &[&str], others: &[&str], names: &[&str]) -> Option<String> {
        let producers = |list: &[&str]| -> BTreeSet<Producer> {
            let read = |text: &&str| {
                let (field, name) = text.split_once('=').unwrap();
                Producer { field: field.into(), name: name.into(), version: String::new() }
            };
            list.iter().map(read).collect()
        };
        let (main, others) = (producers(main), producers(others));
        let all = main.union(&others).cloned().collect();
        guess(&Evidence {
            main,
            all,
            said: BTreeSet::new(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        })
    }

    /// What the toolchains of late 2026 were seen to write.
    #[test]
    fn every_toolchain_is_told() {
        let language = |main: &[&str], others: &[&str], names: &[&str]| of(main, others, names).unwrap();
        assert_eq!(language(&["language=Rust", "language=C99"], &["processed-by=wit-component"], &[]), "Rust");
        assert_eq!(language(&["language=C99", "processed-by=rustc", "processed-by=Debian clang"], &[], &[]), "Rust");
        assert_eq!(language(&["processed-by=Debian clang"], &["language=Rust"], &[]), "C");
        assert_eq!(language(&["language=C11", "processed-by=clang"], &["language=Rust"], &[]), "C");
        assert_eq!(language(&["language=C_plus_plus_14", "language=C11"], &[], &[]), "C++");
        assert_eq!(language(&[], &["language=Rust", "processed-by=wit-bindgen-c"], &[]), "C");
        assert_eq!(language(&["language=Go"], &["processed-by=Go cmd/compile"], &[]), "Go");
        assert_eq!(language(&[], &[], &["go:buildid"]), "Go");
        assert_eq!(language(&["language=Rust"], &[], &["libcomponentize_py_runtime.so"]), "Python");
        assert_eq!(language(&["language=Rust"], &[], &["componentize_qjs_runtime.wasm"]), "JavaScript");
        let starling = ["language=C_plus_plus_14", "language=Rust"];
        assert_eq!(language(&starling, &["language=JavaScript", "processed-by=ComponentizeJS"], &[]), "JavaScript");
        assert_eq!(language(&["language=Fortran"], &[], &[]), "Fortran");
    }

    #[test]
    fn an_adapter_alone_tells_nothing() {
        assert_eq!(of(&[], &["language=Rust", "processed-by=rustc"], &[]), None);
    }
}
