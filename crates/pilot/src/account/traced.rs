//! The memory of one run, read at the moment before each of its processes ends.
//!
//! `getrusage` does not do: a new program inherits as its peak what its parent held, so that everything below the size of
//! this program would seem to be as large as it. A traced process stops when it is about to end, with its memory still there.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::system::{Stop, follow_to_the_end, resume, wait};
use super::{footprint, peak_of, resident};
use crate::candidate::{Entry, Process, Watchdog};
use crate::record::{Footprint, MemoryRun};

/// How often memory is read for the picture of it over time.
const SAMPLING: Duration = Duration::from_millis(2);
/// The most points of that picture: a page is not wider.
const POINTS: usize = 2_000;

/// Resident memory over the time of one run: seconds and bytes.
pub(crate) type Timeline = Vec<(f64, u64)>;

/// Runs a process once, traced, and says what memory it held.
pub(crate) fn memory_run(
    process: &Process,
    stdin: &Path,
    arguments: &[String],
    watchdog: &Watchdog,
) -> Result<(MemoryRun, Timeline), String> {
    let mut command = process.command(arguments);
    let stdin = File::open(stdin).map_err(|error| format!("cannot read {}: {error}", stdin.display()))?;
    command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
    crate::candidate::before_exec(&mut command, Entry::Traced)
        .map_err(|error| format!("cannot trace {}: {error}", process.shown()))?;
    let child = command.spawn().map_err(|error| format!("cannot start {}: {error}", process.shown()))?;
    let id = child.id();
    let watched = watchdog.watch(id);
    let done = AtomicBool::new(false);
    let (followed, timeline) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(id, &done));
        let followed = follow(id);
        done.store(true, Ordering::Relaxed);
        (followed, sampler.join().unwrap_or_default())
    });
    drop(watched);
    let mut run = followed.map_err(|error| format!("cannot follow {}: {error}", process.shown()))?;
    // Old kernels do not stop a process that another of its threads ends.
    run.peak = run.peak.max(timeline.iter().map(|(_, bytes)| *bytes).max().unwrap_or_default());
    Ok((run, timeline))
}

fn sample(process: u32, done: &AtomicBool) -> Timeline {
    let began = Instant::now();
    let mut timeline = Vec::new();
    while !done.load(Ordering::Relaxed) && timeline.len() < POINTS {
        timeline.extend(resident(process).map(|bytes| (began.elapsed().as_secs_f64(), bytes)));
        std::thread::sleep(SAMPLING);
    }
    timeline
}

/// Follows a process that waits to be traced, and those it starts, until it has ended.
fn follow(main: u32) -> io::Result<MemoryRun> {
    let main = i32::try_from(main).map_err(io::Error::other)?;
    let mut run = MemoryRun { input: 0, peak: 0, steady: Footprint::default(), processes: 0 };
    wait(main)?;
    follow_to_the_end(main)?;
    resume(main, 0)?;
    loop {
        // This thread has no other children while it measures memory.
        let (process, stop) = wait(-1)?;
        match stop {
            Stop::Ending => {
                read(process, &mut run);
                resume(process, 0)?;
            }
            // Those that begin stop by themselves, and a new program raises a trap: neither is meant for the process.
            Stop::Event | Stop::Signal(libc::SIGSTOP | libc::SIGTRAP) => resume(process, 0)?,
            Stop::Signal(signal) => resume(process, signal)?,
            Stop::Ended if process == main => return Ok(run),
            Stop::Ended => {}
        }
    }
}

fn read(process: i32, run: &mut MemoryRun) {
    let Ok(process) = u32::try_from(process) else { return };
    let held = footprint(&[process]);
    run.processes += 1;
    run.peak = run.peak.max(peak_of(process).unwrap_or_default());
    run.steady.rss += held.rss;
    run.steady.pss += held.pss;
    run.steady.private += held.private;
}
