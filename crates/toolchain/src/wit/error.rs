//! Why WIT packages cannot be had.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use coracle_package::fault::{Faults, Kind};
use coracle_package::wit::WitError;

/// Why WIT packages cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The manifest or the lock file has faults.
    #[error(transparent)]
    Document(#[from] Faults),
    /// There is no manifest.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A package cannot be had, or not put where it belongs.
    #[error(transparent)]
    Refused(#[from] Box<Refused>),
}

/// Why one package cannot be had, or not put where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Who has to act.
    pub kind: Kind,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it is.
    pub place: Option<String>,
    /// Each piece of it, in a line.
    pub details: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Refused {
    pub(super) fn data(message: impl Into<String>) -> Box<Self> {
        Self::new(Kind::Data, message)
    }

    pub(super) fn machine(message: impl Into<String>) -> Box<Self> {
        Self::new(Kind::Machine, message)
    }

    fn new(kind: Kind, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { kind, message: message.into(), place: None, details: Vec::new(), hint: None })
    }

    /// That a file cannot be read or written.
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Box<Self> {
        let place = path.display().to_string();
        move |error| Self::machine(format!("cannot read or write it: {error}")).at(place)
    }

    /// That WIT cannot be read; `otherwise` is where, if the error does not say it.
    pub(super) fn wit(error: WitError, otherwise: impl Display) -> Box<Self> {
        let mut refused = Self::data(error.message).at(error.place.unwrap_or_else(|| otherwise.to_string()));
        refused.details = error.excerpt;
        refused
    }

    pub(super) fn at(mut self: Box<Self>, place: impl Display) -> Box<Self> {
        self.place = Some(place.to_string());
        self
    }

    /// Says where, unless that is known already.
    pub(super) fn or_at(mut self: Box<Self>, place: impl Display) -> Box<Self> {
        self.place.get_or_insert_with(|| place.to_string());
        self
    }

    pub(super) fn detail(mut self: Box<Self>, line: impl Display) -> Box<Self> {
        self.details.push(line.to_string());
        self
    }

    pub(super) fn hint(mut self: Box<Self>, hint: impl Display) -> Box<Self> {
        self.hint = Some(hint.to_string());
        self
    }
}
