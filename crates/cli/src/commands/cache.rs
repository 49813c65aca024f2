//! `coracle cache`: what is kept of compiled code, and how it leaves.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use coracle_package::unit::{parse_duration, parse_size};
use coracle_runtime::cache::{Cache, CacheError, Entry, Prune};
use serde_json::json;

use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::grants::Faults;
use crate::output;
use crate::progress::readable;

/// Shows and prunes the cache of compiled code
///
/// A component is compiled when it is first run, and its code is kept for the next time. The cache bounds itself: the
/// code that was used longest ago leaves first.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle cache list
  coracle cache prune --older-than 720h
  coracle cache prune --max-size 500MiB --json
  du -sh \"$(coracle cache path)\"")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lists what is kept, the most recently used first
    List {
        /// Prints JSON: one array of entries
        #[arg(long)]
        json: bool,
    },
    /// Removes code: all of it, or what the options say
    Prune {
        /// Removes the least recently used until this size is left, such as `500MiB`
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
        /// Removes what was not used for this long, such as `720h`
        #[arg(long, value_name = "DURATION")]
        older_than: Option<String>,
        /// Prints JSON: what was removed and what is left
        #[arg(long)]
        json: bool,
    },
    /// Prints the folder
    Path,
}

/// Does what the arguments say.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::List { json } => list(&open(environment)?, *json)?,
        Action::Prune { max_size, older_than, json } => {
            let what = what_to_prune(max_size.as_deref(), older_than.as_deref())?;
            prune(&open(environment)?, what, *json)?;
        }
        Action::Path => output::print(format_args!("{}\n", directory(environment)?.display()))?,
    }
    Ok(Exit::Success)
}

fn directory(environment: &Environment) -> Result<std::path::PathBuf, Failure> {
    environment.cache_directory().ok_or_else(|| {
        Failure::internal("there is no folder for the cache").hint("set HOME, XDG_CACHE_HOME or CORACLE_CACHE")
    })
}

fn open(environment: &Environment) -> Result<Cache, Failure> {
    Cache::open(&directory(environment)?).map_err(|error| failure(&error))
}

fn failure(error: &CacheError) -> Failure {
    let failure = Failure::internal(match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    });
    match error {
        CacheError::NotPrivate { .. } => failure.hint("CORACLE_CACHE names another folder"),
        CacheError::Io { .. } => failure,
    }
}

fn list(cache: &Cache, json: bool) -> Result<(), Failure> {
    let entries = cache.list().map_err(|error| failure(&error))?;
    let now = SystemTime::now();
    if json {
        let entries: Vec<_> = entries.iter().map(|entry| describe(entry, now)).collect();
        return output::print(format_args!("{:#}\n", json!(entries)));
    }
    let mut table = String::new();
    for entry in &entries {
        let name = entry.name.as_deref().unwrap_or("-");
        let (size, used) = (readable(entry.bytes), ago(now, entry.used));
        // Writing to a string does not fail.
        let _ = writeln!(table, "{size:>8}  {used:>8}  {kind:<9}  {name}", kind = entry.kind.to_string());
    }
    let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let _ = writeln!(table, "{:>8}  in {}", readable(total), count(entries.len() as u64));
    output::print(table)
}

fn describe(entry: &Entry, now: SystemTime) -> serde_json::Value {
    json!({
        "key": entry.key,
        "component": entry.component,
        "name": entry.name,
        "kind": entry.kind,
        "bytes": entry.bytes,
        "unused_seconds": now.duration_since(entry.used).unwrap_or_default().as_secs(),
    })
}

fn what_to_prune(max_size: Option<&str>, older_than: Option<&str>) -> Result<Prune, Failure> {
    let mut faults = Faults::default();
    let max_bytes = max_size.and_then(|text| faults.keep("--max-size", parse_size(text)));
    let older_than = older_than.and_then(|text| faults.keep("--older-than", parse_duration(text)));
    faults.into_result()?;
    Ok(match (max_bytes, older_than) {
        (None, None) => Prune { max_bytes: None, older_than: Some(Duration::ZERO) },
        (max_bytes, older_than) => Prune { max_bytes, older_than },
    })
}

fn prune(cache: &Cache, what: Prune, json: bool) -> Result<(), Failure> {
    let pruned = cache.prune(what).map_err(|error| failure(&error))?;
    if json {
        let report = json!({
            "removed": pruned.removed,
            "removed_bytes": pruned.removed_bytes,
            "left_bytes": pruned.left_bytes,
        });
        return output::print(format_args!("{report:#}\n"));
    }
    let (removed, left) = (readable(pruned.removed_bytes), readable(pruned.left_bytes));
    output::print(format_args!("removed {} ({removed}); {left} left\n", count(pruned.removed)))
}

fn count(entries: u64) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

/// How long ago, in the unit that fits.
fn ago(now: SystemTime, then: SystemTime) -> String {
    let hours = now.duration_since(then).unwrap_or_default().as_secs() / 3_600;
    match hours {
        0 => "now".to_owned(),
        1..48 => format!("{hours}h ago"),
        _ => format!("{}d ago", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pruning_without_options_removes_everything() {
        let what = what_to_prune(None, None).unwrap();
        assert_eq!((what.max_bytes, what.older_than), (None, Some(Duration::ZERO)));
        let what = what_to_prune(Some("1 MiB"), None).unwrap();
        assert_eq!((what.max_bytes, what.older_than), (Some(1 << 20), None));
    }

    #[test]
    fn ages_are_in_hours_and_then_in_days() {
        let now = SystemTime::now();
        for (hours, shown) in [(0, "now"), (1, "1h ago"), (47, "47h ago"), (48, "2d ago"), (24 * 365, "365d ago")] {
            assert_eq!(ago(now, now - Duration::from_secs(hours * 3_600)), shown);
        }
    }
}
