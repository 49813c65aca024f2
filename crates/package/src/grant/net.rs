//! Where a guest may connect to: `[tcp://|udp://|http://|https://]HOST:PORT`.

use ipnet::IpNet;

/// One destination, or one set of them, that the guest may connect to.
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

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}
