//! Every key that a manifest can hold. The parser refuses a key that is not here.

use crate::reference::Table;

pub(crate) fn tables() -> Vec<Table> {
    let limits = crate::limit::KEYS.iter().map(crate::limit::Key::doc).collect();
    vec![Table { title: "[component.NAME.limits]", about: "What the component may use.", keys: limits }]
}
