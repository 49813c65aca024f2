//! Tests of the tree itself: its crates' edges, the licences it ships under, its documents.

mod documents;
mod edges;
mod habits;
mod licences;
mod threats;

/// All packages of the workspace and everything they build on, as Cargo resolves them.
fn metadata() -> cargo_metadata::Metadata {
    cargo_metadata::MetadataCommand::new()
        .current_dir(support::root())
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap()
}
