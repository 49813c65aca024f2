//! A store in a file.
//!
//! One thread per file writes. It takes all changes that wait, makes them in one transaction, and answers when that is
//! on the disk: writers share the cost of making it durable, and none of them waits on a blocking thread. Reads see the
//! last transaction and run beside it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use redb::{
    Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition,
};
use tokio::sync::{mpsc, oneshot};

use super::bounded::Bounded;
use super::{MAX_BATCH_BYTES, MAX_PAGE, OpenError, Page, Store, StoreError, Swap, number};

/// Bytes of the file that are kept in memory: small stores fit, and many stores fit one machine.
pub const CACHE_SIZE: usize = 16 * 1024 * 1024;

/// Changes that wait for the writer; a guest that has one more waits itself.
pub const MAX_QUEUE: usize = 256;

/// Changes made in one transaction: enough to share the cost of a flush, few enough that it stays short.
pub const MAX_GROUP: usize = 64;

/// Size, in bytes, from which the file takes deletions but no more values: a guest must not fill the disk.
pub const MAX_STORE_FILE: u64 = 4 * 1024 * 1024 * 1024;

/// How long an opening waits for an earlier one of the same file, by this process, to be closed: as long as a flush
/// takes on a slow disk.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// How often it looks.
const CLOSE_POLL: Duration = Duration::from_millis(5);

const TABLE: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("keyvalue");

/// The files that are open, by canonical path.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Bounded<Redb>>>> = Mutex::new(BTreeMap::new());

/// A store in a file.
pub(super) struct Redb {
    database: Arc<Database>,
    queue: mpsc::Sender<Request>,
    path: PathBuf,
}

impl std::fmt::Debug for Redb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redb({})", self.path.display())
    }
}

/// One change, whole or not at all.
enum Change {
    Set(Vec<(String, Bytes)>),
    Delete(Vec<String>),
    Increment(String, i64),
    Swap { key: String, expected: Option<Bytes>, value: Bytes },
}

/// What a change did.
enum Answer {
    Done,
    Sum(i64),
    Swap(Swap),
}

/// A change and who waits for it.
type Request = (Change, oneshot::Sender<Result<Answer, StoreError>>);

/// One failure of the file, told to everybody whose change was in the transaction.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
struct Failure(Arc<redb::Error>);

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(Arc::new(error.into()))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> StoreError {
        StoreError::Failed(Box::new(failure))
    }
}

impl Redb {
    pub(super) fn open(path: &Path) -> Result<Arc<Bounded<Redb>>, OpenError> {
        let failed = |error: io::Error| OpenError::File(path.to_owned(), error.into());
        // The folder exists before the file does, so it gives the name that all openings share.
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(_) => folder.canonicalize().map_err(failed)?.join(name),
        };

        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let closing = match open.get(&path).map(Weak::upgrade) {
            Some(Some(store)) => return Ok(store),
            Some(None) => true,
            None => false,
        };
        let database = create(&path, closing)?;
        let store = Arc::new(Bounded(Redb::start(database, path.clone())?));
        open.retain(|_, store| store.strong_count() > 0);
        open.insert(path, Arc::downgrade(&store));
        Ok(store)
    }

    fn start(database: Database, path: PathBuf) -> Result<Redb, OpenError> {
        let failed = |error| OpenError::File(path.clone(), error);
        let database = Arc::new(database);
        // Makes the table, so that reads find it.
        write(&database, |_| Ok(true)).map_err(|failure| failed(Box::new(failure)))?;
        let (queue, changes) = mpsc::channel(MAX_QUEUE);
        let writer = Writer { database: Arc::clone(&database), path: path.clone(), changes };
        thread::Builder::new()
            .name("keyvalue".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| failed(Box::new(error)))?;
        Ok(Redb { database, queue, path })
    }

    async fn change(&self, change: Change) -> Result<Answer, StoreError> {
        let gone = || StoreError::Unavailable("the writer of the key-value file has ended".into());
        let (sender, answer) = oneshot::channel();
        self.queue.send((change, sender)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(ReadOnlyTable<&str, &[u8]>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        let work = move || read(database.begin_read()?.open_table(TABLE)?);
        Ok(tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Failed(Box::new(error)))??)
    }
}

/// Opens or makes the file. One that this process has just closed may still be held for a moment, by a last read or by
/// its writer.
fn create(path: &Path, closing: bool) -> Result<Database, OpenError> {
    let deadline = Instant::now() + CLOSE_WAIT;
    loop {
        match Database::builder().set_cache_size(CACHE_SIZE).create(path) {
            Ok(database) => return Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) if closing && Instant::now() < deadline => {
                thread::sleep(CLOSE_POLL);
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(OpenError::InUse(path.to_owned())),
            Err(error) => return Err(OpenError::File(path.to_owned(), Box::new(error))),
        }
    }
}

