//! Every backend does the same: one suite, run over all of them.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test that called it")]

mod redis_server;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use coracle_capability::keyvalue::{
    Backend, MAX_BATCH_BYTES, MAX_BATCH_KEYS, MAX_KEY, MAX_PAGE, MAX_VALUE, OpenError, Store, StoreError, Swap, open,
};
use coracle_capability::secret::Secret;
use redis_server::RedisServer;

type Handle = Arc<dyn Store>;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Runs every case, each on a store of its own.
async fn suite(mut fresh: impl FnMut() -> Handle) {
    values_are_kept(fresh()).await;
    values_are_bytes(fresh()).await;
    keys_are_any_text(fresh()).await;
    keys_and_values_are_bounded(fresh()).await;
    all_keys_are_listed_in_pages(fresh()).await;
    numbers_are_incremented(fresh()).await;
    no_increment_is_lost(fresh()).await;
    a_swap_happens_only_on_what_is_expected(fresh()).await;
    no_swap_is_lost(fresh()).await;
    batches_do_all(fresh()).await;
    batches_are_bounded(fresh()).await;
}

async fn values_are_kept(store: Handle) {
    assert_eq!(store.get("k").await.unwrap(), None);
    assert!(!store.exists("k").await.unwrap());
    store.set("k", bytes("1")).await.unwrap();
    store.set("k", bytes("2")).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some(bytes("2")));
    assert!(store.exists("k").await.unwrap());
    store.delete("k").await.unwrap();
    store.delete("k").await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), None);
}

async fn values_are_bytes(store: Handle) {
    let all: Bytes = (0..=255).collect();
    store.set("all", all.clone()).await.unwrap();
    store.set("none", Bytes::new()).await.unwrap();
    assert_eq!(store.get("all").await.unwrap(), Some(all));
    assert_eq!(store.get("none").await.unwrap(), Some(Bytes::new()));
    assert!(store.exists("none").await.unwrap());
}

async fn keys_are_any_text(store: Handle) {
    for key in ["a b", "a\0b", "\r\n", "*", "ключ", "🗝", "a:b/c"] {
        store.set(key, bytes(key)).await.unwrap();
    }
    for key in ["a b", "a\0b", "\r\n", "*", "ключ", "🗝", "a:b/c"] {
        assert_eq!(store.get(key).await.unwrap(), Some(bytes(key)), "{key:?}");
    }
    assert_eq!(keys(&store).await.len(), 7);
}

async fn keys_and_values_are_bounded(store: Handle) {
    let (longest, too_long) = ("k".repeat(MAX_KEY), "k".repeat(MAX_KEY + 1));
    store.set(&longest, bytes("v")).await.unwrap();
    assert_eq!(store.get(&longest).await.unwrap(), Some(bytes("v")));
    assert!(matches!(store.get(&too_long).await, Err(StoreError::KeyTooLong(_))));
    assert!(matches!(store.set(&too_long, bytes("v")).await, Err(StoreError::KeyTooLong(_))));
    assert!(matches!(store.set("", bytes("v")).await, Err(StoreError::EmptyKey)));
    assert!(matches!(store.increment("", 1).await, Err(StoreError::EmptyKey)));
    assert!(matches!(store.get_many(vec![String::new()]).await, Err(StoreError::EmptyKey)));
    let largest = Bytes::from(vec![7; MAX_VALUE]);
    store.set("large", largest.clone()).await.unwrap();
    assert_eq!(store.get("large").await.unwrap(), Some(largest));
    let too_large = Bytes::from(vec![7; MAX_VALUE + 1]);
    assert!(matches!(store.set("large", too_large.clone()).await, Err(StoreError::ValueTooLarge)));
    let swap = store.compare_and_swap("large", None, too_large).await;
    assert!(matches!(swap, Err(StoreError::ValueTooLarge)));
}

