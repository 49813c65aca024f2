//! Where the content of packages is kept: a cache by digest, and a folder of the project for those who want no network.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use coracle_package::digest::Digest;
use coracle_package::manifest::WitName;

use super::error::Refused;
use super::folder::Folder;
use super::{Content, Entry, MAX_PACKAGE_BYTES};
use crate::whole;

/// The folder of vendored packages, from that of the manifest.
pub const VENDOR: &str = "vendor/wit";

/// The file that marks a folder of vendored packages as written here: only such a one is replaced.
const MARK: &str = ".coracle-vendor";

/// What is in it.
const MARK_TEXT: &str =
    "Written by `coracle wit vendor` from [wit] in coracle.toml; what is changed or added here is lost.\n";

/// Where vendored packages are while they are written, and where they go before they are removed.
const NEW: &str = "vendor/.coracle-new";
const OLD: &str = "vendor/.coracle-old";

/// Fetched content by its digest. What does not match its digest is not there.
pub(super) struct Cache(pub(super) Option<PathBuf>);

impl Cache {
    pub(super) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let bytes = read(&self.file(digest)?, MAX_PACKAGE_BYTES as u64).ok()??;
        (Digest::of(&bytes) == *digest).then_some(bytes)
    }

    /// Keeps content. What cannot be kept is fetched again the next time.
    pub(super) fn put(&self, digest: &Digest, bytes: &[u8]) {
        if let Some(file) = self.file(digest) {
            let _ = file.parent().map_or(Ok(()), private).and_then(|()| whole::write(&file, bytes));
        }
    }

    fn file(&self, digest: &Digest) -> Option<PathBuf> {
        Some(self.0.as_ref()?.join("wit").join(format!("{}.wasm", digest.hex())))
    }
}

/// Makes a folder that only its user may enter: compiled code, which is kept there too, demands it.
fn private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Where a package from a registry is vendored, from the manifest's folder.
pub(super) fn vendored_file(name: &WitName) -> String {
    format!("{VENDOR}/{}.wasm", slug(name))
}

/// Where a package of a path is vendored, from the manifest's folder.
pub(super) fn vendored_folder(name: &WitName) -> String {
    format!("{VENDOR}/{}", slug(name))
}

/// A package's name as files have it on every system, and no two the same: `wasi.clocks-0.2.6`.
pub(super) fn slug(name: &impl std::fmt::Display) -> String {
    name.to_string().replace(':', ".").replace('@', "-")
}

/// Whether the project has vendored packages. A folder of that name that somebody else made is not looked at.
pub(super) fn is_vendored(directory: &Path) -> bool {
    directory.join(VENDOR).join(MARK).is_file()
}

/// Makes the folder of vendored packages hold these and no other. `sources` are the folders and files that the app's WIT is
/// read from.
pub(super) fn vendor(
    directory: &Path,
    entries: &[Entry],
    sources: impl Iterator<Item = PathBuf>,
) -> Result<(), Box<Refused>> {
    let [folder, new, old] = [VENDOR, NEW, OLD].map(|name| directory.join(name));
    may_be_replaced(directory, &folder, sources)?;
    let cleared = |folder: &Path| match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Refused::io(folder)(error)),
        _ => Ok(()),
    };
    cleared(&new)?;
    std::fs::create_dir_all(&new).map_err(Refused::io(&new))?;
    for Entry { name, content, .. } in entries {
        match content {
            Content::Binary(bytes) => {
                std::fs::write(new.join(format!("{}.wasm", slug(name))), bytes).map_err(Refused::io(&new))?;
            }
            Content::Text(folder) => vendor_text(&new.join(slug(name)), folder)?,
        }
    }
    std::fs::write(new.join(MARK), MARK_TEXT).map_err(Refused::io(&new))?;
    // Whatever breaks off here, one of the two is there whole.
    cleared(&old)?;
    let aside = folder.exists();
    if aside {
        std::fs::rename(&folder, &old).map_err(Refused::io(&folder))?;
    }
    if let Err(error) = std::fs::rename(&new, &folder) {
        if aside {
            std::fs::rename(&old, &folder).map_err(Refused::io(&old))?;
        }
        return Err(Refused::io(&folder)(error));
    }
    cleared(&old)
}

/// Refuses to replace what was not written here, and what the app is built from.
fn may_be_replaced(
    directory: &Path,
    folder: &Path,
    mut sources: impl Iterator<Item = PathBuf>,
) -> Result<(), Box<Refused>> {
    let mut found = match std::fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Refused::io(folder)(error)),
    };
    if found.next().is_some() && !is_vendored(directory) {
        let refused = Refused::data("the folder for vendored packages is there, and was not written by coracle");
        return Err(refused.at(folder.display()).hint("move it to another name, or remove it"));
    }
    let folder = std::fs::canonicalize(folder).map_err(Refused::io(folder))?;
    let inside = |path: &PathBuf| std::fs::canonicalize(path).is_ok_and(|path| path.starts_with(&folder));
    match sources.find(inside) {
        None => Ok(()),
        Some(source) => {
            Err(Refused::data(format!("WIT of the app's own is in {VENDOR}, which is replaced as a whole"))
                .at(source.display())
                .hint("move it to another folder, and name that in the manifest"))
        }
    }
}

fn vendor_text(into: &Path, folder: &Folder) -> Result<(), Box<Refused>> {
    for file in folder.files() {
        let path = into.join(&file.name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, &file.text)).map_err(Refused::io(&path))?;
    }
    Ok(())
}

/// Reads a file; nothing where it has more bytes than `most`.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_in_the_cache_is_not_there() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("cache");
        let cache = Cache(Some(folder.clone()));
        let digest = Digest::of(b"content");
        assert_eq!(cache.get(&digest), None);
        cache.put(&digest, b"content");
        assert_eq!(cache.get(&digest).as_deref(), Some(b"content".as_slice()));
        std::fs::write(cache.file(&digest).unwrap(), b"other").unwrap();
        assert_eq!(cache.get(&digest), None);
        // The cache of compiled code, which is in the same folder, demands that it is private.
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&folder.metadata().unwrap().permissions()) & 0o077, 0);
    }

    #[test]
    fn names_of_files_are_all_different() {
        let slugs = ["a:b", "a-b:c", "a:b-c", "a:b@1.0.0", "a:b@1.0.0-c"].map(|name| slug(&name));
        assert_eq!(slugs, ["a.b", "a-b.c", "a.b-c", "a.b-1.0.0", "a.b-1.0.0-c"]);
    }
}
