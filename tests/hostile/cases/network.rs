//! Guests that reach for what is inside: the metadata service of a cloud, the host itself, the network around it.

use std::time::Duration;

use crate::case::{Case, Seen};
use crate::command::Run;
use crate::guest::Guest;
use crate::stage::Stage;

const PROBE: Guest = Guest::Sample("probe-rust");

/// All of the internet is granted, which names nothing that is not on it.
const INTERNET: &str = "grants = { net = ['0.0.0.0/0:*', '[::/0]:*'] }";

/// The metadata service, as five readers of addresses and more would spell it.
const METADATA: [&str; 9] = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
];

/// Other places that the internet does not hold.
const INSIDE: [&str; 9] =
    ["127.0.0.1", "localhost", "0.0.0.0", "10.0.0.1", "192.168.0.1", "100.64.0.1", "[::1]", "[fe80::1]", "[fd00::1]"];

pub fn cases() -> Vec<Case> {
    let run = |arguments| Run {
        flags: &["--net", "0.0.0.0/0:*", "--net", "[::/0]:*"],
        arguments,
        exit: 1,
        says: "Denied",
        memory: 128,
    };
    vec![
        Case::new("metadata address, nine spellings", PROBE, |stage| async move { refused(&stage, &METADATA).await })
            .manifest(INTERNET)
            .run_as(run(&["--", "outbound", "url=http://[64:ff9b::a9fe:a9fe]/latest/meta-data"])),
        Case::new("addresses of the inside", PROBE, |stage| async move { refused(&stage, &INSIDE).await })
            .manifest(INTERNET)
            .run_as(run(&["--", "outbound", "url=http://0x7f.1/"])),
        Case::new("everything, with no grant", PROBE, |stage| async move { refused(&stage, &METADATA).await }),
    ]
}

/// By an outbound request, by a socket and by a look-up.
async fn refused(stage: &Stage, hosts: &[&str]) -> Seen {
    let mut time = Duration::ZERO;
    for host in hosts {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        for path in [
            format!("/outbound?url=http://{host}/latest/meta-data/"),
            format!("/outbound?url=http://{host}:{}/", stage.address.port()),
            format!("/connect?address={host}:{}", stage.address.port()),
            format!("/lookup?name={name}"),
        ] {
            let asked = stage.ask(&path).await;
            assert_eq!(asked.status, 403, "{path}: {}", asked.body);
            // A socket of WASI is for one family, and takes no address that stands for another, nor one that is none.
            if !path.starts_with("/connect") || !asked.body.starts_with("invalid-argument") {
                assert!(
                    asked.body.contains("denied") || asked.body.contains("Denied"),
                    "it is refused, and not tried: {path}: {}",
                    asked.body
                );
                assert!(!support::text(&asked.line, "refused").is_empty(), "{path}: {}", asked.line);
            }
            time = time.max(asked.time);
        }
    }
    Seen { outcome: "refused".to_owned(), time }
}
