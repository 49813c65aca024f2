//! What the parser of a file that a user writes leans on: a gatherer of faults, and a reader of one table that gives values
//! only for documented keys.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::{Fault, SyntaxError};
use crate::reference::KeyDoc;
use crate::suggest::nearest;

/// The most faults that are told at once; a file with more is not the file that was meant.
pub const MOST_FAULTS: usize = 100;

/// The longest name of an app or component: what a part of a host name may have, since tenants' apps are reached by one.
const LONGEST_NAME: usize = 63;

/// Tables that hold one table for each name that the author gives.
const NAMED: [&str; 3] = ["component", "candidate", "input"];

/// A place in the text.
pub type Span = Range<usize>;

/// One table of a file, as the parser and the reference know it.
pub struct Section {
    /// The table's name in the file.
    pub title: &'static str,
    /// What a message calls it.
    pub noun: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys. A table whose keys the author names has none here.
    pub keys: &'static [KeyDoc],
    /// The title of the table where a key that is not one of this table was probably meant to stand.
    pub elsewhere: fn(&Section, &str) -> Option<&'static str>,
}

impl Section {
    /// For tables that have no neighbour their keys could be mistaken for.
    pub fn nowhere(&self, _key: &str) -> Option<&'static str> {
        None
    }
}

/// Gathers the faults of one text.
pub struct Check<'t> {
    text: &'t str,
    /// Where each line starts.
    starts: Vec<usize>,
    found: Vec<(usize, SyntaxError)>,
    /// Lines that are not TOML. What else is found there, or found absent anywhere, may only follow from that.
    broken: BTreeSet<u32>,
    /// Whether one of these is the head of a table, so that the keys below it look like those of another.
    headless: bool,
}

impl<'t> Check<'t> {
    /// Starts with no fault.
    pub fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { text, starts, found: Vec::new(), broken: BTreeSet::new(), headless: false }
    }

    /// Notes a place that is not TOML. All of these have to be noted before any other fault.
    pub fn not_toml(&mut self, span: Span, error: SyntaxError) {
        let line = self.line(span.start);
        if self.broken.insert(line) {
            let mut lines = self.text.lines().skip(usize::try_from(line).map_or(0, |line| line - 1));
            self.headless |= lines.next().is_some_and(|line| line.trim_start().starts_with('['));
            self.found.push((span.start, error));
        }
    }

    /// Notes a fault at a place.
    pub fn fault(&mut self, span: Span, error: SyntaxError) {
        if !self.broken.contains(&self.line(span.start)) {
            self.found.push((span.start, error));
        }
    }

    /// Notes that something is not there, unless what is not TOML may have hidden it.
    pub fn absent(&mut self, span: Span, error: SyntaxError) {
        if self.broken.is_empty() {
            self.fault(span, error);
        }
    }

    /// The value, or `None` with the fault noted.
    pub fn accept<T>(&mut self, span: Span, result: Result<T, SyntaxError>) -> Option<T> {
        result.map_err(|error| self.fault(span, error)).ok()
    }

    /// The line of a place, counted from 1.
    pub fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    /// The column of a place in characters, counted from 1.
    fn column(&self, offset: usize) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let before = self.starts.get(line).and_then(|start| self.text.get(*start..offset)).unwrap_or_default();
        u32::try_from(before.chars().count()).map_or(u32::MAX, |count| count.saturating_add(1))
    }

    /// The faults by place, or none.
    pub fn finish(mut self) -> Vec<Fault> {
        self.found.sort_by_key(|(offset, _)| *offset);
        let more = self.found.len().saturating_sub(MOST_FAULTS);
        let found = std::mem::take(&mut self.found).into_iter().take(MOST_FAULTS);
        let mut faults: Vec<Fault> = found
            .map(|(offset, SyntaxError { message, details, hint })| Fault {
                line: self.line(offset),
                column: self.column(offset),
                message,
                details,
                hint,
            })
            .collect();
        if more > 0 {
            let message = format!("the file has {more} more faults");
            faults.push(Fault { line: 0, column: 0, message, details: Vec::new(), hint: None });
        }
        faults
    }
}

