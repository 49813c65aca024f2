//! The report as one page of HTML: no script, no other file, readable in light, in dark and on paper.

use std::fmt::Write as _;

use super::format::{bytes, digits, percent, rule, seconds, times, with_interval};
use super::judge::Call;
use super::svg::{Bar, Line, Scale, bars, distribution, lines};
use super::{OfInput, Report, Summary, verdict};
use crate::number::float;
use crate::plan::Role;
use crate::record::{Calls, Ended, Failure, Measurements};
use crate::stats::{Estimate, Level, UNEASY};

const STYLE: &str = include_str!("style.css");

/// What writes a figure of a candidate.
type Cell = fn(&Report, &OfInput) -> String;

/// The columns of an input's table.
pub(super) const TABLE: [(&str, Cell); 9] = [
    ("p50", |_, it| with_interval(it.p50.as_ref(), seconds)),
    ("p90", |_, it| with_interval(it.p90.as_ref(), seconds)),
    ("p99", |_, it| with_interval(it.p99.as_ref(), seconds)),
    ("CPU user", |_, it| with_interval(it.user.as_ref(), seconds)),
    ("CPU system", |_, it| with_interval(it.system.as_ref(), seconds)),
    ("calls/s at saturation", |_, it| with_interval(it.throughput.as_ref(), digits)),
    ("peak memory", |_, it| with_interval(it.peak.as_ref(), bytes)),
    ("steady RSS / PSS / private", |_, it| {
        let of = |value: u64| bytes(float(value));
        it.steady.map_or_else(dash, |it| format!("{} / {} / {}", of(it.rss), of(it.pss), of(it.private)))
    }),
    ("cost of 10⁶ calls", |report, it| {
        let currency = report.price.as_ref().map_or("", |price| price.currency.as_str());
        with_interval(it.cost.as_ref(), |value| format!("{} {currency}", digits(value)))
    }),
];

fn dash() -> String {
    "-".to_owned()
}

/// Text of others as text of HTML.
pub(super) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            _ if character.is_control() && character != '\n' => shown.push('\u{fffd}'),
            _ => shown.push(character),
        }
    }
    shown
}

/// Writes the page. Writing to a string does not fail.
pub(super) fn render(report: &Report, run: &Measurements) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&report.name)
    );
    let _ = writeln!(page, "<h1>{}</h1>", escape(&report.name));
    if let Some(description) = &report.description {
        let _ = writeln!(page, "<p class=\"lead\">{}</p>", escape(description));
    }
    section(&mut page, "Verdict", &verdicts(report));
    section(&mut page, "Compared", &comparisons(report));
    section(&mut page, "Pictures", &pictures(report, run));
    section(&mut page, "Figures", &figures(report));
    section(&mut page, "How it was measured", &method(report));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn section(page: &mut String, title: &str, body: &str) {
    let _ = writeln!(page, "<section>\n<h2>{title}</h2>\n{body}</section>");
}

fn items(texts: impl IntoIterator<Item = String>) -> String {
    let items: String = texts.into_iter().map(|text| format!("<li>{}</li>\n", escape(&text))).collect();
    if items.is_empty() { String::new() } else { format!("<ul>\n{items}</ul>\n") }
}

fn verdicts(report: &Report) -> String {
    let mut text = String::new();
    for verdict in &report.verdicts {
        let _ = write!(
            text,
            "<article class=\"verdict {}\">\n<h3><span>{}</span> {}</h3>\n{}",
            serde_json::to_value(verdict.decision)
                .ok()
                .and_then(|it| it.as_str().map(str::to_owned))
                .unwrap_or_default(),
            escape(&verdict.name),
            verdict.decision.words(),
            items(verdict.reasons.iter().cloned())
        );
        if !verdict.next.is_empty() {
            let _ = write!(text, "<p>What to try next:</p>\n{}", items(verdict.next.iter().cloned()));
        }
        text.push_str("</article>\n");
    }
    for candidate in &report.candidates {
        if let Some(failed) = &candidate.about.failure {
            let _ = writeln!(
                text,
                "<p class=\"warning\">{} was not measured to the end: {}</p>",
                escape(&candidate.about.name),
                escape(&failure(failed))
            );
        }
    }
    if report.ended == Ended::Interrupted {
        text.push_str("<p class=\"warning\">The run was interrupted; what was measured until then is here.</p>\n");
    }
    text
}

