//! The paths of a route: `/a` for exactly that path, `/a/*` for it and everything below.

use std::fmt;

/// Which paths a route is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// Exactly this path.
    Exact(String),
    /// This path and everything below it, written with `/*` at the end: `/a/*` is kept as `/a` and `/*` as the empty text.
    Prefix(String),
}

impl PathPattern {
    /// What `path` has after the part that this pattern fixes, or `None` when the pattern does not match it. What is left
    /// is empty or starts with `/`.
    pub fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        match self {
            Self::Exact(exact) => (exact == path).then_some(""),
            Self::Prefix(prefix) => {
                path.strip_prefix(prefix.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }

    /// Whether a request for `path` (without its query) is for this route.
    pub fn matches(&self, path: &str) -> bool {
        self.rest(path).is_some()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}/*"),
        }
    }
}
