//! A component that reaches for what another one keeps.

use std::time::{Duration, Instant};

use support::client;

use crate::case::{Case, Seen};
use crate::guest::Guest;
use crate::stage::Stage;

/// What the other component keeps.
const SECRET: &str = "the-victims-own-words";

/// The other component, with stores of the same name and kind.
const VICTIM: &str = r#"
    [component.victim]
    source = "@store-rust"
    grants = { keyvalue = { default = "memory", orders = "redb:orders.redb" } }
    [[route]]
    path = "/victim/*"
    component = "victim"
"#;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("another's key-value store", Guest::Sample("store-rust"), |stage| async move { read(&stage).await })
            .manifest("grants = { keyvalue = { default = 'memory' } }")
            .beside(VICTIM),
    ]
}

async fn read(stage: &Stage) -> Seen {
    for store in ["default", "orders"] {
        let kept = client::post(stage.address, &format!("/victim/keyvalue?store={store}&key=hidden"), SECRET).await;
        assert_eq!(kept.status, 200, "{kept:?}");
    }
    let began = Instant::now();
    let mut time = Duration::ZERO;
    for store in ["default", "orders", "victim/default", "../orders", "redb:orders.redb", "orders.redb", "memory", ""] {
        for (path, status) in [
            (format!("/keyvalue?key=hidden&store={store}"), if store == "default" { 404 } else { 403 }),
            (format!("/keys?store={store}"), if store == "default" { 200 } else { 403 }),
        ] {
            let asked = stage.ask(&path).await;
            assert_eq!(asked.status, status, "{path}: {}", asked.body);
            assert!(!asked.body.contains(SECRET) && asked.body.trim() != "hidden", "{path}: {}", asked.body);
            time = time.max(asked.time);
        }
    }
    let own = client::get(stage.address, "/victim/keyvalue?key=hidden").await;
    assert_eq!(own.text(), SECRET, "what is kept stays, {:?} later", began.elapsed());
    Seen { outcome: "refused".to_owned(), time }
}
