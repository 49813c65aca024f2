//! What users read when a manifest is wrong: `ui/NAME.toml` and, beside it, its faults as `ui/NAME.txt`.
//!
//! Adding a case is adding a `.toml` file; `UPDATE=1 cargo test -p coracle-package --test ui` writes the texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use coracle_package::manifest::Manifest;

fn files(extension: &str) -> std::io::Result<BTreeSet<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let files: BTreeSet<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    Ok(files.into_iter().filter(|file| file.extension().is_some_and(|found| found == extension)).collect())
}

#[test]
fn every_fault_reads_as_written() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for file in files("toml").unwrap() {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap();
        let faults = Manifest::parse(&text, Path::new("coracle.toml")).expect_err(&name.to_string_lossy());
        let actual = format!("{faults}\n");
        let expected = file.with_extension("txt");
        if update {
            fs::write(&expected, &actual).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default().replace('\r', "") != actual {
            wrong.push(format!("{}:\n{actual}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "these differ; UPDATE=1 rewrites them:\n{}", wrong.join("\n"));
}

#[test]
fn every_text_has_its_manifest() {
    let manifests = files("toml").unwrap();
    assert!(manifests.len() >= 25);
    for text in files("txt").unwrap() {
        assert!(manifests.contains(&text.with_extension("toml")), "{} belongs to no manifest", text.display());
    }
}
