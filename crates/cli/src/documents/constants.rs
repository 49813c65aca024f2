//! Every named number in the source, as the reference lists it: limits, defaults and times that nobody can set.

use std::path::{Path, PathBuf};

/// The crates that a running program consists of, in the order of the reference.
const CRATES: [&str; 8] = ["server", "runtime", "capability", "package", "toolchain", "pilot", "daemon", "cli"];

/// Types that say how much or how long.
const TYPES: [&str; 8] = ["u8", "u16", "u32", "u64", "usize", "f64", "Duration", "std::time::Duration"];

/// One named number.
pub(super) struct Constant {
    /// With its module: `http1::guard::LINGER_BYTES`.
    pub(super) name: String,
    /// As the source writes it: `Duration::from_secs(10)`.
    pub(super) value: String,
    /// Its documentation, which says unit and reason.
    pub(super) reason: String,
}

/// The constants of each crate.
pub(super) fn by_crate() -> Vec<(&'static str, Vec<Constant>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let of = |name: &&'static str| {
        let mut files = Vec::new();
        let folder = root.join(name).join("src");
        sources(&folder, &mut files);
        // The keys of limits are in the manifest's part of the reference, with the same values.
        files.retain(|file| !file.ends_with("package/src/limit.rs"));
        files.sort();
        let constants = files.iter().flat_map(|file| {
            let module = module(file.strip_prefix(&folder).unwrap());
            constants(&module, &std::fs::read_to_string(file).unwrap())
        });
        (*name, constants.collect())
    };
    CRATES.iter().map(of).collect()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("tests.rs" | "tests" | "testing.rs" | "documents") => {}
            _ if path.is_dir() => sources(&path, files),
            Some(name) if name.ends_with(".rs") => files.push(path),
            _ => {}
        }
    }
}

/// `http1::guard::` of `http1/guard.rs`, and nothing of `lib.rs`.
fn module(file: &Path) -> String {
    let parts = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect::<Vec<_>>();
    let named = parts.iter().filter(|part| !matches!(part.as_str(), "mod" | "lib" | "main"));
    named.map(|part| format!("{part}::")).collect()
}

/// The documented constants of a file, outside of its functions and tests.
fn constants(module: &str, source: &str) -> Vec<Constant> {
    let mut found = Vec::new();
    let mut comment = String::new();
    for line in source.lines().take_while(|line| *line != "#[cfg(test)]") {
        if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text.strip_prefix(' ').unwrap_or(text));
            comment.push('\n');
        } else if !line.starts_with("#[") {
            found.extend(constant(module, line, &comment));
            comment.clear();
        }
    }
    found
}

/// `pub const NAME: TYPE = VALUE;` as a constant.
fn constant(module: &str, line: &str, comment: &str) -> Option<Constant> {
    let declaration = line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) ")).unwrap_or(line);
    let (name, rest) = declaration.strip_prefix("const ")?.split_once(": ")?;
    let (kind, value) = rest.split_once(" = ")?;
    if comment.is_empty() || !TYPES.contains(&kind) {
        return None;
    }
    let value = value.trim_end_matches(';').trim_start_matches("std::time::");
    let reason = comment.replace("[`", "`").replace("`]", "`");
    Some(Constant { name: format!("{module}{name}"), value: value.to_owned(), reason })
}
