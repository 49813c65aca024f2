//! Guests that want out of the folders they were granted, or more of them than they were granted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::case::{Case, Seen};
use crate::command::Run;
use crate::guest::Guest;
use crate::stage::Stage;

const PROBE: Guest = Guest::Sample("probe-rust");

/// What lies outside of every granted folder, and what lies in one that may only be read.
const SECRET: &str = "the-operators-own-words";

/// Ways to `secret`, which lies beside the granted folder, and to other things that are not in it.
const ESCAPES: [&str; 31] = [
    "/open/../secret",
    "/open/inner/../../secret",
    "/open//../secret",
    "/open/./.././secret",
    "/open/file/../../secret",
    "/open/missing/../../secret",
    "/open/inner/../../../../../../../../../etc/passwd",
    "/open//etc/passwd",
    "/open/../secret/",
    "/open/..",
    "/open/../&list",
    "/open/../open/../secret",
    // By links that lead out: the guest may make them, and nobody follows them.
    "/open/out",
    "/open/out/",
    "/open/out/.",
    "/open/up/secret",
    "/open/up/&list",
    "/open/up/open/up/secret",
    "/open/inner/up/secret",
    "/open/root/etc/passwd",
    "/open/chain",
    "/open/proc/cwd/coracle.toml",
    "/open/host-link",
    "/open/out&write=changed",
    "/open/up/new&write=new",
    "/open/up/new&mkdir",
    "/open/out&truncate=0",
    "/open/out&touch",
    "/open/../secret&remove",
    "/open/up/outside&rmdir",
    "/open/../new&write=new",
];

/// Things that are brought in or out by another name.
const MOVES: [&str; 8] = [
    "/open/../secret&rename=/open/mine",
    "/open/../secret&hardlink=/open/mine",
    "/open/up/secret&rename=/open/mine",
    "/open/up/secret&hardlink=/open/mine",
    "/open/file&rename=/open/../new",
    "/open/file&hardlink=/open/../new",
    "/open/file&rename=/open/up/new",
    "/open/file&hardlink=/open/up/new",
];

/// Whatever would change a folder that may only be read, or what is in it.
const CHANGES: [&str; 13] = [
    "/shut/file&write=changed",
    "/shut/file&truncate=0",
    "/shut/file&truncate=1000000",
    "/shut/file&touch",
    "/shut/file&remove",
    "/shut/new&write=new",
    "/shut/new&mkdir",
    "/shut/new&link=file",
    "/shut/file&rename=/shut/new",
    "/shut/file&rename=/open/new",
    "/shut/file&hardlink=/shut/new",
    // Under a name where it could be changed.
    "/shut/file&hardlink=/open/new",
    "/open/file&rename=/shut/new",
];

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("path escapes", PROBE, |stage| async move { escapes(&stage).await })
            .manifest("grants = { dirs = ['./open::/open'] }")
            .prepare(|app| lay_out(app.path()))
            .run_as(Run {
                flags: &["--dir", ".::/open"],
                arguments: &["--", "fs", "path=/open/../../../../../../../etc/passwd"],
                exit: 1,
                says: "not-permitted",
                memory: 128,
            }),
        Case::new("changes by a read-only grant", PROBE, |stage| async move { changes(&stage).await })
            .manifest("grants = { dirs = ['./open::/open', './shut::/shut:ro'] }")
            .prepare(|app| lay_out(app.path()))
            .run_as(Run {
                flags: &["--dir", ".::/shut:ro"],
                arguments: &["--", "fs", "path=/shut/guest.wasm", "truncate=0"],
                exit: 1,
                says: "not-permitted",
                memory: 128,
            }),
        Case::new("disk fill", PROBE, |stage| async move { fill(&stage).await })
            .manifest("grants = { dirs = ['./open::/open:quota=1 MiB,20', './outside::/outside'] }")
            .prepare(|app| lay_out(app.path()))
            .run_as(Run {
                flags: &["--dir", ".::/open:quota=1 MiB"],
                arguments: &["--", "fs", "path=/open/new", "fill=1000000000"],
                exit: 0,
                says: ", then quota",
                memory: 128,
            }),
    ]
}

/// Bytes and files that a guest may hold in the case of [`fill`], as its grant says.
const QUOTA: (u64, usize) = (1 << 20, 20);

