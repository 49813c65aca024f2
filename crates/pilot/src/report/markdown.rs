//! The report as Markdown: verdicts, then a table for each input.

use std::fmt::Write as _;

use super::format::{bytes, digits, percent, rule, seconds, with_interval};
use super::html::{TABLE, failure, kept};
use super::{Report, verdict};
use crate::number::float;

/// Writes the report. Writing to a string does not fail.
pub(super) fn render(report: &Report) -> String {
    let mut text = format!("# {}\n", line(&report.name));
    if let Some(description) = &report.description {
        let _ = write!(text, "\n{}\n", line(description));
    }
    text.push_str("\n## Verdict\n\n");
    for verdict in &report.verdicts {
        let _ = writeln!(text, "**{}: {}.**\n", line(&verdict.name), verdict.decision.words());
        verdict.reasons.iter().for_each(|reason| {
            let _ = writeln!(text, "- {}", line(reason));
        });
        verdict.next.iter().for_each(|next| {
            let _ = writeln!(text, "- Next: {}", line(next));
        });
        text.push('\n');
    }
    for candidate in &report.candidates {
        if let Some(what) = candidate.about.failure.as_ref().map(failure) {
            let _ = writeln!(text, "`{}` was not measured to the end: {}\n", candidate.about.name, line(&what));
        }
    }
    text.push_str("## Figures\n\nMedians with bootstrap 95 % intervals in brackets.\n");
    for (index, input) in report.inputs.iter().enumerate() {
        let _ = write!(text, "\n### {} ({})\n\n|", line(&input.name), bytes(float(input.bytes)));
        text.push_str(" candidate |");
        TABLE.iter().for_each(|(title, _)| {
            let _ = write!(text, " {title} |");
        });
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(TABLE.len()));
        text.push('\n');
        for candidate in &report.candidates {
            let _ = write!(text, "| {} |", line(&candidate.about.name));
            for (_, cell) in TABLE {
                let _ = write!(text, " {} |", line(&cell(report, &candidate.figures.inputs[index])));
            }
            text.push('\n');
        }
    }
    text.push_str("\n### Each candidate\n\n| candidate |");
    let facts = super::html::facts(report);
    facts.iter().for_each(|(title, _)| {
        let _ = write!(text, " {title} |");
    });
    let _ = write!(text, "\n|---|{}\n", "---|".repeat(facts.len()));
    for (index, candidate) in report.candidates.iter().enumerate() {
        let _ = write!(text, "| {} |", line(&candidate.about.name));
        for (_, cells) in &facts {
            let _ = write!(text, " {} |", line(&cells[index]));
        }
        text.push('\n');
    }
    text.push_str("\n## How it was measured\n\n");
    for (what, value) in super::html::circumstances(report) {
        let _ = writeln!(text, "- {what}: {}", line(&value));
    }
    let _ = writeln!(text, "- same answer: {}", rule(report.rule));
    if let Some(noise) = &report.noise {
        let _ = writeln!(
            text,
            "- noise: equal calibration loops seem to differ by {}; their middle half spreads over {} of {}; the last third is {} \
             of the first",
            percent(noise.floor),
            percent(noise.spread),
            seconds(noise.loop_seconds),
            digits(1.0 + noise.drift)
        );
    }
    text.push_str("\n## Rules\n\n");
    for rule in verdict::rules() {
        let _ = writeln!(text, "- {rule}");
    }
    text.push_str("\n## Notes\n\n");
    for note in kept(&report.notes) {
        let _ = writeln!(text, "- {}", line(&note));
    }
    text
}

/// Text of others in one line, without what Markdown would take for its own.
fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '<' | '*' | '_' | '[' | '`' | '\\' => shown.extend(['\\', character]),
            _ if character.is_control() => shown.push(' '),
            _ => shown.push(character),
        }
    }
    shown
}

/// A summary for a terminal: verdicts and the main reason.
pub(super) fn summary(report: &Report) -> String {
    let mut text = String::new();
    for verdict in &report.verdicts {
        let _ = writeln!(text, "{}: {}", verdict.name, verdict.decision.words());
        if let Some(reason) = verdict.reasons.first() {
            let _ = writeln!(text, "  {reason}");
        }
    }
    for candidate in &report.candidates {
        for input in &candidate.figures.inputs {
            let _ = writeln!(
                text,
                "{:<12} {:<12} {:>28} {:>10}",
                candidate.about.name,
                input.input,
                with_interval(input.p50.as_ref(), seconds),
                input.peak.as_ref().map_or_else(|| "-".to_owned(), |peak| bytes(peak.value))
            );
        }
    }
    text
}
