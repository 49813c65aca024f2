//! Folders: `HOST[::GUEST][:ro|:quota=SIZE[,FILES]]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::fault::SyntaxError;
use crate::unit::{format_size, parse_size};

/// What parts the host's path from the guest's. Two colons, since a Windows path holds one.
const SEPARATOR: &str = "::";
/// What makes a grant read-only.
const READ_ONLY: &str = ":ro";

/// What parts a folder's quota from it.
const QUOTA: &str = ":quota=";
/// Bytes of a quota that stand for one file, where the number of files is left out: what a file takes on most disks.
const BYTES_PER_FILE: u64 = 4 << 10;

/// A folder of the host that the guest sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirGrant {
    /// The folder on the host, as it was written.
    pub host: PathBuf,
    /// The path under which the guest sees it.
    pub guest: String,
    /// Whether the guest may change it.
    pub access: Access,
}

/// What a guest may do with a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and list.
    ReadOnly,
    /// Read, list and change; with a quota only as long as the folder stays within it.
    ReadWrite(Option<Quota>),
}

/// How much a folder may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of all files together, by their lengths.
    pub bytes: u64,
    /// Files, folders and links together.
    pub files: u64,
}

impl FromStr for Quota {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let (bytes, files) = match text.split_once(',') {
            Some((bytes, files)) => (bytes, Some(files)),
            None => (text, None),
        };
        let bytes = parse_size(bytes)?;
        let files = match files {
            None => bytes.div_ceil(BYTES_PER_FILE),
            Some(files) => files.parse().map_err(|_| {
                SyntaxError::new(format!("a quota of {files:?} files is no whole number"))
                    .hint("write SIZE or SIZE,FILES, like `:quota=1 GiB` or `:quota=1 GiB,10000`")
            })?,
        };
        Ok(Self { bytes, files })
    }
}

/// Writes the quota as it is read.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_size(self.bytes))?;
        if self.files == self.bytes.div_ceil(BYTES_PER_FILE) { Ok(()) } else { write!(f, ",{}", self.files) }
    }
}

impl FromStr for DirGrant {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let (paths, access) = match text.strip_suffix(READ_ONLY) {
            Some(paths) => (paths, Access::ReadOnly),
            None => match text.rsplit_once(QUOTA) {
                Some((paths, quota)) => (paths, Access::ReadWrite(Some(quota.parse()?))),
                None => (text, Access::ReadWrite(None)),
            },
        };
        if access == Access::ReadOnly && paths.contains(QUOTA) {
            return Err(SyntaxError::new(format!("{text:?} has a quota, and is read-only"))
                .hint("a folder that cannot be written needs no quota: leave one of both out"));
        }
        if paths.ends_with(READ_ONLY) {
            return Err(SyntaxError::new(format!("{text:?} says twice that the folder is read-only"))
                .hint(format!("write `{paths}`")));
        }
        if let Some(paths) = paths.strip_suffix(":rw") {
            return Err(SyntaxError::new(format!("{text:?} holds `:rw`, which is not part of a grant"))
                .hint(format!("a folder can be written unless `:ro` follows: write `{paths}`, or `{paths}:ro`")));
        }
        let (host, guest) = match paths.split_once(SEPARATOR) {
            Some((host, guest)) => (host, guest),
            None => (paths, paths),
        };
        check(text, host, guest)?;
        Ok(Self { host: PathBuf::from(host), guest: guest.to_owned(), access })
    }
}

fn check(text: &str, host: &str, guest: &str) -> Result<(), SyntaxError> {
    if host.is_empty() {
        return Err(SyntaxError::new(format!("{text:?} names no folder of the host"))
            .hint("write HOST, HOST::GUEST or HOST::GUEST:ro, like `./data::/data:ro`"));
    }
    if guest.is_empty() {
        return Err(SyntaxError::new(format!("{text:?} names no path for the guest after `::`"))
            .hint(format!("write `{host}::/data`, or leave `::` out to give it the host's name")));
    }
    if text.contains('\0') {
        return Err(SyntaxError::new("a path cannot hold a NUL character"));
    }
    if guest.split('/').any(|part| part == "..") {
        return Err(SyntaxError::new(format!("the guest's path {guest:?} goes up by `..`"))
            .hint(format!("name the path the guest shall see, like `{host}::/data`")));
    }
    if guest.contains('\\') || guest.as_bytes().get(1) == Some(&b':') {
        return Err(SyntaxError::new(format!("the guest cannot see the Windows path {guest:?} under that name"))
            .hint(format!("name a path for the guest, like `{host}::/data`")));
    }
    Ok(())
}

/// Writes the grant as it is read.
impl fmt::Display for DirGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.display();
        write!(f, "{host}")?;
        if host.to_string() != self.guest {
            write!(f, "{SEPARATOR}{}", self.guest)?;
        }
        match self.access {
            Access::ReadOnly => f.write_str(READ_ONLY),
            Access::ReadWrite(Some(quota)) => write!(f, "{QUOTA}{quota}"),
            Access::ReadWrite(None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::{message, round_trip};

    fn dir(host: &str, guest: &str, access: Access) -> DirGrant {
        DirGrant { host: host.into(), guest: guest.into(), access }
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        let (ro, rw) = (Access::ReadOnly, Access::ReadWrite(None));
        let quota = |bytes, files| Access::ReadWrite(Some(Quota { bytes, files }));
        round_trip(".", &dir(".", ".", rw));
        round_trip("/srv", &dir("/srv", "/srv", rw));
        round_trip("./data::/data", &dir("./data", "/data", rw));
        round_trip("./data::/data:ro", &dir("./data", "/data", ro));
        round_trip("/srv:ro", &dir("/srv", "/srv", ro));
        round_trip(r"C:\x::/y", &dir(r"C:\x", "/y", rw));
        round_trip(r"C:\x::/y:ro", &dir(r"C:\x", "/y", ro));
        round_trip("/srv:quota=1 MiB", &dir("/srv", "/srv", quota(1 << 20, 256)));
        round_trip("./data::/data:quota=8 kB,10", &dir("./data", "/data", quota(8_000, 10)));
        round_trip("with space::/a b", &dir("with space", "/a b", rw));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(message::<DirGrant>(""), r#""" names no folder of the host"#);
        assert_eq!(message::<DirGrant>("::/x"), r#""::/x" names no folder of the host"#);
        assert_eq!(message::<DirGrant>("/x::"), r#""/x::" names no path for the guest after `::`"#);
        assert_eq!(message::<DirGrant>("/x::/a/../b"), r#"the guest's path "/a/../b" goes up by `..`"#);
        assert_eq!(message::<DirGrant>("/x:rw"), r#""/x:rw" holds `:rw`, which is not part of a grant"#);
        assert_eq!(message::<DirGrant>("/x:quota=1 GiB:ro"), r#""/x:quota=1 GiB:ro" has a quota, and is read-only"#);
        assert_eq!(message::<DirGrant>("/x:quota=1 GiB,many"), r#"a quota of "many" files is no whole number"#);
        assert_eq!(message::<DirGrant>("/x:ro:ro"), r#""/x:ro:ro" says twice that the folder is read-only"#);
        assert_eq!(message::<DirGrant>(r"C:\x"), r#"the guest cannot see the Windows path "C:\\x" under that name"#);
        assert_eq!(message::<DirGrant>(".."), r#"the guest's path ".." goes up by `..`"#);
    }
}
