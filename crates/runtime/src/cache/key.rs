//! The name of an entry: a digest over everything that compiled code depends on.

use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

/// Changes when the meaning of an entry's files does, and when other code is made of the same component.
const FORMAT: &str = "coracle code 5";

/// Names compiled code by what it was made from and for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key of the component with this digest, compiled by this engine: its version, its settings, its target, and whether its
    /// code is `rewritten` before.
    pub(crate) fn new(component: &str, engine: &wasmtime::Engine, rewritten: bool) -> Self {
        let mut hasher = DigestHasher(Sha256::new());
        FORMAT.hash(&mut hasher);
        component.hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        rewritten.hash(&mut hasher);
        Self(hasher.0.finalize().into())
    }

    /// Which lock guards it: its first byte.
    pub(crate) fn shard(&self) -> String {
        format!("{:02x}", self.0[0])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Feeds a value that knows only how to be hashed to a digest that nobody can collide.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The short form that the trait wants; the key takes the whole digest.
    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        digest.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}