/// A failure in one line.
pub(super) fn failure(failure: &Failure) -> String {
    let mut text = failure.what.clone();
    if let Some(input) = &failure.input {
        let _ = write!(text, ", on the input {input}");
    }
    if failure.run > 0 {
        let _ = write!(text, ", in run {}", failure.run);
    }
    if !failure.details.is_empty() {
        let _ = write!(text, ": {}", failure.details.join("; "));
    }
    text
}

fn comparisons(report: &Report) -> String {
    let mut text = String::from(
        "<p>How many times as much each takes, pair by pair: below 1 is less. In brackets the bootstrap 95 % interval; what is \
         inside the noise is called the same.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th>candidate</th><th>compared \
         with</th>",
    );
    for measure in super::Measure::ALL {
        let _ = write!(text, "<th>{}</th>", measure.name());
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for comparison in &report.comparisons {
        let _ = write!(text, "<tr><th>{}</th><td>{}</td>", escape(&comparison.name), escape(&comparison.with));
        for measure in super::Measure::ALL {
            let Some(judged) = comparison.of(measure) else {
                text.push_str("<td>-</td>");
                continue;
            };
            let (class, word) = match judged.call {
                Call::Less => ("less", "less"),
                Call::More => ("more", "more"),
                Call::Same => ("same", "the same"),
            };
            let ratio = &judged.ratio;
            let _ = write!(
                text,
                "<td class=\"{class}\">{} ({} to {})<br><small>{word}</small></td>",
                times(ratio.value),
                times(ratio.low),
                times(ratio.high)
            );
        }
        text.push_str("</tr>\n");
    }
    text + "</tbody>\n</table></div>\n"
}

fn pictures(report: &Report, run: &Measurements) -> String {
    let mut text = String::new();
    let mut add = |title: &str, picture: String, caption: &str| {
        if !picture.is_empty() {
            let (title, caption) = (escape(title), escape(caption));
            let _ =
                writeln!(text, "<figure>\n<h3>{title}</h3>\n{picture}\n<figcaption>{caption}</figcaption>\n</figure>");
        }
    };
    for (input, given) in report.inputs.iter().enumerate() {
        let of = |(series, measured): (usize, &crate::record::Measured)| {
            let bursts = measured.warm.iter().filter(|burst| burst.input == input);
            let values: Vec<f64> = bursts.flat_map(|burst| burst.seconds.iter().copied()).collect();
            Line { label: measured.about.name.clone(), series, points: distribution(&values) }
        };
        let all: Vec<Line> = run.candidates.iter().enumerate().map(of).filter(|line| !line.points.is_empty()).collect();
        let title = format!("Latency on {}", given.name);
        add(
            &title,
            lines(&title, &all, Scale::Logarithmic, seconds, percent),
            "The share of calls that took at most so long; the scale is logarithmic.",
        );
    }
    for (input, given) in report.inputs.iter().enumerate() {
        let title = format!("Cold and warm on {}", given.name);
        let mut all = Vec::new();
        for (series, candidate) in report.candidates.iter().enumerate() {
            let warm = candidate.figures.inputs[input].p50;
            let cold = if candidate.about.calls == Calls::Processes { warm } else { candidate.figures.cold };
            let bar = |word: &str, estimate: Option<Estimate>| {
                estimate.map(|estimate| Bar { label: format!("{} {word}", candidate.about.name), series, estimate })
            };
            all.extend(bar("cold", cold).into_iter().chain(bar("warm", warm)));
        }
        add(
            &title,
            bars(&title, &all, seconds),
            "Cold is from a start to the end of the first answer; of a command every call is one.",
        );
    }
    let timeline = |(series, measured): (usize, &crate::record::Measured)| Line {
        label: measured.about.name.clone(),
        series,
        points: measured.timeline.iter().map(|(at, held)| (*at, float(*held))).collect(),
    };
    let over_time: Vec<Line> =
        run.candidates.iter().enumerate().map(timeline).filter(|line| !line.points.is_empty()).collect();
    let title = "Memory over time";
    add(
        title,
        lines(title, &over_time, Scale::Linear, seconds, bytes),
        "Resident memory during one call on the first input, of commands.",
    );
    for (input, given) in report.inputs.iter().enumerate() {
        let of = |figure: fn(&OfInput) -> Option<Estimate>| -> Vec<Bar> {
            let candidates = report.candidates.iter().enumerate();
            let bar = |(series, candidate): (usize, &Summary)| {
                let estimate = figure(&candidate.figures.inputs[input])?;
                Some(Bar { label: candidate.about.name.clone(), series, estimate })
            };
            candidates.filter_map(bar).collect()
        };
        let title = format!("Peak memory on {}", given.name);
        add(&title, bars(&title, &of(|it| it.peak), bytes), "The most that was resident.");
        let title = format!("Cost of a million calls on {}", given.name);
        let currency = report.price.as_ref().map_or("", |price| price.currency.as_str());
        let cost = |value: f64| format!("{} {currency}", digits(value));
        add(
            &title,
            bars(&title, &of(|it| it.cost), cost),
            "The hours of a saturated machine, at the price of the plan.",
        );
    }
    let size = |(series, candidate): (usize, &Summary)| {
        let bar = |word: &str, value: u64| {
            let estimate = Estimate { value: float(value), low: float(value), high: float(value), values: 1 };
            Bar { label: format!("{} {word}", candidate.about.name), series, estimate }
        };
        [bar("on disk", candidate.about.size.bytes), bar("sent", candidate.about.size.compressed)]
    };
    let sizes: Vec<Bar> = report.candidates.iter().enumerate().flat_map(size).collect();
    add("Size", bars("Size", &sizes, bytes), "What is deployed, on disk and compressed by gzip as it is sent.");
    text
}

fn figures(report: &Report) -> String {
    let mut text = String::from("<p>Medians, with bootstrap 95 % intervals in brackets.</p>\n");
    for (index, input) in report.inputs.iter().enumerate() {
        let _ = writeln!(text, "<h3>{} ({})</h3>", escape(&input.name), bytes(float(input.bytes)));
        let rows = TABLE.iter().map(|(title, cell)| {
            let cells = report.candidates.iter().map(|candidate| cell(report, &candidate.figures.inputs[index]));
            ((*title).to_owned(), cells.collect())
        });
        text.push_str(&table(report, rows));
    }
    text.push_str("<h3>Each candidate</h3>\n");
    text + &table(report, facts(report))
}

/// A table with a column for each candidate.
fn table(report: &Report, rows: impl IntoIterator<Item = (String, Vec<String>)>) -> String {
    let mut text = "<div class=\"scroll\"><table>\n<thead><tr><td></td>".to_owned();
    for candidate in &report.candidates {
        let role = match candidate.about.role {
            Role::Today => "today",
            Role::Port => "port",
            Role::Control => "control",
        };
        let _ = write!(text, "<th>{}<br><small>{role}</small></th>", escape(&candidate.about.name));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for (title, cells) in rows {
        let _ = write!(text, "<tr><th>{}</th>", escape(&title));
        for cell in cells {
            let _ = write!(text, "<td>{}</td>", escape(&cell));
        }
        text.push_str("</tr>\n");
    }
    text + "</tbody>\n</table></div>\n"
}

/// What is said of each candidate as a whole.
pub(super) fn facts(report: &Report) -> Vec<(String, Vec<String>)> {
    let each = |title: &str, cell: &dyn Fn(&Summary) -> String| {
        (title.to_owned(), report.candidates.iter().map(cell).collect::<Vec<String>>())
    };
    vec![
        each("started as", &|it| it.about.shown.clone()),
        each("what it is", &|it| it.about.description.clone().unwrap_or_else(dash)),
        each("cold start", &|it| match it.about.calls {
            Calls::Processes => "every call is one".to_owned(),
            Calls::Requests => with_interval(it.figures.cold.as_ref(), seconds),
        }),
        each("first start on a machine (compiles)", &|it| it.figures.first_start.map_or_else(dash, seconds)),
        each("warm-up", &|it| {
            let one = |it: &crate::record::WarmUp| match it.settled {
                Some(calls) => format!("{}: {calls} of {} calls", it.input, it.calls),
                None => format!("{}: not settled after {}", it.input, it.calls),
            };
            it.about.warm_up.iter().map(one).collect::<Vec<_>>().join("; ")
        }),
        each("start storm", &|it| {
            it.figures.storm.map_or_else(dash, |storm| {
                let answered = storm.copies - storm.failed.min(storm.copies);
                let lost = if storm.failed > 0 { format!(", {} did not answer", storm.failed) } else { String::new() };
                let (half, all) = (seconds(storm.half), seconds(storm.all));
                format!("{} at once: half of {answered} after {half}, all after {all}{lost}", storm.copies)
            })
        }),
        each("idle copies", &|it| {
            it.figures.idle.map_or_else(dash, |idle| {
                let held = bytes(float(idle.footprint.pss));
                format!("{} hold {held} (PSS) and use {} of a core", idle.copies, percent(idle.cpu))
            })
        }),
        each("size on disk / sent", &|it| {
            format!("{} / {}", bytes(float(it.about.size.bytes)), bytes(float(it.about.size.compressed)))
        }),
        each("files", &|it| {
            it.about
                .size
                .files
                .iter()
                .map(|(path, size)| format!("{path} ({})", bytes(float(*size))))
                .collect::<Vec<_>>()
                .join(", ")
        }),
        each("instructions of a call", &|it| {
            let counted = it.figures.instructions.as_ref();
            counted.map_or_else(dash, |it| format!("{} ({})", digits(float(it.count)), it.by))
        }),
    ]
}

/// What was measured on, and when.
pub(super) fn circumstances(report: &Report) -> Vec<(String, String)> {
    let environment = &report.environment;
    let mut rows = vec![
        ("when".to_owned(), environment.began.clone()),
        (
            "processor".to_owned(),
            format!("{}, {} cores, governor {}", environment.processor, environment.cores, environment.governor),
        ),
        ("memory".to_owned(), bytes(float(environment.memory))),
        ("kernel".to_owned(), format!("{} on {}", environment.kernel, environment.architecture)),
        ("load of the last minute".to_owned(), format!("{} before, {} after", environment.load.0, environment.load.1)),
        ("taken by a hypervisor".to_owned(), percent(environment.stolen)),
        ("coracle".to_owned(), environment.coracle.clone()),
        ("rounds".to_owned(), format!("{}, in random order from the seed {}", report.rounds, report.seed)),
    ];
    rows.extend(environment.versions.iter().cloned());
    rows.extend(environment.accounts.iter().cloned());
    rows
}

fn method(report: &Report) -> String {
    let mut text = String::from("<table>\n<tbody>\n");
    let mut rows = circumstances(report);
    rows.push(("same answer".to_owned(), rule(report.rule)));
    if let Some(price) = &report.price {
        let shown =
            format!("{} {} for a machine-hour, {} for a GB-hour", price.machine_hour, price.currency, price.gb_hour);
        rows.push(("price".to_owned(), shown));
    }
    for (what, value) in rows {
        let _ = writeln!(text, "<tr><th>{}</th><td>{}</td></tr>", escape(&what), escape(&value));
    }
    text.push_str("</tbody>\n</table>\n<h3>Noise of the machine</h3>\n");
    match &report.noise {
        None => text.push_str("<p class=\"warning\">There were too few rounds to tell.</p>\n"),
        Some(noise) => {
            let class = if noise.level == Level::Quiet { "" } else { " class=\"warning\"" };
            let word = match noise.level {
                Level::Quiet => "The machine was quiet".to_owned(),
                Level::Uneasy => format!(
                    "The machine was uneasy: differences below {} cannot be seen",
                    percent(noise.floor.max(UNEASY))
                ),
                Level::TooNoisy => "The machine was too noisy to say anything".to_owned(),
            };
            let _ = writeln!(
                text,
                "<p{class}>{word}. A fixed loop of {} ran {} times between the measurements: two in a row seem to differ by {} \
                 (the noise floor), the middle half of all spreads over {} of their median, and the last third took {} times as long as \
                 the first.</p>",
                seconds(noise.loop_seconds),
                noise.loops,
                percent(noise.floor),
                percent(noise.spread),
                digits(1.0 + noise.drift)
            );
        }
    }
    let _ = write!(text, "<h3>Rules of the verdict</h3>\n{}", items(verdict::rules()));
    let _ = write!(text, "<h3>Notes</h3>\n{}", items(kept(&report.notes)));
    text
}

/// The notes, or that there are none.
pub(super) fn kept(notes: &[String]) -> Vec<String> {
    if notes.is_empty() { vec!["nothing was left out".to_owned()] } else { notes.to_vec() }
}
