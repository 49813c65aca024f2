//! What the cache asks of the file system, and what differs between systems.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use coracle_package::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::CacheError;
use super::record::Identity;

/// Bytes read at once when a file's digest is taken: few calls, and small beside the code that was just compiled.
const READ_BYTES: usize = 256 << 10;

/// The start of the names of files that are being written.
pub(super) const TEMPORARY: &str = ".writing-";

/// The hexadecimal SHA-256 of a file.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Digest::from_bytes(hasher.finalize().into()).hex());
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Puts `bytes` at `path` in one step: whoever looks sees the old file or the whole new one, also after a crash.
pub(super) fn replace(directory: &Path, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let write = || {
        // Made with mode 0600 where there are modes.
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| CacheError::io("write", path, source))
}

/// Makes the names in a folder last through a crash. Where folders cannot be flushed the file system sees to it.
pub(super) fn flush_directory(directory: &Path) {
    #[cfg(unix)]
    if let Err(error) = File::open(directory).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, "the cache folder cannot be flushed");
    }
    #[cfg(not(unix))]
    let _ = directory;
}

/// Opens a lock file, and makes it where it is missing.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes `path` a folder that only this user may enter, or finds that it is one.
#[cfg(unix)]
pub(super) fn private_directory(path: &Path) -> Result<(), CacheError> {
    use std::os::unix::fs::DirBuilderExt;

    let not_private = |why: String| Err(CacheError::NotPrivate { path: path.to_owned(), why });
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(|source| CacheError::io("make", path, source))?;
            std::fs::metadata(path).map_err(|source| CacheError::io("read", path, source))?
        }
        Err(source) => return Err(CacheError::io("read", path, source)),
    };
    let identity = identity(&metadata);
    if !metadata.is_dir() {
        return not_private("is not a folder".into());
    }
    if identity.owner != user() {
        return not_private(format!("belongs to user {}, not to {}", identity.owner, user()));
    }
    if identity.mode & FOR_OTHERS != 0 {
        return not_private(format!("is open to other users (mode {:04o}); `chmod 700` closes it", identity.mode));
    }
    Ok(())
}

/// The bits of a mode that let in anybody but the owner.
#[cfg(unix)]
const FOR_OTHERS: u32 = 0o077;

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What the system says of a file beyond its size.
#[cfg(unix)]
pub(super) fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    Identity {
        owner: metadata.uid(),
        mode: metadata.mode() & 0o7777,
        device: metadata.dev(),
        inode: metadata.ino(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// Whether only this process's user can have written the file.
#[cfg(unix)]
pub(super) fn is_private(identity: &Identity) -> bool {
    identity.owner == user() && identity.mode & FOR_OTHERS == 0
}

/// When the file was changed last in any way, if the system tells so that no program can set it back.
#[cfg(unix)]
pub(super) fn last_change(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;

    let seconds = u64::try_from(metadata.ctime()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds))
}

/// Makes the folder. It lies in the user's profile, whose access list keeps other users out.
#[cfg(not(unix))]
pub(super) fn private_directory(path: &Path) -> Result<(), CacheError> {
    std::fs::create_dir_all(path).map_err(|source| CacheError::io("make", path, source))
}

/// Owner, mode and inode stay out of it: the system has no stable call for them.
#[cfg(not(unix))]
pub(super) fn identity(metadata: &Metadata) -> Identity {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.and_then(|time| i64::try_from(time.as_nanos()).ok()).unwrap_or(0);
    Identity { owner: 0, mode: 0, device: 0, inode: 0, modified, changed: modified }
}

/// The folder's access list holds for the files in it.
#[cfg(not(unix))]
pub(super) fn is_private(_: &Identity) -> bool {
    true
}

/// A file's time of change can be set back by any program here.
#[cfg(not(unix))]
pub(super) fn last_change(_: &Metadata) -> Option<SystemTime> {
    None
}
