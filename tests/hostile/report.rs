//! The table at the end.

use std::time::Duration;

/// What one case came to.
pub struct Row {
    /// The case.
    pub name: &'static str,
    /// How the attacked invocations ended, or what the client was told.
    pub outcome: String,
    /// The longest that one attack took.
    pub time: Duration,
    /// The most memory that the server held while it was attacked, in bytes.
    pub memory: u64,
    /// Of that, what it did not hold before.
    pub growth: u64,
    /// The neighbour's p99 before.
    pub quiet: Duration,
    /// The neighbour's p99 meanwhile.
    pub attacked: Duration,
    /// What the guest came to as a command, where the attack comes from it.
    pub command: String,
}

/// Prints the table of all cases that hold.
pub fn print(rows: &[Row]) {
    let header = ["case", "outcome", "time", "host memory", "neighbour p99", "attacked", "coracle run"];
    let lines: Vec<[String; 7]> = rows.iter().map(Row::cells).collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).chain([header[at].len()]).max().unwrap_or(0))
        .collect();
    let show = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    show(&header.map(str::to_owned));
    lines.iter().for_each(|line| show(line));
    println!();
}

impl Row {
    fn cells(&self) -> [String; 7] {
        [
            self.name.to_owned(),
            self.outcome.clone(),
            milliseconds(self.time),
            format!("{} MiB (+{})", self.memory >> 20, self.growth >> 20),
            milliseconds(self.quiet),
            milliseconds(self.attacked),
            self.command.clone(),
        ]
    }
}

/// A time for people.
pub fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
