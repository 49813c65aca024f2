//! One form for every spelling of an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// Bits of an IPv4 address.
const IPV4_BITS: u8 = 32;

/// IPv6 prefixes that carry an IPv4 address, with the bit at which it starts. What is sent to such an address reaches
/// the IPv4 address inside (by the kernel, by a NAT64 gateway, by a 6to4 relay), so that is the one to judge.
const EMBEDDINGS: [(Ipv6Addr, u8); 5] = [
    // IPv4-compatible, RFC 4291 section 2.5.5.1 (deprecated); `::` and `::1` are their own.
    (Ipv6Addr::UNSPECIFIED, 96),
    // IPv4-mapped, RFC 4291 section 2.5.5.2.
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    // IPv4-translated, RFC 2765 section 2.1.
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    // NAT64 well-known prefix, RFC 6052 section 2.1.
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    // 6to4, RFC 3056 section 2.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// The address that traffic to `address` reaches: the IPv4 address inside an IPv6 one that carries it (IPv4-mapped,
/// IPv4-compatible, IPv4-translated, NAT64 `64:ff9b::/96`, 6to4), else `address` itself.
///
/// Normalising twice changes nothing.
pub fn normalise(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => embedding(v6).map_or(address, |start| IpAddr::V4(embedded(v6, start))),
        IpAddr::V4(_) => address,
    }
}

/// The network that traffic to `network` reaches, by the same rule as [`normalise`].
pub(super) fn normalise_network(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network.trunc() };
    match embedding(v6.addr()) {
        Some(start) if v6.prefix_len() >= start => {
            let length = (v6.prefix_len() - start).min(IPV4_BITS);
            IpNet::V4(Ipv4Net::new_assert(embedded(v6.addr(), start), length).trunc())
        }
        _ => network.trunc(),
    }
}

/// The bit of `address` at which the IPv4 address inside starts.
fn embedding(address: Ipv6Addr) -> Option<u8> {
    if address.is_unspecified() || address.is_loopback() {
        return None;
    }
    let bits = address.to_bits();
    EMBEDDINGS
        .iter()
        .find(|(prefix, length)| (bits ^ prefix.to_bits()) >> (128 - length) == 0)
        .map(|embedding| embedding.1)
}

fn embedded(address: Ipv6Addr, start: u8) -> Ipv4Addr {
    let octets = address.octets();
    let first = usize::from(start / 8);
    Ipv4Addr::new(octets[first], octets[first + 1], octets[first + 2], octets[first + 3])
}

/// Reads `host` as an address, in any spelling that a resolver on some system takes for one, and normalises it.
///
/// That is IPv6 text with or without brackets, and for IPv4 what `inet_aton` reads: one to four parts, each decimal,
/// octal (`0177`) or hexadecimal (`0x7f`), the last part filling what is left (`127.1`, `2130706433`), and a trailing
/// dot. `None` means that it is a name.
pub fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(v6) = bare.parse::<Ipv6Addr>() {
        return Some(normalise(IpAddr::V6(v6)));
    }
    inet_aton(host.strip_suffix('.').unwrap_or(host)).map(IpAddr::V4)
}

fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    /// An IPv4 address has four octets, so text has at most as many parts.
    const PARTS: usize = 4;
    let mut parts = [0_u32; PARTS];
    let mut count = 0;
    for part in text.split('.') {
        *parts.get_mut(count)? = number(part)?;
        count += 1;
    }
    let (last, octets) = parts[..count].split_last()?;
    // The last part fills the octets that the others leave.
    let room = 32 - 8 * u32::try_from(octets.len()).ok()?;
    if octets.iter().any(|octet| *octet > 0xff) || u64::from(*last) >> room != 0 {
        return None;
    }
    let high = octets.iter().fold(0_u32, |bits, octet| (bits << 8) | octet);
    Some(Ipv4Addr::from_bits(u32::try_from((u64::from(high) << room) | u64::from(*last)).ok()?))
}

