//! Documents that say what the program does are held against the program.

mod constants;
mod outcomes;
mod reference;

/// The text of a document.
fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_default()
}

fn path(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}
