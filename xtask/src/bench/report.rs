//! Results as files, and as the tables of docs/performance.md.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{compose, compute, density, http, limits, memory, overload, start, targets};
use crate::Result;
use crate::project::Project;

const DOCUMENT: &str = "docs/performance.md";

/// The place of the table of targets.
const TARGETS: &str = "targets";

/// The results of one bench: kept as `bench/results/NAME.json`, shown in the document between `<!-- NAME: -->` and
/// `<!-- end -->`.
pub(super) trait Report: Serialize + DeserializeOwned {
    const NAME: &'static str;

    /// What the document shows of them.
    fn table(&self) -> String;

    /// A picture of them, as SVG, with what it shows in words.
    fn plot(&self) -> Option<Plot> {
        None
    }
}

/// A picture.
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) svg: String,
}

/// What is shown of one bench.
struct Shown {
    name: &'static str,
    table: String,
    plot: Option<Plot>,
}

/// The results that are kept, each if its bench was ever run.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) http: Option<http::Results>,
    pub(super) start: Option<start::Results>,
    pub(super) memory: Option<memory::Results>,
    pub(super) density: Option<density::Results>,
    pub(super) compute: Option<compute::Results>,
    pub(super) limits: Option<limits::Results>,
    pub(super) overload: Option<overload::Results>,
    pub(super) compose: Option<compose::Results>,
}

impl Kept {
    fn read(project: &Project) -> Result<Self> {
        Ok(Self {
            http: read(project)?,
            start: read(project)?,
            memory: read(project)?,
            density: read(project)?,
            compute: read(project)?,
            limits: read(project)?,
            overload: read(project)?,
            compose: read(project)?,
        })
    }

    /// What the document shows, by its places.
    fn shown(&self) -> Vec<Shown> {
        let shown = [
            shown(self.http.as_ref()),
            shown(self.start.as_ref()),
            shown(self.memory.as_ref()),
            shown(self.density.as_ref()),
            shown(self.compute.as_ref()),
            shown(self.limits.as_ref()),
            shown(self.overload.as_ref()),
            shown(self.compose.as_ref()),
            Some(Shown { name: TARGETS, table: targets::table(self), plot: None }),
        ];
        shown.into_iter().flatten().collect()
    }
}

fn file(project: &Project, name: &str) -> PathBuf {
    project.root.join("bench").join("results").join(name).with_extension("json")
}

fn read<R: Report>(project: &Project) -> Result<Option<R>> {
    let file = file(project, R::NAME);
    if !file.is_file() {
        return Ok(None);
    }
    let results = serde_json::from_str(&fs::read_to_string(&file)?);
    Ok(Some(results.map_err(|error| format!("{}: {error}", file.display()))?))
}

fn shown<R: Report>(results: Option<&R>) -> Option<Shown> {
    results.map(|results| Shown { name: R::NAME, table: results.table(), plot: results.plot() })
}

impl Shown {
    /// What stands in the document.
    fn text(&self) -> String {
        let Some(Plot { title, .. }) = self.plot else { return self.table.clone() };
        format!("![{}]({})\n\n{}", title.replace('`', ""), self.picture(), self.table)
    }

    /// The picture's file, beside the document.
    fn picture(&self) -> String {
        format!("performance-{}.svg", self.name)
    }
}

/// Writes results down, and what the document shows of them.
pub(super) fn keep<R: Report>(project: &Project, results: &R) -> Result {
    let file = file(project, R::NAME);
    fs::create_dir_all(project.root.join("bench").join("results"))?;
    fs::write(&file, serde_json::to_string_pretty(results)? + "\n")?;
    println!("written: {}", file.display());
    write_document(project, &Kept::read(project)?)
}

/// Writes into the document what it shows of all results that are kept, and shows what they meet of the targets.
pub(super) fn render(project: &Project) -> Result {
    let kept = Kept::read(project)?;
    write_document(project, &kept)?;
    println!("\n{}", targets::table(&kept));
    Ok(())
}

fn write_document(project: &Project, kept: &Kept) -> Result {
    let document = project.root.join(DOCUMENT);
    let mut text = fs::read_to_string(&document)?;
    for shown in kept.shown() {
        let name = shown.name;
        text =
            insert(&text, name, &shown.text()).ok_or_else(|| format!("{DOCUMENT} has no place marked for {name}"))?;
        if let Some(plot) = &shown.plot {
            fs::write(document.with_file_name(shown.picture()), &plot.svg)?;
        }
    }
    fs::write(&document, text)?;
    println!("written: {DOCUMENT}");
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

    const BENCHES: [&str; 8] = ["http", "start", "memory", "density", "compute", "limits", "overload", "compose"];

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
        for shown in Kept::read(&project).unwrap().shown() {
            let name = shown.name;
            if let Some(plot) = &shown.plot {
                let svg = fs::read_to_string(project.root.join(DOCUMENT).with_file_name(shown.picture())).unwrap();
                assert_eq!(svg, plot.svg, "{name}: run cargo xtask bench render");
            }
            assert_eq!(
                insert(&document, name, &shown.text()).as_deref(),
                Some(&*document),
                "{name}: run cargo xtask bench render"
            );
        }
        for name in BENCHES {
            assert!(insert(&document, name, "").is_some(), "{DOCUMENT} has no place for {name}");
        }
        for entry in fs::read_dir(project.root.join("bench").join("results")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(BENCHES.contains(&name), "results of {name}, which no bench writes");
        }
    }
}
