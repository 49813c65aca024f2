//! Text that does not show.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Longest secret, in bytes: room for a bundle of keys and certificates, and far less than would be worth an attack on
/// memory.
pub const MAX_SECRET: usize = 64 * 1024;

/// A secret. Formatting hides it, comparing takes the same time wherever the difference is, and its memory is cleared
/// when it is dropped. Only [`Secret::expose`] gives the text.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides `text`.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text. What takes it from here must not let it into logs, errors or snapshots.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a secret from a file, as secret managers mount them: UTF-8, at most [`MAX_SECRET`] bytes, and one newline
    /// at the end, if there is one, is not part of it.
    ///
    /// # Errors
    /// [`SecretError`]; it names the trouble but never the content.
    pub fn from_file(path: &Path) -> Result<Secret, SecretError> {
        // One byte more than the limit tells "too long" from "just fits". All of it at once, since growing would leave
        // copies behind.
        let limit = MAX_SECRET + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
        File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotText)?;
        Self::from_text(text)
    }

    /// Takes a secret from the value of an environment variable, by the same rules as [`Secret::from_file`].
    ///
    /// # Errors
    /// [`SecretError::TooLong`] and [`SecretError::Empty`].
    pub fn from_text(text: &str) -> Result<Secret, SecretError> {
        if text.len() > MAX_SECRET {
            return Err(SecretError::TooLong);
        }
        let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Secret::new(text.to_owned()))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret cannot be read")]
    Io(#[from] io::Error),
    /// It is longer than [`MAX_SECRET`].
    #[error("the secret is longer than {MAX_SECRET} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("the secret is not UTF-8 text")]
    NotText,
    /// There is nothing in it, which is more often a mistake than meant.
    #[error("the secret is empty")]
    Empty,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Secret, SecretError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Secret::from_file(file.path())
    }

    #[test]
    fn formatting_hides_the_text() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** Secret(***) Some(Secret(***))");
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_it() {
        assert_eq!(read(b"key\n").unwrap().expose(), "key");
        assert_eq!(read(b"key\r\n").unwrap().expose(), "key");
        assert_eq!(read(b"key\n\n").unwrap().expose(), "key\n");
        assert_eq!(read(b" key ").unwrap().expose(), " key ");
    }

    #[test]
    fn the_size_is_limited() {
        assert_eq!(read(&vec![b'x'; MAX_SECRET]).unwrap().expose().len(), MAX_SECRET);
        assert!(matches!(read(&vec![b'x'; MAX_SECRET + 1]), Err(SecretError::TooLong)));
    }

    #[test]
    fn nothing_and_bytes_are_refused() {
        assert!(matches!(read(b""), Err(SecretError::Empty)));
        assert!(matches!(read(b"\n"), Err(SecretError::Empty)));
        assert!(matches!(read(&[0xff, 0xfe]), Err(SecretError::NotText)));
        assert!(matches!(Secret::from_file(Path::new("/no/such/file")), Err(SecretError::Io(_))));
    }

    #[test]
    fn equality_is_of_the_text() {
        assert_eq!(Secret::new("a".into()), Secret::new("a".into()));
        assert_ne!(Secret::new("a".into()), Secret::new("b".into()));
        assert_ne!(Secret::new("a".into()), Secret::new("ab".into()));
    }
}
