//! The hosts of a grant: a name, every name below one, or a network of addresses. One spelling for each, so that nothing
//! is granted by a text that two readers take for two different hosts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::fault::SyntaxError;

/// The length of a host name that DNS allows.
const LONGEST_NAME: usize = 253;
/// The length of one label of it.
const LONGEST_LABEL: usize = 63;

/// The hosts that a grant is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this name, in lower case and without a trailing dot.
    Name(String),
    /// Every name below this one: `example.com` stands for `*.example.com`, and does not contain `example.com` itself.
    Suffix(String),
    /// Every address of this network; one address is a network of its own.
    Network(IpNet),
}

impl FromStr for HostPattern {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or_else(|| {
                let hint = "write an IPv6 address like `[::1]` and a network like `[2001:db8::/32]`";
                SyntaxError::new(format!("{text:?} opens a bracket and does not end with one")).hint(hint)
            })?;
            return ipv6(inside).map(Self::Network);
        }
        if text.is_empty() {
            return Err(SyntaxError::new("the host is missing")
                .hint("name a host (`example.com`), all below one (`*.example.com`) or a network (`10.0.0.0/8`)"));
        }
        if let Some((address, prefix)) = text.split_once('/') {
            let address = ipv4(address)?.ok_or_else(|| {
                SyntaxError::new(format!("{text:?} is neither a host nor a network"))
                    .hint("a network is an address and a prefix length, like `10.0.0.0/8`; a grant holds no path")
            })?;
            return network(address.into(), prefix).map(Self::Network);
        }
        if text.contains('*') {
            return suffix(text).map(Self::Suffix);
        }
        match ipv4(text)? {
            Some(address) => Ok(Self::Network(IpAddr::from(address).into())),
            None => name(text).map(Self::Name),
        }
    }
}

/// Writes the hosts as they are read.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Suffix(name) => write!(f, "*.{name}"),
            Self::Network(network) => {
                let whole = network.prefix_len() == network.max_prefix_len();
                match (network, whole) {
                    (IpNet::V4(network), true) => write!(f, "{}", network.addr()),
                    (IpNet::V4(network), false) => write!(f, "{network}"),
                    (IpNet::V6(network), true) => write!(f, "[{}]", network.addr()),
                    (IpNet::V6(network), false) => write!(f, "[{network}]"),
                }
            }
        }
    }
}

/// Reads `*.example.com` into `example.com`.
fn suffix(text: &str) -> Result<String, SyntaxError> {
    if text == "*" {
        return Err(SyntaxError::new("`*` alone is not a host").hint(
            "name the hosts, like `*.example.com`; every public address is the two networks `0.0.0.0/0` and `[::/0]`",
        ));
    }
    match text.strip_prefix("*.") {
        Some(rest) if !rest.contains('*') && ipv4(rest)?.is_none() => name(rest),
        _ => Err(SyntaxError::new(format!("{text:?} has a `*` where none can be"))
            .hint("a `*` stands alone before the first dot, like `*.example.com`")),
    }
}

/// Checks a host name and gives it in lower case, without a trailing dot.
pub(crate) fn name(text: &str) -> Result<String, SyntaxError> {
    let wrong = |what: &str| SyntaxError::new(format!("the host name {text:?} {what}"));
    if !text.is_ascii() {
        return Err(wrong("has letters outside ASCII")
            .hint("write the name as DNS knows it, in punycode: `xn--mnchen-3ya.example` for `münchen.example`"));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > LONGEST_NAME {
        return Err(wrong("is too long").hint(format!("DNS allows {LONGEST_NAME} characters")));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(wrong("has an empty part").hint("parts are separated by one dot, like `api.example.com`"));
        }
        if label.len() > LONGEST_LABEL {
            return Err(wrong("has a part that is too long").hint(format!("DNS allows {LONGEST_LABEL} characters")));
        }
        if let Some(odd) = label.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')) {
            return Err(wrong(&format!("holds {odd:?}")).hint("a host name has letters, digits, hyphens and dots"));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(wrong("has a part that starts or ends with a hyphen"));
        }
    }
    Ok(name.to_ascii_lowercase())
}

