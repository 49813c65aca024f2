//! What was refused, and what would permit it.

use std::fmt;
use std::net::IpAddr;

use super::{Class, Transport};

/// A host or an address that the policy does not permit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Refused {
    /// How the guest wanted to reach it.
    pub transport: Transport,
    /// The name or address that the guest asked for.
    pub host: String,
    /// The port; `None` for a mere look-up.
    pub port: Option<u16>,
    /// Why.
    pub reason: Reason,
}

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No rule names the host, the transport and the port.
    NotGranted,
    /// The name is granted, but it resolves to this address, which is not public and which no rule names explicitly.
    NotPublic(IpAddr, Class),
    /// The name is granted, but it resolves to this address, which no rule covers.
    OtherAddress(IpAddr),
}

impl Refused {
    /// The grant that would permit it, in the syntax of the manifest and of `--net`: `tcp://db.example:5432`.
    pub fn grant(&self) -> String {
        let prefix = self.transport.prefix();
        let host = match self.reason {
            Reason::NotGranted => match self.host.parse() {
                Ok(IpAddr::V6(address)) => format!("[{address}]"),
                _ => self.host.clone(),
            },
            Reason::NotPublic(IpAddr::V6(address), _) | Reason::OtherAddress(IpAddr::V6(address)) => {
                format!("[{address}]")
            }
            Reason::NotPublic(address, _) | Reason::OtherAddress(address) => address.to_string(),
        };
        match self.port {
            Some(port) => format!("{prefix}{host}:{port}"),
            None => format!("{prefix}{host}:*"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.transport, self.port) {
            (_, None) => write!(f, "looking up {}", self.host)?,
            (Transport::Http, Some(port)) => write!(f, "HTTP request to {}:{port}", self.host)?,
            (Transport::Udp, Some(port)) => write!(f, "UDP to {}:{port}", self.host)?,
            (Transport::Tcp, Some(port)) => write!(f, "TCP connection to {}:{port}", self.host)?,
            (Transport::Any, Some(port)) => write!(f, "connection to {}:{port}", self.host)?,
        }
        match self.reason {
            Reason::NotGranted => write!(f, " is not granted"),
            Reason::NotPublic(address, class) => {
                write!(f, " is refused: the address {address} is {class} and not granted by number")
            }
            Reason::OtherAddress(address) => write!(f, " is refused: the address {address} is not granted"),
        }
    }
}
