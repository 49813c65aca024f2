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
///
/// ```
/// use coracle_capability::net::{Host, Policy, Ports, Rule, Transport};
///
/// let rule = Rule::new(Transport::Http, Host::Suffix("example.com".into()), Ports::one(443));
/// let policy = Policy::new(vec![rule]);
/// assert!(policy.permits_name(Transport::Http, "api.example.com", 443));
/// assert!(!policy.permits_name(Transport::Tcp, "api.example.com", 443));
///
/// // A name that is granted does not grant what is inside: its address decides.
/// let inside = "169.254.169.254:443".parse().unwrap();
/// assert!(policy.check(Transport::Http, Some("api.example.com"), inside).is_err());
/// ```
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::{Ports, classify};

    fn rule(transport: Transport, host: &str, ports: Ports) -> Rule {
        let host = match host.parse() {
            Ok(network) => Host::Network(network),
            Err(_) if host.starts_with("*.") => Host::Suffix(host.to_owned()),
            Err(_) => Host::Name(host.to_owned()),
        };
        Rule::new(transport, host, ports)
    }

    fn policy(hosts: &[&str]) -> Policy {
        hosts.iter().map(|host| rule(Transport::Any, host, Ports::ALL)).collect()
    }

    fn tcp(policy: &Policy, name: Option<&str>, address: &str) -> Result<(), Reason> {
        policy.check(Transport::Tcp, name, SocketAddr::new(address.parse().unwrap(), 80)).map_err(|r| r.reason)
    }

    #[test]
    fn nothing_is_permitted_by_default() {
        let none = Policy::default();
        assert!(none.is_empty());
        assert!(!none.permits_name(Transport::Http, "example.com", 443));
        assert!(!none.permits_name(Transport::Http, "localhost", 443));
        assert!(!none.permits_lookup("example.com"));
        assert_eq!(tcp(&none, None, "1.1.1.1"), Err(Reason::NotGranted));
        assert_eq!(tcp(&none, Some("example.com"), "1.1.1.1"), Err(Reason::NotGranted));
    }

    #[test]
    fn a_name_permits_its_public_addresses_and_no_others() {
        let policy = policy(&["api.example.com"]);
        assert!(policy.permits_name(Transport::Tcp, "API.example.com.", 1));
        assert_eq!(tcp(&policy, Some("api.example.com"), "1.1.1.1"), Ok(()));
        assert_eq!(tcp(&policy, None, "1.1.1.1"), Err(Reason::NotGranted));
        assert_eq!(tcp(&policy, Some("example.com"), "1.1.1.1"), Err(Reason::NotGranted));
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "::1",
            "::ffff:10.0.0.1",
            "fd00:ec2::254",
            "fe80::1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "224.0.0.1",
            "192.168.0.1",
            "100.64.0.1",
        ] {
            let reason = tcp(&policy, Some("api.example.com"), address).unwrap_err();
            assert!(matches!(reason, Reason::NotPublic(..)), "{address}: {reason:?}");
        }
    }

    #[test]
    fn a_private_address_is_permitted_by_a_network_beside_the_name() {
        let both = policy(&["db.internal", "10.0.0.0/8"]);
        assert_eq!(tcp(&both, Some("db.internal"), "10.1.2.3"), Ok(()));
        assert_eq!(tcp(&both, Some("db.internal"), "::ffff:10.1.2.3"), Ok(()));
        assert_eq!(tcp(&both, None, "10.1.2.3"), Ok(()));
        assert_eq!(tcp(&both, None, "64:ff9b::10.1.2.3"), Ok(()));
        assert!(tcp(&both, Some("db.internal"), "192.168.0.1").is_err());
        assert!(tcp(&both, Some("other.internal"), "10.1.2.3").is_err());
    }

    #[test]
    fn a_wide_network_names_no_special_range_inside() {
        let everything = policy(&["0.0.0.0/0", "::/0"]);
        assert_eq!(tcp(&everything, None, "1.1.1.1"), Ok(()));
        assert_eq!(tcp(&everything, Some("any.example"), "2606:4700::1"), Ok(()));
        for address in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "fe80::1", "4000::1"] {
            assert!(tcp(&everything, None, address).is_err(), "{address}");
        }
        let link_local = policy(&["169.254.0.0/16"]);
        assert_eq!(tcp(&link_local, None, "169.254.1.1"), Ok(()));
        assert!(tcp(&link_local, None, "169.254.169.254").is_err());
        assert_eq!(tcp(&policy(&["169.254.169.254/32"]), None, "169.254.169.254"), Ok(()));
    }

    #[test]
    fn networks_name_no_names_but_everything_names_all() {
        let network = policy(&["10.0.0.0/8"]);
        assert!(!network.permits_name(Transport::Http, "secret.leaks.example", 80));
        assert!(network.permits_name(Transport::Http, "10.1.1.1", 80));
        assert!(network.permits_name(Transport::Http, "0x0a010101", 80));
        assert!(policy(&["0.0.0.0/0"]).permits_name(Transport::Http, "any.example", 80));
    }

    #[test]
    fn localhost_is_loopback_and_nothing_else() {
        let localhost = policy(&["localhost"]);
        assert!(localhost.permits_name(Transport::Http, "LOCALHOST", 80));
        assert_eq!(tcp(&localhost, Some("localhost"), "127.0.0.1"), Ok(()));
        assert_eq!(tcp(&localhost, Some("localhost"), "::1"), Ok(()));
        assert_eq!(tcp(&localhost, None, "127.0.0.1"), Ok(()));
        assert_eq!(tcp(&localhost, None, "::ffff:127.0.0.1"), Ok(()));
        assert!(tcp(&localhost, Some("localhost"), "1.1.1.1").is_err());
        assert!(tcp(&localhost, None, "1.1.1.1").is_err());
        // A name that somebody points at loopback is not localhost.
        let both = policy(&["localhost", "rebind.example"]);
        assert!(tcp(&both, Some("rebind.example"), "127.0.0.1").is_err());
        // A granted loopback address is what localhost means, without a look-up.
        let number = policy(&["127.0.0.1/32"]);
        assert!(number.permits_name(Transport::Http, "localhost", 80));
        assert_eq!(tcp(&number, Some("localhost"), "127.0.0.1"), Ok(()));
        assert!(tcp(&number, Some("localhost"), "::1").is_err());
    }

    #[test]
    fn transport_and_port_count() {
        let policy: Policy = [
            rule(Transport::Tcp, "1.0.0.0/24", Ports { first: 10, last: 20 }),
            rule(Transport::Http, "example.com", Ports::one(443)),
        ]
        .into_iter()
        .collect();
        let check = |transport, port| policy.check(transport, None, SocketAddr::new([1, 0, 0, 1].into(), port)).is_ok();
        assert!(check(Transport::Tcp, 10) && check(Transport::Tcp, 20));
        assert!(!check(Transport::Tcp, 9) && !check(Transport::Tcp, 21));
        assert!(!check(Transport::Udp, 10) && !check(Transport::Http, 10) && !check(Transport::Any, 10));
        assert!(policy.permits_name(Transport::Http, "example.com", 443));
        assert!(!policy.permits_name(Transport::Http, "example.com", 80));
        assert!(!policy.permits_lookup("example.com"), "a grant for HTTP is none for sockets");
    }

    #[test]
    fn an_address_learnt_from_a_granted_name_is_permitted() {
        let policy = policy(&["api.example.com"]);
        let address = "1.1.1.1:443".parse().unwrap();
        let mut learnt = Learnt::default();
        assert!(policy.check_learnt(Transport::Tcp, &learnt, address).is_err());
        learnt.learn("API.example.com.", &[address.ip()]);
        assert!(policy.check_learnt(Transport::Tcp, &learnt, address).is_ok());
        let mapped = "[::ffff:1.1.1.1]:443".parse().unwrap();
        assert!(policy.check_learnt(Transport::Tcp, &learnt, mapped).is_ok());
        learnt.learn("evil.example", &["2.2.2.2".parse().unwrap()]);
        assert!(policy.check_learnt(Transport::Tcp, &learnt, "2.2.2.2:443".parse().unwrap()).is_err());
    }

    #[test]
    fn what_was_learnt_is_bounded() {
        let mut learnt = Learnt::default();
        for number in 0..10_000_u32 {
            learnt.learn("a", &[IpAddr::V4(Ipv4Addr::from_bits(number))]);
        }
        assert_eq!(learnt.pairs.len(), Learnt::MAX_ADDRESSES);
        assert_eq!(learnt.names(IpAddr::V4(Ipv4Addr::from_bits(9_999))).count(), 1);
        assert_eq!(learnt.names(IpAddr::V4(Ipv4Addr::from_bits(0))).count(), 0);
    }

    #[test]
    fn a_refusal_says_what_and_which_grant_permits_it() {
        let granted = policy(&["db.internal"]);
        let address = SocketAddr::new([10, 0, 0, 5].into(), 5432);
        let refused = granted.check(Transport::Tcp, Some("db.internal"), address).unwrap_err();
        assert_eq!(refused.grant(), "tcp://10.0.0.5:5432");
        assert_eq!(
            refused.to_string(),
            "TCP connection to db.internal:5432 is refused: the address 10.0.0.5 is private and not granted by number"
        );
        let refused = Policy::default().check(Transport::Udp, None, "[::1]:53".parse().unwrap()).unwrap_err();
        assert_eq!(refused.grant(), "udp://[::1]:53");
        assert_eq!(refused.to_string(), "UDP to ::1:53 is not granted");
    }

    #[tokio::test]
    async fn a_look_up_gives_only_what_may_be_reached() {
        let one = policy(&["127.0.0.1/32"]);
        let found = one.resolve(Transport::Tcp, "localhost", 80).await.unwrap();
        assert_eq!(found, ["127.0.0.1:80".parse().unwrap()]);
        let found = one.look_up("0x7f.1").await.unwrap();
        assert_eq!(found, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert!(one.resolve(Transport::Tcp, "example.com", 80).await.is_err());
        assert!(policy(&["*.example"]).resolve(Transport::Tcp, "bad name.example", 80).await.is_err());
    }

    fn addresses() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
            any::<u32>().prop_map(|bits| IpAddr::V6(Ipv4Addr::from_bits(bits).to_ipv6_mapped())),
        ]
    }

    proptest! {
        /// Whatever a name resolves to, without a network rule only public addresses are reached.
        #[test]
        fn a_name_never_leads_inside(address in addresses()) {
            let permitted = tcp(&policy(&["a.example"]), Some("a.example"), &address.to_string()).is_ok();
            prop_assert_eq!(permitted, classify(address) == Class::Public);
        }

        /// How an address is spelt changes nothing.
        #[test]
        fn the_spelling_makes_no_difference(bits: u32, length in 0_u8..=32, port: u16) {
            let network = format!("{}/{length}", Ipv4Addr::from_bits(bits.rotate_left(3)));
            let policy = policy(&[&network, "10.0.0.0/8"]);
            let address = Ipv4Addr::from_bits(bits);
            let spellings = [address.to_string(), bits.to_string(), format!("{bits:#x}"), format!("[::ffff:{address}]")];
            let verdict = |spelling: &String| policy.permits_name(Transport::Tcp, spelling, port);
            prop_assert!(spellings.iter().all(|spelling| verdict(spelling) == verdict(&spellings[0])));
        }
    }
}
