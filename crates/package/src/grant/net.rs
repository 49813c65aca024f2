//! Where a guest may connect to: `[tcp://|udp://|http://|https://]HOST:PORT`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::HostPattern;
use crate::fault::SyntaxError;
use crate::suggest::nearest;

/// The port of `http://` where none is written.
const HTTP_PORT: u16 = 80;
/// The port of `https://` where none is written.
const HTTPS_PORT: u16 = 443;

/// One destination, or one set of them, that the guest may connect to.
///
/// ```
/// use coracle_package::grant::NetGrant;
///
/// let grant: NetGrant = "tcp://10.0.0.0/8:5000-5999".parse().unwrap();
/// assert!(grant.ports.contains(5432));
/// // A grant reads as it is written.
/// assert_eq!(grant.to_string(), "tcp://10.0.0.0/8:5000-5999");
/// assert_eq!("tcp://DB.example:5432".parse::<NetGrant>().unwrap().to_string(), "tcp://db.example:5432");
///
/// let fault = "tcp://db.example".parse::<NetGrant>().unwrap_err();
/// assert!(fault.hint.is_some(), "a fault says what to do");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetGrant {
    /// By which means.
    pub transport: Transport,
    /// To which hosts.
    pub host: HostPattern,
    /// To which of their ports.
    pub ports: Ports,
}

/// The means of connecting that a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP and UDP sockets and outbound HTTP.
    Any,
    /// TCP sockets only.
    Tcp,
    /// UDP sockets only.
    Udp,
    /// Outbound HTTP only, plain or TLS.
    Http,
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Ports {
    /// Every port.
    pub const ALL: Self = Self { first: 1, last: u16::MAX };

    /// One port.
    pub fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// Whether `port` is one of them.
    pub fn contains(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl FromStr for NetGrant {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let (transport, default_port, rest) = match text.split_once("://") {
            Some(("tcp", rest)) => (Transport::Tcp, None, rest),
            Some(("udp", rest)) => (Transport::Udp, None, rest),
            Some(("http", rest)) => (Transport::Http, Some(HTTP_PORT), rest),
            Some(("https", rest)) => (Transport::Http, Some(HTTPS_PORT), rest),
            Some((scheme, rest)) => return Err(unknown_scheme(scheme, rest)),
            None => (Transport::Any, None, text),
        };
        let (host, port) = split_port(rest)?;
        let host = host.parse()?;
        let ports = match (port, default_port) {
            (Some(port), _) => port.parse()?,
            (None, Some(port)) => Ports::one(port),
            (None, None) => {
                return Err(SyntaxError::new(format!("{text:?} names no port")).hint(format!(
                    "add one, like `{text}:443`, a range, like `{text}:8000-8999`, or `{text}:*` for all"
                )));
            }
        };
        Ok(Self { transport, host, ports })
    }
}

fn unknown_scheme(scheme: &str, rest: &str) -> SyntaxError {
    const KNOWN: [&str; 4] = ["tcp", "udp", "http", "https"];
    let meant = match scheme {
        "ws" => Some("http"),
        "wss" => Some("https"),
        _ => nearest(scheme, KNOWN),
    };
    let hint = match meant {
        Some(meant) => format!("did you mean `{meant}://{rest}`?"),
        None => "write `tcp://`, `udp://`, `http://`, `https://`, or no prefix for all of them".to_owned(),
    };
    SyntaxError::new(format!("`{scheme}://` is not a prefix of a network grant")).hint(hint)
}

/// Splits `HOST:PORT` where the host may be an IPv6 address in brackets.
fn split_port(text: &str) -> Result<(&str, Option<&str>), SyntaxError> {
    let path = |path: &str| {
        SyntaxError::new(format!("a network grant names no path, and {path:?} is one"))
            .hint("leave it out: the grant is for the whole host and port")
    };
    let (host, port) = match text.rfind(']') {
        Some(end) if text.starts_with('[') => {
            let (host, rest) = text.split_at(end + 1);
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => {
                    let hint = match rest.strip_prefix('/').and_then(|rest| rest.split(':').next()) {
                        Some(length) => format!("write a network like `[{}/{length}]`", &host[1..host.len() - 1]),
                        None => format!("write `{host}:PORT`"),
                    };
                    return Err(SyntaxError::new(format!("{rest:?} cannot follow {host:?}")).hint(hint));
                }
            }
        }
        _ => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if !host.starts_with('[') && host.contains(':') {
        let hint = match (host.parse::<Ipv6Addr>(), port, text.parse::<Ipv6Addr>()) {
            (Ok(address), Some(port), _) => format!("write an IPv6 address in brackets: `[{address}]:{port}`"),
            (.., Ok(address)) => format!("write an IPv6 address in brackets: `[{address}]:PORT`"),
            _ => "a host and its port have one colon between them; an IPv6 address stands in brackets".to_owned(),
        };
        return Err(SyntaxError::new(format!("{text:?} has more than one colon")).hint(hint));
    }
    if let Some((_, rest)) = port.and_then(|port| port.split_once('/')) {
        return Err(path(&format!("/{rest}")));
    }
    if let Some((_, "")) = host.split_once('/') {
        return Err(path("/"));
    }
    Ok((host, port))
}

impl FromStr for Ports {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        if text == "*" {
            return Ok(Self::ALL);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (port(text, first)?, port(text, last)?);
        if first > last {
            return Err(SyntaxError::new(format!("the range of ports {text:?} ends before it starts"))
                .hint(format!("write `{last}-{first}`")));
        }
        Ok(Self { first, last })
    }
}

fn port(text: &str, number: &str) -> Result<u16, SyntaxError> {
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|port| digits && *port != 0).ok_or_else(|| {
        SyntaxError::new(format!("{text:?} is not a port"))
            .hint("write a number from 1 to 65535, a range like `8000-8999`, or `*` for all")
    })
}

