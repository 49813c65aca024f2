//! Where the content of packages is kept: a cache by digest, and a folder of the project for those who want no network.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use coracle_package::digest::Digest;
use coracle_package::manifest::WitName;

use super::error::Refused;
use super::folder::Folder;
use super::{Content, Entry, MAX_PACKAGE_BYTES};

/// The folder of vendored packages, from that of the manifest.
pub const VENDOR: &str = "vendor/wit";

/// Fetched content by its digest. What does not match its digest is not there.
pub(super) struct Cache(pub(super) Option<PathBuf>);

impl Cache {
    pub(super) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let bytes = read(&self.file(digest)?, MAX_PACKAGE_BYTES).ok()??;
        (Digest::of(&bytes) == *digest).then_some(bytes)
    }

    /// Keeps content. What cannot be kept is fetched again the next time.
    pub(super) fn put(&self, digest: &Digest, bytes: &[u8]) {
        if let Some(file) = self.file(digest) {
            let _ = file.parent().map_or(Ok(()), private).and_then(|()| write(&file, bytes));
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

/// Makes the folder of vendored packages hold these and no other.
pub(super) fn vendor(directory: &Path, entries: &[Entry]) -> Result<(), Box<Refused>> {
    let whole = directory.join(VENDOR);
    let new = directory.join(format!("{VENDOR}-new"));
    let cleared = |folder: &Path| match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Refused::io(folder)(error)),
        _ => Ok(()),
    };
    cleared(&new)?;
    std::fs::create_dir_all(&new).map_err(Refused::io(&new))?;
    for Entry { name, content, .. } in entries {
        match content {
            Content::Binary(bytes) => {
                write(&new.join(format!("{}.wasm", slug(name))), bytes).map_err(Refused::io(&new))?;
            }
            Content::Text(folder) => vendor_text(&new.join(slug(name)), folder)?,
        }
    }
    cleared(&whole)?;
    std::fs::rename(&new, &whole).map_err(Refused::io(&whole))
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
pub(super) fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= most))
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, path))
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
