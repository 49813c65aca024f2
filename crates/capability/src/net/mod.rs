//! Which hosts and addresses a guest may reach.
//!
//! A [`Policy`] is a list of [`Rule`]s, and nothing is reachable that no rule names. A rule names a host, a suffix of
//! hosts or a network, with a transport and ports. The decision falls on the *address* that is connected to, not on the
//! name a guest asked for: [`Policy::resolve`] looks a name up once, keeps the addresses that the policy permits, and the
//! caller connects to one of exactly those. Names therefore cannot be rebound between check and use.
//!
//! Addresses that are not on the public internet (private, loopback, link-local, multicast, cloud metadata and the rest
//! of the registries of special addresses, see [`classify`]) are refused unless a network rule names them explicitly:
//! the rule must lie inside the special range. `10.0.0.0/8` names private addresses; `0.0.0.0/0` names the public
//! internet and no private address; `169.254.0.0/16` names link-local addresses but not the metadata service inside.
//! The host name `localhost` names the loopback addresses and needs no look-up.
//!
//! An address has many spellings, and all are brought to one before it is judged: see [`literal`] and [`normalise`].

mod address;
mod policy;
mod refused;
mod resolve;
mod rule;
mod special;

pub use address::{literal, normalise};
pub use policy::{Learnt, Policy};
pub use refused::{Reason, Refused};
pub use resolve::{MAX_ADDRESSES, RESOLVE_TIMEOUT, ResolveError};
pub use rule::{Host, Ports, Rule, Transport};
pub use special::{Class, Special, classify, special};
