//! A process for each call.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::process::{WaitId, WaitIdOptions};

use super::{Trouble, Watchdog};
use crate::account::{Cpu, Group, children_cpu, trace_me};
use crate::answer::Answer;

/// How much of the end of standard error is told of a candidate that failed, in bytes and in lines.
const STDERR_BYTES: u64 = 4_096;
const STDERR_LINES: usize = 5;

/// A program as it is started.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// The program and its arguments.
    pub(crate) argv: Vec<OsString>,
    /// Variables that are set beside the inherited ones.
    pub(crate) environment: BTreeMap<OsString, OsString>,
    /// The folder it runs in.
    pub(crate) directory: PathBuf,
}

/// One call.
pub(crate) struct Called {
    /// What came of it.
    pub(crate) answer: Answer,
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// Its processor time, with that of its children. Meaningless where several run at a time.
    pub(crate) cpu: Cpu,
}

impl Process {
    /// The command with further arguments, in a process group of its own: Ctrl-C is for us alone.
    pub(crate) fn command(&self, arguments: &[String]) -> Command {
        let mut argv = self.argv.iter();
        let mut command = Command::new(argv.next().map_or_else(OsString::new, OsString::clone));
        command.args(argv).args(arguments).envs(&self.environment).current_dir(&self.directory).process_group(0);
        command
    }

    /// As it would be typed.
    pub(crate) fn shown(&self) -> String {
        self.argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it once, to its end.
    pub(crate) fn call(&self, stdin: &Path, arguments: &[String], watchdog: &Watchdog) -> Result<Called, Trouble> {
        let unreadable = |error| format!("cannot read {}: {error}", stdin.display());
        let mut stderr = tempfile::tempfile().map_err(|error| format!("cannot make a file: {error}"))?;
        let keep = stderr.try_clone().map_err(|error| format!("cannot make a file: {error}"))?;
        let mut command = self.command(arguments);
        command.stdin(File::open(stdin).map_err(unreadable)?).stdout(Stdio::piped()).stderr(keep);
        let before = children_cpu();
        let began = Instant::now();
        let mut child = command.spawn().map_err(|error| self.unstartable(&error))?;
        let watched = watchdog.watch(child.id());
        let mut body = Vec::new();
        let read = child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut body));
        let ended = wait_unreaped(&child);
        let seconds = began.elapsed().as_secs_f64();
        let late = watched.is_late();
        drop(watched);
        let status = child.wait();
        let cpu = children_cpu().since(before);
        let ended = ended.and(read.map(|_| ())).and(status);
        let status = ended.map_err(|error| format!("cannot wait for {}: {error}", self.shown()))?;
        if late {
            let patience = coracle_package::unit::format_duration(watchdog.patience());
            return Err(Trouble::Failed(format!("no answer within {patience}"), tail(&mut stderr)));
        }
        match status.code() {
            Some(code) => Ok(Called { answer: Answer { code: code.into(), body }, seconds, cpu }),
            None => Err(Trouble::Failed(killed(status), tail(&mut stderr))),
        }
    }

    /// What it wrote to standard error when it is run, for a failure's details.
    pub(crate) fn complaint(&self, stdin: &Path, arguments: &[String], watchdog: &Watchdog) -> Vec<String> {
        let (Ok(mut stderr), Ok(stdin)) = (tempfile::tempfile(), File::open(stdin)) else { return Vec::new() };
        let Ok(keep) = stderr.try_clone() else { return Vec::new() };
        let mut command = self.command(arguments);
        let Ok(mut child) = command.stdin(stdin).stdout(Stdio::null()).stderr(keep).spawn() else { return Vec::new() };
        let watched = watchdog.watch(child.id());
        let ended = wait_unreaped(&child);
        drop(watched);
        // How it ends this time is not what is asked.
        if ended.is_ok() && child.wait().is_ok() { tail(&mut stderr) } else { Vec::new() }
    }

    /// Why it cannot be started.
    pub(crate) fn unstartable(&self, error: &std::io::Error) -> Trouble {
        let program = self.argv.first().map(|program| program.to_string_lossy()).unwrap_or_default();
        let details = match error.kind() {
            std::io::ErrorKind::NotFound => {
                vec![format!("`{program}` is not on the search path; install it, or name its file")]
            }
            std::io::ErrorKind::PermissionDenied => vec![format!("`{program}` is not a program that you may run")],
            _ => Vec::new(),
        };
        Trouble::Failed(format!("it cannot be started: {error}"), details)
    }
}

/// Waits until a child has ended, and leaves it to be waited for: until then its id stays its own.
fn wait_unreaped(child: &Child) -> std::io::Result<()> {
    let id = rustix::process::Pid::from_child(child);
    loop {
        match rustix::process::waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map(|_| ()).map_err(Into::into),
        }
    }
}

/// How a process was ended by a signal.
fn killed(status: ExitStatus) -> String {
    let signal = status.signal().unwrap_or_default();
    let name = match signal {
        libc::SIGKILL => return "it was killed (SIGKILL), as the kernel does when memory runs out".to_owned(),
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGABRT => "SIGABRT",
        libc::SIGILL => "SIGILL",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGTERM => "SIGTERM",
        _ => return format!("it crashed (signal {signal})"),
    };
    format!("it crashed ({name})")
}

/// The last lines of a file.
fn tail(file: &mut File) -> Vec<String> {
    let mut bytes = Vec::new();
    let end = file.stream_position().or_else(|_| file.seek(std::io::SeekFrom::End(0))).unwrap_or_default();
    let start = file.metadata().map_or(end, |meta| meta.len()).saturating_sub(STDERR_BYTES);
    // A file that cannot be read has nothing to tell.
    if file.seek(std::io::SeekFrom::Start(start)).is_err() || file.read_to_end(&mut bytes).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(STDERR_LINES)..].iter().map(|line| format!("standard error: {line}")).collect()
}

/// What a child does before it becomes its program.
pub(crate) enum Entry<'a> {
    /// It enters a control group.
    Group(&'a Group),
    /// It lets itself be traced by the thread that started it.
    Traced,
}

/// Has a child do something before it becomes its program.
#[allow(unsafe_code, reason = "there is no safe way to run code between fork and exec")]
pub(crate) fn before_exec(command: &mut Command, entry: Entry<'_>) -> std::io::Result<()> {
    let group = match entry {
        Entry::Group(group) => Some(group.entry().try_clone_to_owned()?),
        Entry::Traced => None,
    };
    let enter = move || match &group {
        // A process that writes 0 means itself.
        Some(file) => rustix::io::write(file, b"0").map(|_| ()).map_err(Into::into),
        None => trace_me(),
    };
    // SAFETY: between fork and exec only functions may be called that are safe in a signal handler. The closure makes one
    // system call, write or ptrace; it allocates nothing and takes no lock, and errors are plain numbers.
    unsafe {
        command.pre_exec(enter);
    }
    Ok(())
}
