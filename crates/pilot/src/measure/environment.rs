//! What is measured on.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Tools;
use crate::candidate::{Ready, Run};
use crate::record::Environment;

/// Describes the machine before a run.
pub(super) fn describe(tools: &Tools) -> Environment {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let known = |text: String| if text.is_empty() { "unknown".to_owned() } else { text };
    let processors = read("/proc/cpuinfo");
    let memory = value(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    Environment {
        processor: known(value(&processors, "model name")),
        cores: crate::number::count(cores),
        governor: known(read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        memory: memory * 1024,
        kernel: known(read("/proc/sys/kernel/osrelease")),
        architecture: std::env::consts::ARCH.to_owned(),
        load: (load(), 0.0),
        began: timestamp(),
        coracle: tools.version.clone(),
        ..Environment::default()
    }
}

/// The load of the last minute.
pub(super) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// What programs of candidates say of their version, where they say it in one line.
pub(super) fn versions(candidates: &[&Ready]) -> Vec<(String, String)> {
    let mut versions: Vec<(String, String)> = Vec::new();
    for ready in candidates {
        let (Run::Process(process) | Run::Server(crate::candidate::Deployment::Program(process))) = &ready.run else {
            continue;
        };
        let Some(program) = process.argv.first() else { continue };
        let name = program.to_string_lossy().into_owned();
        // A program of the user's own may take `--version` for something to do: only interpreters are asked.
        let base = name.rsplit('/').next().unwrap_or_default();
        let interpreter =
            ["python", "node", "ruby", "perl", "php", "java", "deno", "bun"].iter().any(|it| base.starts_with(it));
        if !interpreter || versions.iter().any(|(known, _)| *known == name) {
            continue;
        }
        if let Ok(output) = Command::new(program).arg("--version").output() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            versions.extend(text.lines().next().map(|line| (name, line.trim().to_owned())));
        }
    }
    versions
}

/// The first value of a key in `key: value` lines.
fn value(text: &str, key: &str) -> String {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned()).next().unwrap_or_default()
}

/// Day and time, in UTC.
fn timestamp() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    utc(seconds)
}

/// Seconds since 1970 as day and time: "civil_from_days" of Howard Hinnant, "chrono-compatible low-level date algorithms".
fn utc(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3_600 % 24, seconds / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_827_696), "2000-02-29 12:34 UTC");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59 UTC");
    }
}
