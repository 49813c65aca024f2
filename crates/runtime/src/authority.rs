//! What a guest may touch and how much it may use, resolved once from grants and limits.
//!
//! Grants are syntax: they name folders, variables and stores. An [`Authority`] is what they come to on this machine, and
//! the only thing that the rest of the runtime sees.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use coracle_capability::keyvalue::{self, Store};
use coracle_capability::net::{Host, Policy, Ports, Rule, Transport};
use coracle_capability::outbound::{Client, Trust, TrustError};
use coracle_capability::secret::Secret;
use coracle_package::grant::{self, Access, Grants, VariableValue};
use coracle_package::limit::Limits;
use rustls_pki_types::CertificateDer;

use crate::host::Quota;

/// Everything that one component holds.
pub struct Authority {
    /// How much it may use.
    pub limits: Limits,
    pub(crate) directories: Vec<Directory>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) network: Policy,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) variables: BTreeMap<String, Secret>,
    pub(crate) stores: BTreeMap<String, Arc<dyn Store>>,
    /// Made when it is first used, since most guests never send a request.
    client: OnceLock<Client>,
}

/// A folder of the host that the guest sees.
pub(crate) struct Directory {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) access: Access,
    /// Shared by all instances.
    pub(crate) quota: Option<Arc<Quota>>,
}

/// What grants refer to and do not hold themselves.
pub struct Resolution<'a> {
    /// Where relative paths start.
    pub directory: &'a Path,
    /// Values of the manifest's variables.
    pub variables: &'a BTreeMap<String, String>,
    /// Values of the manifest's secrets.
    pub secrets: &'a BTreeMap<String, Secret>,
    /// Looks a variable of the host's environment up.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Certificate authorities that outbound requests trust besides the public ones.
    pub roots: &'a [CertificateDer<'static>],
}

/// A grant that cannot be given on this machine.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A granted folder is not there, or is no folder.
    #[error("the granted folder {} cannot be opened", path.display())]
    Directory {
        /// The folder on the host.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A variable of the host's environment that is not set.
    #[error("the environment variable {0} is granted from the host, and is not set there")]
    Environment(String),
    /// A manifest variable without a value.
    #[error("the variable {0} has no value")]
    Variable(String),
    /// A secret without a value.
    #[error("the secret {0} has no value")]
    Secret(String),
    /// An additional certificate authority that is none.
    #[error("an additional certificate authority cannot be used")]
    Roots(#[source] TrustError),
    /// A key-value store that cannot be opened.
    #[error("the key-value store {name} cannot be opened")]
    Store {
        /// The name that the guest opens it by.
        name: String,
        /// Why.
        #[source]
        source: keyvalue::OpenError,
    },
}

impl Authority {
    /// Resolves `grants` on this machine.
    ///
    /// # Errors
    /// Every grant that cannot be given, all at once.
    pub fn resolve(grants: &Grants, limits: Limits, resolution: &Resolution<'_>) -> Result<Self, Vec<AuthorityError>> {
        let mut errors = Vec::new();
        let mut keep = |error| errors.push(error);

        let directories =
            grants.dirs.iter().filter_map(|dir| directory(dir, resolution.directory).map_err(&mut keep).ok()).collect();
        let environment = environment(grants, resolution, &mut keep);
        let variables = variables(grants, resolution, &mut keep);
        let mut stores = BTreeMap::new();
        for (name, backend) in &grants.keyvalue {
            let opened = store_location(backend, resolution).and_then(|location| {
                keyvalue::open(&location).map_err(|source| AuthorityError::Store { name: name.clone(), source })
            });
            match opened {
                Ok(store) => {
                    stores.insert(name.clone(), store);
                }
                Err(error) => keep(error),
            }
        }

        let network: Policy = grants.net.iter().map(rule).collect();
        let client = OnceLock::new();
        if !resolution.roots.is_empty() {
            match Trust::new(resolution.roots.iter().cloned()) {
                Ok(trust) => drop(client.set(Client::new(network.clone(), &trust))),
                Err(error) => keep(AuthorityError::Roots(error)),
            }
        }

        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { limits, directories, environment, network, listen: grants.listen.clone(), variables, stores, client })
    }

    /// Sends the guest's outbound requests, under its policy and over connections of its own.
    pub(crate) fn client(&self) -> Result<&Client, TrustError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(self.network.clone(), &Trust::new([])?);
        Ok(self.client.get_or_init(|| client))
    }
}

