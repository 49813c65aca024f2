//! Notices when a file of the app changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use tokio::sync::Notify;

/// How long files must be quiet before a change counts.
///
/// Reason: a compiler writes its output in several steps within some tens of milliseconds; a person does not notice
/// 150.
pub const QUIET: Duration = Duration::from_millis(150);

/// Watches the files of an app. The folders that hold them are watched, since most programs that write a file put a
/// new one in its place.
pub(crate) struct Watcher {
    folders: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    files: Arc<RwLock<BTreeSet<PathBuf>>>,
    change: Arc<Notify>,
}

impl Watcher {
    pub(crate) fn new(files: &[PathBuf]) -> notify::Result<Self> {
        let wanted = Arc::new(RwLock::new(BTreeSet::new()));
        let change = Arc::new(Notify::new());
        let (seen, notice) = (Arc::clone(&wanted), Arc::clone(&change));
        let folders = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concerns_us = match &event {
                Ok(event) => {
                    let files = seen.read().unwrap_or_else(PoisonError::into_inner);
                    let changes = !matches!(event.kind, EventKind::Access(_));
                    // A rescan has no paths: events were lost, so anything may have changed.
                    changes && (event.need_rescan() || event.paths.iter().any(|path| files.contains(path)))
                }
                Err(error) => {
                    tracing::warn!(%error, "watching files failed");
                    false
                }
            };
            if concerns_us {
                notice.notify_one();
            }
        })?;
        let mut watcher = Self { folders, watched: BTreeSet::new(), files: wanted, change };
        watcher.follow(files)?;
        Ok(watcher)
    }

    /// Watches these files from now on, and no others.
    pub(crate) fn follow(&mut self, files: &[PathBuf]) -> notify::Result<()> {
        let mut places = BTreeSet::new();
        let mut wanted = BTreeSet::new();
        for file in files {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // Events name paths as the folder was named; the real path is the same however the app named it.
            let folder = folder.canonicalize().map_err(notify::Error::io)?;
            if let Some(name) = file.file_name() {
                wanted.insert(folder.join(name));
            }
            places.insert(folder);
        }
        for folder in self.watched.difference(&places) {
            // It may be gone, which ends its watch as well.
            let _ = notify::Watcher::unwatch(&mut self.folders, folder);
        }
        for folder in places.difference(&self.watched) {
            notify::Watcher::watch(&mut self.folders, folder, RecursiveMode::NonRecursive)?;
        }
        self.watched = places;
        *self.files.write().unwrap_or_else(PoisonError::into_inner) = wanted;
        Ok(())
    }

    /// Waits for a change, and until no more come.
    pub(crate) async fn changed(&self) {
        self.change.notified().await;
        while tokio::time::timeout(QUIET, self.change.notified()).await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_change_is_seen_however_it_is_written() {
        let place = tempfile::tempdir().unwrap();
        let (file, other) = (place.path().join("a.wasm"), place.path().join("b.wasm"));
        std::fs::write(&file, "1").unwrap();
        std::fs::write(&other, "1").unwrap();
        let watcher = Watcher::new(std::slice::from_ref(&file)).unwrap();

        std::fs::write(&file, "2").unwrap();
        tokio::time::timeout(SOON, watcher.changed()).await.unwrap();

        let temporary = place.path().join("a.tmp");
        std::fs::write(&temporary, "3").unwrap();
        std::fs::rename(&temporary, &file).unwrap();
        tokio::time::timeout(SOON, watcher.changed()).await.unwrap();

        std::fs::write(&other, "2").unwrap();
        std::fs::read(&file).unwrap();
        assert!(tokio::time::timeout(QUIET * 3, watcher.changed()).await.is_err());
    }
}