/// The line and the column of the end of `text`, both counted from 1.
pub(crate) fn end_of(text: &str) -> (u32, u32) {
    let check = Check::new(text);
    (check.line(text.len()), check.column(text.len()))
}

/// Reads one table of the file.
pub struct Reader<'a, 'i> {
    section: &'static Section,
    table: &'a DeTable<'i>,
    /// The keys that were meant by those that are not known.
    meant: Vec<(&'a str, &'static str)>,
    /// Where the table is named, for what is absent from it.
    pub span: Span,
}

impl<'a, 'i> Reader<'a, 'i> {
    /// Starts to read a table, and notes every key that `section` does not know.
    pub fn new(check: &mut Check<'_>, section: &'static Section, table: &'a DeTable<'i>, span: Span) -> Self {
        let known = || section.keys.iter().map(|doc| doc.key);
        let mut meant = Vec::new();
        for key in table.keys() {
            let name: &str = key.get_ref();
            if known().any(|known| known == name) {
                continue;
            }
            meant.extend(nearest(name, known()).map(|key| (name, key)));
            if !check.headless {
                check.fault(key.span(), unknown_key(name, section, known()));
            }
        }
        Self { section, table, meant, span }
    }

    /// Whether a key that is not known was meant to be `key`: its absence is no fault of its own then.
    pub fn misspells(&self, key: &str) -> bool {
        self.meant.iter().any(|(_, meant)| *meant == key)
    }

    /// The names in the table of a key, also where the key is misspelt.
    pub fn declared(&self, key: &str) -> BTreeSet<String> {
        let written = self.meant.iter().filter(|(_, meant)| *meant == key).map(|(written, _)| *written);
        let tables = written.chain([key]).filter_map(|key| self.table.get(key)?.get_ref().as_table());
        tables.flat_map(DeTable::keys).map(|name| name.get_ref().to_string()).collect()
    }

    /// The value of a key. Only a key that the section documents has one.
    pub fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        let documented = self.section.keys.iter().any(|doc| doc.key == key);
        self.table.get(key).filter(|_| documented)
    }

    /// The value of a key that has to be there.
    pub fn require(&self, check: &mut Check<'_>, key: &str, hint: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        let value = self.get(key);
        if value.is_none() && !self.misspells(key) {
            let error = SyntaxError::new(format!("{} needs `{key}`", self.section.noun));
            check.absent(self.span.clone(), error.hint(hint));
        }
        value
    }

    /// The text of a key.
    pub fn text(&self, check: &mut Check<'_>, key: &str) -> Option<(&'a str, Span)> {
        text(check, key, self.get(key)?)
    }

    /// The text of a key, without its place.
    pub fn owned_text(&self, check: &mut Check<'_>, key: &str) -> Option<String> {
        self.text(check, key).map(|(text, _)| text.to_owned())
    }

    /// Whether a key says true, with the place where it does.
    pub fn flag(&self, check: &mut Check<'_>, key: &str) -> Option<(bool, Span)> {
        let value = self.get(key)?;
        let DeValue::Boolean(flag) = value.get_ref() else {
            let error = wrong_type(key, "true or false", value);
            check.fault(value.span(), error.hint(format!("write {key} = true, without quotes")));
            return None;
        };
        Some((*flag, value.span()))
    }

    /// The table of a key, with the place of the key.
    pub fn table(&self, check: &mut Check<'_>, key: &str) -> Option<(&'a DeTable<'i>, Span)> {
        let value = self.get(key)?;
        let named = self.table.get_key_value(key).map_or_else(|| value.span(), |(key, _)| key.span());
        Some((table(check, key, value)?, named))
    }

    /// A table whose keys are names that the author gave. A value with a fault is left out.
    pub fn named<T>(
        &self,
        check: &mut Check<'_>,
        key: &str,
        mut read: impl FnMut(&mut Check<'_>, &str, &Spanned<DeValue<'_>>, Span) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let mut values = BTreeMap::new();
        for (name, value) in self.table(check, key).into_iter().flat_map(|(table, _)| table) {
            let kind = key.strip_suffix('s').unwrap_or(key);
            if check.accept(name.span(), author_name(kind, name.get_ref())).is_none() {
                continue;
            }
            if let Some(value) = read(check, name.get_ref(), value, name.span()) {
                values.insert(name.get_ref().to_string(), value);
            }
        }
        values
    }

    /// The texts of a list.
    pub fn texts(&self, check: &mut Check<'_>, key: &str) -> Vec<(&'a str, Span)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| text(check, key, item)).collect(),
            DeValue::String(text) => {
                check.fault(value.span(), wrong_type(key, "a list of text", value).hint(format!("write [{text:?}]")));
                Vec::new()
            }
            _ => {
                check.fault(value.span(), wrong_type(key, "a list of text", value));
                Vec::new()
            }
        }
    }
}

