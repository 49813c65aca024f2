//! Pictures: bars, distributions and lines over time. Colours come from the page; every series has a label and a dash or a place
//! of its own, so that nothing rests on colour.

use std::fmt::Write as _;

use super::html::escape;
use crate::number::{count, float, length};
use crate::stats::Estimate;

/// The width of a picture and of its column of labels, in units of its own; the page scales it.
const WIDTH: f64 = 720.0;
const LABELS: f64 = 150.0;
/// What is left free on the right for the last number.
const RIGHT: f64 = 130.0;
/// The height of a bar with its gap.
const BAR: f64 = 30.0;
/// The height of a picture with two axes, and of the part below its lines.
const HEIGHT: f64 = 300.0;
const FOOT: f64 = 46.0;
/// How many dashes and colours the page has.
pub(super) const SERIES: usize = 6;

/// One bar with its interval.
pub(super) struct Bar {
    pub(super) label: String,
    /// The series it is coloured as.
    pub(super) series: usize,
    pub(super) estimate: Estimate,
}

/// Bars with whiskers, each with its label and its number.
pub(super) fn bars(title: &str, bars: &[Bar], unit: impl Fn(f64) -> String) -> String {
    let most = bars.iter().map(|bar| bar.estimate.high.max(bar.estimate.value)).fold(0.0, f64::max);
    if bars.is_empty() || most <= 0.0 {
        return String::new();
    }
    let height = BAR * length(bars.len()) + 8.0;
    let mut text = open(title, height);
    for (index, bar) in bars.iter().enumerate() {
        let y = BAR * length(index) + 4.0;
        let x = |value: f64| LABELS + (WIDTH - LABELS - RIGHT) * value / most;
        let Estimate { value, low, high, .. } = bar.estimate;
        let middle = y + BAR / 2.0 - 2.0;
        // Writing to a string does not fail, here and below.
        let _ = write!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{}</text>\
             <rect class=\"fill s{}\" x=\"{LABELS}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\
             <path class=\"whisker\" d=\"M{:.1} {:.1}v8M{:.1} {middle:.1}H{:.1}M{:.1} {:.1}v8\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LABELS - 8.0,
            middle + 4.0,
            escape(&bar.label),
            bar.series % SERIES,
            (x(value) - LABELS).max(1.0),
            BAR - 6.0,
            x(low),
            middle - 4.0,
            x(low),
            x(high),
            x(high),
            middle - 4.0,
            x(high.max(value)) + 8.0,
            middle + 4.0,
            escape(&unit(value)),
        );
    }
    text + "</svg>"
}

/// One line.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) series: usize,
    pub(super) points: Vec<(f64, f64)>,
}

/// How an axis is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

/// Lines over two axes, with a legend below.
pub(super) fn lines(
    title: &str,
    lines: &[Line],
    scale: Scale,
    across: impl Fn(f64) -> String,
    up: impl Fn(f64) -> String,
) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let place = |value: f64| if scale == Scale::Logarithmic { value.max(1e-9).log10() } else { value };
    let low = points().map(|(x, _)| place(*x)).fold(f64::INFINITY, f64::min);
    let high = points().map(|(x, _)| place(*x)).fold(f64::NEG_INFINITY, f64::max);
    let most = points().map(|(_, y)| *y).fold(0.0, f64::max);
    if !(low.is_finite() && high.is_finite() && most > 0.0) {
        return String::new();
    }
    let range = (high - low).max(1e-9);
    let (left, bottom) = (80.0, HEIGHT - FOOT);
    let x = |value: f64| left + (WIDTH - left - 20.0) * (place(value) - low) / range;
    let y = |value: f64| bottom - (bottom - 12.0) * value / most;
    let rows = lines.len().div_ceil(3);
    let mut text = open(title, HEIGHT + 20.0 * length(rows));
    for step in 0..=4_u32 {
        let share = f64::from(step) / 4.0;
        let at = low + range * share;
        let value = if scale == Scale::Logarithmic { 10.0_f64.powf(at) } else { at };
        let anchor = if step == 4 { " class=\"end\"" } else { " class=\"mid\"" };
        let _ = write!(
            text,
            "<path class=\"grid\" d=\"M{left} {:.1}H{:.1}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text{anchor} x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            y(most * share),
            WIDTH - 20.0,
            left - 8.0,
            y(most * share) + 4.0,
            escape(&up(most * share)),
            x(value) + if step == 4 { 20.0 } else { 0.0 },
            bottom + 18.0,
            escape(&across(value)),
        );
    }
    for (index, line) in lines.iter().enumerate() {
        let mut path = String::new();
        for (point, (across, up)) in line.points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if point == 0 { 'M' } else { 'L' }, x(*across), y(*up));
        }
        let series = line.series % SERIES;
        let (column, row) = (float(count(index % 3)), float(count(index / 3)));
        let (at, down) = (left + column * 210.0, HEIGHT + 8.0 + 20.0 * row);
        let _ = write!(
            text,
            "<path class=\"line s{series}\" d=\"{path}\"/><path class=\"line s{series}\" d=\"M{at:.1} {down:.1}h28\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            at + 36.0,
            down + 4.0,
            escape(&line.label),
        );
    }
    text + "</svg>"
}

fn open(title: &str, height: f64) -> String {
    let title = escape(title);
    format!("<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>")
}

/// The share of values that are at most so large, at no more places than a page can show.
pub(super) fn distribution(values: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let step = sorted.len().div_ceil(200).max(1);
    let all = length(sorted.len());
    let mut points: Vec<(f64, f64)> =
        sorted.iter().enumerate().step_by(step).map(|(index, value)| (*value, length(index + 1) / all)).collect();
    points.extend(sorted.last().map(|last| (*last, 1.0)));
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_ends_with_all() {
        let values: Vec<f64> = (0..1_000).map(f64::from).collect();
        let points = distribution(&values);
        assert!(points.len() <= 202);
        assert_eq!(points.last(), Some(&(999.0, 1.0)));
    }

    #[test]
    fn names_do_not_break_out_of_a_picture() {
        let estimate = Estimate { value: 1.0, low: 0.9, high: 1.1, values: 9 };
        let picture = bars("<t>", &[Bar { label: "<a>\"&".to_owned(), series: 0, estimate }], |it| format!("{it}<"));
        assert!(picture.contains("&lt;a&gt;&quot;&amp;") && !picture.contains("<a>") && picture.contains("1&lt;"));
    }
}
