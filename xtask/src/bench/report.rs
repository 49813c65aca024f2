//! Results as files, and as the tables of docs/performance.md.

use std::fs;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{compose, compute, http, limits, overload, start};
use crate::Result;
use crate::project::Project;

const DOCUMENT: &str = "docs/performance.md";

/// The results of one bench: kept as `bench/results/NAME.json`, shown in the document between `<!-- NAME: -->` and
/// `<!-- end -->`.
pub(super) trait Report: Serialize + DeserializeOwned {
    const NAME: &'static str;

    /// What the document shows of them.
    fn table(&self) -> String;
}

/// A bench, for whoever has its results as a file alone.
struct Bench {
    name: &'static str,
    table: fn(&str) -> Result<String>,
}

const BENCHES: [Bench; 6] = [
    bench::<http::Results>(),
    bench::<start::Results>(),
    bench::<compute::Results>(),
    bench::<limits::Results>(),
    bench::<overload::Results>(),
    bench::<compose::Results>(),
];

const fn bench<R: Report>() -> Bench {
    Bench { name: R::NAME, table: |kept| Ok(serde_json::from_str::<R>(kept)?.table()) }
}

/// Writes results down, and what the document shows of them.
pub(super) fn keep<R: Report>(project: &Project, results: &R) -> Result {
    let folder = project.root.join("bench").join("results");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(R::NAME).with_extension("json"), serde_json::to_string_pretty(results)? + "\n")?;
    render(project)
}

/// The results that are kept of a bench, if it was ever measured.
fn kept(project: &Project, name: &str) -> Result<Option<String>> {
    let file = project.root.join("bench").join("results").join(name).with_extension("json");
    if file.is_file() { Ok(Some(fs::read_to_string(file)?)) } else { Ok(None) }
}

/// Writes into the document what it shows of all results that are kept.
pub(super) fn render(project: &Project) -> Result {
    let document = project.root.join(DOCUMENT);
    let mut text = fs::read_to_string(&document)?;
    for Bench { name, table } in BENCHES {
        if let Some(kept) = kept(project, name)? {
            text = insert(&text, name, &table(&kept)?)
                .ok_or_else(|| format!("{DOCUMENT} has no place marked for {name}"))?;
        }
    }
    fs::write(&document, text)?;
    println!("written: bench/results and {DOCUMENT}");
    Ok(())
}

/// Puts a table between `<!-- NAME: ... -->` and the next `<!-- end -->`.
fn insert(text: &str, name: &str, table: &str) -> Option<String> {
    let begin = text.find(&format!("<!-- {name}:"))?;
    let begin = begin + text[begin..].find("-->\n")? + "-->\n".len();
    let end = begin + text[begin..].find("<!-- end -->")?;
    Some(format!("{}\n{table}\n{}", &text[..begin], &text[end..]))
}

/// Rounds, from lowest to highest.
pub(super) struct Spread {
    pub(super) lowest: f64,
    pub(super) median: f64,
    pub(super) highest: f64,
}

impl Spread {
    /// All NaN where there are no rounds.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { lowest: at(0), median: at(values.len() / 2), highest: at(values.len().saturating_sub(1)) }
    }
}

pub(super) fn mib(kib: u64) -> String {
    format!("{:.1}", count(kib) / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "what benches count is far below 2^53")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_the_one_before_and_nothing_else() {
        let text = "before\n<!-- http: by the bench -->\nold\n<!-- end -->\nafter\n<!-- start: x -->\n<!-- end -->\n";
        let new = insert(text, "http", "new").unwrap();
        assert_eq!(
            new,
            "before\n<!-- http: by the bench -->\n\nnew\n<!-- end -->\nafter\n<!-- start: x -->\n<!-- end -->\n"
        );
        assert_eq!(insert(&new, "http", "new").unwrap(), new);
        assert_eq!(insert(text, "memory", "new"), None);
    }

    /// The document must show what was measured, so it is held against the results that are kept.
    #[test]
    fn the_document_shows_the_kept_results() {
        let project = Project::find().unwrap();
        let document = fs::read_to_string(project.root.join(DOCUMENT)).unwrap();
        for Bench { name, table } in BENCHES {
            assert!(insert(&document, name, "").is_some(), "{DOCUMENT} has no place for {name}");
            if let Some(kept) = kept(&project, name).unwrap() {
                let table = table(&kept).unwrap();
                assert!(document.contains(&table), "{DOCUMENT} does not hold this table:\n{table}");
            }
        }
        for entry in fs::read_dir(project.root.join("bench").join("results")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(BENCHES.iter().any(|bench| bench.name == name), "results of {name}, which no bench writes");
        }
    }
}
