//! One call, and the memory of one run.

use std::time::Instant;

use super::session::{Session, steps};
use crate::account::{Cpu, footprint, mean, memory_run, peak_of};
use crate::candidate::{Connection, Deployment, Run, Running, Trouble};
use crate::record::MemoryRun;

/// How often the memory of a command is measured on each input. It hardly differs from run to run.
const MEMORY_RUNS: usize = 5;

/// A candidate as it is called in rounds.
pub(super) enum Live {
    /// Each call is a process.
    Process,
    /// It runs, and its connection is kept.
    Server {
        running: Box<Running>,
        connection: Box<Connection>,
        /// How many calls one burst has, for each input.
        burst: Vec<usize>,
    },
}

/// Several calls, one after the other.
pub(super) struct Calls {
    pub(super) seconds: Vec<f64>,
    /// For each call.
    pub(super) cpu: Cpu,
}

impl Session<'_> {
    /// Calls a candidate, and checks each answer.
    pub(super) fn call(
        &mut self,
        candidate: usize,
        input: usize,
        live: &mut Live,
        times: usize,
    ) -> Result<Calls, Trouble> {
        let mut seconds = Vec::with_capacity(times);
        let mut used = Cpu::default();
        let before = match live {
            Live::Process => Cpu::default(),
            Live::Server { running, .. } => running.cpu(),
        };
        for _ in 0..times {
            if self.is_stopped() {
                return Err(Trouble::Stopped);
            }
            let given = &self.inputs[input];
            let (answer, took) = match live {
                Live::Process => {
                    let Some(Run::Process(process)) = self.ready[candidate].as_ref().map(|ready| &ready.run) else {
                        return Err(Trouble::Stopped);
                    };
                    let called = process.call(given.file.path(), &given.arguments, &self.watchdog)?;
                    used.user += called.cpu.user;
                    used.system += called.cpu.system;
                    (called.answer, called.seconds)
                }
                Live::Server { running, connection, .. } => self
                    .client
                    .call(connection, &given.request)
                    .map_err(|trouble| running.ended().map_or(trouble, Trouble::from))?,
            };
            self.accept(candidate, input, &answer)?;
            seconds.push(took);
        }
        if let Live::Server { running, .. } = live {
            used = running.cpu().since(before);
        }
        let calls = crate::number::length(times).max(1.0);
        Ok(Calls { seconds, cpu: Cpu { user: used.user / calls, system: used.system / calls } })
    }

    /// The memory of commands, each from traced runs of its own. That of servers is read after their rounds.
    pub(super) fn measure_memory(&mut self) {
        self.progress.begin("measuring memory", steps(self.alive().len() * self.inputs.len() * MEMORY_RUNS));
        for candidate in self.alive() {
            for input in 0..self.inputs.len() {
                if let Err(trouble) = self.memory_of(candidate, input) {
                    self.fail(candidate, Some(input), trouble);
                    break;
                }
            }
        }
    }

    fn memory_of(&mut self, candidate: usize, input: usize) -> Result<(), Trouble> {
        for run in 0..MEMORY_RUNS {
            let Some(Run::Process(process)) = self.ready[candidate].as_ref().map(|ready| &ready.run) else {
                return Ok(());
            };
            if self.is_stopped() {
                return Err(Trouble::Stopped);
            }
            let given = &self.inputs[input];
            let (memory, timeline) = memory_run(process, given.file.path(), &given.arguments, &self.watchdog)?;
            self.count_call(candidate);
            if input == 0 && run == 0 {
                self.measured[candidate].timeline = timeline;
            }
            self.measured[candidate].memory.push(MemoryRun { input, ..memory });
            self.progress.step();
        }
        self.account("memory of commands", "VmHWM and smaps_rollup in /proc, read when the process ends (ptrace)");
        Ok(())
    }

    /// The memory of servers, after they have served.
    pub(super) fn read_servers(&mut self, servers: &[Option<Live>]) {
        for (candidate, live) in servers.iter().enumerate() {
            let Some(Live::Server { running, .. }) = live else { continue };
            let processes = running.processes();
            let peak = processes.iter().filter_map(|process| peak_of(*process)).max().unwrap_or_default();
            let steady = footprint(&processes);
            // One server answers every input: its memory is that of all of them.
            for input in 0..self.inputs.len() {
                let processes = crate::number::count(processes.len());
                self.measured[candidate].memory.push(MemoryRun { input, peak, steady, processes });
            }
            self.account("memory of servers", "VmHWM and smaps_rollup in /proc, read after the rounds");
            self.account("processor time of servers", running.account());
        }
    }

    /// Starts every server that is still measured.
    pub(super) fn start_servers(&mut self) -> Vec<Option<Live>> {
        let mut servers: Vec<Option<Live>> = (0..self.ready.len()).map(|_| None).collect();
        for candidate in self.alive() {
            let Some(ready) = &self.ready[candidate] else { continue };
            match &ready.run {
                Run::Process(_) => {
                    servers[candidate] = Some(Live::Process);
                    self.account(
                        "processor time of commands",
                        "getrusage(RUSAGE_CHILDREN), the difference over one wait",
                    );
                }
                Run::Server(deployment) => match self.start(&deployment.clone()) {
                    Ok(live) => servers[candidate] = Some(live),
                    Err(trouble) => self.fail(candidate, None, trouble),
                },
            }
        }
        servers
    }

    fn start(&self, deployment: &Deployment) -> Result<Live, Trouble> {
        let running = deployment.start(1, true)?;
        let over = || self.is_stopped() || running.ended().is_some();
        let request = &self.inputs[0].request;
        self.client
            .first_answer(&running.targets, request, Instant::now(), over)
            .map_err(|why| running.ended().unwrap_or(why))?;
        let connection = self.client.connect(running.target()?)?;
        let burst = vec![1; self.inputs.len()];
        Ok(Live::Server { running: Box::new(running), connection: Box::new(connection), burst })
    }

    /// One start, to the end of its first answer; the server is ended again.
    pub(super) fn cold_start(&mut self, candidate: usize, input: usize) -> Result<Option<f64>, Trouble> {
        let Some(Run::Server(deployment)) = self.ready[candidate].as_ref().map(|ready| &ready.run) else {
            return Ok(None);
        };
        let began = Instant::now();
        let running = deployment.start(1, false)?;
        let over = || self.is_stopped() || running.ended().is_some();
        let answered = self.client.first_answer(&running.targets, &self.inputs[input].request, began, over);
        let (answer, seconds) = answered.map_err(|why| running.ended().unwrap_or(why))?;
        drop(running);
        self.accept(candidate, input, &answer)?;
        Ok(Some(seconds))
    }
}

/// The middle of some times, for planning how much to do.
pub(super) fn typical(seconds: &[f64]) -> f64 {
    crate::stats::median(seconds).unwrap_or_else(|| mean(seconds))
}
