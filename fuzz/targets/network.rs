//! A network grant against the spellings of an address: however an address is written, it is allowed or denied as the
//! address is, and what is inside is never reached by a grant of the internet.
//!
//! The modules are taken in by their files, since the crate around them would build key-value stores and TLS too.

#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../crates/capability/src/net/mod.rs"]
mod net;

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use coracle_package::grant::{HostPattern, NetGrant, Transport as Written};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use net::{Host, Policy, Ports, Rule, Transport};

/// What the guest asks for, and what it was granted.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    grants: Vec<&'a str>,
    address: u128,
    is_v4: bool,
    port: u16,
    transport: u8,
    /// A host as the guest writes it, which may be anything.
    host: &'a str,
}

/// Networks that no grant of the internet holds, by the registries of special addresses.
const INSIDE: [&str; 22] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/29",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "100::/64",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

fuzz_target!(|input: Input| {
    let address = match input.is_v4 {
        true => IpAddr::V4(Ipv4Addr::from_bits(input.address as u32)),
        false => IpAddr::V6(Ipv6Addr::from_bits(input.address)),
    };
    let transport = [Transport::Tcp, Transport::Udp, Transport::Http][usize::from(input.transport % 3)];
    let granted = Policy::new(input.grants.iter().take(4).filter_map(|text| rule(text)).collect());
    let everything = Policy::new(["0.0.0.0/0:*", "[::/0]:*"].into_iter().filter_map(rule).collect());
    for policy in [&granted, &everything] {
        spellings_agree(policy, transport, address, input.port);
        as_the_system_reads_it(policy, transport, input.host, input.port);
    }
    inside_stays_inside(&everything, transport, address, input.port);
});

/// By what was written, as the runtime resolves it.
fn rule(text: &str) -> Option<Rule> {
    let grant: NetGrant = text.parse().ok()?;
    let transport = match grant.transport {
        Written::Any => Transport::Any,
        Written::Tcp => Transport::Tcp,
        Written::Udp => Transport::Udp,
        Written::Http => Transport::Http,
    };
    let host = match grant.host {
        HostPattern::Name(name) => Host::Name(name),
        HostPattern::Suffix(suffix) => Host::Suffix(suffix),
        HostPattern::Network(network) => Host::Network(network),
    };
    Some(Rule::new(transport, host, Ports { first: grant.ports.first, last: grant.ports.last }))
}

fn allows(policy: &Policy, transport: Transport, address: IpAddr, port: u16) -> bool {
    policy.check(transport, None, SocketAddr::new(address, port)).is_ok()
}

fn spellings_agree(policy: &Policy, transport: Transport, address: IpAddr, port: u16) {
    let allowed = allows(policy, transport, address, port);
    for carrier in carriers(address) {
        assert_eq!(allows(policy, transport, carrier, port), allowed, "{carrier} carries {address}");
    }
    for text in spellings(address) {
        assert_eq!(policy.permits_name(transport, &text, port), allowed, "{text} spells {address}");
        let by_name = policy.check(transport, Some(&text), SocketAddr::new(address, port)).is_ok();
        assert_eq!(by_name, allowed, "{text} as a name for {address}");
    }
}

/// Addresses that lead to the same one.
fn carriers(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V4(v4) = address else { return Vec::new() };
    let bits = u128::from(v4.to_bits());
    let mut carriers = vec![
        v4.to_ipv6_mapped(),
        Ipv6Addr::from_bits((0x64_ff9b << 96) | bits),
        Ipv6Addr::from_bits((0xffff << 48) | bits),
        Ipv6Addr::from_bits((0x2002 << 112) | (bits << 80) | 0x7),
    ];
    // `::` and `::1` are addresses of their own.
    if bits > 1 {
        carriers.push(Ipv6Addr::from_bits(bits));
    }
    carriers.into_iter().map(IpAddr::V6).collect()
}

fn spellings(address: IpAddr) -> Vec<String> {
    match address {
        IpAddr::V6(v6) => {
            let groups = v6.segments().map(|group| format!("{group:04X}")).join(":");
            vec![v6.to_string(), format!("[{v6}]"), groups.clone(), format!("[{groups}]")]
        }
        IpAddr::V4(v4) => {
            let bits = v4.to_bits();
            let [a, b, c, d] = v4.octets();
            vec![
                v4.to_string(),
                format!("{v4}."),
                format!("{bits}"),
                format!("0x{bits:x}"),
                format!("0X{bits:X}"),
                format!("0{bits:o}"),
                format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
                format!("0x{a:x}.{b}.0{c:o}.{d}"),
                format!("{a}.{}", bits & 0xff_ffff),
                format!("{a}.{b}.{}", bits & 0xffff),
                format!("{a}.0x{:x}", bits & 0xff_ffff),
                format!("[::ffff:{v4}]"),
                format!("::ffff:{v4}"),
                format!("[::FFFF:{:x}:{:x}]", bits >> 16, bits & 0xffff),
                format!("[64:ff9b::{v4}]"),
            ]
        }
    }
}

/// What the system's own reader of addresses takes for an address is that address here too.
fn as_the_system_reads_it(policy: &Policy, transport: Transport, host: &str, port: u16) {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let Some(address) = system(bare) else { return };
    if policy.permits_name(transport, host, port) {
        assert!(allows(policy, transport, address, port), "{host:?} reaches {address}, which is denied");
    }
}

fn system(text: &str) -> Option<IpAddr> {
    let text = CString::new(text).ok()?;
    // SAFETY: the hints are a plain structure that may be zero; the list is read while it is there, and freed once.
    unsafe {
        let mut hints: libc::addrinfo = std::mem::zeroed();
        hints.ai_flags = libc::AI_NUMERICHOST;
        hints.ai_socktype = libc::SOCK_STREAM;
        let mut found = std::ptr::null_mut();
        if libc::getaddrinfo(text.as_ptr(), std::ptr::null(), &hints, &mut found) != 0 {
            return None;
        }
        let address = match (*found).ai_family {
            libc::AF_INET => {
                let address = (*found).ai_addr.cast::<libc::sockaddr_in>().read_unaligned();
                IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr)))
            }
            _ => {
                let address = (*found).ai_addr.cast::<libc::sockaddr_in6>().read_unaligned();
                IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr))
            }
        };
        libc::freeaddrinfo(found);
        Some(address)
    }
}

fn inside_stays_inside(everything: &Policy, transport: Transport, address: IpAddr, port: u16) {
    let is_inside = INSIDE.iter().any(|network| {
        let network: ipnet::IpNet = network.parse().expect("a network");
        network.contains(&address)
    });
    if is_inside {
        assert!(!allows(everything, transport, address, port), "{address} is not of the internet");
    }
}