/// Writes the ports as they are read.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (1, u16::MAX) => f.write_str("*"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// Writes the grant as it is read. A grant for outbound HTTP is written with `http://` and its port, which stands for TLS
/// on that port too, or with `https://` where it is for that scheme's own port.
impl fmt::Display for NetGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.transport {
            Transport::Any => "",
            Transport::Tcp => "tcp://",
            Transport::Udp => "udp://",
            Transport::Http if self.ports == Ports::one(HTTPS_PORT) => "https://",
            Transport::Http => "http://",
        };
        write!(f, "{prefix}{}:{}", self.host, self.ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::{hint, message, round_trip};

    fn grant(transport: Transport, host: &str, first: u16, last: u16) -> NetGrant {
        NetGrant { transport, host: host.parse().unwrap(), ports: Ports { first, last } }
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        round_trip("example.com:443", &grant(Transport::Any, "example.com", 443, 443));
        round_trip("*.example.com:8000-8999", &grant(Transport::Any, "*.example.com", 8000, 8999));
        round_trip("tcp://10.0.0.0/8:5432", &grant(Transport::Tcp, "10.0.0.0/8", 5432, 5432));
        round_trip("udp://192.0.2.1:*", &grant(Transport::Udp, "192.0.2.1", 1, 65535));
        round_trip("tcp://[::1]:80", &grant(Transport::Tcp, "[::1]", 80, 80));
        round_trip("[2001:db8::/32]:*", &grant(Transport::Any, "[2001:db8::/32]", 1, 65535));
        round_trip("https://a.example:443", &grant(Transport::Http, "a.example", 443, 443));
        round_trip("http://localhost:8080", &grant(Transport::Http, "localhost", 8080, 8080));
    }

    #[test]
    fn http_has_default_ports() {
        assert_eq!("http://a.example".parse(), Ok(grant(Transport::Http, "a.example", 80, 80)));
        assert_eq!("https://a.example".parse(), Ok(grant(Transport::Http, "a.example", 443, 443)));
        assert_eq!("https://[::1]".parse(), Ok(grant(Transport::Http, "[::1]", 443, 443)));
        assert_eq!("https://10.0.0.0/8".parse(), Ok(grant(Transport::Http, "10.0.0.0/8", 443, 443)));
        assert_eq!("https://a.example:8443".parse(), Ok(grant(Transport::Http, "a.example", 8443, 8443)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(message::<NetGrant>("example.com"), r#""example.com" names no port"#);
        assert_eq!(message::<NetGrant>("tcp://[::1]"), r#""tcp://[::1]" names no port"#);
        assert_eq!(message::<NetGrant>(""), "the host is missing");
        assert_eq!(message::<NetGrant>(":80"), "the host is missing");
        assert_eq!(message::<NetGrant>("a:"), r#""" is not a port"#);
        for port in ["0", "65536", "+1", "x", "1-", "-1", "1-2-3", "80,443"] {
            assert_eq!(message::<NetGrant>(&format!("a:{port}")), format!("{port:?} is not a port"));
        }
        assert_eq!(hint::<NetGrant>("a:9-8"), "write `8-9`");
        assert_eq!(message::<NetGrant>("ftp://a:1"), "`ftp://` is not a prefix of a network grant");
        assert_eq!(hint::<NetGrant>("wss://a"), "did you mean `https://a`?");
        assert_eq!(hint::<NetGrant>("htps://a"), "did you mean `https://a`?");
        assert_eq!(hint::<NetGrant>("::1"), "write an IPv6 address in brackets: `[::1]:PORT`");
        assert_eq!(hint::<NetGrant>("fe80::1:80"), "write an IPv6 address in brackets: `[fe80::1]:80`");
        assert_eq!(message::<NetGrant>("a:1:2"), r#""a:1:2" has more than one colon"#);
        assert_eq!(message::<NetGrant>("https://a.example/"), r#"a network grant names no path, and "/" is one"#);
        assert_eq!(message::<NetGrant>("a.example:443/v1"), r#"a network grant names no path, and "/v1" is one"#);
        assert_eq!(message::<NetGrant>("https://a.example/v1"), r#""a.example/v1" is neither a host nor a network"#);
        assert_eq!(hint::<NetGrant>("[2001:db8::]/32:80"), "write a network like `[2001:db8::/32]`");
        assert_eq!(hint::<NetGrant>("[::1]80"), "write `[::1]:PORT`");
    }

    #[test]
    fn ports_contain_both_ends() {
        let ports = Ports { first: 10, last: 12 };
        assert!(ports.contains(10) && ports.contains(12));
        assert!(!ports.contains(9) && !ports.contains(13));
        assert!(Ports::ALL.contains(1) && Ports::ALL.contains(65535));
    }
}