/// Reads an IPv4 address in its usual spelling. `None` is a name; an address in another spelling is refused, because
/// resolvers take `010.0.0.1` or `2130706433` for addresses that their reader did not see.
pub(crate) fn ipv4(text: &str) -> Result<Option<Ipv4Addr>, SyntaxError> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Ok(Some(address));
    }
    let last = bare.rsplit('.').next().unwrap_or_default();
    let numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    if !numeric && loose_number(last).is_none() {
        return Ok(None);
    }
    let hint = match loose_ipv4(bare) {
        Some(address) => format!("some resolvers read it as `{address}`: write that, if it is meant"),
        None => "write four decimal numbers from 0 to 255, like `192.0.2.1`".to_owned(),
    };
    Err(SyntaxError::new(format!("{text:?} is not an IPv4 address in its usual spelling")).hint(hint))
}

/// Reads an address as the C library's `inet_aton` does: up to four numbers, each decimal, octal or hexadecimal, the last
/// of which fills what is left.
fn loose_ipv4(text: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u32> = text.split('.').map(loose_number).collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    if first.len() > 3 || first.iter().any(|number| *number > 255) {
        return None;
    }
    let left = u32::BITS - 8 * u32::try_from(first.len()).ok()?;
    if left < u32::BITS && *last >> left != 0 {
        return None;
    }
    let high = first.iter().zip([24, 16, 8]).fold(0, |high, (number, shift)| high | number << shift);
    Some(Ipv4Addr::from(high | last))
}

fn loose_number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some("") => ("0", 16),
        Some(hex) => (hex, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// Reads what stands in brackets: an IPv6 address or network.
fn ipv6(inside: &str) -> Result<IpNet, SyntaxError> {
    let (address, prefix) = match inside.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (inside, None),
    };
    if address.contains('%') {
        return Err(SyntaxError::new(format!("the address {address:?} names a zone"))
            .hint("leave out `%` and what follows: a grant holds for every interface"));
    }
    let parsed: Ipv6Addr = address.parse().map_err(|_| {
        let hint = match address.parse::<Ipv4Addr>() {
            Ok(_) => format!("write `{inside}` without brackets"),
            Err(_) => "write it like `[2001:db8::1]`".to_owned(),
        };
        SyntaxError::new(format!("{address:?} in brackets is not an IPv6 address")).hint(hint)
    })?;
    if let Some(v4) = parsed.to_ipv4_mapped() {
        return Err(SyntaxError::new(format!("{address:?} is an IPv4 address in IPv6 spelling"))
            .hint(format!("write `{v4}`, or a network of IPv4 addresses like `10.0.0.0/8`")));
    }
    match prefix {
        Some(prefix) => network(parsed.into(), prefix),
        None => Ok(IpAddr::from(parsed).into()),
    }
}

