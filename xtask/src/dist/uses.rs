//! What a program is used for when it is watched: what happens at every start, and what small functions need.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
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

/// How long a server may take to answer. It stops once for each function that it comes to.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let mut seldom = Watched::start(start(&run), functions)?.run()?.concat();
    let mut often = Vec::new();
    for (function, path) in FUNCTIONS {
        let component = project.sample(function)?;
        let serve = |address: SocketAddr| {
            start(&["serve".as_ref(), component.as_os_str(), "--addr".as_ref(), address.to_string().as_ref()])
        };
        let address = server::Server::start(|address| Ok(serve(address)))?.address;
        let [starting, asked, ending] = while_asked(serve(address), address, path, functions)?;
        often.extend(asked);
        seldom.extend(starting.into_iter().chain(ending));
    }
    often.extend(seldom);
    let mut seen = BTreeSet::new();
    often.retain(|offset| seen.insert(*offset));
    Ok(often)
}

/// What a server that listens at `address` uses until it answers, while it answers, and when it ends.
fn while_asked(server: Command, address: SocketAddr, path: &str, functions: &Functions) -> Result<[Vec<u64>; 3]> {
    let (started, process) = mpsc::channel();
    std::thread::scope(|scope| {
        let watching = scope.spawn(move || {
            let watched = Watched::start(server, functions)?;
            started.send(watched.process())?;
            watched.run()
        });
        // Where none comes it could not be started, and what the thread returns says why.
        let asked = process.recv().map_or(Ok(()), |process| ask_and_end(address, path, process));
        let used = watching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        asked?;
        used.try_into().map_err(|used: Vec<_>| format!("{} lists of functions came of three", used.len()).into())
    })
}

fn ask_and_end(address: SocketAddr, path: &str, process: Pid) -> Result {
    let answers = ask(address, path).and_then(|()| {
        kill(process, NEXT)?;
        ask(address, path)?;
        Ok(kill(process, NEXT)?)
    });
    // However that went: it is waited for.
    kill(process, Signal::SIGTERM)?;
    answers
}

fn ask(address: SocketAddr, path: &str) -> Result {
    let began = Instant::now();
    let mut answered = 0;
    while answered < REQUESTS {
        match server::get(address, path) {
            Ok(_) => answered += 1,
            Err(error) if began.elapsed() > PATIENCE => {
                return Err(format!("the server that is watched does not answer: {error}").into());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    Ok(())
}
