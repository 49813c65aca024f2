//! Addresses that are not simply hosts on the public internet.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::normalise;

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A host on the public internet.
    Public,
    /// No address: `0.0.0.0/8` and `::`. Some systems take it for the host itself.
    Unspecified,
    /// The host itself.
    Loopback,
    /// A private network.
    Private,
    /// The network segment of the host.
    LinkLocal,
    /// A service of a cloud that hands out credentials.
    Metadata,
    /// Many hosts at once: multicast and broadcast.
    Multicast,
    /// Set aside for documentation, benchmarks, protocols or the future.
    Reserved,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Public => "public",
            Class::Unspecified => "unspecified",
            Class::Loopback => "loopback",
            Class::Private => "private",
            Class::LinkLocal => "link-local",
            Class::Metadata => "metadata",
            Class::Multicast => "multicast",
            Class::Reserved => "reserved",
        })
    }
}

/// A range of addresses with a purpose of its own.
#[derive(Debug)]
pub struct Special {
    /// The range.
    pub network: IpNet,
    /// What kind of place it is.
    pub class: Class,
    /// What it is for.
    pub purpose: &'static str,
    /// Who says so: an RFC, or the cloud whose service it is.
    pub reference: &'static str,
}

const fn v4(octets: [u8; 4], length: u8, class: Class, purpose: &'static str, reference: &'static str) -> Special {
    let [a, b, c, d] = octets;
    let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length));
    Special { network, class, purpose, reference }
}

const fn v6(parts: [u16; 8], length: u8, class: Class, purpose: &'static str, reference: &'static str) -> Special {
    let [a, b, c, d, e, f, g, h] = parts;
    let network = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length));
    Special { network, class, purpose, reference }
}

