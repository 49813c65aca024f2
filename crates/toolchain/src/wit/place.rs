//! Putting packages where languages' tools look for them: into `deps` of each component's folder of WIT.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle_package::manifest::Manifest;

use super::error::Refused;
use super::folder::{self, Folder, MARK};
use super::packages::{Packages, names};
use super::store;
use crate::whole;

/// The file that a package is written to, in a folder of its own.
const FILE: &str = "package.wit";

/// The folders of WIT of an app's components, each once.
pub(super) fn folders(manifest: &Manifest) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut seen = BTreeSet::new();
    for build in manifest.components.values().filter_map(|component| component.build.as_ref()) {
        let folder = manifest.resolve(&build.folder).join(build.wit());
        let whole = std::fs::canonicalize(&folder);
        if whole.is_ok_and(|whole| seen.insert(whole)) {
            folders.push(folder);
        }
    }
    folders
}

/// Puts those of the packages beside the WIT in a folder that it names and does not have, and takes away what was put there
/// before and is needed no more. Answers with whether anything changed.
///
/// # Errors
/// The folder's own WIT does not parse, has a package that the manifest names too, or cannot be written to.
pub(super) fn put(folder: &Path, packages: &Packages) -> Result<bool, Box<Refused>> {
    let found = Folder::read(folder)?;
    let parse = |files: &Vec<folder::Text>| folder::parse(files).map_err(|error| Refused::wit(error, folder.display()));
    let main = parse(&found.main)?;
    let deps = found.deps.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    for (dep, files) in deps.iter().zip(&found.deps) {
        if packages.direct().any(|name| *name == dep.main.name) {
            let place = files.first().map_or(folder, |file| &file.path);
            let refused = Refused::data(format!("{} is here, and in [wit] of the manifest", dep.main.name));
            return Err(refused.at(place.display()).hint("remove it here, or there"));
        }
    }
    let (has, wants) = names(std::iter::once(&main).chain(&deps));
    let needed = packages.closure(wants.difference(&has).cloned());
    if folder.is_file() {
        return match needed.first() {
            None => Ok(false),
            Some(name) => Err(Refused::data(format!("it is a file, and there is no room for {name} beside it"))
                .at(folder.display())
                .hint("put it into a folder, and name that as `wit` in the component's build")),
        };
    }
    let around = folder.join("deps");
    let mut changed = false;
    for name in needed.difference(&has) {
        let text = format!("{MARK}\n// It comes from {}\n\n{}", packages.source(name), packages.text(name)?);
        let file = around.join(store::slug(name)).join(FILE);
        if std::fs::read(&file).is_ok_and(|found| found == text.as_bytes()) {
            continue;
        }
        let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| whole::write(&file, text.as_bytes())).map_err(Refused::io(&file))?;
        changed = true;
    }
    let keep: BTreeSet<String> = needed.difference(&has).map(store::slug).collect();
    Ok(clear(&around, &keep)? | changed)
}

/// Takes away what was put there before and is not to be kept.
fn clear(around: &Path, keep: &BTreeSet<String>) -> Result<bool, Box<Refused>> {
    if !around.is_dir() {
        return Ok(false);
    }
    let mut changed = false;
    for entry in std::fs::read_dir(around).map_err(Refused::io(around))? {
        let entry = entry.map_err(Refused::io(around))?;
        let file = entry.path().join(FILE);
        let ours = std::fs::read_to_string(&file).is_ok_and(|text| text.starts_with(MARK));
        if ours && !keep.contains(&*entry.file_name().to_string_lossy()) {
            std::fs::remove_file(&file).map_err(Refused::io(&file))?;
            // Where somebody put another file beside it, the folder stays.
            let _ = std::fs::remove_dir(entry.path());
            changed = true;
        }
    }
    if changed {
        // Where there are others, the folder stays.
        let _ = std::fs::remove_dir(around);
    }
    Ok(changed)
}
