//! What candidates are given: files, text, or bodies that are made up.

use std::path::PathBuf;

/// Where a body comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    Empty,
    /// A file's content.
    File(PathBuf),
    /// Text.
    Text(String),
    /// Any bytes, of this size.
    Bytes(u64),
    /// Lines of words, of this size.
    Words(u64),
    /// A PPM picture (P6) with the proportions 4 to 3, of about this size.
    Picture(u64),
}
