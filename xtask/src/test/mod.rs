//! `cargo xtask test`: everything, in parts, with one table and one line of counts at the end.

mod brought;
mod developed;
mod languages;
mod parts;
mod served;
mod snapshots;
mod tally;
mod used;

use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::PossibleValuesParser;

use self::parts::{PARTS, Part};
pub(crate) use self::tally::Tally;
use crate::Result;
use crate::project::Project;

/// Get what the tests need and run them: all parts, or those named
#[derive(Args)]
pub(crate) struct Arguments {
    /// The parts to run (`--list` shows them)
    #[arg(value_name = "PART", value_parser = PossibleValuesParser::new(PARTS.iter().map(|part| part.name)), hide_possible_values = true)]
    parts: Vec<String>,
    /// Show the parts and run nothing
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result {
    if arguments.list {
        for part in &PARTS {
            println!("{:<12} {}", part.name, part.about);
        }
        return Ok(());
    }
    let chosen = |part: &&Part| arguments.parts.is_empty() || arguments.parts.iter().any(|name| name == part.name);
    let began = Instant::now();
    // A part that fails does not hide what the next would have said.
    let ran: Vec<Ran> = PARTS.iter().filter(chosen).map(|part| Ran::of(part, project)).collect();
    report(&ran, began.elapsed())
}

/// A part that was run.
struct Ran {
    part: &'static Part,
    tally: Tally,
    took: Duration,
}

impl Ran {
    fn of(part: &'static Part, project: &Project) -> Self {
        println!("\n=== {}: {}", part.name, part.about);
        let began = Instant::now();
        let tally = (part.run)(project).unwrap_or_else(|error| {
            eprintln!("error: {error}");
            Tally::fail(error.to_string())
        });
        let took = began.elapsed();
        println!("=== {}: {} passed, {} failed in {}", part.name, tally.passed, tally.failed, seconds(took));
        Self { part, tally, took }
    }
}

/// The table of parts, what failed, and the line of counts.
fn report(ran: &[Ran], took: Duration) -> Result {
    println!("\n{:<12} {:>7} {:>7} {:>9}", "part", "passed", "failed", "time");
    for Ran { part, tally, took } in ran {
        println!("{:<12} {:>7} {:>7} {:>9}", part.name, tally.passed, tally.failed, seconds(*took));
    }
    println!("{:<12} {:>7} {:>7} {:>9}\n", "", "", "", seconds(took));
    for Ran { part, tally, .. } in ran {
        for note in &tally.notes {
            println!("failed in {}: {note}", part.name);
        }
    }
    let passed: usize = ran.iter().map(|ran| ran.tally.passed).sum();
    let failed: usize = ran.iter().map(|ran| ran.tally.failed).sum();
    println!("{passed} passed, {failed} failed");
    if failed == 0 { Ok(()) } else { Err("not everything passed".into()) }
}

fn seconds(time: Duration) -> String {
    let all = time.as_secs();
    if all < 60 { format!("{:.1} s", time.as_secs_f32()) } else { format!("{} min {:02} s", all / 60, all % 60) }
}
