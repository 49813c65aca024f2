//! Which functions a program uses, in the order in which it comes to them first.
//!
//! Each function's first byte is made a breakpoint (`int3`), by ptrace(2). The first thread that comes there stops; the byte is
//! put back, what was used is written down, and it goes on at full speed from there. Programs that take real-time signals cannot be
//! watched: `nix` has no name for them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::functions::Functions;
use crate::{Result, shell};

/// The instruction that stops a thread (Intel 64 manual, volume 2, `INT3`): one byte.
const BREAKPOINT: u8 = 0xCC;

/// The signal that begins a new list of what is used. Nobody else sends it, and it does not reach the program.
pub(super) const NEXT: Signal = Signal::SIGURG;

/// A program that stops at every function that it comes to for the first time.
///
/// Only the thread that started it may ask anything of it: ptrace(2) wants it so.
pub(super) struct Watched {
    process: Pid,
    memory: File,
    base: u64,
    /// The first bytes of functions by where they begin. That of one that was used is kept: a second thread may have stopped there.
    first_bytes: BTreeMap<u64, u8>,
    used: Vec<u64>,
    /// What was used before each [`NEXT`].
    before: Vec<Vec<u64>>,
    threads: Vec<Pid>,
}

impl Watched {
    /// Starts `command`, which runs the program that `functions` are of. It stands still until [`Watched::run`].
    pub(super) fn start(mut command: Command, functions: &Functions) -> Result<Self> {
        // SAFETY: between fork and exec only what is safe in a signal handler may be called, and this is one system call.
        #[expect(unsafe_code, reason = "a program can ask to be traced from its start at no other moment")]
        let command = unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
        let child = command.spawn();
        let mut child =
            child.map_err(|error| format!("could not start and watch `{}`: {error}", shell::line(command)))?;
        Self::take_over(&child, Path::new(command.get_program()), functions).inspect_err(|_| {
            // Whether it has ended meanwhile or not: nobody watches it.
            let _ = child.kill();
            let _ = child.wait();
        })
    }

    fn take_over(child: &Child, program: &Path, functions: &Functions) -> Result<Self> {
        let process = Pid::from_raw(child.id().try_into()?);
        let stopped = waitpid(process, None)?;
        if !matches!(stopped, WaitStatus::Stopped(_, Signal::SIGTRAP)) {
            return Err(format!("`{}` does not stop at its start: {stopped:?}", program.display()).into());
        }
        ptrace::setoptions(process, Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL)?;
        let memory = File::options().read(true).write(true).open(format!("/proc/{process}/mem"))?;
        let base = base(process, &fs::canonicalize(program)?)?;
        let first_bytes = functions.first_bytes().collect();
        let (used, before) = (Vec::new(), Vec::new());
        let watched = Self { process, memory, base, first_bytes, used, before, threads: vec![process] };
        watched.arm()?;
        Ok(watched)
    }

    /// Its process.
    pub(super) fn process(&self) -> Pid {
        self.process
    }

