//! The tables that the parser reads and the reference document is made from.

use std::borrow::Cow;

/// What the reference says of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key as it is written.
    pub key: &'static str,
    /// The kind of value it takes: `text`, `size`, `duration`, `count`, `table`, ...
    pub kind: &'static str,
    /// What holds when the key is absent; `required` where nothing does.
    pub default: Cow<'static, str>,
    /// The unit a value is written in, or the syntax of its text.
    pub unit: &'static str,
    /// What the key is for, and why its default is what it is.
    pub reason: &'static str,
}

/// A key whose default is known when this is compiled.
pub const fn key(
    key: &'static str,
    kind: &'static str,
    default: &'static str,
    unit: &'static str,
    reason: &'static str,
) -> KeyDoc {
    KeyDoc { key, kind, default: Cow::Borrowed(default), unit, reason }
}

/// One table of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The table's name in the manifest, as `[component.NAME.limits]`.
    pub title: &'static str,
    /// What the table is for.
    pub about: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: Vec<KeyDoc>,
}

/// Every table of the manifest with every key the parser knows.
pub fn tables() -> Vec<Table> {
    crate::manifest::keys::tables()
}
