//! A report: what follows from the measurements of a run, by stated rules.

mod figures;
mod format;
mod html;
mod judge;
mod markdown;
mod svg;
mod verdict;

use serde::{Deserialize, Serialize};

pub use figures::{Figures, OfInput, Stormed};
pub use judge::{Call, Comparison, Judged, Measure};
pub use verdict::{Decision, Verdict};

use crate::plan::{Price, Rule};
use crate::record::{About, Ended, Environment, Given, Measured, Measurements};
use crate::stats::{Noise, noise};

/// The form of `report.json`. A comparison refuses any other.
pub const FORMAT: u32 = 1;

/// What follows from a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The title.
    pub name: String,
    /// What the function does.
    pub description: Option<String>,
    /// What was measured on.
    pub environment: Environment,
    /// What machines cost.
    pub price: Option<Price>,
    /// What counted as the same answer.
    pub rule: Rule,
    /// The seed of the random order.
    pub seed: u64,
    /// How the rounds ended.
    pub ended: Ended,
    /// How many rounds were done.
    pub rounds: u64,
    /// The machine's noise, where there were enough rounds to tell.
    pub noise: Option<Noise>,
    /// What the candidates were given.
    pub inputs: Vec<Given>,
    /// Each candidate with its figures.
    pub candidates: Vec<Summary>,
    /// Each candidate compared with that of today.
    pub comparisons: Vec<Comparison>,
    /// What to do about each port.
    pub verdicts: Vec<Verdict>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// A candidate with its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What it is.
    #[serde(flatten)]
    pub about: About,
    /// Its figures.
    pub figures: Figures,
}

impl Report {
    /// Draws the conclusions from a run.
    pub fn of(run: &Measurements) -> Self {
        let noise = noise(&run.calibrations);
        let summary =
            |measured: &Measured| Summary { about: measured.about.clone(), figures: figures::of(run, measured) };
        let candidates: Vec<Summary> = run.candidates.iter().map(summary).collect();
        let comparisons = judge::comparisons(run, noise.as_ref());
        let verdicts = verdict::verdicts(run, noise.as_ref(), &comparisons);
        let mut notes = run.notes.clone();
        notes.extend(own_notes(run, noise.as_ref()));
        Self {
            format: FORMAT,
            name: run.name.clone(),
            description: run.description.clone(),
            environment: run.environment.clone(),
            price: run.price.clone(),
            rule: run.rule,
            seed: run.seed,
            ended: run.ended,
            rounds: crate::number::count(run.calibrations.len()),
            noise,
            inputs: run.inputs.clone(),
            candidates,
            comparisons,
            verdicts,
            notes,
        }
    }

    /// The report as a table in Markdown, with the verdicts before it.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// The verdicts and the main figures, for a terminal.
    pub fn summary(&self) -> String {
        markdown::summary(self)
    }

    /// The report as one page of HTML that needs no other file.
    pub fn html(&self, run: &Measurements) -> String {
        html::render(self, run)
    }
}

/// What a reader has to know beside the figures.
fn own_notes(run: &Measurements, noise: Option<&Noise>) -> Vec<String> {
    let mut notes = Vec::new();
    if run.ended == Ended::Interrupted {
        notes.push("the run was interrupted: what was measured until then is here, and nothing after it".to_owned());
    }
    if noise.is_none() {
        notes.push(format!("{} rounds are too few to tell the machine's noise", run.calibrations.len()));
    }
    for measured in &run.candidates {
        for warm_up in measured.about.warm_up.iter().filter(|warm_up| warm_up.settled.is_none()) {
            notes.push(format!(
                "the times of {} on {} had not settled after {} calls",
                measured.about.name, warm_up.input, warm_up.calls
            ));
        }
        if let Some(storm) = measured.storm.as_ref().filter(|storm| storm.failed > 0) {
            notes.push(format!(
                "{} of {} did not answer in the storm of {}",
                storm.failed, storm.copies, measured.about.name
            ));
        }
        let processes = measured.memory.iter().map(|run| run.processes).max().unwrap_or_default();
        if processes > 1 {
            notes.push(format!(
                "{} runs as {processes} processes: its peak is that of the largest",
                measured.about.name
            ));
        }
    }
    notes
}
