//! The decision.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::rule::{LOCALHOST, canonical};
use super::{Class, Host, Reason, Refused, Rule, Transport, literal, normalise, special};

/// The addresses that the name `localhost` has, in the order in which they are tried.
pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// What an address is wanted for, which says which rules apply.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Connect(Transport, u16),
    /// Sockets look names up before they say how and at which port they connect.
    LookUp,
}

impl Purpose {
    fn matches(self, rule: &Rule) -> bool {
        match self {
            Purpose::Connect(transport, port) => rule.transport().covers(transport) && rule.ports().contains(port),
            Purpose::LookUp => rule.transport() != Transport::Http,
        }
    }
}

/// Everything that a guest may reach; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Arc<[Rule]>,
}

impl FromIterator<Rule> for Policy {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Policy {
        Policy { rules: rules.into_iter().collect() }
    }
}

impl Policy {
    /// A policy of these rules.
    pub fn new(rules: Vec<Rule>) -> Policy {
        Policy { rules: rules.into() }
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether nothing at all is permitted.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether `host`, a name or an address in any spelling, may be asked for at all. A name that passes may still
    /// resolve to addresses that are refused. Network rules name no names, since looking a name up tells it to others;
    /// the exception is a network of everything, which leaves nothing to tell.
    pub fn permits_name(&self, transport: Transport, host: &str, port: u16) -> bool {
        self.permits(Purpose::Connect(transport, port), host)
    }

    /// Whether a socket may ask for the addresses of `host` without saying what for: some rule for sockets names it.
    pub fn permits_lookup(&self, host: &str) -> bool {
        self.permits(Purpose::LookUp, host)
    }

    /// Whether `address` may be reached. `name` is the name that it was resolved from, if it was.
    ///
    /// # Errors
    /// [`Refused`] says what is missing.
    pub fn check(&self, transport: Transport, name: Option<&str>, address: SocketAddr) -> Result<(), Refused> {
        let port = address.port();
        self.judge(Purpose::Connect(transport, port), name, address.ip()).map_err(|reason| Refused {
            transport,
            host: name.map_or_else(|| normalise(address.ip()).to_string(), str::to_owned),
            port: Some(port),
            reason,
        })
    }

    /// As [`Policy::check`] for an address that a guest gives as a number, and may have learnt from a name before.
    ///
    /// # Errors
    /// [`Refused`] says what is missing.
    pub fn check_learnt(&self, transport: Transport, learnt: &Learnt, address: SocketAddr) -> Result<(), Refused> {
        let by_number = self.check(transport, None, address);
        if by_number.is_err() && learnt.names(address.ip()).any(|n| self.check(transport, Some(n), address).is_ok()) {
            return Ok(());
        }
        by_number
    }

    fn permits(&self, purpose: Purpose, host: &str) -> bool {
        match literal(host) {
            Some(address) => self.permits_address(purpose, None, address),
            None => self.permits_canonical(purpose, &canonical(host)),
        }
    }

    pub(super) fn judge(&self, purpose: Purpose, name: Option<&str>, address: IpAddr) -> Result<(), Reason> {
        let address = normalise(address);
        // A name that is an address is no name.
        let name = name.filter(|name| literal(name).is_none()).map(canonical);
        if name.as_deref().is_some_and(|name| !self.permits_canonical(purpose, name)) {
            return Err(Reason::NotGranted);
        }
        if self.permits_address(purpose, name.as_deref(), address) {
            return Ok(());
        }
        Err(match (name, special(address)) {
            (None, _) => Reason::NotGranted,
            (Some(_), Some(special)) => Reason::NotPublic(address, special.class),
            (Some(_), None) => Reason::OtherAddress(address),
        })
    }

    fn permits_canonical(&self, purpose: Purpose, name: &str) -> bool {
        let everything = |rule: &Rule| rule.network().is_some_and(|network| network.prefix_len() == 0);
        let named = |rule: &Rule| purpose.matches(rule) && (rule.names(name) || everything(rule));
        self.rules.iter().any(named)
            || (name == LOCALHOST && LOOPBACK.iter().any(|address| self.permits_address(purpose, None, *address)))
    }

    /// Whether some rule covers `address`, which `name` resolved to. The name is one that may be asked for.
    fn permits_address(&self, purpose: Purpose, name: Option<&str>, address: IpAddr) -> bool {
        let special = special(address);
        let loopback = special.is_some_and(|special| special.class == Class::Loopback);
        let is_localhost = name.is_some_and(|name| name == LOCALHOST);
        if is_localhost && !loopback {
            return false;
        }
        self.rules.iter().filter(|rule| purpose.matches(rule)).any(|rule| match rule.host() {
            Host::Network(network) => {
                network.contains(&address) && special.is_none_or(|special| special.network.contains(network))
            }
            Host::Name(_) | Host::Suffix(_) if rule.is_localhost() => loopback && (name.is_none() || is_localhost),
            Host::Name(_) | Host::Suffix(_) => special.is_none() && name.is_some_and(|name| rule.names(name)),
        })
    }
}

/// The names that one guest looked up, and the addresses it was given: sockets are connected by number, and a grant by
/// name has to recognise the numbers that it led to. One for each invocation.
#[derive(Debug, Default)]
pub struct Learnt {
    pairs: VecDeque<(IpAddr, Arc<str>)>,
}

impl Learnt {
    /// Addresses remembered, the oldest forgotten first: far more than a guest needs between look-up and connect, and
    /// little enough to search one by one.
    pub const MAX_ADDRESSES: usize = 256;

    /// Remembers that `name` resolved to `addresses`.
    pub fn learn(&mut self, name: &str, addresses: &[IpAddr]) {
        let name: Arc<str> = Arc::from(canonical(name));
        for address in addresses {
            let pair = (normalise(*address), Arc::clone(&name));
            self.pairs.retain(|known| *known != pair);
            if self.pairs.len() == Self::MAX_ADDRESSES {
                self.pairs.pop_front();
            }
            self.pairs.push_back(pair);
        }
    }

    /// The names that resolved to `address`.
    pub fn names(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        let address = normalise(address);
        self.pairs.iter().filter(move |(known, _)| *known == address).map(|(_, name)| &**name)
    }
}
