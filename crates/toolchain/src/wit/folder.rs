//! WIT text as it lies in folders: a package's files, and those of other packages in `deps` beside them. What was put there
//! by [`super::place`] is no source and is left out.

use std::path::{Path, PathBuf};

use coracle_package::digest::Digest;
use coracle_package::wit::WitError;
use wit_parser::{SourceMap, UnresolvedPackageGroup};

use super::MAX_PACKAGE_BYTES;
use super::error::Refused;

/// How files begin that [`super::place`] writes.
pub(super) const MARK: &str = "// Written by coracle from [wit] in coracle.toml; changes are lost.";

/// A package's text, with the packages beside it.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// The package's own files.
    pub(super) main: Vec<Text>,
    /// Those of each package in `deps`.
    pub(super) deps: Vec<Vec<Text>>,
}

/// A file of WIT.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Where it is, from the folder.
    pub(super) name: String,
    pub(super) text: String,
}

impl Folder {
    /// Reads a folder, or a single file.
    pub(super) fn read(path: &Path) -> Result<Self, Box<Refused>> {
        let mut left = MAX_PACKAGE_BYTES;
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Self { main: vec![read(path, name, &mut left)?], deps: Vec::new() });
        }
        let main = texts(path, "", &mut left)?;
        if main.is_empty() {
            let refused = Refused::data("there is no .wit file in the folder").at(path.display());
            return Err(refused.hint("name the folder that has the package's .wit files"));
        }
        let mut deps = Vec::new();
        let around = path.join("deps");
        for name in if around.is_dir() { names(&around)? } else { Vec::new() } {
            let entry = around.join(&name);
            let dep = match entry.is_dir() {
                true => texts(&entry, &format!("deps/{name}/"), &mut left)?,
                false if name.ends_with(".wit") => vec![read(&entry, format!("deps/{name}"), &mut left)?],
                false => Vec::new(),
            };
            if dep.first().is_some_and(|file| !file.text.starts_with(MARK)) {
                deps.push(dep);
            }
        }
        Ok(Self { main, deps })
    }

    /// Every file.
    pub(super) fn files(&self) -> impl Iterator<Item = &Text> {
        self.main.iter().chain(self.deps.iter().flatten())
    }

    /// The digest of the files' names and contents: of one line for each, with its own digest and its name.
    pub(super) fn digest(&self) -> Digest {
        let lines: String =
            self.files().map(|file| format!("{} {}\n", Digest::of(file.text.as_bytes()), file.name)).collect();
        Digest::of(lines.as_bytes())
    }
}

/// The package that is written in files, with what it names of others not looked at.
pub(super) fn parse(files: &[Text]) -> Result<UnresolvedPackageGroup, WitError> {
    let mut map = SourceMap::default();
    files.iter().for_each(|file| map.push(&file.path, &file.text));
    map.parse().map_err(|(map, error)| WitError::of_text(&error.render(&map)))
}

/// The `.wit` files right in a folder, by name.
fn texts(folder: &Path, prefix: &str, left: &mut usize) -> Result<Vec<Text>, Box<Refused>> {
    let names = names(folder)?.into_iter().filter(|name| name.ends_with(".wit"));
    names.map(|name| read(&folder.join(&name), format!("{prefix}{name}"), left)).collect()
}

fn names(folder: &Path) -> Result<Vec<String>, Box<Refused>> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(Refused::io(folder))?;
    let mut names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn read(path: &Path, name: String, left: &mut usize) -> Result<Text, Box<Refused>> {
    let text = super::store::read(path, *left as u64).map_err(Refused::io(path))?;
    let Some(text) = text else {
        let limit = coracle_package::unit::format_size(MAX_PACKAGE_BYTES as u64);
        return Err(Refused::data(format!("the package has more than {limit} of WIT")).at(path.display()));
    };
    *left -= text.len();
    let text = String::from_utf8(text).map_err(|_| Refused::data("it is not UTF-8 text").at(path.display()))?;
    Ok(Text { path: path.to_owned(), name, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_together_are_no_larger_than_a_package_may_be() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("deps/b")).unwrap();
        let half = "/".repeat(MAX_PACKAGE_BYTES / 2);
        for file in ["a.wit", "deps/b/b.wit"] {
            std::fs::write(folder.path().join(file), &half).unwrap();
        }
        assert_eq!(Folder::read(folder.path()).unwrap().files().count(), 2);
        std::fs::write(folder.path().join("deps/b/c.wit"), "/").unwrap();
        let refused = Folder::read(folder.path()).unwrap_err();
        assert_eq!(refused.message, "the package has more than 8 MiB of WIT");
    }
}
