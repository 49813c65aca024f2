//! From the text of a plan to a [`Plan`], or to all its faults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use coracle_package::check::{Check, Reader, Span, list, table, text, wrong_type};
use coracle_package::document;
use coracle_package::fault::{Faults, SyntaxError};
use coracle_package::suggest::nearest;
use coracle_package::unit::{parse_duration, parse_size};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    Body, CALL, Candidate, HUNDRED, Input, Kind, Length, Plan, Price, Program, ROUNDS, Role, Rule, TIME, keys,
};

/// The largest body that is made up: inputs are held in memory for the whole run.
const LARGEST_BODY: u64 = 256 << 20;
/// The root mean square distance of two images that is no difference, when nothing is said: rounding.
const DISTANCE: f64 = 1.0;

/// A file that has to be there, and where the plan names it.
struct Named {
    path: PathBuf,
    span: Span,
}

pub(super) fn read(text: &str, file: &Path, look: bool) -> Result<Plan, Faults> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    document::parse(text, file, "plan", |check, document| {
        let mut named = Vec::new();
        let plan = read_plan(check, document.get_ref(), directory, &mut named);
        for Named { path, span } in named.into_iter().filter(|_| look) {
            let path = plan.resolve(&path);
            if let Err(error) = std::fs::metadata(&path) {
                let error = SyntaxError::new(format!("cannot read `{}`: {error}", path.display()));
                check.fault(span, error.hint("a relative path starts from the plan's folder"));
            }
        }
        plan
    })
}

fn read_plan(check: &mut Check<'_>, document: &DeTable<'_>, directory: PathBuf, named: &mut Vec<Named>) -> Plan {
    let root = Reader::new(check, &keys::ROOT, document, 0..0);
    let (name, description) = read_pilot(check, &root);
    let price = root.table(check, "price").and_then(|(table, span)| read_price(check, table, span));
    let rule = root.table(check, "answer").map_or(Rule::Bytes, |(table, span)| read_rule(check, table, span));
    let length = read_length(check, &root);
    let inputs = read_inputs(check, &root, named);
    let candidates = read_candidates(check, &root, named);
    Plan { name, description, price, rule, length, candidates, inputs, directory }
}

fn read_pilot(check: &mut Check<'_>, root: &Reader<'_, '_>) -> (String, Option<String>) {
    let hint = "start the plan with [pilot] and name = \"...\"";
    let Some((table, span)) = root.require(check, "pilot", hint).and_then(|_| root.table(check, "pilot")) else {
        return (String::new(), None);
    };
    let pilot = Reader::new(check, &keys::PILOT, table, span);
    pilot.require(check, "name", "name the pilot: name = \"Thumbnails\"");
    (pilot.owned_text(check, "name").unwrap_or_default(), pilot.owned_text(check, "description"))
}

fn read_price(check: &mut Check<'_>, table: &DeTable<'_>, span: Span) -> Option<Price> {
    let price = Reader::new(check, &keys::PRICE, table, span);
    price.require(check, "machine-hour", "say what one hour of a machine like this costs: machine-hour = 0.10");
    let currency = price.owned_text(check, "currency").unwrap_or_else(|| "USD".to_owned());
    let gb_hour = read_number(check, &price, "gb-hour");
    Some(Price { currency, machine_hour: read_number(check, &price, "machine-hour")?, gb_hour: gb_hour.unwrap_or(0.0) })
}

fn read_rule(check: &mut Check<'_>, table: &DeTable<'_>, span: Span) -> Rule {
    let answer = Reader::new(check, &keys::ANSWER, table, span);
    let tolerance = read_number(check, &answer, "tolerance");
    let rule = read_word(check, &answer, "compare", &["bytes", "json", "image", "exit"]).unwrap_or("bytes");
    let rule = match rule {
        "json" => Rule::Json(tolerance.unwrap_or(0.0)),
        "image" => Rule::Image(tolerance.unwrap_or(DISTANCE)),
        "exit" => Rule::Exit,
        _ => Rule::Bytes,
    };
    if let (Rule::Bytes | Rule::Exit, Some(value)) = (rule, answer.get("tolerance")) {
        let error = SyntaxError::new("there is no tolerance where answers are compared exactly");
        check.fault(value.span(), error.hint("leave it out, or compare \"json\" or \"image\""));
    }
    rule
}

