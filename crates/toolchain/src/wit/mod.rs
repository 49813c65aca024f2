//! WIT packages that an app's components are built against and that come from elsewhere: fetched, locked by digest, vendored,
//! and put where languages' tools look for them.
//!
//! What a package is, is fixed by `coracle.lock` from the first time that it was fetched. Content is looked for in the
//! project's own `vendor/wit`, then in a cache by digest, then in the registry, and is held against the digest wherever
//! it comes from.

mod credential;
mod error;
mod folder;
mod lock;
mod packages;
mod place;
mod registry;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_package::digest::Digest;
use coracle_package::manifest::{FILE_NAME, Manifest, WitDependency, WitName, WitSource};
use coracle_package::oci::Reference;

pub use error::{FetchError, Refused};
use folder::Folder;
pub use lock::{LOCK_NAME, Lock, Locked};
use packages::Packages;
use registry::Registry;
pub use store::VENDOR;

use crate::tool::Environment;
use crate::whole;

/// The largest WIT package, in bytes: far more than interfaces that people read, and soon parsed.
pub const MAX_PACKAGE_BYTES: usize = 8 << 20;

/// Told what is being fetched, and then that nothing is.
pub type Progress = Arc<dyn Fn(Option<&str>) + Send + Sync>;

/// Where packages may come from.
#[derive(Clone)]
pub struct Access {
    /// Refuses what would change the lock file.
    pub locked: bool,
    /// Asks no registry.
    pub offline: bool,
    /// Where fetched packages are kept for all projects.
    pub cache: Option<PathBuf>,
    /// Where credentials and certificate authorities are looked for.
    pub environment: Environment,
    /// Told what is being fetched.
    pub progress: Progress,
}

/// What is done beside fetching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The packages that are taken as they are now, whatever the lock says.
    pub update: Update,
    /// Whether packages are copied into the project.
    pub vendor: bool,
}

/// The packages that are taken as they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// None: the lock holds.
    #[default]
    None,
    /// All.
    All,
    /// Those of these names.
    Only(Vec<String>),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The packages, by name.
    pub packages: Vec<Found>,
    /// The folders of WIT beside which packages were put or taken away.
    pub placed: Vec<PathBuf>,
    /// Whether the lock file changed.
    pub relocked: bool,
}

/// A package that is there.
#[derive(Debug)]
pub struct Found {
    /// What it is.
    pub locked: Locked,
    /// Where its content was.
    pub origin: Origin,
}

/// Where a package's content was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the registry.
    Registry,
    /// In the cache.
    Cache,
    /// In `vendor/wit`.
    Vendored,
    /// Where its path says.
    Path,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Registry => "fetched",
            Self::Cache => "cached",
            Self::Vendored => "vendored",
            Self::Path => "path",
        })
    }
}

/// A package with its content.
struct Entry {
    name: WitName,
    source: WitSource,
    /// The line of the manifest.
    place: String,
    content: Content,
    digest: Digest,
    origin: Origin,
}

/// What a package is made of.
enum Content {
    /// The bytes that a registry has.
    Binary(Vec<u8>),
    /// The files below a path.
    Text(Folder),
}

impl Content {
    fn digest(&self) -> Digest {
        match self {
            Self::Binary(bytes) => Digest::of(bytes),
            Self::Text(folder) => folder.digest(),
        }
    }
}

/// Fetches the packages of an app, which is named by its folder or manifest.
///
/// # Errors
/// The manifest, the lock file or a package is not what it should be, or cannot be had.
pub fn run(path: &Path, task: &Task, access: &Access) -> Result<Fetched, FetchError> {
    let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
    let text = std::fs::read_to_string(&file).map_err(|source| FetchError::Read { path: file.clone(), source })?;
    fetch(&Manifest::parse(&text, &file)?, &file, task, access)
}

