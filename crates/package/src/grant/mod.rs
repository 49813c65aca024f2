//! Grants: the things a guest may touch, each with the one syntax that flags and the manifest share.
//!
//! This module knows syntax only. What a grant means on this machine (addresses, folders that exist) is decided where it
//! is enforced.

pub(crate) mod assignment;
mod dir;
pub(crate) mod host;
mod keyvalue;
mod listen;
mod net;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::net::SocketAddr;

pub use assignment::Assignment;
pub use dir::{Access, DirGrant, Quota};
pub use host::HostPattern;
pub use keyvalue::{KeyValueBackend, KeyValueGrant, RedisUrl};
pub use listen::parse_listen;
pub use net::{NetGrant, Ports, Transport};

pub use ipnet::IpNet;

/// Everything one component is granted. The default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Folders of the host. Relative paths are kept as they were written; whoever enforces the grant resolves them.
    pub dirs: Vec<DirGrant>,
    /// Environment variables with their values.
    pub env: BTreeMap<String, String>,
    /// Environment variables whose values are the host's own.
    pub env_from_host: Vec<String>,
    /// Where the guest may connect to.
    pub net: Vec<NetGrant>,
    /// Addresses on which the guest may listen.
    pub listen: Vec<SocketAddr>,
    /// The keys the guest finds in wasi:config, and where their values come from.
    pub variables: BTreeMap<String, VariableValue>,
    /// The key-value stores the guest may open, by the name it opens them with.
    pub keyvalue: BTreeMap<String, KeyValueBackend>,
}

/// Where the value of a wasi:config key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableValue {
    /// This text.
    Literal(String),
    /// The manifest variable with this name.
    Variable(String),
    /// The manifest secret with this name.
    Secret(String),
}
