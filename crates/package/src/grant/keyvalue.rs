//! Key-value stores: `NAME=BACKEND`, with `memory`, `redb:PATH` or `redis://...` as the backend.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::Assignment;
use crate::fault::SyntaxError;
use crate::suggest::nearest;

/// What a hint says of the backends.
const BACKENDS: &str = "the backends are `memory`, `redb:PATH` and `redis://HOST:PORT`";

/// A key-value store and the name under which the guest opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueGrant {
    /// The name.
    pub name: String,
    /// What keeps the values.
    pub backend: KeyValueBackend,
}

impl FromStr for KeyValueGrant {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let Assignment { name, value } = Assignment::read(text, "NAME=BACKEND", "default=redb:./data.redb")?;
        Ok(Self { name, backend: value.parse()? })
    }
}

/// Writes the grant as it is read, except for the password of a Redis server.
impl fmt::Display for KeyValueGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.backend)
    }
}

/// What keeps the values of a key-value store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueBackend {
    /// The process's memory: gone when it ends.
    Memory,
    /// A redb file, written durably. A relative path is kept as it was written.
    Redb(PathBuf),
    /// A Redis server.
    Redis(RedisUrl),
    /// The manifest secret with this name holds the backend's text, for URLs with a password. Only a manifest can say this.
    Secret(String),
}

impl FromStr for KeyValueBackend {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(path) = text.strip_prefix("redb:") {
            if path.is_empty() || path.contains('\0') {
                return Err(
                    SyntaxError::new("`redb:` needs the path of a file").hint("write it like `redb:./data.redb`")
                );
            }
            return Ok(Self::Redb(PathBuf::from(path)));
        }
        if text.starts_with(RedisUrl::SCHEME) {
            return text.parse().map(Self::Redis);
        }
        // The text may hold a password, so a message repeats its first word only.
        let word = text.split([':', '/']).next().unwrap_or_default();
        if word == "rediss" {
            return Err(SyntaxError::new("`rediss://` (Redis over TLS) is not known")
                .hint("connect by `redis://`, through a tunnel where the network is not private"));
        }
        let hint = match nearest(word, ["memory", "redb", "redis"]) {
            Some(meant) => format!("did you mean `{meant}`? {BACKENDS}"),
            None => BACKENDS.to_owned(),
        };
        Err(SyntaxError::new(format!("{word:?} is not a key-value backend")).hint(hint))
    }
}

/// Writes the backend as it is read, except for the password of a Redis server.
impl fmt::Display for KeyValueBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Redb(path) => write!(f, "redb:{}", path.display()),
            Self::Redis(url) => fmt::Display::fmt(url, f),
            Self::Secret(name) => write!(f, "the secret `{name}`"),
        }
    }
}

/// The URL of a Redis server, which may hold a password: neither `Debug` nor `Display` shows that.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    url: String,
    /// Where the user and the password stand in it, if they do.
    login: Option<std::ops::Range<usize>>,
}

impl RedisUrl {
    const SCHEME: &'static str = "redis://";

    /// The whole URL, for the client that connects.
    pub fn expose(&self) -> &str {
        &self.url
    }

    /// Whether the URL holds a user or a password.
    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }
}

impl FromStr for RedisUrl {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let wrong = |message: &str| SyntaxError::new(message).hint("write it like `redis://127.0.0.1:6379/0`");
        let rest = text.strip_prefix(Self::SCHEME).ok_or_else(|| wrong("a Redis URL starts with `redis://`"))?;
        if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("a Redis URL cannot hold spaces or control characters"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let login = authority.rfind('@').map(|end| Self::SCHEME.len()..Self::SCHEME.len() + end);
        let host = authority.rsplit('@').next().unwrap_or_default();
        if host.is_empty() || host.starts_with(':') {
            return Err(wrong("the Redis URL names no host"));
        }
        Ok(Self { url: text.to_owned(), login })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.login {
            Some(login) => write!(f, "{}***{}", &self.url[..login.start], &self.url[login.end..]),
            None => f.write_str(&self.url),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::{hint, message, round_trip};

    #[test]
    fn every_backend_is_read_and_written_back() {
        let grant = |name: &str, backend| KeyValueGrant { name: name.into(), backend };
        round_trip("default=memory", &grant("default", KeyValueBackend::Memory));
        round_trip("default=redb:./a=b.redb", &grant("default", KeyValueBackend::Redb("./a=b.redb".into())));
        round_trip(r"a=redb:C:\kv.redb", &grant("a", KeyValueBackend::Redb(r"C:\kv.redb".into())));
        let url = "redis://127.0.0.1:6379/0";
        round_trip(&format!("cache={url}"), &grant("cache", KeyValueBackend::Redis(url.parse().unwrap())));
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in ["redis://user:hunter2@host:6379/1", "redis://:hun@ter2@host", "redis://hunter2@host?a=1"] {
            let url: RedisUrl = text.parse().unwrap();
            assert!(url.has_login());
            assert_eq!(url.expose(), text);
            let shown = format!("{url} {url:?} {:?}", KeyValueBackend::Redis(url.clone()));
            assert!(!shown.contains("ter2") && shown.contains("redis://***@host"), "{shown}");
        }
        assert!(!message::<KeyValueGrant>("a=redsi://:hunter2@host").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(message::<KeyValueGrant>("memory"), r#""memory" has no `=`"#);
        assert_eq!(message::<KeyValueGrant>("=memory"), r#""=memory" has no name before `=`"#);
        assert_eq!(message::<KeyValueGrant>("a=sqlite:x"), r#""sqlite" is not a key-value backend"#);
        assert!(hint::<KeyValueGrant>("a=reddb:x").starts_with("did you mean `redb`?"));
        assert_eq!(message::<KeyValueGrant>("a=redb:"), "`redb:` needs the path of a file");
        assert_eq!(message::<KeyValueGrant>("a=redis://"), "the Redis URL names no host");
        assert_eq!(message::<KeyValueGrant>("a=redis://u@:1"), "the Redis URL names no host");
        assert_eq!(message::<KeyValueGrant>("a=rediss://h"), "`rediss://` (Redis over TLS) is not known");
    }
}