/// Runs `change` in a transaction, and keeps it, durably, if that says so.
fn write(
    database: &Database,
    change: impl FnOnce(&mut Table<&str, &[u8]>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    // After a crash the file opens at once, instead of after a walk through all of it.
    transaction.set_quick_repair(true);
    let changed = change(&mut transaction.open_table(TABLE)?)?;
    if changed {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}

/// The thread that writes.
struct Writer {
    database: Arc<Database>,
    path: PathBuf,
    changes: mpsc::Receiver<Request>,
}

impl Writer {
    /// Ends when the store is dropped.
    fn run(mut self) {
        while let Some(first) = self.changes.blocking_recv() {
            let mut group = vec![first];
            while group.len() < MAX_GROUP {
                let Ok(next) = self.changes.try_recv() else { break };
                group.push(next);
            }
            let (changes, senders): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let answers = match self.write(changes) {
                Ok(answers) => answers,
                Err(failure) => senders.iter().map(|_| Err(failure.clone().into())).collect(),
            };
            for (sender, answer) in senders.into_iter().zip(answers) {
                // Whoever asked may have gone; the change is made all the same.
                drop(sender.send(answer));
            }
        }
    }

    /// Makes all changes that can be made; the file has them when this returns.
    fn write(&self, changes: Vec<Change>) -> Result<Vec<Result<Answer, StoreError>>, Failure> {
        let full = std::fs::metadata(&self.path).map_err(redb::Error::Io)?.len() >= MAX_STORE_FILE;
        let mut answers = Vec::with_capacity(changes.len());
        write(&self.database, |table| {
            let mut changed = false;
            for change in changes {
                answers.push(if full && !matches!(change, Change::Delete(_)) {
                    Err(StoreError::Full)
                } else {
                    apply(table, change)?
                });
                changed |= !matches!(answers.last(), Some(Err(_) | Ok(Answer::Swap(Swap::Changed(_)))));
            }
            Ok(changed)
        })?;
        Ok(answers)
    }
}

/// Makes one change. Where it fails by itself, it has changed nothing.
fn apply(table: &mut Table<&str, &[u8]>, change: Change) -> Result<Result<Answer, StoreError>, Failure> {
    Ok(Ok(match change {
        Change::Set(entries) => {
            for (key, value) in &entries {
                table.insert(key.as_str(), &**value)?;
            }
            Answer::Done
        }
        Change::Delete(keys) => {
            for key in &keys {
                table.remove(key.as_str())?;
            }
            Answer::Done
        }
        Change::Increment(key, delta) => {
            let sum = match number::add(table.get(key.as_str())?.as_ref().map(|value| value.value()), delta) {
                Ok(sum) => sum,
                Err(error) => return Ok(Err(error)),
            };
            table.insert(key.as_str(), &*number::text(sum))?;
            Answer::Sum(sum)
        }
        Change::Swap { key, expected, value } => {
            let current = table.get(key.as_str())?.map(|value| Bytes::copy_from_slice(value.value()));
            if current == expected {
                table.insert(key.as_str(), &*value)?;
                Answer::Swap(Swap::Swapped)
            } else {
                Answer::Swap(Swap::Changed(current))
            }
        }
    }))
}

#[async_trait]
impl Store for Redb {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let key = key.to_owned();
        self.read(move |table| Ok(table.get(key.as_str())?.map(|value| Bytes::copy_from_slice(value.value())))).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        self.change(Change::Set(vec![(key.to_owned(), value)])).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.change(Change::Delete(vec![key.to_owned()])).await.map(drop)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        let key = key.to_owned();
        self.read(move |table| Ok(table.get(key.as_str())?.is_some())).await
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<Page, StoreError> {
        let cursor = cursor.map(str::to_owned);
        self.read(move |table| {
            let start = cursor.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut rest = table.range::<&str>((start, Bound::Unbounded))?;
            let mut keys = Vec::new();
            for entry in rest.by_ref().take(MAX_PAGE) {
                keys.push(entry?.0.value().to_owned());
            }
            let cursor = rest.next().transpose()?.and_then(|_| keys.last().cloned());
            Ok(Page { keys, cursor })
        })
        .await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        match self.change(Change::Increment(key.to_owned(), delta)).await? {
            Answer::Sum(sum) => Ok(sum),
            Answer::Done | Answer::Swap(_) => Err(mixed_up()),
        }
    }

    async fn compare_and_swap(&self, key: &str, expected: Option<Bytes>, value: Bytes) -> Result<Swap, StoreError> {
        match self.change(Change::Swap { key: key.to_owned(), expected, value }).await? {
            Answer::Swap(swap) => Ok(swap),
            Answer::Done | Answer::Sum(_) => Err(mixed_up()),
        }
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, StoreError> {
        let values = self.read(move |table| {
            let mut values = Vec::with_capacity(keys.len());
            let mut size = 0;
            for key in &keys {
                let value = table.get(key.as_str())?;
                size += value.as_ref().map_or(0, |value| value.value().len());
                if size > MAX_BATCH_BYTES {
                    return Ok(None);
                }
                values.push(value.map(|value| Bytes::copy_from_slice(value.value())));
            }
            Ok(Some(values))
        });
        values.await?.ok_or(StoreError::BatchTooLarge)
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), StoreError> {
        self.change(Change::Set(entries)).await.map(drop)
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.change(Change::Delete(keys)).await.map(drop)
    }
}

fn mixed_up() -> StoreError {
    StoreError::Failed("the writer answered another question".into())
}
