//! Results as files, and as the tables of docs/performance.md.

use std::fmt::Write as _;
use std::fs;

use serde::Serialize;

use super::compose::{self, CALLS, Wiring};
use super::http::{self, Contender};
use super::machine::Machine;
use super::overload;
use super::start;
use crate::Result;
use crate::project::Project;

const DOCUMENT: &str = "docs/performance.md";

/// Writes `bench/results/NAME.json`, and the table into the document.
pub(super) fn keep(project: &Project, name: &str, results: &impl Serialize, table: &str) -> Result {
    let folder = project.root.join("bench").join("results");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.json"));
    fs::write(&file, serde_json::to_string_pretty(results)? + "\n")?;
    let document = project.root.join(DOCUMENT);
    let text = fs::read_to_string(&document)?;
    let text = insert(&text, name, table).ok_or_else(|| format!("{DOCUMENT} has no place marked for {name}"))?;
    fs::write(&document, text)?;
    println!("written: {} and {DOCUMENT}", file.display());
    Ok(())
}

/// Puts a table between `<!-- NAME: ... -->` and the next `<!-- end -->`.
fn insert(text: &str, name: &str, table: &str) -> Option<String> {
    let begin = text.find(&format!("<!-- {name}:"))?;
    let begin = begin + text[begin..].find("-->\n")? + "-->\n".len();
    let end = begin + text[begin..].find("<!-- end -->")?;
    Some(format!("{}\n{table}\n{}", &text[..begin], &text[end..]))
}

/// What the numbers were taken on, as a sentence.
fn taken_on(machine: &Machine) -> String {
    let Machine { processor, cores, memory_gib, kernel, load_before, day, coracle, wasmtime, rust } = machine;
    format!(
        "Measured on {day}: {processor}, {cores} cores, {memory_gib} GiB, Linux {kernel}, load {load_before} before; \
         {coracle}, {wasmtime}, {rust}."
    )
}

/// The tables of `bench http`: one for each guest.
pub(super) fn http(results: &http::Results) -> String {
    let mut text = format!(
        "{} Client and server share the cores; {} rounds of {} s, medians (processor time with the lowest and highest \
         round).\n",
        taken_on(&results.machine),
        results.rounds,
        results.seconds
    );
    let mut guests: Vec<&str> = results.rows.iter().map(|row| row.guest.as_str()).collect();
    guests.dedup();
    guests.sort_unstable();
    guests.dedup();
    for guest in guests {
        // Writing to a string does not fail, here and below.
        let _ = write!(
            text,
            "\n**{guest}**\n\n\
             | clients | server | processor time, us a request | against `wasmtime serve` | requests a second | p50, us \
             | p99, us | resident idle, MiB | after load |\n|---:|---|---:|---:|---:|---:|---:|---:|---:|\n"
        );
        let mut rows: Vec<&http::Row> = results.rows.iter().filter(|row| row.guest == guest).collect();
        rows.sort_by_key(|row| (row.connections, Contender::ALL.iter().position(|it| *it == row.server)));
        for row in &rows {
            let peer = rows.iter().find(|it| it.connections == row.connections && it.server == Contender::Wasmtime);
            let of =
                |row: &http::Row, value: fn(&super::load::Sample) -> f64| Spread::of(row.samples.iter().map(value));
            let cpu = of(row, |sample| sample.cpu_microseconds);
            let against = peer.map_or(f64::NAN, |peer| cpu.median / of(peer, |sample| sample.cpu_microseconds).median);
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} ({:.1} to {:.1}) | {against:.2} | {:.0} | {:.0} | {:.0} | {} | {} |",
                row.connections,
                row.server.label(),
                cpu.median,
                cpu.lowest,
                cpu.highest,
                of(row, |sample| sample.per_second).median,
                of(row, |sample| count(sample.p50_microseconds)).median,
                of(row, |sample| count(sample.p99_microseconds)).median,
                mib(row.idle_kib),
                mib(row.samples.iter().map(|sample| sample.resident_kib).max().unwrap_or_default()),
            );
        }
    }
    text
}