/// The IANA registries of special-purpose addresses (RFC 6890 and its updates), and the metadata services of clouds.
/// The longest prefix that contains an address decides; ranges that the registries call globally reachable are `Public`
/// where they lie inside one that is not. Prefixes that carry an IPv4 address are not here: [`normalise`] unwraps them.
#[rustfmt::skip]
static SPECIAL: [Special; 57] = [
    v4([0, 0, 0, 0], 8, Class::Unspecified, "this network", "RFC 791"),
    v4([10, 0, 0, 0], 8, Class::Private, "private network", "RFC 1918"),
    v4([100, 64, 0, 0], 10, Class::Private, "shared address space of carriers", "RFC 6598"),
    v4([127, 0, 0, 0], 8, Class::Loopback, "loopback", "RFC 1122"),
    v4([169, 254, 0, 0], 16, Class::LinkLocal, "link-local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, Class::Private, "private network", "RFC 1918"),
    v4([192, 0, 0, 0], 24, Class::Reserved, "protocol assignments", "RFC 6890"),
    v4([192, 0, 0, 9], 32, Class::Public, "port control protocol anycast", "RFC 7723"),
    v4([192, 0, 0, 10], 32, Class::Public, "TURN anycast", "RFC 8155"),
    v4([192, 0, 2, 0], 24, Class::Reserved, "documentation", "RFC 5737"),
    v4([192, 88, 99, 0], 24, Class::Reserved, "6to4 relay anycast, deprecated", "RFC 7526"),
    v4([192, 168, 0, 0], 16, Class::Private, "private network", "RFC 1918"),
    v4([198, 18, 0, 0], 15, Class::Reserved, "benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, Class::Reserved, "documentation", "RFC 5737"),
    v4([203, 0, 113, 0], 24, Class::Reserved, "documentation", "RFC 5737"),
    v4([224, 0, 0, 0], 4, Class::Multicast, "multicast", "RFC 5771"),
    v4([240, 0, 0, 0], 4, Class::Reserved, "reserved for future use", "RFC 1112"),
    v4([255, 255, 255, 255], 32, Class::Multicast, "limited broadcast", "RFC 919"),
    // Of IPv6, only 2000::/3 is global unicast (RFC 4291 section 2.4); the rest is cut into blocks that leave it out, so
    // that no rule as wide as `::/0` lies inside one.
    v6([0, 0, 0, 0, 0, 0, 0, 0], 3, Class::Reserved, "outside global unicast", "RFC 4291"),
    v6([0x4000, 0, 0, 0, 0, 0, 0, 0], 2, Class::Reserved, "outside global unicast", "RFC 4291"),
    v6([0x8000, 0, 0, 0, 0, 0, 0, 0], 1, Class::Reserved, "outside global unicast", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, Class::Unspecified, "unspecified", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 0x1], 128, Class::Loopback, "loopback", "RFC 4291"),
    v6([0x64, 0xff9b, 0x1, 0, 0, 0, 0, 0], 48, Class::Reserved, "local translation to IPv4", "RFC 8215"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Class::Reserved, "discard only", "RFC 6666"),
    v6([0x100, 0, 0, 0x1, 0, 0, 0, 0], 64, Class::Reserved, "dummy prefix", "RFC 9780"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Class::Reserved, "protocol assignments", "RFC 2928"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Class::Reserved, "Teredo", "RFC 4380"),
    v6([0x2001, 0x1, 0, 0, 0, 0, 0, 0x1], 128, Class::Public, "port control protocol anycast", "RFC 7723"),
    v6([0x2001, 0x1, 0, 0, 0, 0, 0, 0x2], 128, Class::Public, "TURN anycast", "RFC 8155"),
    v6([0x2001, 0x1, 0, 0, 0, 0, 0, 0x3], 128, Class::Public, "DNS-SD registration anycast", "RFC 9665"),
    v6([0x2001, 0x2, 0, 0, 0, 0, 0, 0], 48, Class::Reserved, "benchmarking", "RFC 5180"),
    v6([0x2001, 0x3, 0, 0, 0, 0, 0, 0], 32, Class::Public, "multicast tunneling relays", "RFC 7450"),
    v6([0x2001, 0x4, 0x112, 0, 0, 0, 0, 0], 48, Class::Public, "AS112", "RFC 7535"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, Class::Reserved, "ORCHID, deprecated", "RFC 4843"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, Class::Public, "ORCHIDv2", "RFC 7343"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, Class::Public, "drone remote identification", "RFC 9374"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Class::Reserved, "documentation", "RFC 3849"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Class::Reserved, "documentation", "RFC 9637"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Class::Reserved, "segment routing identifiers", "RFC 9602"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Class::Private, "unique local", "RFC 4193"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Class::LinkLocal, "link-local", "RFC 4291"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Class::Private, "site-local, deprecated", "RFC 3879"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Class::Multicast, "multicast", "RFC 4291"),
    // Services that hand credentials to whoever can reach them. Each is its own block, so that naming the range around
    // it does not name it.
    v4([169, 254, 169, 254], 32, Class::Metadata, "instance metadata", "Amazon, Azure, Google and others"),
    v4([169, 254, 170, 2], 32, Class::Metadata, "task credentials", "Amazon ECS"),
    v4([169, 254, 170, 23], 32, Class::Metadata, "pod identity", "Amazon EKS"),
    v4([169, 254, 0, 23], 32, Class::Metadata, "instance metadata", "Tencent"),
    v4([169, 254, 42, 42], 32, Class::Metadata, "instance metadata", "Scaleway"),
    v4([100, 100, 100, 200], 32, Class::Metadata, "instance metadata", "Alibaba"),
    v4([168, 63, 129, 16], 32, Class::Metadata, "platform agent", "Azure"),
    v4([192, 0, 0, 192], 32, Class::Metadata, "instance metadata", "Oracle"),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128, Class::Metadata, "instance metadata", "Amazon"),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128, Class::Metadata, "pod identity", "Amazon EKS"),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, Class::Metadata, "instance metadata", "Google"),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128, Class::Metadata, "instance metadata", "Scaleway"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128, Class::Metadata, "instance metadata", "OpenStack"),
];

/// The special range that `address`, once normalised, lies in: the narrowest one. `None` is a public address.
pub fn special(address: IpAddr) -> Option<&'static Special> {
    let address = normalise(address);
    SPECIAL
        .iter()
        .filter(|special| special.network.contains(&address))
        .max_by_key(|special| special.network.prefix_len())
        .filter(|special| special.class != Class::Public)
}