async fn keys(store: &Handle) -> BTreeSet<String> {
    let (mut keys, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = store.list_keys(cursor.as_deref()).await.unwrap();
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
}

async fn all_keys_are_listed_in_pages(store: Handle) {
    assert_eq!(keys(&store).await, BTreeSet::new());
    let all: BTreeSet<String> = (0..2 * MAX_PAGE + 1).map(|number| format!("key-{number}")).collect();
    for chunk in all.iter().collect::<Vec<_>>().chunks(MAX_BATCH_KEYS) {
        store.set_many(chunk.iter().map(|key| ((*key).clone(), bytes("v"))).collect()).await.unwrap();
    }
    let first = store.list_keys(None).await.unwrap();
    assert!(first.keys.len() < all.len() && first.cursor.is_some());
    assert_eq!(keys(&store).await, all);
    // What is removed on the way is listed or not, and the rest is there.
    store.delete(&first.keys[0]).await.unwrap();
    store.delete(first.keys.last().unwrap()).await.unwrap();
    let mut rest: BTreeSet<String> = first.keys.iter().cloned().collect();
    let mut cursor = first.cursor;
    while let Some(at) = cursor {
        let page = store.list_keys(Some(&at)).await.unwrap();
        rest.extend(page.keys);
        cursor = page.cursor;
    }
    assert_eq!(rest, all);
    assert!(matches!(store.list_keys(Some("")).await, Err(StoreError::InvalidCursor)));
    assert!(matches!(store.list_keys(Some(&"9".repeat(MAX_KEY + 1))).await, Err(StoreError::InvalidCursor)));
}

async fn numbers_are_incremented(store: Handle) {
    assert_eq!(store.increment("n", 5).await.unwrap(), 5);
    assert_eq!(store.increment("n", -7).await.unwrap(), -2);
    assert_eq!(store.get("n").await.unwrap(), Some(bytes("-2")));
    store.set("n", bytes("9223372036854775806")).await.unwrap();
    assert_eq!(store.increment("n", 1).await.unwrap(), i64::MAX);
    assert!(matches!(store.increment("n", 1).await, Err(StoreError::OutOfRange)));
    store.set("n", bytes("-9223372036854775808")).await.unwrap();
    assert!(matches!(store.increment("n", -1).await, Err(StoreError::OutOfRange)));
    for text in ["", "x", "1.5", " 1", "1 ", "+1", "01", "-0", "9223372036854775808"] {
        store.set("n", bytes(text)).await.unwrap();
        let incremented = store.increment("n", 1).await;
        assert!(matches!(incremented, Err(StoreError::NotANumber)), "{text:?}: {incremented:?}");
        assert_eq!(store.get("n").await.unwrap(), Some(bytes(text)));
    }
}

async fn no_increment_is_lost(store: Handle) {
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..10 {
                    store.increment("n", 1).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.get("n").await.unwrap(), Some(bytes("200")));
}

async fn a_swap_happens_only_on_what_is_expected(store: Handle) {
    assert_eq!(store.compare_and_swap("k", Some(bytes("")), bytes("1")).await.unwrap(), Swap::Changed(None));
    assert_eq!(store.compare_and_swap("k", None, bytes("1")).await.unwrap(), Swap::Swapped);
    assert_eq!(store.compare_and_swap("k", None, bytes("2")).await.unwrap(), Swap::Changed(Some(bytes("1"))));
    assert_eq!(
        store.compare_and_swap("k", Some(bytes("0")), bytes("2")).await.unwrap(),
        Swap::Changed(Some(bytes("1")))
    );
    assert_eq!(store.compare_and_swap("k", Some(bytes("1")), Bytes::new()).await.unwrap(), Swap::Swapped);
    assert_eq!(store.get("k").await.unwrap(), Some(Bytes::new()));
    assert_eq!(store.compare_and_swap("k", None, bytes("3")).await.unwrap(), Swap::Changed(Some(Bytes::new())));
}

async fn no_swap_is_lost(store: Handle) {
    let tasks: Vec<_> = (0..8_u8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..5 {
                    let mut current = store.get("log").await.unwrap();
                    loop {
                        let longer: Bytes = current.iter().flatten().copied().chain([task]).collect();
                        match store.compare_and_swap("log", current, longer).await.unwrap() {
                            Swap::Swapped => break,
                            Swap::Changed(now) => current = now,
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.get("log").await.unwrap().unwrap().len(), 40);
}

async fn batches_do_all(store: Handle) {
    store.set_many(vec![("a".into(), bytes("1")), ("b".into(), bytes("2")), ("a".into(), bytes("3"))]).await.unwrap();
    let wanted = ["b", "missing", "a", "b"].map(str::to_owned).to_vec();
    let found = store.get_many(wanted).await.unwrap();
    assert_eq!(found, [Some(bytes("2")), None, Some(bytes("3")), Some(bytes("2"))]);
    store.delete_many(vec!["a".into(), "missing".into()]).await.unwrap();
    assert_eq!(keys(&store).await, BTreeSet::from(["b".to_owned()]));
    assert_eq!(store.get_many(Vec::new()).await.unwrap(), []);
    store.set_many(Vec::new()).await.unwrap();
    store.delete_many(Vec::new()).await.unwrap();
}

async fn batches_are_bounded(store: Handle) {
    let many: Vec<String> = (0..=MAX_BATCH_KEYS).map(|number| number.to_string()).collect();
    assert!(matches!(store.get_many(many.clone()).await, Err(StoreError::BatchTooLarge)));
    assert!(matches!(store.delete_many(many.clone()).await, Err(StoreError::BatchTooLarge)));
    let entries: Vec<_> = many.into_iter().map(|key| (key, bytes("v"))).collect();
    assert!(matches!(store.set_many(entries).await, Err(StoreError::BatchTooLarge)));
    assert_eq!(keys(&store).await, BTreeSet::new());
    let third = Bytes::from(vec![0; MAX_BATCH_BYTES / 3 + 1]);
    let entries = vec![("a".into(), third.clone()), ("b".into(), third.clone()), ("c".into(), third.clone())];
    assert!(matches!(store.set_many(entries).await, Err(StoreError::BatchTooLarge)));
    store.set("a", third).await.unwrap();
    let thrice = vec!["a".to_owned(), "a".to_owned(), "a".to_owned()];
    assert!(matches!(store.get_many(thrice).await, Err(StoreError::BatchTooLarge)));
}

#[tokio::test]
async fn memory_does_all_of_it() {
    suite(|| open(&Backend::Memory).unwrap()).await;
}

#[tokio::test]
async fn redb_does_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    suite(|| {
        number += 1;
        file(&folder.path().join(format!("new/{number}.redb")))
    })
    .await;
}

#[tokio::test]
async fn redis_does_all_of_it() {
    let server = RedisServer::start();
    let mut database = 0;
    suite(|| {
        database += 1;
        redis(&server.address(database))
    })
    .await;
}

fn file(path: &Path) -> Handle {
    open(&Backend::Redb(path.to_owned())).unwrap()
}

fn redis(address: &str) -> Handle {
    open(&Backend::Redis(Secret::new(address.to_owned()))).unwrap()
}

#[tokio::test]
async fn a_store_in_memory_is_nobody_elses_and_has_an_end() {
    let (one, other) = (open(&Backend::Memory).unwrap(), open(&Backend::Memory).unwrap());
    one.set("k", bytes("1")).await.unwrap();
    assert_eq!(other.get("k").await.unwrap(), None);
    let large = Bytes::from(vec![0; MAX_VALUE]);
    let mut stored = 0;
    while one.set(&stored.to_string(), large.clone()).await.is_ok() {
        stored += 1;
    }
    assert_eq!(stored, 7);
    assert!(matches!(one.set("more", large.clone()).await, Err(StoreError::Full)));
    one.delete("0").await.unwrap();
    one.set("more", large.clone()).await.unwrap();
    one.set("more", large).await.unwrap();
}

#[tokio::test]
async fn a_file_is_opened_once_and_keeps_what_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv.redb");
    let one = file(&path);
    let other = file(&folder.path().join("../").join(folder.path().file_name().unwrap()).join("kv.redb"));
    one.set("k", bytes("1")).await.unwrap();
    assert_eq!(other.get("k").await.unwrap(), Some(bytes("1")));
    for number in 0..20 {
        // Opened again at once, while the writer of the one before may still be ending.
        let store = file(&path);
        assert_eq!(store.increment("n", 1).await.unwrap(), number + 1);
    }
    drop((one, other));
    assert_eq!(file(&path).get("k").await.unwrap(), Some(bytes("1")));
}

#[tokio::test]
async fn a_file_that_is_in_use_or_no_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv.redb");
    let held = redb::Database::create(&path).unwrap();
    let error = open(&Backend::Redb(path.clone())).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)), "{error:?}");
    assert!(error.to_string().ends_with("kv.redb is in use by another process"), "{error}");
    drop(held);
    drop(file(&path));
    let other = folder.path().join("other");
    std::fs::write(&other, b"certainly not a store").unwrap();
    assert!(matches!(open(&Backend::Redb(other)), Err(OpenError::File(..))));
    assert!(matches!(open(&Backend::Redb(folder.path().to_owned())), Err(OpenError::File(..))));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv.redb");
    for _ in 0..3 {
        let before = std::fs::metadata(folder.path().join("acknowledged")).map_or(0, |file| file.len());
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "increments_until_it_is_killed"])
            .env("KEYVALUE_FOLDER", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let acknowledged = || std::fs::metadata(folder.path().join("acknowledged")).map_or(0, |file| file.len());
        let started = std::time::Instant::now();
        while acknowledged() < before + 50 {
            assert!(
                started.elapsed().as_secs() < 60 && child.try_wait().unwrap().is_none(),
                "the child does not write"
            );
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let kept: u64 = {
            let kept = file(&path).get("n").await.unwrap().unwrap();
            std::str::from_utf8(&kept).unwrap().parse().unwrap()
        };
        assert!(kept >= acknowledged(), "{kept} of {} acknowledged", acknowledged());
    }
}

