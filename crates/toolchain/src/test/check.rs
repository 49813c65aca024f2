//! What came, against what was expected.

use std::path::Path;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::case::{Answer, Ended, Returned};
use super::program::Finished;

/// The most that is shown of a body, in characters: enough to see what it is.
const SHOWN: usize = 400;

/// Why an answer is not the expected one, if it is not.
pub(super) fn answer(expect: &Answer, answer: &Response<Bytes>, folder: &Path) -> Result<(), String> {
    let body = answer.body();
    if answer.status().as_u16() != expect.status {
        return Err(format!("the status is {}, not {}: {}", answer.status().as_u16(), expect.status, show(body)));
    }
    for (name, value) in &expect.headers {
        let found = answer.headers().get(name).map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned());
        match found {
            Some(found) if found == *value => {}
            Some(found) => return Err(format!("the header {name} is {found:?}, not {value:?}")),
            None => return Err(format!("there is no header {name}, and it should be {value:?}")),
        }
    }
    let whole = match &expect.body_file {
        Some(file) => Some(read(folder, file)?),
        None => expect.body.clone().map(String::into_bytes),
    };
    if let Some(whole) = whole.filter(|whole| whole != body) {
        return Err(format!("the body is {}, not {}", show(body), show(&whole)));
    }
    if let Some(json) = &expect.json {
        let found: Value =
            serde_json::from_slice(body).map_err(|error| format!("the body is no JSON ({error}): {}", show(body)))?;
        if !same(json, &found) {
            return Err(format!("the body is {found}, not {json}"));
        }
    }
    contains("the body", body, &expect.contains)
}

/// Why a command did not end as expected, if it did not.
pub(super) fn ended(expect: &Ended, came: &Finished) -> Result<(), String> {
    if came.code != Some(expect.exit) {
        let code = came.code.map_or("a signal".to_owned(), |code| code.to_string());
        return Err(format!("it ended with {code}, not {}: {}", expect.exit, show(&came.stderr)));
    }
    if let Some(stdout) = &expect.stdout
        && came.stdout != stdout.as_bytes()
    {
        return Err(format!("it wrote {}, not {}", show(&came.stdout), show(stdout.as_bytes())));
    }
    contains("its output", &came.stdout, &expect.contains)?;
    contains("its standard error", &came.stderr, &expect.stderr_contains)
}

/// Why a call did not return what was expected, if it did not.
pub(super) fn returned(expect: &Returned, came: &Finished) -> Result<(), String> {
    if came.code != Some(0) {
        return Err(format!("the call failed: {}", show(&came.stderr)));
    }
    let result = String::from_utf8_lossy(&came.stdout);
    if result.trim_end() == expect.result.trim() {
        return Ok(());
    }
    Err(format!("it returned {}, not {}", result.trim_end(), expect.result.trim()))
}

fn contains(what: &str, text: &[u8], parts: &[String]) -> Result<(), String> {
    let found = String::from_utf8_lossy(text);
    match parts.iter().find(|part| !found.contains(*part)) {
        Some(part) => Err(format!("{part:?} is not in {what}: {}", show(text))),
        None => Ok(()),
    }
}

/// A file that a case names.
pub(super) fn read(folder: &Path, file: &Path) -> Result<Vec<u8>, String> {
    let file = folder.join(file);
    std::fs::read(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

/// Whether two values are equal; numbers are, however they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

/// Some of what came, as text where it is text.
fn show(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let some: String = text.chars().take(SHOWN).collect();
    if text.chars().count() > SHOWN { format!("{some:?}... ({} bytes)", bytes.len()) } else { format!("{some:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_however_they_are_written() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert!(same(&value(r#"{"a": [1, 2.50]}"#), &value(r#"{"a": [1.0, 2.5]}"#)));
        assert!(!same(&value("[1]"), &value("[1, 2]")));
        assert!(!same(&value(r#"{"a": 1}"#), &value(r#"{"b": 1}"#)));
    }

    #[test]
    fn an_answer_fails_by_what_is_wrong_first() {
        let expect: Answer = toml::from_str("status = 200\nheaders = { a = '1' }\ncontains = ['b', 'c']").unwrap();
        let check = |status: u16, header: &str, body: &'static str| {
            let came = Response::builder().status(status).header("a", header).body(Bytes::from(body)).unwrap();
            answer(&expect, &came, Path::new("")).err()
        };
        assert_eq!(check(200, "1", "abc"), None);
        assert_eq!(check(404, "1", "no").unwrap(), "the status is 404, not 200: \"no\"");
        assert_eq!(check(200, "2", "abc").unwrap(), "the header a is \"2\", not \"1\"");
        assert_eq!(check(200, "1", "ab").unwrap(), "\"c\" is not in the body: \"ab\"");
    }
}
