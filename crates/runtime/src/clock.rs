//! The clock that CPU time is read from.

#![allow(unsafe_code, reason = "one system call that fills in plain numbers")]

/// CPU time of this thread in nanoseconds.
#[cfg(unix)]
pub(crate) fn thread_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives through the call, which writes to nothing else. The C library's function is taken, since `rustix`
    // reads the kernel's own page of functions in memory, which is not there below valgrind, where instructions are counted.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if failed != 0 {
        // Without it no limit of CPU time holds, so nothing may run.
        tracing::error!("the CPU time of this thread cannot be read");
        std::process::abort();
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Where no thread clock is at hand wall time stands in: a guest that is preempted is charged for it.
#[cfg(not(unix))]
pub(crate) fn thread_time() -> u64 {
    use std::time::Instant;
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