/// The child of the test above; by itself it does nothing.
#[tokio::test]
async fn increments_until_it_is_killed() {
    use std::io::Write;
    let Some(folder) = std::env::var_os("KEYVALUE_FOLDER").map(std::path::PathBuf::from) else { return };
    // The parent may only just have closed the file.
    let location = Backend::Redb(folder.join("kv.redb"));
    let store = loop {
        match open(&location) {
            Err(OpenError::InUse(_)) => std::thread::sleep(std::time::Duration::from_millis(5)),
            opened => break opened.unwrap(),
        }
    };
    let mut acknowledged =
        std::fs::OpenOptions::new().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    loop {
        store.increment("n", 1).await.unwrap();
        acknowledged.write_all(b".").unwrap();
    }
}

#[tokio::test]
async fn redis_comes_back() {
    let mut server = RedisServer::start();
    let store = redis(&server.address(0));
    store.set("k", bytes("1")).await.unwrap();
    server.stop();
    let error = store.get("k").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_) | StoreError::TimedOut), "{error:?}");
    server.restart();
    let started = std::time::Instant::now();
    while store.set("k", bytes("2")).await.is_err() {
        assert!(started.elapsed().as_secs() < 20, "the connection does not come back");
    }
    assert_eq!(store.get("k").await.unwrap(), Some(bytes("2")));
}

