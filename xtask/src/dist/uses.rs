//! What a program is used for when it is watched: what happens at every start, and what small functions need.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::functions::Functions;
use super::watch::{NEXT, Watched};
use crate::project::Project;
use crate::{Result, server, shell};

/// The command that is run.
const COMMAND: &str = "command-c";

/// What is served, for either version of `wasi:http`, and what is asked of it.
const FUNCTIONS: [(&str, &str); 3] = [("hello-c", "/"), ("hello-rust-p3", "/"), ("probe-rust", "/sleep?ms=1")];

/// How often each is asked before what an answer uses is written down, and then again: the second answer does not make what the
/// first one has made.
const REQUESTS: usize = 3;

/// How often it is looked whether something has happened.
const STEP: Duration = Duration::from_millis(10);

/// How long a program may take for what it is to do, and a server to answer. It stops once for each function that it comes to.
const PATIENCE: Duration = Duration::from_secs(60);

/// The samples that are used.
pub(super) fn samples() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(function, _)| *function).chain([COMMAND])
}

/// Where those functions of `program` begin that are used: by every request, then by starts and by ends. In each part they are in
/// the order in which they are used first.
pub(super) fn find(project: &Project, program: &Path, functions: &Functions) -> Result<Vec<u64>> {
    let cache = project.tools().join("dist");
    let start = |arguments: &[&OsStr]| {
        let mut command = Command::new(program);
        command.args(arguments).env("CORACLE_CACHE", &cache).stdin(Stdio::null());
        shell::measured(&mut command).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let component = project.sample(COMMAND)?;
    let run = [OsStr::new("run"), component.as_os_str()];
    // What compiles is not watched: it happens once.
    shell::run(&mut start(&run))?;
    let mut seldom = watch(start(&run), functions, |_| Ok(()))?.concat();
    let mut often = Vec::new();
    for (function, path) in FUNCTIONS {
        let component = project.sample(function)?;
        let serve = |address: SocketAddr| {
            start(&["serve".as_ref(), component.as_os_str(), "--addr".as_ref(), address.to_string().as_ref()])
        };
        let address = server::Server::start(|address| Ok(serve(address)))?.address;
        let used = watch(serve(address), functions, |process| ask_and_end(process, address, path))?;
        let [starting, asked, ending] = used.as_slice() else {
            return Err(format!("{} lists of functions came of a server, and not three", used.len()).into());
        };
        often.extend(asked);
        seldom.extend(starting.iter().chain(ending));
    }
    often.extend(seldom);
    let mut seen = BTreeSet::new();
    often.retain(|offset| seen.insert(*offset));
    Ok(often)
}

/// A process that another thread watches.
struct Process<'a> {
    id: Pid,
    watching: &'a ScopedJoinHandle<'a, Result<Vec<Vec<u64>>>>,
}

impl Process<'_> {
    fn has_ended(&self) -> bool {
        self.watching.is_finished()
    }

    /// Nothing where it has ended: its number may be another's by now.
    fn send(&self, signal: Signal) -> Result {
        if self.has_ended() { Ok(()) } else { Ok(kill(self.id, signal)?) }
    }
}

/// What a program uses, list by list, while something is done with it.
fn watch(
    command: Command,
    functions: &Functions,
    meanwhile: impl FnOnce(&Process<'_>) -> Result,
) -> Result<Vec<Vec<u64>>> {
    let (started, process) = mpsc::channel();
    std::thread::scope(|scope| {
        let watching = scope.spawn(move || {
            let watched = Watched::start(command, functions)?;
            started.send(watched.process())?;
            watched.run()
        });
        // Where none comes it could not be started, and what the thread returns says why.
        let done = process.recv().map_or(Ok(()), |id| {
            let process = Process { id, watching: &watching };
            let done = meanwhile(&process);
            wait(&process)?;
            done
        });
        let used = watching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        done.and(used)
    })
}

/// Waits for the end of a process, and sees to it.
fn wait(process: &Process<'_>) -> Result {
    let began = Instant::now();
    while !process.has_ended() {
        if began.elapsed() > PATIENCE {
            process.send(Signal::SIGKILL)?;
            return Err(format!("it did not end within {PATIENCE:?}").into());
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

fn ask_and_end(process: &Process<'_>, address: SocketAddr, path: &str) -> Result {
    let answers = ask(process, address, path).and_then(|()| {
        process.send(NEXT)?;
        ask(process, address, path)?;
        process.send(NEXT)
    });
    // However that went: it is waited for.
    process.send(Signal::SIGTERM)?;
    answers
}

fn ask(process: &Process<'_>, address: SocketAddr, path: &str) -> Result {
    let began = Instant::now();
    let mut answered = 0;
    while answered < REQUESTS {
        match server::get(address, path) {
            Ok(_) => answered += 1,
            Err(error) if process.has_ended() || began.elapsed() > PATIENCE => {
                return Err(format!("the server that is watched does not answer: {error}").into());
            }
            Err(_) => std::thread::sleep(STEP),
        }
    }
    Ok(())
}
