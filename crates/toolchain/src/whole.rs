//! Files that are there whole or not at all: others may read them while they are written, or write them too.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The ending of a file that is being written.
const UNFINISHED: &str = "coracle-new";

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Another process, and another thread of this one, may be writing the same file.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{process}-{count}.{UNFINISHED}"));
    let written = std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, path));
    written.inspect_err(|_| _ = std::fs::remove_file(&new))
}

/// Whether a file is one that is being written.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == UNFINISHED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.txt");
        write(&file, b"1").unwrap();
        write(&file, b"2").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"2");
        let folder = place.path().join("b");
        std::fs::create_dir_all(folder.join("c")).unwrap();
        assert!(write(&folder, b"3").is_err());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
    }
}
