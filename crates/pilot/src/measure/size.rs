//! What a candidate takes on disk and over the wire.

use std::io;
use std::path::{Path, PathBuf};

use miniz_oxide::deflate::compress_to_vec;

use crate::number::count;
use crate::record::Size;

/// The level of compression that registries' clients use when nothing is said.
const LEVEL: u8 = 6;
/// What gzip adds to deflated data: a head of ten bytes, and a checksum and a length of four each (RFC 1952).
const GZIP: u64 = 18;
/// The most that is read of what is deployed: an interpreter with its library fits, a mistaken `/` does not.
const MOST: u64 = 1 << 30;

/// The size of files and folders.
pub(super) fn of(paths: &[PathBuf]) -> io::Result<Size> {
    let mut size = Size::default();
    for path in paths {
        let before = size.bytes;
        add(path, &mut size)?;
        size.files.push((path.display().to_string(), size.bytes - before));
    }
    Ok(size)
}

fn add(path: &Path, size: &mut Size) -> io::Result<()> {
    // What the plan names is followed where it is a link; links inside a folder lead to what is counted elsewhere.
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?.path();
            if !entry.is_symlink() {
                add(&entry, size)?;
            }
        }
        return Ok(());
    }
    let length = path.metadata()?.len();
    if size.bytes + length > MOST {
        return Err(io::Error::other("what is deployed is larger than 1 GiB; name what belongs to it under `files`"));
    }
    size.bytes += length;
    size.compressed += count(compress_to_vec(&std::fs::read(path)?, LEVEL).len()) + GZIP;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_count_with_all_that_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        std::fs::write(folder.path().join("lib/a"), vec![b'a'; 5_000]).unwrap();
        std::fs::write(folder.path().join("b"), vec![b'b'; 1_000]).unwrap();
        let size = of(&[folder.path().join("lib"), folder.path().join("b")]).unwrap();
        assert_eq!((size.bytes, size.files.len(), size.files[0].1), (6_000, 2, 5_000));
        assert!(size.compressed < 200, "{}", size.compressed);
    }
}
