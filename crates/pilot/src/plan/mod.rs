//! The plan, `pilot.toml`: who is measured, on what, by which rule answers are the same, and what machines cost.

mod input;
mod keys;
#[cfg(target_os = "linux")]
mod made;
mod parse;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coracle_package::fault::Faults;
use serde::{Deserialize, Serialize};

pub use input::Body;
#[cfg(target_os = "linux")]
pub(crate) use made::generate;

/// The name of the file in a pilot's folder.
pub const FILE_NAME: &str = "pilot.toml";
/// Rounds when nothing is said: a difference of 10 % is found in four of five pilots where single calls vary by 5 %.
pub const ROUNDS: u32 = 40;
/// The time a whole run may take when nothing is said: a coffee, not a lunch.
pub const TIME: Duration = Duration::from_secs(240);
/// The longest call when nothing is said: what takes a minute is no function behind a request.
pub const CALL: Duration = Duration::from_secs(60);
/// How many are started at once, and how many idle copies are held, when nothing is said: a busy minute of a small service.
pub const HUNDRED: u32 = 100;

/// What `coracle pilot init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");

/// A plan without faults. Paths are as they were written: [`Plan::resolve`] makes them whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The title of the report.
    pub name: String,
    /// What the function does.
    pub description: Option<String>,
    /// What machines cost.
    pub price: Option<Price>,
    /// What counts as the same answer.
    pub rule: Rule,
    /// How long is measured.
    pub length: Length,
    /// Who is measured: the one of today first, then ports, then controls, each by name.
    pub candidates: Vec<Candidate>,
    /// What they are given, by name.
    pub inputs: Vec<Input>,
    /// The folder that relative paths start from, and that commands run in.
    pub directory: PathBuf,
}

/// What machines cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// What the prices are in.
    pub currency: String,
    /// One hour of the machine that is measured on.
    pub machine_hour: f64,
    /// 10^9 bytes of memory for one hour.
    pub gb_hour: f64,
}

/// What counts as the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Equal bytes.
    Bytes,
    /// Equal JSON values; numbers may be apart by this much, relative to the larger.
    Json(f64),
    /// Images of equal size whose samples have at most this root mean square distance, from 0 to 255.
    Image(f64),
    /// The same exit code, or status.
    Exit,
}

/// How long is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// The rounds.
    pub rounds: u32,
    /// When rounds end early.
    pub time: Duration,
    /// The longest call.
    pub call: Duration,
    /// How many are started at once.
    pub storm: u32,
    /// How many idle copies are held.
    pub copies: u32,
}

/// What a candidate is in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The function as it runs today: what the others are compared with.
    Today,
    /// What may take its place.
    Port,
    /// Measured to tell causes apart.
    Control,
}

/// One way to run the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// What it is in the comparison.
    pub role: Role,
    /// One line about it.
    pub description: Option<String>,
    /// How it is run.
    pub kind: Kind,
    /// What is deployed, where the plan says it.
    pub files: Vec<PathBuf>,
}

/// How a candidate is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process for each call.
    Command(Program),
    /// An HTTP server.
    Server(Program),
    /// A component, run or served by this `coracle`.
    Component {
        /// Its file.
        source: PathBuf,
        /// Arguments before those of the input.
        arguments: Vec<String>,
        /// Flags of `coracle run`.
        flags: Vec<String>,
        /// How many calls one instance of a served component answers.
        reuse: Option<u32>,
    },
}

/// A program of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Variables that are set beside the inherited ones.
    pub environment: BTreeMap<String, String>,
}

/// What candidates are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Standard input, or the request's body.
    pub body: Body,
    /// The last arguments of a command.
    pub arguments: Vec<String>,
    /// The request's method.
    pub method: String,
    /// The request's path and query.
    pub path: String,
    /// The request's header fields.
    pub headers: BTreeMap<String, String>,
    /// The file that holds the right answer.
    pub expect: Option<PathBuf>,
}

impl Plan {
    /// Reads the plan at `path`, a file or the folder that holds `pilot.toml`, and checks that the files it names are there.
    ///
    /// # Errors
    /// Every fault of the file, or one without a place when it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
        let text = coracle_package::document::read(&file, "plan", "`coracle pilot init` writes one to start from")?;
        parse::read(&text, &file, true)
    }

    /// Reads the plan `text`, which stands in `file`. Nothing but the text is looked at.
    ///
    /// # Errors
    /// Every fault of the text.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Faults> {
        parse::read(text, file, false)
    }

    /// The path that `path`, as the plan writes it, stands for.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}

/// Every table of `pilot.toml`, for the reference.
pub fn tables() -> Vec<coracle_package::reference::Table> {
    keys::tables()
}