/// Fetches the packages of `manifest`, which stands in `file`.
pub(crate) fn fetch(manifest: &Manifest, file: &Path, task: &Task, access: &Access) -> Result<Fetched, FetchError> {
    known_names(manifest, task)?;
    let lock_file = manifest.directory.join(LOCK_NAME);
    let lock = Lock::read(&lock_file)?;
    if manifest.wit.is_empty() && lock.is_none() {
        return Ok(Fetched::default());
    }
    let known = lock.clone().unwrap_or_default();
    let source =
        Source { manifest, file, lock: &known, task, access, registry: Registry::new(access.environment.clone()) };
    let entries = manifest.wit.iter().map(|(name, it)| source.entry(name, it)).collect::<Result<Vec<_>, _>>()?;
    let packages = Packages::of(&entries)?;
    let new = Lock { packages: entries.iter().map(|entry| locked(entry, &packages)).collect() };
    let relocked = lock.as_ref() != Some(&new);
    if relocked && access.locked {
        return Err(outdated(&lock_file).into());
    }
    // Packages first: a lock file promises that what it names was there.
    let folders = place::folders(manifest);
    if task.vendor || (relocked && store::is_vendored(&manifest.directory)) {
        let paths = manifest.wit.values().filter_map(|it| match &it.source {
            WitSource::Path(path) => Some(manifest.resolve(path)),
            WitSource::Reference(_) => None,
        });
        store::vendor(&manifest.directory, &entries, paths.chain(folders.clone()))?;
    }
    if relocked {
        let written = match new.packages.is_empty() {
            true => std::fs::remove_file(&lock_file),
            false => whole::write(&lock_file, new.text().as_bytes()),
        };
        written.map_err(Refused::io(&lock_file))?;
    }
    let mut fetched = Fetched { relocked, ..Fetched::default() };
    for folder in folders {
        let changed = place::put(&folder, &packages)?;
        fetched.placed.extend(Some(folder).filter(|_| changed));
    }
    let origins = entries.iter().map(|entry| entry.origin);
    fetched.packages = new.packages.into_iter().zip(origins).map(|(locked, origin)| Found { locked, origin }).collect();
    Ok(fetched)
}

/// Whether a package is named so, with its version or without.
fn is_meant(name: &WitName, meant: &str) -> bool {
    name.name == meant || name.to_string() == meant
}

/// Refuses to update a package that the manifest does not have.
fn known_names(manifest: &Manifest, task: &Task) -> Result<(), Box<Refused>> {
    let Update::Only(names) = &task.update else { return Ok(()) };
    let known: Vec<String> = manifest.wit.keys().map(ToString::to_string).collect();
    let hint = match known.as_slice() {
        [] => "it has no [wit]".to_owned(),
        known => format!("those that there are: {}", known.join(", ")),
    };
    match names.iter().find(|meant| !manifest.wit.keys().any(|name| is_meant(name, meant))) {
        None => Ok(()),
        Some(name) => Err(Refused::data(format!("there is no WIT package `{name}` in the manifest")).hint(hint)),
    }
}

fn locked(entry: &Entry, packages: &Packages) -> Locked {
    let version = packages.named(&entry.name).and_then(|name| name.version.as_ref());
    Locked {
        name: entry.name.clone(),
        version: version.map(ToString::to_string),
        source: entry.source.clone(),
        digest: entry.digest,
    }
}

fn outdated(lock_file: &Path) -> Box<Refused> {
    let refused = Refused::data("the lock file does not say what [wit] in the manifest does").at(lock_file.display());
    refused.hint("run `coracle wit fetch` without --locked, and commit the file")
}

/// What packages are looked for with.
struct Source<'a> {
    manifest: &'a Manifest,
    file: &'a Path,
    lock: &'a Lock,
    task: &'a Task,
    access: &'a Access,
    registry: Registry,
}

