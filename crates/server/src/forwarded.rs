//! Who the client is when proxies stand in front.
//!
//! One rule. If the connection comes from a trusted proxy, the chain of addresses in `Forwarded` (RFC 7239), or else in
//! `X-Forwarded-For`, is walked from its end past every trusted proxy: the first address that is not one is the client,
//! and the scheme is the one that the nearest proxy gives. From anywhere else these headers are worth nothing. Either
//! way the guest sees `X-Forwarded-For` with one address and `X-Forwarded-Proto`, both written here, `X-Forwarded-Host`
//! only from a trusted proxy, and no other header of this family.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use ipnet::IpNet;

use crate::connection::Peer;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Other spellings of the same claims, which nobody here vouches for.
const OTHERS: [HeaderName; 5] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
];

/// The most addresses of a chain that are looked at.
///
/// Reason: real chains have under ten; a longer one is made up, and what it says of its far end is worth nothing.
pub const MAX_HOPS: usize = 32;

/// Whose word about the client is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl From<Vec<IpNet>> for TrustedProxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }
}

impl TrustedProxies {
    /// Whether `address` is that of a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        // A listener on [::] sees IPv4 clients as mapped addresses.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Who asks, and by which scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address.
    pub(crate) name: HeaderValue,
    pub(crate) scheme: Scheme,
    /// Whether the request came through a trusted proxy, whose request id is then taken too.
    pub(crate) by_proxy: bool,
}

/// Finds out who the client is and rewrites the headers that tell the guest.
pub(crate) fn identify(headers: &mut HeaderMap, peer: &Peer, trusted: &TrustedProxies) -> Client {
    let address = peer.address.ip().to_canonical();
    let mut client = Client {
        name: peer.name.clone(),
        scheme: if peer.tls { Scheme::HTTPS } else { Scheme::HTTP },
        by_proxy: trusted.contains(address),
    };
    if client.by_proxy {
        let claims = Claims::read(headers);
        client.name = name(claims.client(address, trusted));
        client.scheme = claims.scheme.unwrap_or(client.scheme);
    } else {
        headers.remove(HOST);
    }
    for name in &OTHERS {
        headers.remove(name);
    }
    headers.insert(FOR, client.name.clone());
    let scheme = if client.scheme == Scheme::HTTPS { "https" } else { "http" };
    headers.insert(PROTO, HeaderValue::from_static(scheme));
    client
}

/// An address as guests and the log have it.
pub(crate) fn name(address: IpAddr) -> HeaderValue {
    HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}

/// What the proxies say.
struct Claims {
    /// The chain from the nearest to the farthest; `None` is a hop that hides or garbles its address.
    chain: Vec<Option<IpAddr>>,
    scheme: Option<Scheme>,
}

impl Claims {
    fn read(headers: &HeaderMap) -> Self {
        if headers.contains_key(FORWARDED) { Self::from_forwarded(headers) } else { Self::from_x_forwarded(headers) }
    }

    fn from_forwarded(headers: &HeaderMap) -> Self {
        let mut claims = Self { chain: Vec::new(), scheme: None };
        for (index, element) in from_the_end(headers, FORWARDED, ',').enumerate() {
            let mut hop = None;
            for pair in split_quoted(element, ';') {
                let Some((name, value)) = pair.split_once('=') else { continue };
                let value = value.trim().trim_matches('"');
                if name.trim().eq_ignore_ascii_case("for") {
                    hop = address(value);
                } else if name.trim().eq_ignore_ascii_case("proto") && index == 0 {
                    claims.scheme = scheme(value);
                }
            }
            claims.chain.push(hop);
        }
        claims
    }

    fn from_x_forwarded(headers: &HeaderMap) -> Self {
        Self {
            chain: from_the_end(headers, FOR, ',').map(address).collect(),
            scheme: from_the_end(headers, PROTO, ',').next().and_then(scheme),
        }
    }

    /// The first address that is no trusted proxy. A hop that cannot be read ends the walk: the last known one stands.
    fn client(&self, peer: IpAddr, trusted: &TrustedProxies) -> IpAddr {
        let mut known = peer;
        for hop in &self.chain {
            match hop {
                Some(address) if trusted.contains(*address) => known = *address,
                Some(address) => return *address,
                None => break,
            }
        }
        known
    }
}