/// Guests that fill a folder by every way to write, and go over its quota by none; what is deleted makes room again.
async fn fill(stage: &Arc<Stage>) -> Seen {
    let app = stage.app.path();
    lay_out(app);
    std::fs::write(app.join("outside/large"), vec![b'x'; 2 << 20]).expect("a file");
    let ask = async |query: &str| {
        let asked = stage.ask(&format!("/fs?path={query}")).await;
        assert_eq!(asked.outcome, "ok", "{}", asked.line);
        asked
    };
    // More than what the stream before has left, which writes 4 KiB at a time.
    let block = format!("/open/new&write={}", "x".repeat(4096));
    let mut time = Duration::ZERO;
    for (query, says) in [
        ("/open/stream&fill=1000000000", ", then quota"),
        (&*block, "quota"),
        ("/open/file&truncate=1048577", "quota"),
        ("/open/many&files=1000000", " files, then quota"),
        ("/open/folder&mkdir", "quota"),
        ("/open/link&link=file", "quota"),
        ("/open/file&hardlink=/open/again", "quota"),
        // The folder is like a disk of its own: nothing moves in or out of it but by being copied.
        ("/outside/large&rename=/open/large", "cross-device"),
        ("/outside/large&hardlink=/open/large", "cross-device"),
    ] {
        let asked = ask(query).await;
        assert!(asked.body.contains(says), "{query}: {}", asked.body);
        time = time.max(asked.time);
        let held = held(&app.join("open"));
        assert!(held.0 <= QUOTA.0 && held.1 <= QUOTA.1, "{query}: {held:?} is more than {QUOTA:?}");
    }
    let each = (0..16).map(|number| {
        let path = format!("/fs?path=/open/{number}&fill=1000000");
        async move { stage.ask(&path).await }
    });
    ask("/open/stream&remove").await;
    join_all(each).await;
    let after = held(&app.join("open"));
    assert!(after.0 <= QUOTA.0 && after.1 <= QUOTA.1, "by many at once: {after:?} is more than {QUOTA:?}");
    assert!(after.0 > QUOTA.0 / 2, "what was removed has made room: {after:?}");
    Seen { outcome: "quota".to_owned(), time }
}

/// Bytes and entries in a folder and all below.
fn held(folder: &Path) -> (u64, usize) {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.fold((0, 0), |(bytes, files), entry| {
        let about = entry.metadata().expect("an entry");
        let (more, below) = if about.is_dir() { held(&entry.path()) } else { (about.len(), 0) };
        (bytes + more, files + 1 + below)
    })
}

/// Folders as they are before every round: one to write, one to read, and what nobody may see.
fn lay_out(app: &Path) {
    for folder in ["open", "shut", "outside"] {
        // It is not there the first time.
        let _ = std::fs::remove_dir_all(app.join(folder));
        std::fs::create_dir(app.join(folder)).expect("a folder");
    }
    std::fs::create_dir(app.join("open/inner")).expect("a folder");
    std::fs::write(app.join("open/file"), "a file").expect("a file");
    for file in ["secret", "shut/file", "outside/file"] {
        std::fs::write(app.join(file), SECRET).expect("a file");
    }
    std::os::unix::fs::symlink("../secret", app.join("open/host-link")).expect("a link");
}

async fn escapes(stage: &Arc<Stage>) -> Seen {
    let app = stage.app.path();
    lay_out(app);
    let before = names(app);
    for link in [
        "/open/out&link=../secret",
        "/open/up&link=..",
        "/open/inner/up&link=../..",
        "/open/root&link=/",
        "/open/chain&link=up/secret",
        "/open/proc&link=/proc/self",
    ] {
        // Whether such a link can be made is the host's choice; what it leads to is not reached either way.
        stage.ask(&format!("/fs?path={link}")).await;
    }
    let mut time = Duration::ZERO;
    for path in ESCAPES.iter().chain(&MOVES) {
        let asked = stage.ask(&format!("/fs?path={path}")).await;
        assert_eq!((asked.status, asked.outcome.as_str()), (403, "ok"), "{path}: {}", asked.body);
        assert!(!asked.body.contains(SECRET) && !asked.body.contains("root:"), "{path}: {}", asked.body);
        time = time.max(asked.time);
    }
    race(stage).await;
    assert_eq!(names(app), before, "nothing came or went outside of the granted folder");
    for file in ["secret", "shut/file", "outside/file"] {
        assert_eq!(std::fs::read_to_string(app.join(file)).expect("a file"), SECRET, "{file} is as it was");
    }
    Seen { outcome: "refused".to_owned(), time }
}

/// What is a folder at one moment is a link out of it at the next, while others go through it.
async fn race(stage: &Arc<Stage>) {
    let each = (0..40).map(|number| {
        let path = match number % 4 {
            0 => "/open/inner&rename=/open/swap",
            1 => "/open/up&rename=/open/swap",
            2 => "/open/swap/secret",
            _ => "/open/swap&rename=/open/inner",
        };
        async move { stage.ask(&format!("/fs?path={path}")).await }
    });
    for asked in join_all(each).await {
        assert_eq!(asked.outcome, "ok", "{}", asked.line);
        assert!(!asked.body.contains(SECRET), "{}", asked.body);
    }
}

async fn changes(stage: &Arc<Stage>) -> Seen {
    let app = stage.app.path();
    lay_out(app);
    let about = |file: &str| {
        let metadata = std::fs::metadata(app.join(file)).expect("a file");
        (metadata.len(), metadata.modified().expect("a time"), metadata.accessed().expect("a time"))
    };
    let before = about("shut/file");
    let mut time = Duration::ZERO;
    for path in CHANGES {
        let asked = stage.ask(&format!("/fs?path={path}")).await;
        assert_eq!((asked.status, asked.outcome.as_str()), (403, "ok"), "{path}: {}", asked.body);
        time = time.max(asked.time);
    }
    assert_eq!(about("shut/file"), before, "neither its size nor its times have changed");
    assert_eq!(std::fs::read_to_string(app.join("shut/file")).expect("a file"), SECRET);
    assert_eq!(std::fs::read_dir(app.join("shut")).expect("a folder").count(), 1);
    assert!(!app.join("open/new").exists());
    Seen { outcome: "refused".to_owned(), time }
}

/// Everything that lies beside the granted folder.
fn names(app: &Path) -> Vec<String> {
    let names = std::fs::read_dir(app).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