fn directory(grant: &grant::DirGrant, base: &Path) -> Result<Directory, AuthorityError> {
    let host = base.join(&grant.host);
    let opened = std::fs::read_dir(&host);
    match opened {
        Ok(_) => {
            let quota = match grant.access {
                Access::ReadWrite(Some(quota)) => Some(Arc::new(Quota::new(host.clone(), quota))),
                Access::ReadWrite(None) | Access::ReadOnly => None,
            };
            Ok(Directory { host, guest: grant.guest.clone(), access: grant.access, quota })
        }
        Err(source) => Err(AuthorityError::Directory { path: host, source }),
    }
}

fn environment(
    grants: &Grants,
    resolution: &Resolution<'_>,
    keep: &mut impl FnMut(AuthorityError),
) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> =
        grants.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    for name in &grants.env_from_host {
        match (resolution.environment)(name) {
            Some(value) => environment.push((name.clone(), value)),
            None => keep(AuthorityError::Environment(name.clone())),
        }
    }
    environment
}

fn variables(
    grants: &Grants,
    resolution: &Resolution<'_>,
    keep: &mut impl FnMut(AuthorityError),
) -> BTreeMap<String, Secret> {
    let mut variables = BTreeMap::new();
    for (key, value) in &grants.variables {
        let found = match value {
            VariableValue::Literal(text) => Ok(Secret::from(text.clone())),
            VariableValue::Variable(name) => resolution
                .variables
                .get(name)
                .map(|text| Secret::from(text.clone()))
                .ok_or_else(|| AuthorityError::Variable(name.clone())),
            VariableValue::Secret(name) => {
                resolution.secrets.get(name).cloned().ok_or_else(|| AuthorityError::Secret(name.clone()))
            }
        };
        match found {
            Ok(value) => {
                variables.insert(key.clone(), value);
            }
            Err(error) => keep(error),
        }
    }
    variables
}

fn store_location(
    backend: &grant::KeyValueBackend,
    resolution: &Resolution<'_>,
) -> Result<keyvalue::Backend, AuthorityError> {
    Ok(match backend {
        grant::KeyValueBackend::Memory => keyvalue::Backend::Memory,
        grant::KeyValueBackend::Redb(path) => keyvalue::Backend::Redb(resolution.directory.join(path)),
        grant::KeyValueBackend::Redis(url) => keyvalue::Backend::Redis(Secret::from(url.expose().to_owned())),
        grant::KeyValueBackend::Secret(name) => {
            let address = resolution.secrets.get(name).ok_or_else(|| AuthorityError::Secret(name.clone()))?;
            keyvalue::Backend::Redis(address.clone())
        }
    })
}

/// The policy's form of a grant: the one is what was written, the other is what is compared with addresses.
fn rule(grant: &grant::NetGrant) -> Rule {
    let transport = match grant.transport {
        grant::Transport::Any => Transport::Any,
        grant::Transport::Tcp => Transport::Tcp,
        grant::Transport::Udp => Transport::Udp,
        grant::Transport::Http => Transport::Http,
    };
    let host = match &grant.host {
        grant::HostPattern::Name(name) => Host::Name(name.clone()),
        grant::HostPattern::Suffix(suffix) => Host::Suffix(suffix.clone()),
        grant::HostPattern::Network(network) => Host::Network(*network),
    };
    Rule::new(transport, host, Ports { first: grant.ports.first, last: grant.ports.last })
}
