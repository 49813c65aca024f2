//! What an author of components does with them, from their sources on. Languages' own tools do the work of languages; this
//! finds and drives them.
//!
//! Nothing here links an engine: guests are run by the `coracle` program, as their users run them.

pub mod build;
pub mod new;
pub mod test;
pub mod tool;
mod whole;
pub mod wit;