/// What kind of place `address`, once normalised, is.
pub fn classify(address: IpAddr) -> Class {
    special(address).map_or(Class::Public, |special| special.class)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_fall_into_their_class() {
        for (address, class) in [
            ("1.1.1.1", Class::Public),
            ("8.8.8.8", Class::Public),
            ("192.0.0.9", Class::Public),
            ("172.32.0.1", Class::Public),
            ("2606:4700::1111", Class::Public),
            ("2001:20::1", Class::Public),
            ("0.0.0.0", Class::Unspecified),
            ("0.1.2.3", Class::Unspecified),
            ("::", Class::Unspecified),
            ("127.0.0.1", Class::Loopback),
            ("127.255.255.255", Class::Loopback),
            ("::1", Class::Loopback),
            ("::ffff:127.0.0.1", Class::Loopback),
            ("10.0.0.1", Class::Private),
            ("172.16.0.1", Class::Private),
            ("172.31.255.255", Class::Private),
            ("192.168.1.1", Class::Private),
            ("100.64.0.1", Class::Private),
            ("fd12:3456::1", Class::Private),
            ("64:ff9b::10.0.0.1", Class::Private),
            ("2002:c0a8:0101::1", Class::Private),
            ("169.254.1.1", Class::LinkLocal),
            ("fe80::1", Class::LinkLocal),
            ("169.254.169.254", Class::Metadata),
            ("fd00:ec2::254", Class::Metadata),
            ("64:ff9b::169.254.169.254", Class::Metadata),
            ("168.63.129.16", Class::Metadata),
            ("224.0.0.1", Class::Multicast),
            ("255.255.255.255", Class::Multicast),
            ("ff02::1", Class::Multicast),
            ("192.0.2.1", Class::Reserved),
            ("198.19.255.255", Class::Reserved),
            ("240.0.0.1", Class::Reserved),
            ("64:ff9b:1::7f00:1", Class::Reserved),
            ("2001:0:53aa::1", Class::Reserved),
            ("2001:db8::1", Class::Reserved),
            ("4000::1", Class::Reserved),
            ("5f00::1", Class::Reserved),
        ] {
            assert_eq!(classify(address.parse().unwrap()), class, "{address}");
        }
    }

    #[test]
    fn the_table_has_no_entry_twice_and_none_with_bits_below_its_prefix() {
        for (index, special) in SPECIAL.iter().enumerate() {
            assert_eq!(special.network, special.network.trunc(), "{special:?}");
            assert!(SPECIAL[index + 1..].iter().all(|other| other.network != special.network), "{special:?}");
        }
    }

    proptest! {
        /// The standard library's own predicates are a second opinion.
        #[test]
        fn agrees_with_the_standard_library(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let class = classify(IpAddr::V4(address));
            prop_assert_eq!(address.is_loopback(), class == Class::Loopback);
            prop_assert_eq!(address.is_multicast() || address.is_broadcast(), class == Class::Multicast);
            prop_assert!(!address.is_private() || class == Class::Private);
            prop_assert!(!address.is_link_local() || matches!(class, Class::LinkLocal | Class::Metadata));
        }

        /// However an IPv4 address is wrapped, it stays what it is.
        #[test]
        fn wrapping_changes_no_class(bits: u32) {
            let inside = Ipv4Addr::from_bits(bits);
            let class = classify(IpAddr::V4(inside));
            prop_assert_eq!(classify(IpAddr::V6(inside.to_ipv6_mapped())), class);
            let nat64 = Ipv6Addr::from_bits((0x0064_ff9b_u128 << 96) | u128::from(bits));
            prop_assert_eq!(classify(IpAddr::V6(nat64)), class);
            let six_to_four = Ipv6Addr::from_bits((0x2002_u128 << 112) | (u128::from(bits) << 80) | 1);
            prop_assert_eq!(classify(IpAddr::V6(six_to_four)), class);
        }
    }
}
