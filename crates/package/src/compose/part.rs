//! One component of an app, as composition sees it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::inspect::{InspectError, Kind, binary, inspect};
use crate::unit::format_size;
use crate::wit::{Surface, WitError, of_binary};

/// The most bytes of a component that are read: as many as are compiled.
pub const PART_BYTES: u64 = 256 << 20;

/// A component, with what it asks for and offers.
pub struct Part {
    /// Its name in the manifest.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// Whether it is a component; a core module cannot be composed.
    pub kind: Kind,
    /// What it asks for and offers.
    pub surface: Surface,
    /// The file's content in the binary form.
    pub bytes: Vec<u8>,
}

/// Why a component cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The file.
    #[error("cannot read it: {0}")]
    Read(std::io::Error),
    /// The file is larger than [`PART_BYTES`].
    #[error("it has more than {}, the most that is read", format_size(PART_BYTES))]
    Size,
    /// What is in it is no WebAssembly.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Its types.
    #[error(transparent)]
    Types(#[from] WitError),
}

impl Part {
    /// Reads the component `name` from its file.
    ///
    /// # Errors
    /// When it cannot be read, or is not WebAssembly.
    pub fn read(name: &str, file: &Path) -> Result<Self, PartError> {
        let mut bytes = Vec::new();
        let open = std::fs::File::open(file).map_err(PartError::Read)?;
        open.take(PART_BYTES + 1).read_to_end(&mut bytes).map_err(PartError::Read)?;
        if bytes.len() as u64 > PART_BYTES {
            return Err(PartError::Size);
        }
        let bytes = binary(&bytes)?.into_owned();
        let (kind, surface) = (inspect(&bytes)?.kind, of_binary(&bytes)?);
        Ok(Self { name: name.to_owned(), file: file.to_owned(), kind, surface, bytes })
    }

    /// The file without its folders, as messages name it.
    pub(super) fn file_name(&self) -> String {
        self.file.file_name().map_or_else(|| self.name.clone(), |name| name.to_string_lossy().into_owned())
    }
}