/// Checks a name that the author gives to an app, component, variable or secret.
pub fn author_name(kind: &str, name: &str) -> Result<String, SyntaxError> {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let ends = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-');
    if letters && ends && name.len() <= LONGEST_NAME {
        return Ok(name.to_owned());
    }
    let fitting: String =
        name.to_lowercase().chars().map(|c| if matches!(c, '_' | ' ' | '.') { '-' } else { c }).collect();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let error = SyntaxError::new(format!("{name:?} cannot be the name of {article} {kind}"));
    Err(if fitting != name && author_name(kind, &fitting).is_ok() {
        error.hint(format!("write `{fitting}`"))
    } else {
        error.hint(
            "a name has lower-case letters, digits and hyphens, starts with a letter, and has at most 63 characters",
        )
    })
}

/// The fault of a key that is not known.
pub fn unknown_key<'k>(name: &str, section: &Section, known: impl Iterator<Item = &'k str> + Clone) -> SyntaxError {
    let hint = match ((section.elsewhere)(section, name), nearest(name, known.clone())) {
        (Some(title), _) => format!("it belongs under {title}"),
        (None, Some(meant)) => format!("did you mean `{meant}`?"),
        (None, None) => format!("the keys there are {}", list(known)),
    };
    SyntaxError::new(format!("`{name}` is not a key of {}", section.noun)).hint(hint)
}

/// The words as `a, b and c`.
pub fn list<'k>(words: impl Iterator<Item = &'k str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "none".to_owned(),
    }
}

/// The text of a value.
pub fn text<'a>(check: &mut Check<'_>, key: &str, value: &'a Spanned<DeValue<'_>>) -> Option<(&'a str, Span)> {
    match value.get_ref() {
        DeValue::String(text) => Some((text, value.span())),
        other => {
            let error = wrong_type(key, "text", value);
            let error = match other {
                DeValue::Integer(number) => error.hint(format!("put it into quotes: \"{number}\"")),
                DeValue::Boolean(value) => error.hint(format!("put it into quotes: \"{value}\"")),
                _ => error,
            };
            check.fault(value.span(), error);
            None
        }
    }
}

/// The table of a value.
pub fn table<'a, 'i>(check: &mut Check<'_>, key: &str, value: &'a Spanned<DeValue<'i>>) -> Option<&'a DeTable<'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        DeValue::Array(items) if items.iter().all(|item| item.get_ref().is_table()) && !items.is_empty() => {
            let name = if NAMED.contains(&key) { ".NAME" } else { "" };
            let hint = format!("write it with one pair of brackets: [{key}{name}]");
            check.fault(value.span(), wrong_type(key, "a table", value).hint(hint));
            None
        }
        _ => {
            check.fault(value.span(), wrong_type(key, "a table", value));
            None
        }
    }
}

/// The fault of a value that has another type than its key takes.
pub fn wrong_type(key: &str, takes: &str, value: &Spanned<DeValue<'_>>) -> SyntaxError {
    let is = match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    SyntaxError::new(format!("`{key}` takes {takes}, and this is {is}"))
}