/// The table of `bench start`.
pub(super) fn start(results: &start::Results) -> String {
    let mut text = format!(
        "{} {} starts of each, in turn; wall time from start to end of the process.\n\n\
         | program | median, ms | 10th percentile | 90th percentile | against `wasmtime run` |\n|---|---:|---:|---:|---:|\n",
        taken_on(&results.machine),
        results.times
    );
    let peer = results.rows.iter().find(|row| row.program == start::PEER).map_or(f64::NAN, |row| row.median_ms);
    for row in &results.rows {
        let start::Row { program, median_ms, p10_ms, p90_ms } = row;
        let against = median_ms / peer;
        let _ = writeln!(text, "| {program} | {median_ms:.2} | {p10_ms:.2} | {p90_ms:.2} | {against:.2} |");
    }
    text
}

/// The table of `bench overload`.
pub(super) fn overload(results: &overload::Results) -> String {
    let mut text = format!(
        "{} Client and server share the cores; each load for {} s. Capacity: good answers a second to 16 clients who ask \
         again as soon as they are answered.\n\n\
         | server | load, of its capacity | requests a second | good answers a second | of its capacity | p50, ms | p99, ms \
         | 503 | other errors | broken | not sent | most memory, MiB |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        taken_on(&results.machine),
        results.seconds
    );
    for overload::Row { server, capacity, factor, flood, peak_kib } in &results.rows {
        let milliseconds = |microseconds: u64| count(microseconds) / 1000.0;
        let _ = writeln!(
            text,
            "| {} | {factor} | {:.0} | {:.0} | {:.2} | {:.1} | {:.1} | {} | {} | {} | {} | {} |",
            server.label(),
            capacity * factor,
            flood.good_per_second,
            flood.good_per_second / capacity,
            milliseconds(flood.p50),
            milliseconds(flood.p99),
            flood.shed,
            flood.wrong,
            flood.broken,
            flood.unsent,
            mib(*peak_kib),
        );
    }
    text
}

/// The table of `bench compose`.
pub(super) fn compose(results: &compose::Results) -> String {
    let mut text = format!(
        "{} One client; {} rounds of {} s, medians. The last column is the time of a single call, from the difference \
         between the most calls and one.\n\n\
         | components | calls in a request | processor time, us a request | p50, us | p99, us | us a call |\n\
         |---|---:|---:|---:|---:|---:|\n",
        taken_on(&results.machine),
        results.rounds,
        results.seconds
    );
    let of = |wiring: Wiring, calls: u32, value: fn(&super::load::Sample) -> f64| {
        let rows = results.rows.iter().filter(|row| row.wiring == wiring && row.calls == calls);
        Spread::of(rows.flat_map(|row| &row.samples).map(value)).median
    };
    for wiring in Wiring::ALL {
        for calls in CALLS {
            let cpu = of(wiring, calls, |sample| sample.cpu_microseconds);
            let one = of(wiring, 1, |sample| sample.cpu_microseconds);
            let each = if calls > 1 { format!("{:.2}", (cpu - one) / f64::from(calls - 1)) } else { String::new() };
            let _ = writeln!(
                text,
                "| {} | {calls} | {cpu:.1} | {:.0} | {:.0} | {each} |",
                wiring.label(),
                of(wiring, calls, |sample| count(sample.p50_microseconds)),
                of(wiring, calls, |sample| count(sample.p99_microseconds)),
            );
        }
    }
    text
}

/// Rounds, from lowest to highest.
struct Spread {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { lowest: at(0), median: at(values.len() / 2), highest: at(values.len().saturating_sub(1)) }
    }
}

fn mib(kib: u64) -> String {
    format!("{:.1}", count(kib) / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds and kibibytes are far below 2^53")]
fn count(number: u64) -> f64 {
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
        let results = fs::read_dir(project.root.join("bench").join("results"));
        for path in results.into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let text = fs::read_to_string(&path).unwrap();
            let table = match path.file_stem().unwrap().to_str().unwrap() {
                "compose" => compose(&serde_json::from_str(&text).unwrap()),
                "http" => http(&serde_json::from_str(&text).unwrap()),
                "overload" => overload(&serde_json::from_str(&text).unwrap()),
                "start" => start(&serde_json::from_str(&text).unwrap()),
                other => panic!("results of {other}, which no bench writes"),
            };
            assert!(document.contains(&table), "{DOCUMENT} does not hold this table:\n{table}");
        }
    }
}