fn read_length(check: &mut Check<'_>, root: &Reader<'_, '_>) -> Length {
    let mut length = Length { rounds: ROUNDS, time: TIME, call: CALL, storm: HUNDRED, copies: HUNDRED };
    let Some((table, span)) = root.table(check, "length") else { return length };
    let reader = Reader::new(check, &keys::LENGTH, table, span);
    // With fewer no interval can leave anything out.
    length.rounds = read_count(check, &reader, "rounds", crate::stats::LEAST_PAIRS..=10_000).unwrap_or(ROUNDS);
    length.time = read_duration(check, &reader, "time").unwrap_or(TIME);
    length.call = read_duration(check, &reader, "call").unwrap_or(CALL);
    length.storm = read_count(check, &reader, "storm", 0..=1_000).unwrap_or(HUNDRED);
    length.copies = read_count(check, &reader, "copies", 0..=1_000).unwrap_or(HUNDRED);
    length
}

fn read_candidates(check: &mut Check<'_>, root: &Reader<'_, '_>, named: &mut Vec<Named>) -> Vec<Candidate> {
    let hint = "describe each way to run the function under [candidate.NAME]";
    root.require(check, "candidate", hint);
    let spans = std::cell::RefCell::new(BTreeMap::new());
    let candidates = root.named(check, "candidate", |check, name, value, span| {
        spans.borrow_mut().insert(name.to_owned(), span.clone());
        let table = table(check, name, value)?;
        read_candidate(check, name, table, span, named)
    });
    let spans = spans.into_inner();
    let Some(first) = spans.values().next().cloned() else { return Vec::new() };
    let mut candidates: Vec<Candidate> = candidates.into_values().collect();
    candidates.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
    // What is wrong in a candidate may only seem to be missing among them.
    if candidates.len() == spans.len() {
        match candidates.iter().filter(|candidate| candidate.role == Role::Today).collect::<Vec<_>>()[..] {
            [_] => {}
            [] => {
                let error = SyntaxError::new("no candidate is the function as it runs today");
                check.absent(
                    first.clone(),
                    error.hint("write role = \"today\" in the one that the others are compared with"),
                );
            }
            [_, second, ..] => {
                let error = SyntaxError::new("two candidates are the function as it runs today");
                let span = spans.get(&second.name).cloned().unwrap_or_default();
                check.fault(span, error.hint("write role = \"control\" in the one that is only measured beside"));
            }
        }
        if candidates.len() == 1 {
            let error = SyntaxError::new("one candidate has nothing to be compared with");
            check.absent(first, error.hint("add another [candidate.NAME]"));
        }
    }
    candidates
}

fn read_candidate(
    check: &mut Check<'_>,
    name: &str,
    table: &DeTable<'_>,
    span: Span,
    named: &mut Vec<Named>,
) -> Option<Candidate> {
    let reader = Reader::new(check, &keys::CANDIDATE, table, span.clone());
    let role = match read_word(check, &reader, "role", &["today", "port", "control"]) {
        Some("today") => Some(Role::Today),
        Some("control") => Some(Role::Control),
        None if reader.get("role").is_some() => None,
        _ => Some(Role::Port),
    };
    let files = reader.texts(check, "files").into_iter().map(|(path, span)| {
        named.push(Named { path: path.into(), span });
        PathBuf::from(path)
    });
    let files = files.collect();
    let description = reader.owned_text(check, "description");
    let kind = read_kind(check, &reader, span, named)?;
    Some(Candidate { name: name.to_owned(), role: role?, description, kind, files })
}

/// The keys that belong to one kind of candidate only.
const OF_PROGRAMS: [&str; 1] = ["environment"];
const OF_COMPONENTS: [&str; 3] = ["arguments", "flags", "reuse"];

