//! What a run measured: figures as they were taken, and nothing that was concluded from them. `measurements.json` holds it.

use serde::{Deserialize, Serialize};

use crate::plan::{Length, Price, Role, Rule};
use crate::stats::Calibration;

/// The name of the file that a run writes.
pub const FILE_NAME: &str = "measurements.json";
/// The form of that file. A report refuses any other.
pub const FORMAT: u32 = 1;

/// One run of a pilot. Times are in seconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// [`FORMAT`].
    pub format: u32,
    /// The title.
    pub name: String,
    /// What the function does.
    pub description: Option<String>,
    /// What machines cost.
    pub price: Option<Price>,
    /// What counted as the same answer.
    pub rule: Rule,
    /// How long was to be measured.
    pub length: Length,
    /// What was measured on.
    pub environment: Environment,
    /// The seed of the random order.
    pub seed: u64,
    /// How the rounds ended.
    pub ended: Ended,
    /// What the candidates were given.
    pub inputs: Vec<Given>,
    /// The calibration loops of each round.
    pub calibrations: Vec<Calibration>,
    /// The candidates, in the order of the plan.
    pub candidates: Vec<Measured>,
    /// What was left out, and why. Nothing is left out silently.
    pub notes: Vec<String>,
}

/// How the rounds ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// All of them were done.
    Complete,
    /// The time of the plan was used up.
    OutOfTime,
    /// By Ctrl-C.
    Interrupted,
    /// There was nothing left to compare.
    Failed,
}

/// What was measured on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The processor's name.
    pub processor: String,
    /// How many of its cores may be used.
    pub cores: u64,
    /// The frequency governor.
    pub governor: String,
    /// The machine's memory.
    pub memory: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The machine's architecture.
    pub architecture: String,
    /// The load of the last minute before and after.
    pub load: (f64, f64),
    /// The share of processor time that a hypervisor took, over the run.
    pub stolen: f64,
    /// The day and time, in UTC.
    pub began: String,
    /// The program and its build.
    pub coracle: String,
    /// Programs of the candidates with what they say of their version.
    pub versions: Vec<(String, String)>,
    /// Each kind of figure with the account it is from.
    pub accounts: Vec<(String, String)>,
}

/// What the candidates were given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The input's name.
    pub name: String,
    /// The body's size.
    pub bytes: u64,
}

/// What a candidate is, and how its run went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Its name.
    pub name: String,
    /// What it is in the comparison.
    pub role: Role,
    /// One line about it.
    pub description: Option<String>,
    /// Whether calls are processes or requests.
    pub calls: Calls,
    /// How it is started, as it would be typed.
    pub shown: String,
    /// What its component's bytes say.
    pub guest: Option<Guest>,
    /// What is deployed.
    pub size: Size,
    /// Why it was not measured, or not to the end.
    pub failure: Option<Failure>,
    /// How it warmed up, for each input.
    pub warm_up: Vec<WarmUp>,
}

/// What was measured of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What it is.
    #[serde(flatten)]
    pub about: About,
    /// The first start of a component on a machine, which compiles it.
    pub first_start: Option<f64>,
    /// Starts of a server, to the end of its first answer.
    pub cold: Vec<Cold>,
    /// Calls, a burst in each round.
    pub warm: Vec<Burst>,
    /// Windows of time at saturation.
    pub throughput: Vec<Window>,
    /// Memory, each from a run of its own.
    pub memory: Vec<MemoryRun>,
    /// Resident memory over the time of one run: seconds and bytes.
    pub timeline: Vec<(f64, u64)>,
    /// Many starts at once.
    pub storm: Option<Storm>,
    /// Many idle copies.
    pub idle: Option<Idle>,
    /// Instructions of one call.
    pub instructions: Option<Instructions>,
}

impl Measured {
    /// A candidate of which nothing was measured yet.
    pub fn new(about: About) -> Self {
        Self {
            about,
            first_start: None,
            cold: Vec::new(),
            warm: Vec::new(),
            throughput: Vec::new(),
            memory: Vec::new(),
            timeline: Vec::new(),
            storm: None,
            idle: None,
            instructions: None,
        }
    }
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calls {
    /// A process, from its start to its end.
    Processes,
    /// A request to a running server.
    Requests,
}

/// What a component's bytes say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The language it was written in.
    pub language: Option<String>,
    /// Whether it has SIMD instructions.
    pub simd: bool,
    /// Whether its memories have 64-bit addresses.
    pub wide: bool,
}

/// What is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The files and folders, each with its size.
    pub files: Vec<(String, u64)>,
    /// On disk.
    pub bytes: u64,
    /// Compressed by gzip, as registries send it.
    pub compressed: u64,
}

/// Why a candidate was not measured, or not to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In which run it failed, counted from 1 over all of its calls; 0 where it was the first, which is checked.
    pub run: u64,
    /// On which input.
    pub input: Option<String>,
    /// What went wrong.
    pub what: String,
    /// More lines: where answers differ, what it wrote to standard error.
    pub details: Vec<String>,
}

/// How a candidate warmed up on an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarmUp {
    /// The input's name.
    pub input: String,
    /// How many calls were made.
    pub calls: u64,
    /// How many of them were the warm-up; nothing where it never settled.
    pub settled: Option<u64>,
}

/// A start, to the end of the first answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cold {
    /// The round.
    pub round: u32,
    /// The input, by its place.
    pub input: usize,
    /// How long it took.
    pub seconds: f64,
}

/// The calls of one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// The round.
    pub round: u32,
    /// The input, by its place.
    pub input: usize,
    /// How long each call took.
    pub seconds: Vec<f64>,
    /// Processor time in user mode for each call.
    pub user: f64,
    /// Processor time in the kernel for each call.
    pub system: f64,
}

/// A window of time at saturation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The round of windows.
    pub round: u32,
    /// The input, by its place.
    pub input: usize,
    /// Calls at one time.
    pub concurrency: u32,
    /// Calls that ended well.
    pub calls: u64,
    /// The length of the window.
    pub seconds: f64,
}

/// Memory that a candidate holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// Resident.
    pub rss: u64,
    /// Resident, with shared pages divided by who shares them.
    pub pss: u64,
    /// Resident and shared with nobody.
    pub private: u64,
}

/// Memory of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryRun {
    /// The input, by its place.
    pub input: usize,
    /// The most that was resident, in the largest of its processes.
    pub peak: u64,
    /// What it held at its end, or after warming up; all processes together.
    pub steady: Footprint,
    /// How many processes it had.
    pub processes: u64,
}

/// Many starts at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Storm {
    /// How many.
    pub copies: u64,
    /// When each had answered, from the common start.
    pub seconds: Vec<f64>,
    /// How many did not answer.
    pub failed: u64,
}

/// Many idle copies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// How many were held.
    pub copies: u64,
    /// What they held together.
    pub footprint: Footprint,
    /// Processor seconds in a second, together.
    pub cpu: f64,
}

/// Instructions of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// How many.
    pub count: u64,
    /// What counted them.
    pub by: String,
}
