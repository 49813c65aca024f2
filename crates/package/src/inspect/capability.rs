//! The kinds of things that a guest may want to touch, told by what it imports.

use std::fmt;

use super::InterfaceName;
use crate::grant::{Grants, Transport};

/// A kind of thing that guests touch through the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Files and folders.
    Files,
    /// TCP and UDP sockets, and the look-up of host names.
    Sockets,
    /// Requests to other servers.
    OutboundHttp,
    /// Environment variables and arguments.
    Environment,
    /// Key-value stores.
    KeyValue,
    /// Configuration by key.
    Config,
    /// Log lines with a level.
    Logging,
    /// Standard input, output and error.
    Stdio,
    /// The time of day and the time that passed.
    Clocks,
    /// Random numbers.
    Random,
}

impl Capability {
    /// Every kind, those that have to be granted first.
    pub const ALL: [Self; 10] = [
        Self::Files,
        Self::Sockets,
        Self::OutboundHttp,
        Self::Environment,
        Self::KeyValue,
        Self::Config,
        Self::Logging,
        Self::Stdio,
        Self::Clocks,
        Self::Random,
    ];

    /// The kind that an imported interface is for.
    pub fn of_interface(interface: &InterfaceName) -> Option<Self> {
        match interface.name.as_str() {
            "wasi:cli/environment" => return Some(Self::Environment),
            "wasi:http/outgoing-handler" | "wasi:http/client" => return Some(Self::OutboundHttp),
            name if name.starts_with("wasi:cli/std") || name.starts_with("wasi:cli/terminal") => {
                return Some(Self::Stdio);
            }
            _ => {}
        }
        match interface.package()? {
            "wasi:filesystem" => Some(Self::Files),
            "wasi:sockets" => Some(Self::Sockets),
            "wasi:keyvalue" => Some(Self::KeyValue),
            "wasi:config" => Some(Self::Config),
            "wasi:logging" => Some(Self::Logging),
            "wasi:clocks" => Some(Self::Clocks),
            "wasi:random" => Some(Self::Random),
            _ => None,
        }
    }

    /// The kind that an imported function of WASI preview 1 is for. What every C library asks at its start
    /// (`fd_prestat_get`) says nothing.
    pub fn of_preview1(function: &str) -> Option<Self> {
        match function {
            "environ_get" | "environ_sizes_get" => Some(Self::Environment),
            "random_get" => Some(Self::Random),
            "clock_time_get" | "clock_res_get" => Some(Self::Clocks),
            "fd_write" | "fd_read" => Some(Self::Stdio),
            "fd_readdir" => Some(Self::Files),
            _ if function.starts_with("path_") => Some(Self::Files),
            _ if function.starts_with("sock_") => Some(Self::Sockets),
            _ => None,
        }
    }

    /// What grants this: the flag and the key under `grants` in the manifest. `None` is granted to every guest.
    pub fn granted_with(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Files => Some(("--dir", "dirs")),
            Self::Sockets | Self::OutboundHttp => Some(("--net", "net")),
            Self::Environment => Some(("--env", "env")),
            Self::KeyValue => Some(("--keyvalue", "keyvalue")),
            Self::Config => Some(("--var", "variables")),
            Self::Logging | Self::Stdio | Self::Clocks | Self::Random => None,
        }
    }

    /// What `grants` grant of this kind, in the words of whoever wrote them. Values of variables are left out.
    pub fn granted(self, grants: &Grants) -> Vec<String> {
        let net = |fits: fn(Transport) -> bool| {
            let fitting = grants.net.iter().filter(move |grant| fits(grant.transport));
            fitting.map(ToString::to_string)
        };
        match self {
            Self::Files => grants.dirs.iter().map(ToString::to_string).collect(),
            Self::Sockets => {
                let listen = grants.listen.iter().map(|address| format!("listening on {address}"));
                net(|transport| transport != Transport::Http).chain(listen).collect()
            }
            Self::OutboundHttp => net(|transport| matches!(transport, Transport::Any | Transport::Http)).collect(),
            Self::Environment => grants.env.keys().chain(&grants.env_from_host).cloned().collect(),
            Self::KeyValue => grants.keyvalue.iter().map(|(name, backend)| format!("{name} ({backend})")).collect(),
            Self::Config => grants.variables.keys().cloned().collect(),
            Self::Logging | Self::Stdio | Self::Clocks | Self::Random => Vec::new(),
        }
    }

    /// Whether `grants` grant anything of this kind.
    pub fn is_granted(self, grants: &Grants) -> bool {
        self.granted_with().is_none() || !self.granted(grants).is_empty()
    }
}

/// The kind in plain words, as in "wants to touch files".
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Files => "files",
            Self::Sockets => "sockets",
            Self::OutboundHttp => "outbound HTTP",
            Self::Environment => "environment",
            Self::KeyValue => "key-value stores",
            Self::Config => "configuration",
            Self::Logging => "logging",
            Self::Stdio => "standard input and output",
            Self::Clocks => "clocks",
            Self::Random => "random numbers",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(interface: &str) -> Option<Capability> {
        Capability::of_interface(&InterfaceName::new(interface))
    }

    #[test]
    fn interfaces_are_told_by_package_in_every_version() {
        assert_eq!(of("wasi:filesystem/preopens@0.2.0"), Some(Capability::Files));
        assert_eq!(of("wasi:filesystem/types@0.3.0"), Some(Capability::Files));
        assert_eq!(of("wasi:sockets/ip-name-lookup@0.2.3"), Some(Capability::Sockets));
        assert_eq!(of("wasi:http/outgoing-handler@0.2.9"), Some(Capability::OutboundHttp));
        assert_eq!(of("wasi:http/client@0.3.0"), Some(Capability::OutboundHttp));
        assert_eq!(of("wasi:http/types@0.2.9"), None);
        assert_eq!(of("wasi:cli/environment@0.2.6"), Some(Capability::Environment));
        assert_eq!(of("wasi:cli/stdout@0.2.6"), Some(Capability::Stdio));
        assert_eq!(of("wasi:cli/exit@0.2.6"), None);
        assert_eq!(of("wasi:keyvalue/store@0.2.0-draft"), Some(Capability::KeyValue));
        assert_eq!(of("wasi:config/store@0.2.0-rc.1"), Some(Capability::Config));
        assert_eq!(of("shop:pricing/api@1.0.0"), None);
    }

    #[test]
    fn a_grant_of_one_transport_is_not_one_of_the_other() {
        let grants = |net: &str| Grants { net: vec![net.parse().unwrap()], ..Grants::default() };
        assert!(!Capability::OutboundHttp.is_granted(&grants("tcp://a:1")));
        assert!(Capability::Sockets.is_granted(&grants("tcp://a:1")));
        assert!(!Capability::Sockets.is_granted(&grants("https://a")));
        assert!(Capability::Sockets.is_granted(&grants("a:1")) && Capability::OutboundHttp.is_granted(&grants("a:1")));
    }

    #[test]
    fn nothing_is_granted_by_default_but_what_everyone_has() {
        for capability in Capability::ALL {
            assert_eq!(capability.is_granted(&Grants::default()), capability.granted_with().is_none(), "{capability}");
        }
    }
}
