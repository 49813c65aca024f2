//! What is named on a command line and looked at, not run: its bytes, and what they say.

use std::io::{ErrorKind, Read};
use std::path::Path;

use coracle_package::compose;
use coracle_package::inspect::{InspectError, Inspection, binary, inspect};
use coracle_package::manifest::Manifest;
use coracle_package::unit::format_size;
use coracle_package::wit::WitError;
use coracle_runtime::compile::MAX_COMPONENT_BYTES;

use crate::error::{Exit, Failure};

/// A component or module, read.
pub(crate) struct Target {
    /// Its bytes in the binary form.
    pub(crate) bytes: Vec<u8>,
    /// What they say.
    pub(crate) inspection: Inspection,
}

impl Target {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = read(path)?;
        let of = |error| failure(&error, path);
        let inspection = inspect(&bytes).map_err(of)?;
        Ok(Self { bytes: binary(&bytes).map_err(of)?.into_owned(), inspection })
    }
}

/// Whether a path is that of an app: a folder, or a manifest.
pub(crate) fn is_app(path: &Path) -> bool {
    path.is_dir() || path.extension().is_some_and(|extension| extension == "toml")
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::bad_data("there is no such file").at(path.display()),
        _ => Failure::bad_data(format!("cannot read it: {error}")).at(path.display()),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        let limit = format_size(MAX_COMPONENT_BYTES);
        return Err(Failure::bad_data(format!("it has more than {limit}, the most that is read")).at(path.display()));
    }
    Ok(bytes)
}

fn failure(error: &InspectError, path: &Path) -> Failure {
    let failure = Failure::bad_data(error).at(path.display());
    match &error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The faults of a manifest.
pub(crate) fn manifest_failure(faults: &coracle_package::fault::Faults) -> Failure {
    Failure::of(&faults.problems())
}

/// The component of an app that the command line means: the one that is `named`, or the only one that can be meant.
pub(crate) fn component<'a>(manifest: &'a Manifest, named: Option<&str>, path: &Path) -> Result<&'a str, Failure> {
    compose::entry(manifest, named)
        .map_err(|error| Failure { exit: Exit::Usage, ..syntax_failure(error, path.display()) })
}

/// The fault of WIT that cannot be read, with the line it stands in.
pub(crate) fn wit_failure(error: &WitError, path: &Path) -> Failure {
    let place = error.place.clone().unwrap_or_else(|| path.display().to_string());
    error.excerpt.iter().fold(Failure::bad_data(error).at(place), Failure::detail)
}

/// The fault of something that a manifest says, at `place`.
pub(crate) fn syntax_failure(error: coracle_package::fault::SyntaxError, place: impl std::fmt::Display) -> Failure {
    let failure = error.details.iter().fold(Failure::bad_data(&error).at(place), Failure::detail);
    error.hint.into_iter().fold(failure, Failure::hint)
}
