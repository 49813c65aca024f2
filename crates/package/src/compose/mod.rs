//! Components that provide for each other: what fits what, and one component made of several.
//!
//! A wire leads from an interface that one component imports to another component, which exports it. What does not fit is
//! told in the words of whoever wrote the interfaces: which function or type differs, and what each file says of it.

mod encode;
mod fit;
mod part;
mod unite;

pub use encode::{ComposeError, encode, links};
pub use fit::{Link, link, open_imports, split_resources};
pub use part::{PART_BYTES, Part, PartError};
pub(crate) use unite::members_up_to;
pub use unite::{entry, members, root, united_grants};