impl Source<'_> {
    fn entry(&self, name: &WitName, dependency: &WitDependency) -> Result<Entry, Box<Refused>> {
        let place = format!("{}:{}", self.file.display(), dependency.line);
        let updated = match &self.task.update {
            Update::None => false,
            Update::All => true,
            Update::Only(names) => names.iter().any(|meant| is_meant(name, meant)),
        };
        let locked = self.lock.get(name).filter(|locked| locked.source == dependency.source && !updated);
        if locked.is_none() && self.access.locked {
            return Err(outdated(&self.manifest.directory.join(LOCK_NAME))
                .detail(format!("{name} ({}) is not in it", dependency.source)));
        }
        let digest = locked.map(|locked| &locked.digest);
        let (content, origin) = match &dependency.source {
            WitSource::Path(path) => self.text(name, path)?,
            WitSource::Reference(reference) => {
                let (bytes, origin) = self.bytes(name, reference, digest).map_err(|refused| refused.or_at(&place))?;
                (Content::Binary(bytes), origin)
            }
        };
        let found = content.digest();
        match digest {
            Some(digest) if *digest != found => Err(self
                .differs(name, &place, digest, &found)
                .detail(format!("from   {}", dependency.source))
                .hint(format!("where that is meant, take it over: coracle wit update {} {name}", self.folder()))),
            _ => Ok(Entry {
                name: name.clone(),
                source: dependency.source.clone(),
                place,
                content,
                digest: found,
                origin,
            }),
        }
    }

    /// The files of a package, or what was vendored of them where they are not there.
    fn text(&self, name: &WitName, path: &Path) -> Result<(Content, Origin), Box<Refused>> {
        let whole = self.manifest.resolve(path);
        let vendored = self.manifest.directory.join(store::vendored_folder(name));
        if !whole.exists() && store::is_vendored(&self.manifest.directory) && vendored.is_dir() {
            return Ok((Content::Text(Folder::read(&vendored)?), Origin::Vendored));
        }
        if !whole.exists() {
            let refused = Refused::data(format!("there is no such folder, and [wit] has {name} in it"));
            return Err(refused.at(whole.display()).hint("a relative path starts from the manifest's folder"));
        }
        Ok((Content::Text(Folder::read(&whole)?), Origin::Path))
    }

    /// The bytes of a package: those that are locked, or those that the reference names now.
    fn bytes(
        &self,
        name: &WitName,
        reference: &Reference,
        locked: Option<&Digest>,
    ) -> Result<(Vec<u8>, Origin), Box<Refused>> {
        if let Some(digest) = locked {
            if let Some(bytes) = self.vendored(name, digest)? {
                return Ok((bytes, Origin::Vendored));
            }
            if let Some(bytes) = self.cache().get(digest) {
                return Ok((bytes, Origin::Cache));
            }
        }
        if self.access.offline {
            let what = if locked.is_some() { "neither vendored nor in the cache" } else { "not in the lock file" };
            let refused = Refused::data(format!("{name} is {what}, and without the network it cannot be fetched"));
            return Err(refused.detail(format!("from {reference}")).hint("run `coracle wit fetch` where there is one"));
        }
        (self.access.progress)(Some(&format!("fetching {name} from {}", reference.registry())));
        let fetched = self.download(name, reference, locked);
        (self.access.progress)(None);
        fetched
    }

    fn download(
        &self,
        name: &WitName,
        reference: &Reference,
        locked: Option<&Digest>,
    ) -> Result<(Vec<u8>, Origin), Box<Refused>> {
        let digest = match locked {
            Some(digest) => *digest,
            None => self.registry.resolve(reference)?,
        };
        if let Some(bytes) = self.cache().get(&digest) {
            return Ok((bytes, Origin::Cache));
        }
        let Some(bytes) = self.registry.content(reference, &digest)? else {
            return Err(self.gone(name, reference, &digest));
        };
        self.cache().put(&digest, &bytes);
        Ok((bytes, Origin::Registry))
    }

    /// The vendored bytes of a package. Others than those that are locked are refused, unless they are to be vendored anew.
    fn vendored(&self, name: &WitName, digest: &Digest) -> Result<Option<Vec<u8>>, Box<Refused>> {
        let shown = store::vendored_file(name);
        let file = self.manifest.directory.join(&shown);
        if !store::is_vendored(&self.manifest.directory) || !file.exists() {
            return Ok(None);
        }
        let bytes = store::read(&file, MAX_PACKAGE_BYTES as u64).map_err(Refused::io(&file))?.unwrap_or_default();
        let found = Digest::of(&bytes);
        if found != *digest {
            if self.task.vendor {
                return Ok(None);
            }
            let refused = self.differs(name, &shown, digest, &found);
            return Err(refused.hint(format!("have it written anew: coracle wit vendor {}", self.folder())));
        }
        Ok(Some(bytes))
    }

    fn cache(&self) -> store::Cache {
        store::Cache(self.access.cache.clone())
    }

    /// That content is not what the lock says.
    fn differs(&self, name: &WitName, place: &str, locked: &Digest, found: &Digest) -> Box<Refused> {
        Refused::data(format!("{name} is not what {LOCK_NAME} says"))
            .at(place)
            .detail(format!("locked {locked}"))
            .detail(format!("found  {found}"))
    }

    /// That the registry does not have the content that is locked.
    fn gone(&self, name: &WitName, reference: &Reference, locked: &Digest) -> Box<Refused> {
        let refused =
            Refused::data(format!("the registry does not have the {name} that {LOCK_NAME} says")).at(reference);
        let refused = refused.detail(format!("locked {locked}"));
        match self.registry.resolve(reference) {
            Ok(now) => refused
                .detail(format!("now    {now}"))
                .hint(format!("where that is meant, take it over: coracle wit update {} {name}", self.folder())),
            Err(why) => refused.detail(why.message),
        }
    }

    /// The app as a command names it.
    fn folder(&self) -> std::path::Display<'_> {
        self.manifest.directory.display()
    }
}