fn read_kind(check: &mut Check<'_>, reader: &Reader<'_, '_>, span: Span, named: &mut Vec<Named>) -> Option<Kind> {
    let kinds = ["command", "server", "component"];
    let given: Vec<&str> = kinds.into_iter().filter(|kind| reader.get(kind).is_some()).collect();
    let kind = match given[..] {
        [kind] => kind,
        [] => {
            if !kinds.into_iter().any(|kind| reader.misspells(kind)) {
                let error = SyntaxError::new("this candidate does not say how it is run");
                check.absent(
                    span,
                    error.hint("add command = [\"PROGRAM\"], server = [\"PROGRAM\"] or component = \"FILE\""),
                );
            }
            return None;
        }
        [_, second, ..] => {
            let span = reader.get(second).map_or(span, Spanned::span);
            let error = SyntaxError::new(format!("this candidate is run in two ways: {}", list(given.into_iter())));
            check.fault(span, error.hint("make two candidates of it"));
            return None;
        }
    };
    let foreign: &[&str] = if kind == "component" { &OF_PROGRAMS } else { &OF_COMPONENTS };
    for key in foreign {
        if let Some(value) = reader.get(key) {
            let error = SyntaxError::new(format!("`{key}` means nothing beside `{kind}`"));
            check.fault(value.span(), error.hint("leave it out"));
        }
    }
    if kind == "component" {
        let (source, span) = reader.text(check, "component")?;
        named.push(Named { path: source.into(), span });
        let texts = |check: &mut Check<'_>, key| {
            reader.texts(check, key).into_iter().map(|(text, _)| text.to_owned()).collect()
        };
        let (arguments, flags) = (texts(check, "arguments"), texts(check, "flags"));
        let reuse = read_count(check, reader, "reuse", 1..=u32::MAX);
        return Some(Kind::Component { source: source.into(), arguments, flags, reuse });
    }
    let program = read_program(check, reader, kind)?;
    Some(if kind == "server" { Kind::Server(program) } else { Kind::Command(program) })
}

fn read_program(check: &mut Check<'_>, reader: &Reader<'_, '_>, key: &str) -> Option<Program> {
    let value = reader.get(key)?;
    let argv: Vec<String> = reader.texts(check, key).into_iter().map(|(text, _)| text.to_owned()).collect();
    if argv.first().is_none_or(|program| program.is_empty()) {
        if value.get_ref().is_array() {
            let error = SyntaxError::new(format!("`{key}` names no program"));
            check.fault(
                value.span(),
                error.hint(format!("write the program first: {key} = [\"python3\", \"filter.py\"]")),
            );
        }
        return None;
    }
    if key == "server" && !argv.iter().any(|argument| argument.contains("{port}")) {
        let error = SyntaxError::new("the server is not told its port");
        check.fault(value.span(), error.hint("write {port} where its arguments have the port to listen on"));
    }
    let environment = read_texts(check, reader, "environment");
    Some(Program { argv, environment })
}

fn read_inputs(check: &mut Check<'_>, root: &Reader<'_, '_>, named: &mut Vec<Named>) -> Vec<Input> {
    root.require(check, "input", "describe each input under [input.NAME]");
    let inputs = root.named(check, "input", |check, name, value, span| {
        let table = table(check, name, value)?;
        let reader = Reader::new(check, &keys::INPUT, table, span);
        read_input(check, name, &reader, named)
    });
    inputs.into_values().collect()
}

fn read_input(check: &mut Check<'_>, name: &str, reader: &Reader<'_, '_>, named: &mut Vec<Named>) -> Option<Input> {
    let mut file = |path: &str, span| {
        named.push(Named { path: path.into(), span });
        PathBuf::from(path)
    };
    let given: Vec<&str> = ["file", "text", "generate"].into_iter().filter(|key| reader.get(key).is_some()).collect();
    let body = match given[..] {
        [] => Body::Empty,
        ["file"] => reader.text(check, "file").map(|(path, span)| Body::File(file(path, span)))?,
        ["text"] => Body::Text(reader.owned_text(check, "text")?),
        [_] => read_generated(check, reader)?,
        [_, second, ..] => {
            let error = SyntaxError::new(format!("this input has more than one body: {}", list(given.iter().copied())));
            check.fault(reader.get(second).map_or(0..0, Spanned::span), error.hint("keep one of them"));
            return None;
        }
    };
    if let (false, Some(value)) = (given == ["generate"], reader.get("kind")) {
        let error = SyntaxError::new("`kind` says what is made up, and this input is given");
        check.fault(value.span(), error.hint("leave it out, or write generate = \"64 KiB\""));
    }
    let default = if body == Body::Empty { "GET" } else { "POST" };
    let path = match reader.text(check, "path") {
        Some((path, _)) if path.starts_with('/') => path.to_owned(),
        Some((path, span)) => {
            let error = SyntaxError::new(format!("the path {path:?} does not start with `/`"));
            check.fault(span, error.hint(format!("write `/{path}`")));
            return None;
        }
        None => "/".to_owned(),
    };
    Some(Input {
        name: name.to_owned(),
        body,
        arguments: reader.texts(check, "arguments").into_iter().map(|(text, _)| text.to_owned()).collect(),
        method: reader.owned_text(check, "method").unwrap_or_else(|| default.to_owned()),
        path,
        headers: read_texts(check, reader, "headers"),
        expect: reader.text(check, "expect").map(|(path, span)| file(path, span)),
    })
}

