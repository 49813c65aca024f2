//! Answers are checked first: a candidate that is wrong is not timed.

use std::time::Instant;

use super::RunError;
use super::session::{Session, steps};
use crate::answer::Answer;
use crate::candidate::{Process, Run, Trouble};
use crate::plan::{Role, Rule};

impl Session<'_> {
    /// Asks every candidate for its answer to every input.
    pub(super) fn check(&mut self) -> Result<(), RunError> {
        self.progress.begin("checking answers", steps(self.ready.len() * self.inputs.len()));
        // Today's candidate comes first in a plan: its answers are those that the others have to give.
        for candidate in 0..self.ready.len() {
            if self.ready[candidate].is_none() {
                continue;
            }
            if let Err((input, trouble)) = self.check_one(candidate) {
                self.fail(candidate, input, trouble);
            }
        }
        let today = self.measured.iter().find(|measured| measured.about.role == Role::Today);
        match today.and_then(|today| Some((today, today.about.failure.as_ref()?))) {
            None => Ok(()),
            Some((today, failure)) => {
                let on = failure.input.as_ref().map(|input| format!(" on the input {input}")).unwrap_or_default();
                Err(RunError {
                    what: format!("`{}`, the function as it runs today, fails{on}: {}", today.about.name, failure.what),
                    details: failure.details.clone(),
                    hint: Some(format!("it is started as: {}", today.about.shown)),
                })
            }
        }
    }

    fn check_one(&mut self, candidate: usize) -> Result<(), (Option<usize>, Trouble)> {
        let Some(ready) = &self.ready[candidate] else { return Ok(()) };
        let is_component = ready.guest.is_some();
        match &ready.run {
            Run::Process(process) => {
                let process = process.clone();
                for input in 0..self.inputs.len() {
                    let here = |trouble| (Some(input), trouble);
                    let given = &self.inputs[input];
                    let called = process.call(given.file.path(), &given.arguments, &self.watchdog).map_err(here)?;
                    if is_component && input == 0 {
                        self.measured[candidate].first_start = Some(called.seconds);
                    }
                    self.take(candidate, input, called.answer, Some(&process)).map_err(here)?;
                    self.progress.step();
                }
            }
            Run::Server(deployment) => {
                let nowhere = |trouble| (None, trouble);
                let began = Instant::now();
                let running = deployment.start(1, false).map_err(nowhere)?;
                for input in 0..self.inputs.len() {
                    let over = || self.is_stopped() || running.ended().is_some();
                    let request = &self.inputs[input].request;
                    let answer = self.client.first_answer(&running.targets, request, Instant::now(), over);
                    let answer = answer.map_err(|why| (Some(input), Trouble::from(running.ended().unwrap_or(why))))?;
                    if is_component && input == 0 {
                        self.measured[candidate].first_start = Some(began.elapsed().as_secs_f64());
                    }
                    self.take(candidate, input, answer.0, None).map_err(|trouble| (Some(input), trouble))?;
                    self.progress.step();
                }
            }
        }
        Ok(())
    }

    /// Takes an answer: that of today's candidate is the right one, unless the plan has it in a file.
    fn take(
        &mut self,
        candidate: usize,
        input: usize,
        answer: Answer,
        process: Option<&Process>,
    ) -> Result<(), Trouble> {
        let is_today = self.measured[candidate].about.role == Role::Today;
        if !is_today || self.inputs[input].expected.is_some() {
            let accepted = self.accept(candidate, input, &answer);
            return accepted.map_err(|trouble| match (trouble, process) {
                (Trouble::Failed(what, mut details), Some(process)) if answer.code != 0 => {
                    details.extend(self.complaint(process, input));
                    Trouble::Failed(what, details)
                }
                (trouble, _) => trouble,
            });
        }
        if answer.code != 0 && self.plan.rule != Rule::Exit {
            let details = process.map(|process| self.complaint(process, input)).unwrap_or_default();
            return Err(Trouble::Failed(format!("it ends with code {}", answer.code), details));
        }
        self.inputs[input].expected = Some(answer);
        Ok(())
    }

    fn complaint(&self, process: &Process, input: usize) -> Vec<String> {
        process.complaint(self.inputs[input].file.path(), &self.inputs[input].arguments, &self.watchdog)
    }
}
