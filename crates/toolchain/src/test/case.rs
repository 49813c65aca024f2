//! Cases: one file each, with what is sent and what must come of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coracle_package::fault::{Fault, Faults};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A case that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it is told apart by: its file without `tests/` and the ending, from the app's folder: `thumbnail/jpeg`.
    pub name: String,
    /// The folder of its file, from which the files that it names are found.
    pub folder: PathBuf,
    /// What is done, and what must come of it.
    pub step: Step,
}

/// The three kinds of cases.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A request to the app.
    Http(Request, Answer),
    /// A run of a command.
    Run(Run, Ended),
    /// A call of an exported function.
    Call(Call, Returned),
}

/// A request to the app.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Request {
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: Option<String>,
    /// A file with the body.
    pub body_file: Option<PathBuf>,
}

fn get() -> String {
    "GET".to_owned()
}

/// What must be answered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header fields, these among others.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The whole body, as text.
    pub body: Option<String>,
    /// A file with the whole body.
    pub body_file: Option<PathBuf>,
    /// A value that the body, read as JSON, is equal to.
    pub json: Option<serde_json::Value>,
    /// Texts that are in the body.
    #[serde(default)]
    pub contains: Vec<String>,
}

/// A run of a command.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Run {
    /// Which component of the app; not needed where it has one.
    pub component: Option<String>,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What it reads, as text.
    pub stdin: Option<String>,
}

/// How a command must end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ended {
    /// Its exit code.
    #[serde(default)]
    pub exit: i32,
    /// All that it writes to its standard output.
    pub stdout: Option<String>,
    /// Texts that are in its standard output.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Texts that are in its standard error.
    #[serde(default)]
    pub stderr_contains: Vec<String>,
}

/// A call of an exported function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Call {
    /// Which component of the app; not needed where it has one.
    pub component: Option<String>,
    /// The function: `price`, `api.price` or `shop:pricing/api@1.0.0.price`.
    pub function: String,
    /// The arguments in WAVE, between them commas: `"pear", 3`.
    #[serde(default)]
    pub arguments: String,
}

/// What a function must return.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Returned {
    /// The result in WAVE; empty for a function that returns nothing.
    #[serde(default)]
    pub result: String,
}

/// A case as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    request: Option<Request>,
    run: Option<Run>,
    call: Option<Call>,
    expect: toml::Table,
}

impl Case {
    /// Reads the case in `file`.
    ///
    /// # Errors
    /// The file cannot be read, or is no case.
    pub fn read(file: &Path, name: String) -> Result<Self, Faults> {
        let whole =
            |message: String| refuse(file, Fault { line: 0, column: 0, message, details: Vec::new(), hint: None });
        let text = std::fs::read_to_string(file).map_err(|error| whole(format!("the case cannot be read: {error}")))?;
        let case: File = toml::from_str(&text).map_err(|error| placed(file, &text, &error))?;
        let step = match (case.request, case.run, case.call) {
            (Some(request), None, None) => {
                let answer: Answer = expected(file, case.expect)?;
                let bodies = [request.body.is_some(), request.body_file.is_some()];
                if bodies == [true, true] || (answer.body.is_some() && answer.body_file.is_some()) {
                    return Err(whole("it has both `body` and `body-file`: keep one of them".to_owned()));
                }
                Step::Http(request, answer)
            }
            (None, Some(run), None) => Step::Run(run, expected(file, case.expect)?),
            (None, None, Some(call)) => Step::Call(call, expected(file, case.expect)?),
            _ => {
                let hint = "[request] asks over HTTP, [run] runs a command, [call] calls a function";
                let message = "a case has one of [request], [run] and [call]".to_owned();
                return Err(refuse(
                    file,
                    Fault { line: 0, column: 0, message, details: Vec::new(), hint: Some(hint.to_owned()) },
                ));
            }
        };
        Ok(Self { name, folder: file.parent().unwrap_or(Path::new("")).to_owned(), step })
    }
}

fn expected<T: DeserializeOwned>(file: &Path, table: toml::Table) -> Result<T, Faults> {
    table.try_into().map_err(|error: toml::de::Error| {
        let message = format!("[expect]: {}", one_line(error.message()));
        refuse(file, Fault { line: 0, column: 0, message, details: Vec::new(), hint: None })
    })
}

fn placed(file: &Path, text: &str, error: &toml::de::Error) -> Faults {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let message = one_line(error.message());
    refuse(file, Fault { line: number(line), column: number(column), message, details: Vec::new(), hint: None })
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refuse(file: &Path, fault: Fault) -> Faults {
    Faults { file: file.to_owned(), faults: vec![fault] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Step, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let case = Case::read(file.path(), "case".into());
        case.map(|case| case.step).map_err(|faults| {
            let Fault { line, column, message, .. } = &faults.faults[0];
            format!("{line}:{column}: {message}")
        })
    }

    #[test]
    fn each_kind_is_read() {
        assert!(matches!(read("request.path = '/'\nexpect.status = 200"), Ok(Step::Http(..))));
        let Ok(Step::Run(run, ended)) = read("run.arguments = ['a']\n[expect]\nexit = 3") else { panic!() };
        assert_eq!((run.arguments, ended.exit), (vec!["a".to_owned()], 3));
        let Ok(Step::Call(call, returned)) = read("call.function = 'f'\nexpect.result = '1'") else { panic!() };
        assert_eq!((call.function.as_str(), returned.result.as_str()), ("f", "1"));
    }

    #[test]
    fn what_is_no_case_is_told_with_its_place() {
        assert_eq!(read("[expect]").unwrap_err(), "0:0: a case has one of [request], [run] and [call]");
        assert!(read("[request]\npath = '/'\nbdy = ''\n[expect]").unwrap_err().starts_with("3:1: unknown field `bdy`"));
        assert!(read("[call]\nfunction = 'f'\n[expect]\nstatus = 1").unwrap_err().contains("unknown field `status`"));
        assert!(read("request.path = '/'\n[expect]").unwrap_err().contains("missing field `status`"));
    }
}
