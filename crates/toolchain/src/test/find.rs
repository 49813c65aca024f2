//! Finding the cases of an app.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle_package::manifest::Manifest;

use super::TestError;
use super::case::Case;

/// The folder of cases, beside a manifest or a component.
const FOLDER: &str = "tests";

/// The cases of an app whose manifest is given, or of a component on its own.
pub(super) fn cases(path: &Path, manifest: Option<&Manifest>, filters: &[String]) -> Result<Vec<Case>, TestError> {
    let (root, folders) = folders(path, manifest);
    let mut files = BTreeSet::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let unreadable = |source| TestError::Folder { path: folder.clone(), source };
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|extension| extension == "toml") {
                files.insert(file);
            }
        }
    }
    let named = files.into_iter().map(|file| (name(&root, &file), file));
    let chosen = named.filter(|(name, _)| filters.is_empty() || filters.iter().any(|filter| name.contains(filter)));
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for (name, file) in chosen {
        match Case::read(&file, name) {
            Ok(case) => cases.push(case),
            Err(found) => faults.push(found),
        }
    }
    match (faults.is_empty(), cases.is_empty()) {
        (false, _) => Err(TestError::Cases(faults)),
        (true, true) => Err(TestError::NoCases { folders, filtered: !filters.is_empty() }),
        (true, false) => Ok(cases),
    }
}

/// The folder that names start from, and every folder that may have cases.
fn folders(path: &Path, manifest: Option<&Manifest>) -> (PathBuf, Vec<PathBuf>) {
    let Some(manifest) = manifest else {
        let root = path.parent().unwrap_or(Path::new("")).to_owned();
        let folder = root.join(FOLDER);
        return (root, vec![folder]);
    };
    let mut folders = vec![manifest.directory.join(FOLDER)];
    for component in manifest.components.values() {
        let folder = manifest.resolve(component.source.parent().unwrap_or(Path::new(""))).join(FOLDER);
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    (manifest.directory.clone(), folders)
}

/// `thumbnail/jpeg` of `thumbnail/tests/jpeg.toml`.
fn name(root: &Path, file: &Path) -> String {
    let file = file.strip_prefix(root).unwrap_or(file).with_extension("");
    let parts = file.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    parts.filter(|part| part != FOLDER && part != ".").collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_named_for_its_place() {
        assert_eq!(name(Path::new("app"), Path::new("app/thumbnail/tests/jpeg.toml")), "thumbnail/jpeg");
        assert_eq!(name(Path::new("."), Path::new("./tests/jpeg.toml")), "jpeg");
    }
}
