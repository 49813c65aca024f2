//! Pictures of results: bars in groups, and lines. Colours follow the reader's scheme, and only say what is ours: whatever is in a
//! picture has its name and its number beside it.

use std::fmt::Write as _;

/// The width of a picture, of its names on the left, and of what is free on the right for numbers or names.
const WIDTH: f64 = 820.0;
const LEFT: f64 = 340.0;
const RIGHT: f64 = 130.0;
/// The height of a bar with its gap, and of a heading.
const BAR: f64 = 20.0;
const HEADING: f64 = 30.0;
/// The height of lines, what is left of them for numbers, and what of the width they have.
const LINES: f64 = 280.0;
const AXIS: f64 = 56.0;
const LINES_RIGHT: f64 = 260.0;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1f2328}.h{font-weight:600}.n{fill:#59636e}.e{text-anchor:end}\
    .m{text-anchor:middle}.ours{fill:#0969da}.theirs{fill:#afb8c1}.axis{stroke:#59636e;stroke-dasharray:3 3}\
    .grid{stroke:#d1d9e0}path{fill:none;stroke-width:2;stroke:#818b98}path.us{stroke:#0969da;stroke-width:3}\
    @media(prefers-color-scheme:dark){text{fill:#f0f6fc}.n{fill:#9198a1}.ours{fill:#4493f8}.theirs{fill:#656c76}\
    .axis{stroke:#9198a1}.grid{stroke:#3d444d}path{stroke:#9198a1}path.us{stroke:#4493f8}}";

/// What each line is drawn with, so that lines differ without a colour.
const DASHES: [&str; 3] = ["none", "8 4", "2 4"];

/// A bar: its name, its length, the number beside it.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) number: String,
    pub(super) ours: bool,
}

/// Bars under headings, which may be empty, with a line where the value is 1.
pub(super) fn bars(title: &str, groups: &[(String, Vec<Bar>)]) -> String {
    let all = groups.iter().flat_map(|(_, bars)| bars);
    let most = all.map(|bar| bar.value).fold(1.0, f64::max);
    let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * value / most;
    let (mut y, mut body) = (HEADING, String::new());
    for (heading, bars) in groups {
        if !heading.is_empty() {
            y += HEADING;
            text(&mut body, LEFT, y - 10.0, "h", heading);
        }
        for Bar { name, value, number, ours } in bars {
            let class = if *ours { "ours" } else { "theirs" };
            text(&mut body, LEFT - 8.0, y + 14.0, if *ours { "e h" } else { "e" }, name);
            // Writing to a string does not fail, here and below.
            let _ = writeln!(
                body,
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>",
                y + 2.0,
                (x(*value) - LEFT).max(1.0),
                BAR - 4.0
            );
            text(&mut body, x(*value) + 6.0, y + 14.0, "n", number);
            y += BAR;
        }
    }
    // Below what is written over it.
    let one = format!("<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{HEADING}\" y2=\"{y:.1}\"/>\n", x(1.0));
    picture(title, y + 8.0, &(one + &body))
}

/// A line: its name, its points from left to right.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) ours: bool,
}

/// Lines over the same axis, named at their ends.
pub(super) fn lines(title: &str, across: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let (most_x, most_y) =
        points().fold((0.0, 1.0), |most: (f64, f64), point| (most.0.max(point.0), most.1.max(point.1)));
    let bottom = HEADING + LINES;
    let x = |value: f64| AXIS + (WIDTH - AXIS - LINES_RIGHT) * value / most_x;
    let y = |value: f64| bottom - (LINES - 12.0) * value / most_y;
    let mut body = String::new();
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let _ = writeln!(
            body,
            "<line class=\"grid\" x1=\"{AXIS}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>",
            x(most_x),
            y(share)
        );
        text(&mut body, AXIS - 8.0, y(share) + 4.0, "e n", &share.to_string());
    }
    let mut ticks: Vec<f64> = points().map(|point| point.0).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    for tick in ticks {
        text(&mut body, x(tick), bottom + 18.0, "m n", &tick.to_string());
    }
    text(&mut body, (AXIS + x(most_x)) / 2.0, bottom + 38.0, "m n", across);
    // Names are where lines end, but never one over the other.
    let mut ends: Vec<(f64, &Line)> =
        lines.iter().map(|line| (line.points.last().map_or(bottom, |point| y(point.1)), line)).collect();
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = 0.0;
    for (end, line) in ends {
        let at = f64::max(end, free);
        free = at + BAR;
        text(&mut body, x(most_x) + 8.0, at + 4.0, if line.ours { "h" } else { "" }, &line.name);
    }
    for (line, dash) in lines.iter().zip(DASHES.iter().cycle()) {
        let path: Vec<String> =
            line.points.iter().map(|point| format!("{:.1} {:.1}", x(point.0), y(point.1))).collect();
        let class = if line.ours { "us" } else { "" };
        let _ = writeln!(body, "<path class=\"{class}\" stroke-dasharray=\"{dash}\" d=\"M{}\"/>", path.join("L"));
    }
    picture(title, bottom + 48.0, &body)
}

fn picture(title: &str, height: f64, body: &str) -> String {
    let mut heading = String::new();
    text(&mut heading, 0.0, 16.0, "h", title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n{heading}{body}</svg>\n",
        plain(title)
    )
}

fn text(body: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let _ = writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", plain(words));
}

/// As text of XML, without the marks of the tables.
fn plain(words: &str) -> String {
    words.replace('`', "").replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, value: f64) -> Bar {
        Bar { name: name.to_owned(), value, number: value.to_string(), ours: false }
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let svg = bars("a <title>", &[("group".to_owned(), vec![bar("one", 2.0), bar("other", 1.0)])]);
        assert!(svg.contains("width=\"350.0\"") && svg.contains("width=\"175.0\""), "{svg}");
        assert!(svg.contains("a &lt;title>") && svg.contains(">other</text>"), "{svg}");
    }

    #[test]
    fn names_of_lines_that_end_together_lie_apart() {
        let line = |name: &str| Line { name: name.to_owned(), points: vec![(0.0, 0.0), (4.0, 0.9)], ours: false };
        let svg = lines("title", "load", &[line("one"), line("other")]);
        let at = |name: &str| {
            let text = svg.lines().find(|text| text.contains(&format!(">{name}<"))).unwrap();
            text.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
        };
        assert!((at("one") - at("other")).abs() >= BAR, "{svg}");
    }
}