    /// Lets it run to its end, which has to be a good one; returns where the functions begin that it used, list by list.
    pub(super) fn run(mut self) -> Result<Vec<Vec<u64>>> {
        proceed(self.process, None)?;
        // Its threads are waited for too, and what other threads of ours have started is theirs.
        let whom = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(None, Some(whom))? {
                WaitStatus::Exited(process, 0) if process == self.process => {
                    self.before.push(self.used);
                    return Ok(self.before);
                }
                ended @ (WaitStatus::Exited(process, _) | WaitStatus::Signaled(process, ..))
                    if process == self.process =>
                {
                    return Err(format!("the program that is watched ended: {ended:?}").into());
                }
                WaitStatus::Stopped(thread, signal) => match self.stopped(thread, signal) {
                    Ok(signal) => proceed(thread, signal)?,
                    Err(error) if is_gone(&error) => {}
                    Err(error) => return Err(error),
                },
                WaitStatus::PtraceEvent(thread, ..) => proceed(thread, None)?,
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    self.threads.retain(|known| *known != thread);
                }
                _ => {}
            }
        }
    }

    /// A thread has stopped; returns the signal that it is to get when it goes on.
    fn stopped(&mut self, thread: Pid, signal: Signal) -> Result<Option<Signal>> {
        match signal {
            Signal::SIGTRAP if self.take_breakpoint(thread)? => Ok(None),
            NEXT => {
                self.before.push(std::mem::take(&mut self.used));
                self.arm()?;
                Ok(None)
            }
            // A thread that is traced from its beginning begins with this one, which nobody sent.
            Signal::SIGSTOP if !self.threads.contains(&thread) => {
                self.threads.push(thread);
                Ok(None)
            }
            signal => Ok(Some(signal)),
        }
    }

    /// Has it stop at every function once.
    fn arm(&self) -> Result {
        for offset in self.first_bytes.keys() {
            self.memory.write_all_at(&[BREAKPOINT], self.base + offset)?;
        }
        Ok(())
    }

    /// Puts back what the breakpoint stands for at which a thread has stopped. False is some other stop.
    fn take_breakpoint(&mut self, thread: Pid) -> Result<bool> {
        let mut registers = ptrace::getregs(thread)?;
        let address = registers.rip - 1;
        let Some(first_byte) = address.checked_sub(self.base).and_then(|offset| self.first_bytes.get(&offset)) else {
            return Ok(false);
        };
        let mut found = [0];
        self.memory.read_exact_at(&mut found, address)?;
        if found == [BREAKPOINT] {
            self.memory.write_all_at(&[*first_byte], address)?;
            self.used.push(address - self.base);
        }
        registers.rip = address;
        ptrace::setregs(thread, registers)?;
        Ok(true)
    }
}

/// Lets a thread go on. One that was ended meanwhile is none to ask.
fn proceed(thread: Pid, signal: Option<Signal>) -> Result {
    match ptrace::cont(thread, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether this is what the kernel says of a thread, or of the memory of a process, that ended while it was stopped.
fn is_gone(error: &crate::Error) -> bool {
    let no_thread = error.downcast_ref::<Errno>().is_some_and(|error| *error == Errno::ESRCH);
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    no_thread || matches!(kind, Some(ErrorKind::UnexpectedEof | ErrorKind::WriteZero))
}

/// Where a process has its program.
fn base(process: Pid, program: &Path) -> Result<u64> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let path = program.display().to_string();
    let first = maps.lines().find(|line| line.ends_with(&path));
    let start =
        first.and_then(|line| line.split_once('-')).ok_or_else(|| format!("{path} is not in its own process"))?.0;
    Ok(u64::from_str_radix(start, 16)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_uses_is_found_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("program.c"), folder.path().join("program"));
        let text = r"
            #include <pthread.h>
            static int number;
            __attribute__((noinline)) void last(void) { number += 1; }
            __attribute__((noinline)) void never(void) { number += 2; }
            __attribute__((noinline)) void *first(void *_) { for (int i = 0; i < 3; i++) last(); return _; }
            int main(int count, char **_) {
                pthread_t thread;
                if (pthread_create(&thread, 0, first, 0) || pthread_join(thread, 0)) return 1;
                if (count > 1) never();
                return number - 3;
            }";
        fs::write(&source, text).unwrap();
        shell::run(Command::new("cc").args(["-O1", "-fPIE", "-pie", "-pthread", "-o"]).args([&program, &source]))
            .unwrap();

        let functions = Functions::of(&program).unwrap();
        let used = |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command.args(arguments);
            let used = functions.names(&Watched::start(command, &functions)?.run()?.concat());
            let ours = used.lines().filter(|name| ["main", "first", "last", "never"].contains(name));
            Ok::<_, crate::Error>(ours.map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(used(&[]).unwrap(), ["main", "first", "last"]);
        // It then ends with 2, and is no start that went well.
        assert!(used(&["more"]).unwrap_err().to_string().contains("Exited"));
    }
}
