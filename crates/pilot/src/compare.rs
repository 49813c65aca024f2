//! Two reports of one pilot, for continuous integration: did a candidate get worse?

use crate::report::{Figures, Report};
use crate::stats::{Estimate, Level};

/// What is left of two reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What differs, in one line each, the worst first.
    pub lines: Vec<String>,
    /// What it comes to.
    pub outcome: Outcome,
}

/// What two reports come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing got worse by more than was allowed.
    NoWorse,
    /// Something got worse.
    Worse,
    /// A report was made on a machine too noisy to say, or they have nothing in common.
    Unknown,
}

/// One figure that is compared.
struct Figure {
    name: &'static str,
    of: fn(&Figures, usize) -> Option<Estimate>,
    /// Whether the machine's noise has to do with it.
    timed: bool,
    /// Whether more is better.
    more_is_better: bool,
}

const FIGURES: [Figure; 4] = [
    Figure { name: "time of a call", of: |it, input| it.inputs.get(input)?.p50, timed: true, more_is_better: false },
    Figure { name: "throughput", of: |it, input| it.inputs.get(input)?.throughput, timed: true, more_is_better: true },
    Figure { name: "peak memory", of: |it, input| it.inputs.get(input)?.peak, timed: false, more_is_better: false },
    Figure { name: "start to first answer", of: |it, _| it.cold, timed: true, more_is_better: false },
];

/// Compares every candidate of `after` with that of the same name in `before`. It is worse when the interval of the one lies
/// beyond that of the other and the figures are farther apart than `allowed`, a share, and than the noise of both machines.
pub fn compare(before: &Report, after: &Report, allowed: f64) -> Compared {
    let noisy = |report: &Report| report.noise.is_none_or(|noise| noise.level == Level::TooNoisy);
    if noisy(before) || noisy(after) {
        let lines = vec!["a machine was too noisy, or its report has too few rounds: nothing can be said".to_owned()];
        return Compared { lines, outcome: Outcome::Unknown };
    }
    let floor = [before, after].iter().filter_map(|report| report.noise).map(|noise| noise.floor).fold(0.0, f64::max);
    let mut lines = Vec::new();
    let (mut worse, mut common) = (false, false);
    for candidate in &after.candidates {
        let Some(old) = before.candidates.iter().find(|old| old.about.name == candidate.about.name) else { continue };
        common = true;
        if let (None, Some(failure)) = (&old.about.failure, &candidate.about.failure) {
            worse = true;
            lines.push(format!("{}: fails now: {}", candidate.about.name, failure.what));
            continue;
        }
        for (input, given) in after.inputs.iter().enumerate() {
            let Some(old_input) = before.inputs.iter().position(|old| old.name == given.name) else { continue };
            for figure in &FIGURES {
                let pair = (figure.of)(&old.figures, old_input).zip((figure.of)(&candidate.figures, input));
                let Some((old, new)) = pair else { continue };
                let change = if figure.more_is_better { old.value / new.value } else { new.value / old.value };
                let apart = if figure.more_is_better { new.high < old.low } else { new.low > old.high };
                let least = if figure.timed { allowed.max(floor) } else { allowed };
                if apart && change > 1.0 + least {
                    worse = true;
                    let percent = (change - 1.0) * 100.0;
                    let (who, input, what) = (&candidate.about.name, &given.name, figure.name);
                    lines.push(format!("{who} on {input}: {what} got worse by {percent:.1} %"));
                }
            }
        }
    }
    let outcome = match (common, worse) {
        (false, _) => Outcome::Unknown,
        (true, true) => Outcome::Worse,
        (true, false) => Outcome::NoWorse,
    };
    if !common {
        lines.push("the reports have no candidate in common".to_owned());
    }
    Compared { lines, outcome }
}
