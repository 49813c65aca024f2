//! The state of a run: who is still measured, what was measured, and when to stop.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use tempfile::NamedTempFile;

use super::{Progress, RunError, Tools, environment};
use crate::account::Stolen;
use crate::answer::{Answer, difference};
use crate::candidate::{Client, Ready, Request, Trouble, Watchdog, prepare};
use crate::number::count;
use crate::plan::{Body, Input, Plan};
use crate::record::{About, Ended, Environment, FORMAT, Failure, Given, Measured, Measurements, Size};
use crate::stats::Calibration;

/// An input, ready to be given.
pub(super) struct Prepared {
    /// Its body as a file, for standard input.
    pub(super) file: NamedTempFile,
    /// The request it stands for.
    pub(super) request: Request,
    /// The last arguments of a command.
    pub(super) arguments: Vec<String>,
    /// The right answer.
    pub(super) expected: Option<Answer>,
}

pub(super) struct Session<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tools: &'a Tools,
    pub(super) progress: &'a dyn Progress,
    stop: &'a Arc<AtomicBool>,
    pub(super) watchdog: Watchdog,
    pub(super) client: Client,
    pub(super) random: SmallRng,
    seed: u64,
    began: Instant,
    stolen: Stolen,
    environment: Environment,
    pub(super) inputs: Vec<Prepared>,
    /// By the candidate's place; nothing of one that cannot be run.
    pub(super) ready: Vec<Option<Ready>>,
    pub(super) measured: Vec<Measured>,
    /// How often each candidate was called.
    calls: Vec<u64>,
    pub(super) calibrations: Vec<Calibration>,
    pub(super) notes: Vec<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        seed: u64,
        tools: &'a Tools,
        progress: &'a dyn Progress,
        stop: &'a Arc<AtomicBool>,
    ) -> Result<Self, RunError> {
        let inputs = plan.inputs.iter().map(|input| given(plan, input)).collect::<Result<Vec<_>, _>>()?;
        let client = Client::new(plan.length.call)
            .map_err(|error| RunError::new(format!("cannot start the event loop: {error}")))?;
        let mut session = Self {
            plan,
            tools,
            progress,
            stop,
            watchdog: Watchdog::start(plan.length.call, stop),
            client,
            random: SmallRng::seed_from_u64(seed),
            seed,
            began: Instant::now(),
            stolen: Stolen::start(),
            environment: environment::describe(tools),
            inputs,
            ready: Vec::new(),
            measured: Vec::new(),
            calls: vec![0; plan.candidates.len()],
            calibrations: Vec::new(),
            notes: Vec::new(),
        };
        session.prepare();
        Ok(session)
    }

    /// Finds out how each candidate is run, and what is deployed of it.
    fn prepare(&mut self) {
        for candidate in &self.plan.candidates {
            let (ready, failure) = match prepare(self.plan, candidate, self.tools) {
                Ok(ready) => (Some(ready), None),
                Err(Trouble::Failed(what, details)) => (None, Some(Failure { run: 0, input: None, what, details })),
                Err(Trouble::Stopped) => (None, None),
            };
            let size = match ready.as_ref().map(|ready| super::size::of(&ready.files)) {
                Some(Ok(mut size)) => {
                    let place = std::path::absolute(&self.plan.directory).unwrap_or_default();
                    for (path, _) in &mut size.files {
                        let file = std::path::absolute(&*path).unwrap_or_default();
                        *path = file.strip_prefix(&place).unwrap_or(&file).display().to_string();
                    }
                    size
                }
                Some(Err(error)) => {
                    self.notes.push(format!("the size of {} is not known: {error}", candidate.name));
                    Size::default()
                }
                None => Size::default(),
            };
            self.measured.push(Measured::new(About {
                name: candidate.name.clone(),
                role: candidate.role,
                description: candidate.description.clone(),
                calls: ready.as_ref().map_or(crate::record::Calls::Processes, |ready| ready.run.calls()),
                shown: ready.as_ref().map(|ready| ready.shown.clone()).unwrap_or_default(),
                guest: ready.as_ref().and_then(|ready| ready.guest.clone()),
                size,
                failure,
                warm_up: Vec::new(),
            }));
            self.ready.push(ready);
        }
        let ready: Vec<&Ready> = self.ready.iter().flatten().collect();
        self.environment.versions = environment::versions(&ready);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The time since the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The candidates that are still measured, by their places.
    pub(super) fn alive(&self) -> Vec<usize> {
        let places = 0..self.measured.len();
        places.filter(|place| self.ready[*place].is_some() && self.measured[*place].about.failure.is_none()).collect()
    }

    /// The same in random order.
    pub(super) fn shuffled(&mut self) -> Vec<usize> {
        let mut places = self.alive();
        places.shuffle(&mut self.random);
        places
    }

    /// Counts a call whose answer is not looked at.
    pub(super) fn count_call(&mut self, candidate: usize) {
        self.calls[candidate] += 1;
    }

    /// Counts a call, and checks its answer.
    pub(super) fn accept(&mut self, candidate: usize, input: usize, answer: &Answer) -> Result<(), Trouble> {
        self.calls[candidate] += 1;
        let Some(expected) = &self.inputs[input].expected else { return Ok(()) };
        match difference(self.plan.rule, expected, answer) {
            None => Ok(()),
            Some(difference) => Err(Trouble::Failed("it answers differently".to_owned(), vec![difference])),
        }
    }

    /// Notes that a candidate failed. It is not measured any more. What fails because the user stops did not fail.
    pub(super) fn fail(&mut self, candidate: usize, input: Option<usize>, trouble: Trouble) {
        let Trouble::Failed(what, details) = trouble else { return };
        if self.is_stopped() {
            return;
        }
        // The call that failed is counted here unless its answer was looked at.
        let run = self.calls[candidate].max(1) + u64::from(what != "it answers differently");
        let run = if self.measured[candidate].about.warm_up.is_empty() && self.measured[candidate].memory.is_empty() {
            0
        } else {
            run
        };
        let input = input.map(|input| self.plan.inputs[input].name.clone());
        self.measured[candidate].about.failure = Some(Failure { run, input, what, details });
    }

    /// Notes which account a kind of figure is from, once.
    pub(super) fn account(&mut self, what: &str, account: &str) {
        let entry = (what.to_owned(), account.to_owned());
        if !self.environment.accounts.contains(&entry) {
            self.environment.accounts.push(entry);
        }
    }

    /// All that was measured.
    pub(super) fn finish(mut self, ended: Ended) -> Measurements {
        self.environment.load.1 = environment::load();
        self.environment.stolen = self.stolen.share();
        let given = |(input, prepared): (&Input, &Prepared)| Given {
            name: input.name.clone(),
            bytes: prepared.file.path().metadata().map_or(0, |meta| meta.len()),
        };
        Measurements {
            format: FORMAT,
            name: self.plan.name.clone(),
            description: self.plan.description.clone(),
            price: self.plan.price.clone(),
            rule: self.plan.rule,
            length: self.plan.length,
            environment: self.environment,
            seed: self.seed,
            ended,
            inputs: self.plan.inputs.iter().zip(&self.inputs).map(given).collect(),
            calibrations: self.calibrations,
            candidates: self.measured,
            notes: self.notes,
        }
    }
}

/// Makes an input ready.
fn given(plan: &Plan, input: &Input) -> Result<Prepared, RunError> {
    let read = |path: &std::path::Path| {
        let path = plan.resolve(path);
        std::fs::read(&path).map_err(|error| RunError::new(format!("cannot read {}: {error}", path.display())))
    };
    let body = match &input.body {
        Body::Empty => Vec::new(),
        Body::File(path) => read(path)?,
        Body::Text(text) => text.clone().into_bytes(),
        made_up => crate::plan::generate(made_up).unwrap_or_default(),
    };
    let unwritable = |error| RunError::new(format!("cannot write an input to a temporary file: {error}"));
    let mut file = NamedTempFile::new().map_err(unwritable)?;
    file.write_all(&body).and_then(|()| file.flush()).map_err(unwritable)?;
    let request = Request::of(input, body.into())
        .map_err(|what| RunError::new(format!("the request of the input {} is wrong: {what}", input.name)))?;
    let expected = match &input.expect {
        Some(path) => Some(Answer { code: 0, body: read(path)? }),
        None => None,
    };
    Ok(Prepared { file, request, arguments: input.arguments.clone(), expected })
}

/// How many of something, as a number of steps.
pub(super) fn steps(items: usize) -> u64 {
    count(items)
}