/// A network from its first address and the length of its prefix.
fn network(address: IpAddr, prefix: &str) -> Result<IpNet, SyntaxError> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let wrong = || {
        SyntaxError::new(format!("{prefix:?} is not the length of a network's prefix"))
            .hint(format!("write a number from 0 to {longest} after the `/`"))
    };
    if !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let network = prefix.parse().ok().and_then(|prefix| IpNet::new(address, prefix).ok()).ok_or_else(wrong)?;
    if network.trunc() != network {
        let meant = HostPattern::Network(network.trunc());
        return Err(SyntaxError::new(format!("{network} is an address inside a network, not the network"))
            .hint(format!("write `{meant}` for the network, or leave `/{prefix}` out for the address")));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::{hint, message, round_trip};

    fn net(text: &str) -> HostPattern {
        HostPattern::Network(text.parse().unwrap())
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        round_trip("example.com", &HostPattern::Name("example.com".into()));
        round_trip("my_db", &HostPattern::Name("my_db".into()));
        round_trip("localhost", &HostPattern::Name("localhost".into()));
        round_trip("*.example.com", &HostPattern::Suffix("example.com".into()));
        round_trip("10.0.0.0/8", &net("10.0.0.0/8"));
        round_trip("0.0.0.0/0", &net("0.0.0.0/0"));
        round_trip("192.0.2.1", &net("192.0.2.1/32"));
        round_trip("[::1]", &net("::1/128"));
        round_trip("[2001:db8::/32]", &net("2001:db8::/32"));
        round_trip("[::/0]", &net("::/0"));
    }

    #[test]
    fn names_are_normalised() {
        assert_eq!("API.Example.COM.".parse(), Ok(HostPattern::Name("api.example.com".into())));
        assert_eq!("*.Example.com.".parse(), Ok(HostPattern::Suffix("example.com".into())));
        assert_eq!("192.0.2.1.".parse(), Ok(net("192.0.2.1/32")));
    }

    #[test]
    fn odd_spellings_of_addresses_are_refused_and_explained() {
        for (text, meant) in [
            ("2130706433", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("169.254.43518", "169.254.169.254"),
            ("0xA9FEA9FE", "169.254.169.254"),
            ("010.0.0.1", "8.0.0.1"),
            ("1.2.3.0x", "1.2.3.0"),
        ] {
            assert_eq!(
                hint::<HostPattern>(text),
                format!("some resolvers read it as `{meant}`: write that, if it is meant")
            );
        }
        for text in ["256.0.0.1", "1.2.3.4.5", "1.2.3.09", "99999999999", "a.1", "1.2.3.256"] {
            assert_eq!(
                hint::<HostPattern>(text),
                "write four decimal numbers from 0 to 255, like `192.0.2.1`",
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(message::<HostPattern>(""), "the host is missing");
        assert_eq!(message::<HostPattern>("münchen.de"), r#"the host name "münchen.de" has letters outside ASCII"#);
        assert_eq!(message::<HostPattern>("a..b"), r#"the host name "a..b" has an empty part"#);
        assert_eq!(message::<HostPattern>("."), r#"the host name "." has an empty part"#);
        assert_eq!(message::<HostPattern>("a b"), r#"the host name "a b" holds ' '"#);
        assert_eq!(message::<HostPattern>("user@host"), r#"the host name "user@host" holds '@'"#);
        assert_eq!(
            message::<HostPattern>("-a.com"),
            r#"the host name "-a.com" has a part that starts or ends with a hyphen"#
        );
        assert!(message::<HostPattern>(&"a".repeat(64)).ends_with("has a part that is too long"));
        assert!(message::<HostPattern>(&"a.".repeat(128)).ends_with("is too long"));
        assert_eq!(message::<HostPattern>("*"), "`*` alone is not a host");
        for text in ["*a.com", "a.*.com", "*.*.com", "*.10.0.0.1"] {
            assert_eq!(message::<HostPattern>(text), format!("{text:?} has a `*` where none can be"));
        }
        assert_eq!(message::<HostPattern>("10.0.0.1/8"), "10.0.0.1/8 is an address inside a network, not the network");
        assert_eq!(
            hint::<HostPattern>("10.0.0.1/8"),
            "write `10.0.0.0/8` for the network, or leave `/8` out for the address"
        );
        assert_eq!(hint::<HostPattern>("10.0.0.0/33"), "write a number from 0 to 32 after the `/`");
        assert_eq!(hint::<HostPattern>("[2001:db8::/129]"), "write a number from 0 to 128 after the `/`");
        assert_eq!(message::<HostPattern>("example.com/x"), r#""example.com/x" is neither a host nor a network"#);
        assert_eq!(message::<HostPattern>("[::1"), r#""[::1" opens a bracket and does not end with one"#);
        assert_eq!(hint::<HostPattern>("[10.0.0.1]"), "write `10.0.0.1` without brackets");
        assert_eq!(message::<HostPattern>("[fe80::1%eth0]"), r#"the address "fe80::1%eth0" names a zone"#);
        let mapped = hint::<HostPattern>("[::ffff:169.254.169.254]");
        assert!(mapped.starts_with("write `169.254.169.254`"), "{mapped}");
    }
}