#[tokio::test]
async fn what_other_programs_keep_in_redis_does_no_harm() {
    let server = RedisServer::start();
    let mut other = ::redis::Client::open(server.address(0)).unwrap().get_multiplexed_async_connection().await.unwrap();
    let store = redis(&server.address(0));
    let _: () = ::redis::cmd("LPUSH").arg("list").arg("x").query_async(&mut other).await.unwrap();
    let _: () = ::redis::cmd("SET").arg(&[0xff_u8, 0xfe]).arg("x").query_async(&mut other).await.unwrap();
    let _: () = ::redis::cmd("SET").arg("huge").arg(vec![b'x'; MAX_VALUE + 1]).query_async(&mut other).await.unwrap();
    assert_eq!(keys(&store).await, BTreeSet::from(["huge".to_owned()]));
    assert!(matches!(store.get("list").await, Err(StoreError::WrongKind)));
    assert!(matches!(store.increment("list", 1).await, Err(StoreError::WrongKind)));
    assert!(matches!(store.compare_and_swap("list", None, bytes("1")).await, Err(StoreError::WrongKind)));
    assert!(matches!(store.get("huge").await, Err(StoreError::ValueTooLarge)));
    assert!(matches!(store.list_keys(Some("not a number")).await, Err(StoreError::InvalidCursor)));
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_an_error_in_time() {
    let store = redis("redis://:hunter2@127.0.0.1:1/0");
    let started = std::time::Instant::now();
    let error = store.get("k").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(started.elapsed().as_secs() < 10);
    assert!(!format!("{store:?} {error:?} {error}").contains("hunter2"));
}

#[test]
fn an_address_that_cannot_be_used_is_explained_without_its_password() {
    for address in ["rediss://:hunter2@h", "http://:hunter2@h", "redis://:hunter2@h:port", "redis://:hunter2@h/x"] {
        let error = open(&Backend::Redis(Secret::new(address.to_owned()))).unwrap_err();
        assert!(matches!(error, OpenError::Address(_)), "{address}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{address}");
    }
}
