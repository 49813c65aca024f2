//! What a grant of network access says, resolved.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::address::{literal, normalise_network};

/// How a guest reaches a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// In a rule: all three. Asked for: only by rules for all three.
    Any,
    /// A TCP socket.
    Tcp,
    /// A UDP socket.
    Udp,
    /// An outgoing HTTP request, `http` or `https`.
    Http,
}

impl Transport {
    /// Whether a rule for `self` covers what was `asked` for.
    pub(super) fn covers(self, asked: Transport) -> bool {
        self == Transport::Any || self == asked
    }

    /// The prefix that this transport has in a grant.
    pub fn prefix(self) -> &'static str {
        match self {
            Transport::Any => "",
            Transport::Tcp => "tcp://",
            Transport::Udp => "udp://",
            Transport::Http => "http://",
        }
    }
}

/// Which hosts a rule names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// One name; its public addresses. `localhost` names the loopback addresses.
    Name(String),
    /// Every name below this one (`example.com` for `*.example.com`, without the name itself); their public addresses.
    Suffix(String),
    /// Addresses; one is a network of full length.
    Network(IpNet),
}

/// An inclusive range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl Ports {
    /// Every port.
    pub const ALL: Ports = Ports { first: 0, last: u16::MAX };

    /// One port.
    pub const fn one(port: u16) -> Ports {
        Ports { first: port, last: port }
    }

    /// Whether `port` is in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Ports::ALL => f.write_str("*"),
            Ports { first, last } if first == last => write!(f, "{first}"),
            Ports { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

/// One thing that is reachable. Made by [`Rule::new`], which brings the host to the form that requests are compared in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    transport: Transport,
    host: Host,
    ports: Ports,
}

impl Rule {
    /// A rule. Names are lower-cased and lose a trailing dot, a name that is an address in some spelling becomes one,
    /// and networks that carry IPv4 addresses become IPv4 networks.
    pub fn new(transport: Transport, host: Host, ports: Ports) -> Rule {
        let host = match host {
            Host::Name(name) => match literal(&name) {
                Some(address) => Host::Network(IpNet::from(address)),
                None => Host::Name(canonical(&name)),
            },
            Host::Suffix(suffix) => Host::Suffix(canonical(suffix.strip_prefix("*.").unwrap_or(&suffix))),
            Host::Network(network) => Host::Network(normalise_network(network)),
        };
        Rule { transport, host, ports }
    }

    /// The transport it is for.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The hosts it names.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The ports it names.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Whether this rule names `name`, which is in canonical form.
    pub(super) fn names(&self, name: &str) -> bool {
        match &self.host {
            Host::Name(own) => own == name,
            Host::Suffix(suffix) => {
                name.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Host::Network(_) => false,
        }
    }

    /// The network that this rule names, if it does.
    pub(super) fn network(&self) -> Option<IpNet> {
        match self.host {
            Host::Network(network) => Some(network),
            Host::Name(_) | Host::Suffix(_) => None,
        }
    }

    pub(super) fn is_localhost(&self) -> bool {
        matches!(&self.host, Host::Name(name) if name == LOCALHOST)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.transport.prefix())?;
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Suffix(suffix) => write!(f, "*.{suffix}")?,
            Host::Network(network) if network.prefix_len() == network.max_prefix_len() => match network.addr() {
                IpAddr::V4(address) => write!(f, "{address}")?,
                IpAddr::V6(address) => write!(f, "[{address}]")?,
            },
            Host::Network(IpNet::V4(network)) => write!(f, "{network}")?,
            Host::Network(IpNet::V6(network)) => write!(f, "[{network}]")?,
        }
        write!(f, ":{}", self.ports)
    }
}

/// The name that means the host itself (RFC 6761 section 6.3).
pub(super) const LOCALHOST: &str = "localhost";

/// The form in which names are compared: ASCII lower case, no trailing dot.
pub(super) fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suffix(suffix: &str) -> Rule {
        Rule::new(Transport::Any, Host::Suffix(suffix.into()), Ports::ALL)
    }

    #[test]
    fn a_suffix_names_what_is_below_it_and_not_itself() {
        let rule = suffix("*.Example.com.");
        assert!(rule.names("a.example.com"));
        assert!(rule.names("a.b.example.com"));
        assert!(!rule.names("example.com"));
        assert!(!rule.names(".example.com"));
        assert!(!rule.names("badexample.com"));
        assert!(!rule.names("example.com.evil"));
    }

    #[test]
    fn an_address_written_as_a_name_is_an_address() {
        let rule = Rule::new(Transport::Tcp, Host::Name("0x7f.1".into()), Ports::one(80));
        assert_eq!(rule.to_string(), "tcp://127.0.0.1:80");
        assert_eq!(rule.host(), &Host::Network("127.0.0.1/32".parse().unwrap()));
    }

    #[test]
    fn rules_are_written_as_in_a_grant() {
        let network = |text: &str| Host::Network(text.parse().unwrap());
        let rule = |host| Rule::new(Transport::Http, host, Ports { first: 1, last: 9 }).to_string();
        assert_eq!(rule(network("::1/128")), "http://[::1]:1-9");
        assert_eq!(rule(network("fd00::/8")), "http://[fd00::/8]:1-9");
        assert_eq!(rule(network("10.0.0.0/8")), "http://10.0.0.0/8:1-9");
        assert_eq!(suffix("a.b").to_string(), "*.a.b:*");
    }
}
