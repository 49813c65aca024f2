//! No other process, no file, no network: what Linux lets a process give up.
//!
//! Landlock and seccomp overlap on purpose. Not every kernel has the first; the second knows system calls and no paths.

#![allow(unsafe_code, reason = "what confines a process is system calls")]

use std::io;

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope};
use rustix::process::{Signal, set_parent_process_death_signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Gives up everything but the three standard streams, memory and threads.
pub(super) fn isolate() -> io::Result<()> {
    // Whoever wanted the code may be killed; then nobody does.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    close_descriptors()?;
    rustix::thread::set_no_new_privs(true)?;
    deny_files_and_network().map_err(io::Error::other)?;
    deny_calls()
}

/// Closes what this process was started with besides its standard streams, such as a socket that a parent of its parent
/// left open.
fn close_descriptors() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: the descriptors from 3 on belong to nobody in this process. It has just been started to compile and nothing
    // else, has opened no file, and has one thread, so that no other part of it can hold or reuse one of these numbers.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
    if closed == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // Linux before 5.9 does not have the call. What is open there stays open, and the filter below holds for it: without
    // sockets and files to open, it can be read and written and no more.
    if error.raw_os_error() == Some(libc::ENOSYS) { Ok(()) } else { Err(error) }
}

/// By Landlock, as far as the kernel has it: no path, no TCP port, no signal and no abstract socket out of here.
fn deny_files_and_network() -> Result<(), landlock::RulesetError> {
    let newest = ABI::V6;
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .restrict_self()?;
    Ok(())
}

/// System calls that compiling needs: reading its input and writing its answer, memory, threads, and how a process ends. Any
/// other one fails, as if it were not permitted.
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

fn deny_calls() -> io::Result<()> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let denied = |error: libc::c_int| SeccompAction::Errno(error.unsigned_abs());
    let install = |rules: Vec<(libc::c_long, Vec<SeccompRule>)>, otherwise, then| {
        let filter = SeccompFilter::new(rules.into_iter().collect(), otherwise, then, architecture)?;
        let program: BpfProgram = filter.try_into()?;
        apply_filter(&program).map_err(Box::<dyn std::error::Error + Send + Sync>::from)
    };
    // The arguments of `clone3` lie in memory, where a filter cannot see them: the C library then takes `clone`.
    install(vec![(libc::SYS_clone3, Vec::new())], SeccompAction::Allow, denied(libc::ENOSYS))
        .map_err(io::Error::other)?;
    let mut rules: Vec<_> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    rules.push((libc::SYS_clone3, Vec::new()));
    rules.extend(own_process().map_err(io::Error::other)?);
    install(rules, denied(libc::EPERM), SeccompAction::Allow).map_err(io::Error::other)
}

/// Calls that are let through for this process alone: new threads and no new processes, its own signals and limits.
fn own_process() -> Result<Vec<(libc::c_long, Vec<SeccompRule>)>, seccompiler::BackendError> {
    let own = u64::from(std::process::id());
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    let rule =
        |argument, operator, value| SeccompRule::new(vec![Condition::new(argument, Length::Dword, operator, value)?]);
    Ok(vec![
        (libc::SYS_clone, vec![rule(0, Op::MaskedEq(thread), thread)?]),
        (libc::SYS_tgkill, vec![rule(0, Op::Eq, own)?]),
        (libc::SYS_prlimit64, vec![rule(0, Op::Eq, 0)?, rule(0, Op::Eq, own)?]),
        (libc::SYS_prctl, vec![rule(0, Op::Eq, libc::PR_SET_NAME.unsigned_abs().into())?]),
    ])
}
