//! Notices when the sources of an app change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::component::wit_folder;
use super::{Config, ConfigError, Job, jobs, manifest_file, read, stamp};

/// How long sources must be quiet before they are built.
///
/// Reason: an editor that saves all of its files, or a version control system that changes branches, takes some tens of
/// milliseconds; a person does not notice 150.
pub const QUIET: Duration = Duration::from_millis(150);

/// The sources of an app's components, and its manifest.
pub struct Sources {
    watcher: RecommendedWatcher,
    changes: Receiver<()>,
    watched: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Sources {
    /// Begins to watch.
    ///
    /// # Errors
    /// The system does not tell of changes.
    pub fn watch(config: &Config) -> notify::Result<Self> {
        let (tell, changes) = mpsc::channel();
        let manifest = manifest(config)?;
        let watched = Arc::new(Mutex::new(BTreeSet::new()));
        let sources = Arc::clone(&watched);
        let watcher = notify::recommended_watcher(move |event| notice(&tell, &manifest, &lock(&sources), event))?;
        let mut sources = Self { watcher, changes, watched };
        sources.follow(config)?;
        Ok(sources)
    }

    /// Waits for a change, and until no more come.
    ///
    /// # Errors
    /// The system tells of no more changes.
    pub fn changed(&mut self, config: &Config) -> notify::Result<()> {
        let ended = || notify::Error::generic("the watch has ended");
        self.changes.recv().map_err(|_| ended())?;
        loop {
            match self.changes.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
        self.follow(config)
    }

    /// Watches the sources that the manifest names now.
    fn follow(&mut self, config: &Config) -> notify::Result<()> {
        let manifest = manifest(config)?;
        let around = manifest.parent().unwrap_or(Path::new("/"));
        let sources: BTreeSet<PathBuf> = match read(config).and_then(|manifest| jobs(&manifest)) {
            Ok(jobs) => {
                let of = |job: Job| [wit_folder(&job), job.folder];
                let all = jobs.into_iter().flat_map(of).map(|path| whole(&path)).collect::<notify::Result<Vec<_>>>()?;
                all.into_iter().filter(|path| path.exists()).collect()
            }
            // Until its faults are mended, only the manifest itself is of interest.
            Err(ConfigError::Manifest(_) | ConfigError::Read { .. }) if !lock(&self.watched).is_empty() => {
                return Ok(());
            }
            Err(_) => BTreeSet::new(),
        };
        // A source that is gone is not watched any more, and may come back.
        lock(&self.watched).retain(|path| path.exists());
        let watched = lock(&self.watched).clone();
        if watched.is_empty() && !sources.contains(around) {
            self.watcher.watch(around, RecursiveMode::NonRecursive)?;
        }
        let is_watched = |folder: &Path| folder == around || folder.ancestors().any(|folder| sources.contains(folder));
        for path in sources.difference(&watched) {
            match path.parent() {
                // What is saved by an editor may be another file of that name: its folder tells.
                Some(folder) if path.is_file() => {
                    if !is_watched(folder) {
                        self.watcher.watch(folder, RecursiveMode::NonRecursive)?;
                    }
                }
                _ => self.watcher.watch(path, RecursiveMode::Recursive)?,
            }
        }
        lock(&self.watched).extend(sources);
        Ok(())
    }
}

/// The manifest's whole path, which names the manifest itself also where that is a link.
fn manifest(config: &Config) -> notify::Result<PathBuf> {
    let file = std::path::absolute(manifest_file(config)).map_err(notify::Error::io)?;
    match (file.parent(), file.file_name()) {
        (Some(around), Some(name)) => Ok(whole(around)?.join(name)),
        _ => Ok(file),
    }
}

/// A whole path without links: some systems tell of changes so. Where it is not there, as it would be.
fn whole(path: &Path) -> notify::Result<PathBuf> {
    std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).map_err(notify::Error::io)
}

fn lock(sources: &Mutex<BTreeSet<PathBuf>>) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    sources.lock().unwrap_or_else(PoisonError::into_inner)
}

fn notice(tell: &Sender<()>, manifest: &Path, sources: &BTreeSet<PathBuf>, event: notify::Result<notify::Event>) {
    // A watch that fails may have missed a change: a build that finds none does nothing.
    let changed = event.map_or(true, |event| {
        // What the app's own folder is called says nothing about what is in it.
        let around = manifest.parent().unwrap_or(Path::new("/"));
        // Beside the manifest there may be anything, such as what this very program writes.
        let known = |path: &PathBuf| path == manifest || sources.iter().any(|source| path.starts_with(source));
        let of_sources = |path: &PathBuf| known(path) && stamp::is_source(path.strip_prefix(around).unwrap_or(path));
        !matches!(event.kind, EventKind::Access(_)) && (event.need_rescan() || event.paths.iter().any(of_sources))
    });
    if changed {
        // Nobody is told when nobody waits any more.
        let _ = tell.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Environment;

    #[test]
    #[cfg(unix)]
    fn paths_are_whole_and_without_links() {
        let place = tempfile::tempdir().unwrap();
        let real = std::fs::canonicalize(place.path()).unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink("real", place.path().join("link")).unwrap();
        let config = |path: &str| config(&place.path().join(path));
        assert_eq!(manifest(&config("link")).unwrap(), real.join("coracle.toml"));
        assert_eq!(manifest(&config("link/other.toml")).unwrap(), real.join("other.toml"));
        assert_eq!(whole(&place.path().join("link/gone")).unwrap(), place.path().join("link/gone"));
    }

    fn config(path: &Path) -> Config {
        let environment: Environment = Arc::new(|_: &str| None);
        Config {
            path: path.to_owned(),
            names: Vec::new(),
            force: false,
            environment: environment.clone(),
            snapshot: crate::build::snapshot::none(),
            wit: crate::wit::Access {
                locked: false,
                offline: true,
                cache: None,
                environment,
                progress: Arc::new(|_| {}),
            },
        }
    }

    const APP: &str = "[app]\nname = \"a\"\n[component.one]\nsource = \"one.wasm\"\n\
        build = { language = \"c\", folder = \"one\", wit = \"../wit\" }\n\
        [component.two]\nsource = \"two.wasm\"\n\
        build = { language = \"c\", folder = \"two\", wit = \"../shared/two.wit\" }\n";

    #[test]
    fn sources_are_told_from_what_builds_leave_behind() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
        std::fs::create_dir_all(place.path().join("one/target")).unwrap();
        for folder in ["wit", "two", "shared"] {
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        file("coracle.toml", APP);
        file("shared/two.wit", "package a:a;");
        file("one/a.c", "1");
        let config = config(place.path());
        let mut sources = Sources::watch(&config).unwrap();

        file("one/target/a.o", "1");
        file("one.wasm", "1");
        file("dev.log", "1");
        file("shared/one.wit", "package a:b;");
        assert!(sources.changes.recv_timeout(QUIET * 3).is_err());
        file("one/a.c", "2");
        sources.changed(&config).unwrap();
        file("wit/world.wit", "package a:b;");
        sources.changed(&config).unwrap();
        file("shared/two-new.wit", "package a:b;");
        std::fs::rename(place.path().join("shared/two-new.wit"), place.path().join("shared/two.wit")).unwrap();
        sources.changed(&config).unwrap();
        file("coracle.toml", &format!("{APP}# changed\n"));
        sources.changed(&config).unwrap();
        assert!(sources.changes.recv_timeout(QUIET * 3).is_err());
    }
}