fn read_generated(check: &mut Check<'_>, reader: &Reader<'_, '_>) -> Option<Body> {
    let (size, span) = reader.text(check, "generate")?;
    let size = check.accept(span.clone(), parse_size(size))?;
    if size == 0 || size > LARGEST_BODY {
        let error = SyntaxError::new("a body that is made up has from 1 B to 256 MiB");
        check.fault(span, error.hint("keep a larger one in a file"));
        return None;
    }
    Some(match read_word(check, reader, "kind", &["bytes", "text", "picture"]) {
        Some("text") => Body::Words(size),
        Some("picture") => Body::Picture(size),
        _ => Body::Bytes(size),
    })
}

/// One word of a few.
fn read_word<'a>(check: &mut Check<'_>, reader: &Reader<'a, '_>, key: &str, known: &[&'a str]) -> Option<&'a str> {
    let (word, span) = reader.text(check, key)?;
    let found = known.iter().copied().find(|known| *known == word).ok_or_else(|| {
        let hint = match nearest(word, known.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("it is one of {}", list(known.iter().copied())),
        };
        SyntaxError::new(format!("`{key}` cannot be {word:?}")).hint(hint)
    });
    check.accept(span, found)
}

fn read_number(check: &mut Check<'_>, reader: &Reader<'_, '_>, key: &str) -> Option<f64> {
    let value = reader.get(key)?;
    let number = match value.get_ref() {
        DeValue::Float(number) => number.as_str().replace('_', "").parse::<f64>().ok(),
        DeValue::Integer(number) => i32::from_str_radix(number.as_str(), number.radix()).ok().map(f64::from),
        _ => {
            check.fault(value.span(), wrong_type(key, "a number", value));
            return None;
        }
    };
    let wrong = || SyntaxError::new(format!("`{key}` is a number from 0 on"));
    check.accept(value.span(), number.filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(wrong))
}

fn read_count(
    check: &mut Check<'_>,
    reader: &Reader<'_, '_>,
    key: &str,
    range: std::ops::RangeInclusive<u32>,
) -> Option<u32> {
    let value = reader.get(key)?;
    let DeValue::Integer(number) = value.get_ref() else {
        check.fault(value.span(), wrong_type(key, "a whole number", value));
        return None;
    };
    let count = u32::from_str_radix(number.as_str(), number.radix()).ok().filter(|count| range.contains(count));
    let wrong = || SyntaxError::new(format!("`{key}` is a whole number from {} to {}", range.start(), range.end()));
    check.accept(value.span(), count.ok_or_else(wrong))
}

fn read_duration(check: &mut Check<'_>, reader: &Reader<'_, '_>, key: &str) -> Option<Duration> {
    let (duration, span) = reader.text(check, key)?;
    let duration = parse_duration(duration).and_then(|duration| match duration {
        Duration::ZERO => Err(SyntaxError::new(format!("`{key}` cannot be 0"))),
        duration => Ok(duration),
    });
    check.accept(span, duration)
}

/// A table of names and texts.
fn read_texts(check: &mut Check<'_>, reader: &Reader<'_, '_>, key: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (name, value) in reader.table(check, key).into_iter().flat_map(|(table, _)| table) {
        let name = name.get_ref();
        if let Some((value, _)) = text(check, name, value)
            && seen.insert(name.to_lowercase())
        {
            texts.insert(name.to_string(), value.to_owned());
        }
    }
    texts
}