/// The elements of a list header from the last to the first, bounded.
fn from_the_end(headers: &HeaderMap, name: HeaderName, separator: char) -> impl Iterator<Item = &str> {
    let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect();
    values
        .into_iter()
        .rev()
        .flat_map(move |value| {
            let elements: Vec<&str> = match value.matches('"').count() % 2 {
                0 => split_quoted(value, separator).collect(),
                // A quotation mark that a client left open would swallow what the proxy has added behind it.
                _ => vec![""],
            };
            elements.into_iter().rev()
        })
        .take(MAX_HOPS)
}

/// Splits at a separator that does not stand in double quotes.
fn split_quoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == separator && !quoted
    })
}

/// An address as proxies write it: plain, with a port, or with brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    plain.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

fn scheme(text: &str) -> Option<Scheme> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("https") => Some(Scheme::HTTPS),
        text if text.eq_ignore_ascii_case("http") => Some(Scheme::HTTP),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.1:5000";
    const STRANGER: &str = "203.0.113.9:5000";

    fn run(peer: &str, headers: &[(&'static str, &str)]) -> (Client, HeaderMap) {
        let trusted = TrustedProxies::from(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let peer = Peer::new(peer.parse().unwrap(), "127.0.0.1:80".parse().unwrap(), false);
        (identify(&mut map, &peer, &trusted), map)
    }

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        run(peer, headers).0.name.to_str().unwrap().to_owned()
    }

    #[test]
    fn strangers_are_not_believed() {
        let claims = [
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4;proto=https"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "bank.example"),
            ("x-real-ip", "1.2.3.4"),
        ];
        let (client, headers) = run(STRANGER, &claims);
        assert_eq!(client.name, "203.0.113.9");
        assert_eq!(client.scheme, Scheme::HTTP);
        assert!(!client.by_proxy);
        assert_eq!(headers[FOR], "203.0.113.9");
        assert_eq!(headers[PROTO], "http");
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn the_first_address_from_the_end_that_is_no_proxy_is_the_client() {
        let x = |value| client(PROXY, &[("x-forwarded-for", value)]);
        assert_eq!(x("1.2.3.4"), "1.2.3.4");
        assert_eq!(x("6.6.6.6, 1.2.3.4, 10.9.9.9"), "1.2.3.4");
        assert_eq!(x("1.2.3.4:1234"), "1.2.3.4");
        assert_eq!(x("[2001:db8::1]:1234"), "2001:db8::1");
        assert_eq!(x("::ffff:1.2.3.4"), "1.2.3.4");
        // A hop that is not an address hides what lies behind it.
        assert_eq!(x("6.6.6.6, unknown"), "10.0.0.1");
        assert_eq!(x("6.6.6.6, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(x(""), "10.0.0.1");
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(client(PROXY, &two), "1.2.3.4");
        assert_eq!(client("[::ffff:10.0.0.1]:80", &[("x-forwarded-for", "1.2.3.4")]), "1.2.3.4");
    }

    #[test]
    fn forwarded_comes_before_the_old_headers() {
        let headers = [
            ("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:47\";proto=https;by=\"a,b\""),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "shop.example"),
        ];
        let (client, headers) = run(PROXY, &headers);
        assert_eq!(client.name, "2001:db8::1");
        assert_eq!(client.scheme, Scheme::HTTPS);
        assert_eq!(headers[FOR], "2001:db8::1");
        assert_eq!(headers[HOST], "shop.example");
        assert!(!headers.contains_key(FORWARDED));
    }

    #[test]
    fn an_open_quotation_mark_hides_nothing() {
        assert_eq!(client(PROXY, &[("forwarded", "for=6.6.6.6;x=\", for=1.2.3.4")]), "10.0.0.1");
    }

    proptest! {
        /// Reason: what a proxy passes on was written by strangers.
        #[test]
        fn any_claims_are_survived(forwarded in "[ -~]{0,80}", x in "[ -~]{0,80}") {
            run(PROXY, &[("forwarded", &forwarded)]);
            run(PROXY, &[("x-forwarded-for", &x)]);
        }
    }
}
