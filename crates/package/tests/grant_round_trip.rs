//! Grants read what they write and write what they read, for any of them; and no text makes their readers panic.

use std::fmt::{Debug, Display};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use coracle_package::fault::SyntaxError;
use coracle_package::grant::{
    Access, Assignment, DirGrant, HostPattern, IpNet, KeyValueBackend, KeyValueGrant, NetGrant, Ports, Quota,
    Transport, parse_listen,
};
use coracle_package::unit::{format_duration, format_size, parse_duration, parse_size};
use proptest::prelude::*;

fn assert_round_trip<T: FromStr<Err = SyntaxError> + Display + Debug + PartialEq>(value: &T) {
    assert_eq!(value.to_string().parse().as_ref(), Ok(value));
}

/// What `text` reads as, if it does, is written as a text that reads the same.
fn assert_stable<T: FromStr<Err = SyntaxError> + Display + Debug + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_round_trip(&value);
    }
}

fn host() -> impl Strategy<Value = HostPattern> {
    let name = || "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?(\\.[a-z][a-z0-9]{0,8}){0,3}";
    let v4 =
        (any::<u32>(), 0..=32_u8).prop_map(|(bits, length)| IpNet::new_assert(Ipv4Addr::from(bits).into(), length));
    let v6 = (any::<u128>(), 0..=128_u8)
        .prop_filter("an IPv4-mapped address has one spelling, that of IPv4", |(bits, _)| bits >> 32 != 0xffff)
        .prop_map(|(bits, length)| IpNet::new_assert(Ipv6Addr::from(bits).into(), length));
    let network = prop_oneof![v4, v6].prop_map(|network| HostPattern::Network(network.trunc()));
    prop_oneof![name().prop_map(HostPattern::Name), name().prop_map(HostPattern::Suffix), network]
}

fn net() -> impl Strategy<Value = NetGrant> {
    let transport =
        prop_oneof![Just(Transport::Any), Just(Transport::Tcp), Just(Transport::Udp), Just(Transport::Http)];
    let ports = (1..=u16::MAX, 1..=u16::MAX).prop_map(|(a, b)| Ports { first: a.min(b), last: a.max(b) });
    (transport, host(), ports).prop_map(|(transport, host, ports)| NetGrant { transport, host, ports })
}

fn dir() -> impl Strategy<Value = DirGrant> {
    let quota = (1_u64..1 << 50, 0_u64..1 << 40).prop_map(|(bytes, files)| Quota { bytes, files });
    let access = prop_oneof![
        Just(Access::ReadOnly),
        Just(Access::ReadWrite(None)),
        quota.prop_map(|quota| Access::ReadWrite(Some(quota)))
    ];
    ("(\\.|\\./|/|C:\\\\)[a-zA-Z0-9 _é.-]{0,12}", "/[a-z0-9_ é-]{0,12}", access)
        .prop_map(|(host, guest, access)| DirGrant { host: host.into(), guest, access })
}

proptest! {
    #[test]
    fn net_grants_round_trip(grant in net()) {
        assert_round_trip(&grant);
    }

    #[test]
    fn dir_grants_round_trip(grant in dir()) {
        assert_round_trip(&grant);
    }

    #[test]
    fn keyvalue_grants_round_trip(name in "[a-z-]{1,8}", path in "[^\0]{1,20}", redb in any::<bool>()) {
        let backend = if redb { KeyValueBackend::Redb(path.into()) } else { KeyValueBackend::Memory };
        if name.trim() == name {
            assert_round_trip(&KeyValueGrant { name, backend });
        }
    }

    #[test]
    fn sizes_and_durations_round_trip(bytes in any::<u64>(), micros in any::<u64>()) {
        prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        let duration = std::time::Duration::from_micros(micros);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn no_text_panics_and_what_reads_is_stable(text in any::<String>()) {
        assert_all_stable(&text);
    }

    #[test]
    fn no_text_that_looks_like_a_grant_panics(text in "(tcp|udp|https?|redb|redis)?(:|://)?[]\\[a0x1*./:@=-]{0,24}(:ro)?") {
        assert_all_stable(&text);
    }
}

fn assert_all_stable(text: &str) {
    assert_stable::<NetGrant>(text);
    assert_stable::<DirGrant>(text);
    assert_stable::<HostPattern>(text);
    assert_stable::<Ports>(text);
    assert_stable::<Assignment>(text);
    assert!(!text.parse::<NetGrant>().is_ok_and(|grant| grant.ports.first == 0));
    let _ = (parse_listen(text), parse_size(text), parse_duration(text), text.parse::<KeyValueGrant>());
}
