//! Names to addresses, once, filtered by the policy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::policy::{LOOPBACK, Purpose};
use super::rule::{LOCALHOST, canonical};
use super::{Policy, Reason, Refused, Transport, literal};

/// How long a look-up may take: what resolvers of common systems take for two servers with one retry each.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses kept of one answer: more than any service publishes for clients to try.
pub const MAX_ADDRESSES: usize = 32;

/// Longest name in the domain name system, in bytes of text (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;

/// Why a name gives no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The policy does not permit the name, or any address that it has.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It is no name: empty, too long, or with bytes that no name has.
    #[error("{0:?} is not a host name")]
    Invalid(String),
    /// There is no such name, or it has no addresses.
    #[error("the name {0} has no address")]
    NotFound(String),
    /// No answer came in time.
    #[error("looking up {0} took longer than {limit} s", limit = RESOLVE_TIMEOUT.as_secs())]
    TimedOut(String),
    /// The look-up failed.
    #[error("looking up {0} failed")]
    Failed(String, #[source] io::Error),
}

impl Policy {
    /// The addresses of `host` that may be reached at `port`, in the resolver's order: never empty. Connect to one of
    /// these and to no other, so that what was checked is what is used.
    ///
    /// # Errors
    /// [`ResolveError::Refused`] before anything is looked up if the name is not granted, and after if none of its
    /// addresses is permitted.
    pub async fn resolve(&self, transport: Transport, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let refused = |reason| Refused { transport, host: host.to_owned(), port: Some(port), reason };
        if !self.permits_name(transport, host, port) {
            return Err(refused(Reason::NotGranted).into());
        }
        let addresses = self.permitted(Purpose::Connect(transport, port), host).await?.map_err(refused)?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// The addresses of `host` that some socket of the guest may reach: never empty.
    ///
    /// # Errors
    /// As [`Policy::resolve`].
    pub async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let refused = |reason| Refused { transport: Transport::Any, host: host.to_owned(), port: None, reason };
        if !self.permits_lookup(host) {
            return Err(refused(Reason::NotGranted).into());
        }
        Ok(self.permitted(Purpose::LookUp, host).await?.map_err(refused)?)
    }

    async fn permitted(&self, purpose: Purpose, host: &str) -> Result<Result<Vec<IpAddr>, Reason>, ResolveError> {
        let mut permitted = Vec::new();
        let mut reason = None;
        for address in addresses(host).await? {
            match self.judge(purpose, Some(host), address) {
                Ok(()) if !permitted.contains(&address) => permitted.push(address),
                Ok(()) => {}
                Err(because) => reason = reason.or(Some(because)),
            }
        }
        permitted.truncate(MAX_ADDRESSES);
        match reason {
            _ if !permitted.is_empty() => Ok(Ok(permitted)),
            Some(reason) => Ok(Err(reason)),
            None => Err(ResolveError::NotFound(host.to_owned())),
        }
    }
}

/// Every address of `host`: itself if it is one, the loopback addresses for `localhost`, else what the system says.
async fn addresses(host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    if let Some(address) = literal(host) {
        return Ok(vec![address]);
    }
    let name = canonical(host);
    if name == LOCALHOST {
        return Ok(LOOPBACK.to_vec());
    }
    if !is_name(&name) {
        return Err(ResolveError::Invalid(host.to_owned()));
    }
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((name.as_str(), 0))).await;
    match found {
        Err(_) => Err(ResolveError::TimedOut(host.to_owned())),
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        // The system's resolver does not say by kind whether the name is missing or the server; its text does, and goes
        // to the log with the error.
        Ok(Err(error)) => Err(ResolveError::Failed(host.to_owned(), error)),
    }
}

/// Whether `name` is made of labels of letters, digits, hyphens and underscores. Names in other scripts come in their
/// ASCII form (`xn--`), as URLs carry them.
fn is_name(name: &str) -> bool {
    /// Longest label, in bytes (RFC 1035 section 2.3.4).
    const MAX_LABEL: usize = 63;
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= MAX_NAME && name.split('.').all(label)
}
