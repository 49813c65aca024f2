//! What reads as a grant is written as a text that reads the same, and no network grant holds what was not written.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use coracle_package::digest::Digest;
use coracle_package::grant::{
    Assignment, DirGrant, HostPattern, KeyValueBackend, KeyValueGrant, NetGrant, Ports, parse_listen,
};
use coracle_package::limit::{KEYS, Limits};
use coracle_package::unit::{format_duration, format_size, parse_duration, parse_size};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    stable::<DirGrant>(text);
    stable::<Assignment>(text);
    stable::<Ports>(text);
    stable::<Digest>(text);
    if let Some(grant) = stable::<NetGrant>(text) {
        assert!(0 < grant.ports.first && grant.ports.first <= grant.ports.last);
    }
    match stable::<HostPattern>(text) {
        Some(HostPattern::Name(name) | HostPattern::Suffix(name)) => {
            assert!(name.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_uppercase()) && !name.ends_with('.'));
            // No resolver may take a name for an address.
            assert!(!name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())));
        }
        Some(HostPattern::Network(network)) => assert_eq!(network.trunc(), network),
        None => {}
    }
    if let Ok(KeyValueGrant { backend: KeyValueBackend::Redis(url), .. }) = text.parse::<KeyValueGrant>() {
        assert!(url.has_login() || url.to_string() == url.expose());
    }
    if let Ok(address) = parse_listen(text) {
        assert_eq!(parse_listen(&address.to_string()), Ok(address));
    }
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&format_size(size)), Ok(size));
    }
    if let Ok(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
    let mut limits = Limits::http();
    for key in KEYS {
        let _ = key.set(&mut limits, text);
    }
});

/// The value that `text` reads as, which is written as a text that reads the same.
fn stable<T: FromStr + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let written = value.to_string();
    let again = written.parse().ok();
    assert_eq!(again.as_ref(), Some(&value), "{written:?}");
    Some(value)
}