fn number(part: &str) -> Option<u32> {
    let (digits, radix) = match part.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&part[2..], 16),
        [b'0', _, ..] => (&part[1..], 8),
        _ => (part, 10),
    };
    // `0x` alone is zero to some readers; a sign is a number to Rust but not to them.
    match digits {
        "" if radix == 16 => Some(0),
        _ if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(digits, radix).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_spelling_of_the_metadata_address_is_one() {
        for spelling in [
            "169.254.169.254",
            "169.254.169.254.",
            "169.254.43518",
            "169.16689662",
            "2852039166",
            "0xa9fea9fe",
            "0XA9.0xFe.0xa9.0xFE",
            "0251.0376.0251.0376",
            "025177524776",
            "169.0xfe.0251.254",
            "::ffff:169.254.169.254",
            "[::ffff:a9fe:a9fe]",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
        ] {
            assert_eq!(literal(spelling), Some(ip("169.254.169.254")), "{spelling}");
        }
    }

    #[test]
    fn names_are_no_addresses() {
        for name in [
            "",
            ".",
            "..",
            "1..2",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3.256",
            "1.2.65536",
            "4294967296",
            "08",
            "0x1g",
            "+1",
            "-1",
            "1 ",
            "example.com",
            "1.example",
            "0xg",
            "١",
            "fe80::1%eth0",
            "[1.2.3.4",
            "a",
            "f.f",
        ] {
            assert_eq!(literal(name), None, "{name:?}");
        }
    }

    #[test]
    fn short_forms_fill_the_rest() {
        assert_eq!(literal("127.1"), Some(ip("127.0.0.1")));
        assert_eq!(literal("0"), Some(ip("0.0.0.0")));
        assert_eq!(literal("0x"), Some(ip("0.0.0.0")));
        assert_eq!(literal("10.65535"), Some(ip("10.0.255.255")));
        assert_eq!(literal("4294967295"), Some(ip("255.255.255.255")));
    }

    #[test]
    fn networks_that_carry_ipv4_become_ipv4_networks() {
        let network = |text: &str| normalise_network(text.parse().unwrap()).to_string();
        assert_eq!(network("::ffff:10.0.0.0/104"), "10.0.0.0/8");
        assert_eq!(network("64:ff9b::10.1.0.0/112"), "10.1.0.0/16");
        assert_eq!(network("2002:a00::/24"), "10.0.0.0/8");
        assert_eq!(network("2002:a00:1::1/128"), "10.0.0.1/32");
        assert_eq!(network("::/0"), "::/0");
        assert_eq!(network("::1/128"), "::1/128");
        assert_eq!(network("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(network("::ffff:0:0/95"), "::fffe:0:0/95");
    }

    proptest! {
        /// Nothing gets a second life by being written once more.
        #[test]
        fn normalising_is_idempotent(bits: u128) {
            let once = normalise(IpAddr::V6(Ipv6Addr::from_bits(bits)));
            prop_assert_eq!(normalise(once), once);
        }

        #[test]
        fn every_embedding_reaches_the_address_inside(bits: u32, subnet: u16, interface: u64) {
            let inside = Ipv4Addr::from_bits(bits);
            for (prefix, start) in EMBEDDINGS {
                let low = if start == 16 { (u128::from(subnet) << 64) | u128::from(interface) } else { 0 };
                let outer = prefix.to_bits() | (u128::from(bits) << (96 - start)) | low;
                if outer > 1 {
                    prop_assert_eq!(normalise(IpAddr::V6(Ipv6Addr::from_bits(outer))), IpAddr::V4(inside));
                }
            }
        }

        #[test]
        fn every_ipv4_spelling_is_read(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = address.octets();
            for spelling in [
                address.to_string(), bits.to_string(), format!("{bits:#x}"), format!("0{bits:o}"),
                format!("{a:#x}.0{b:o}.{}", (u32::from(c) << 8) | u32::from(d)),
                format!("{a}.{}", bits & 0xff_ffff), format!("[::ffff:{address}]"),
            ] {
                prop_assert_eq!(literal(&spelling), Some(IpAddr::V4(address)), "{}", spelling);
            }
        }

        #[test]
        fn reading_never_panics(text in ".{0,40}") {
            let _ = literal(&text);
        }
    }
}
