//! How much a folder may hold: a bound that is never too low, brought down to the truth where it would refuse.
//!
//! Whatever makes a folder grow is charged before it is done. What makes it shrink is not followed; when the sum would pass the
//! quota, the folder is counted anew, and what is then there decides. So a guest cannot hold more than its quota by any order of
//! what it does, and nothing that the host does in the folder is missed for long.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use coracle_package::grant;
use tokio::time::Instant;

/// For how many times as long as it took to count a folder it is not counted again: who wants that waits. A guest that fills
/// its folder and empties it again makes the host work for a tenth of one processor at the most.
const REST: u32 = 9;

/// The quota is used up.
#[derive(Debug, thiserror::Error)]
#[error("the folder's quota is used up")]
pub(crate) struct Exceeded;

/// The quota of one granted folder, for all instances of its component together.
pub(crate) struct Quota {
    folder: PathBuf,
    most: grant::Quota,
    state: Mutex<State>,
    /// When the folder may be counted again.
    counting: tokio::sync::Mutex<Instant>,
}

#[derive(Default)]
struct State {
    /// At least what is there and under way.
    used: Used,
    /// Of it, what is under way: it may not be there yet when the folder is counted.
    under_way: Used,
    /// How often counting has begun; none is known before the first.
    counts: u64,
    /// Files that guests have open. One without a name is not found in the folder, and still fills the disk.
    open: Vec<Weak<File>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Used {
    bytes: u64,
    files: u64,
}

/// Growth that is allowed and under way, until it is dropped.
pub(super) struct Charge {
    quota: Arc<Quota>,
    growth: Used,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let under_way = &mut self.quota.lock().under_way;
        under_way.bytes = under_way.bytes.saturating_sub(self.growth.bytes);
        under_way.files = under_way.files.saturating_sub(self.growth.files);
    }
}

impl Quota {
    pub(crate) fn new(folder: PathBuf, most: grant::Quota) -> Self {
        Self { folder, most, state: Mutex::default(), counting: tokio::sync::Mutex::new(Instant::now()) }
    }

    /// Allows the folder to grow, if it may.
    pub(super) async fn charge(self: &Arc<Self>, bytes: u64, files: u64) -> Result<Charge, Exceeded> {
        let growth = Used { bytes, files };
        let seen = match self.try_charge(growth) {
            Ok(charge) => return Ok(charge),
            Err(seen) => seen,
        };
        self.count(seen).await?;
        self.try_charge(growth).map_err(|_| Exceeded)
    }

    /// Knows that a guest has the file open.
    pub(super) fn keep(&self, file: &Arc<File>) {
        let mut state = self.lock();
        if state.open.len() == state.open.capacity() {
            state.open.retain(|file| file.strong_count() > 0);
        }
        state.open.push(Arc::downgrade(file));
    }

    /// By what is known; else how often the folder had been counted by then.
    fn try_charge(self: &Arc<Self>, growth: Used) -> Result<Charge, u64> {
        let mut state = self.lock();
        let used = state.used + growth;
        if state.counts == 0 || used.bytes > self.most.bytes || used.files > self.most.files {
            return Err(state.counts);
        }
        state.used = used;
        state.under_way = state.under_way + growth;
        drop(state);
        Ok(Charge { quota: Arc::clone(self), growth })
    }

    /// Counts the folder, unless that was begun since it had been counted `seen` times.
    async fn count(self: &Arc<Self>, seen: u64) -> Result<(), Exceeded> {
        let mut next = self.counting.lock().await;
        if self.lock().counts > seen {
            return Ok(());
        }
        tokio::time::sleep_until(*next).await;
        let began = Instant::now();
        let (before, under_way, open) = {
            let mut state = self.lock();
            state.counts += 1;
            (state.used, state.under_way, state.open.iter().filter_map(Weak::upgrade).collect::<Vec<_>>())
        };
        let folder = self.folder.clone();
        let counted = tokio::task::spawn_blocking(move || {
            let nameless = open.iter().filter_map(|file| nameless(file)).sum::<u64>();
            Ok::<_, io::Error>(walk(&folder)? + Used { bytes: nameless, files: 0 })
        });
        let counted = counted.await.map_err(io::Error::other).and_then(|counted| counted);
        *next = Instant::now() + began.elapsed().min(Duration::from_secs(60)) * REST;
        let mut state = self.lock();
        let found = counted.map_err(|error| {
            tracing::warn!(folder = %self.folder.display(), %error, "a folder with a quota cannot be counted");
            state.used = Used { bytes: u64::MAX, files: u64::MAX };
            Exceeded
        })?;
        // What was charged meanwhile is on top: it may have been counted, or not.
        let meanwhile = Used { bytes: state.used.bytes - before.bytes, files: state.used.files - before.files };
        state.used = found + under_way + meanwhile;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Add for Used {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(more.bytes), files: self.files.saturating_add(more.files) }
    }
}

/// Everything in a folder, by the length of its files. A file with two names counts twice, and a link by what it says.
fn walk(folder: &Path) -> io::Result<Used> {
    let mut used = Used::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            // It has gone since it was found.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let about = match entry.metadata() {
                Ok(about) => about,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let bytes = if about.is_dir() { 0 } else { about.len() };
            used = used + Used { bytes, files: 1 };
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(used)
}

/// The bytes of a file that has lost its last name.
#[cfg(unix)]
fn nameless(file: &File) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    file.metadata().ok().filter(|about| about.nlink() == 0).map(|about| about.len())
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn nameless(_: &File) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(folder: &Path, bytes: u64, files: u64) -> Arc<Quota> {
        Arc::new(Quota::new(folder.to_owned(), grant::Quota { bytes, files }))
    }

    #[tokio::test]
    async fn what_is_there_already_counts() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/file"), [0; 600]).unwrap();
        let quota = quota(folder.path(), 1_000, 3);
        assert!(quota.charge(401, 0).await.is_err());
        assert!(quota.charge(0, 2).await.is_err());
        assert!(quota.charge(400, 1).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_under_way_counts_until_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let quota = quota(folder.path(), 1_000, 10);
        let charge = quota.charge(800, 1).await.unwrap();
        assert!(quota.charge(300, 0).await.is_err(), "nothing is there yet, and it is promised");
        drop(charge);
        assert!(quota.charge(1_000, 0).await.is_ok(), "nothing came of it");
    }

    #[tokio::test]
    async fn what_goes_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let quota = quota(folder.path(), 1_000, 10);
        let file = folder.path().join("file");
        drop(quota.charge(1_000, 1).await.unwrap());
        std::fs::write(&file, [0; 1_000]).unwrap();
        assert!(quota.charge(1, 0).await.is_err());
        std::fs::remove_file(&file).unwrap();
        assert!(quota.charge(1_000, 1).await.is_ok());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_without_a_name_counts_while_it_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let quota = quota(folder.path(), 1_000, 10);
        let path = folder.path().join("file");
        std::fs::write(&path, [0; 800]).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        quota.keep(&file);
        std::fs::remove_file(&path).unwrap();
        assert!(quota.charge(300, 0).await.is_err());
        drop(file);
        assert!(quota.charge(300, 0).await.is_ok());
    }
}
