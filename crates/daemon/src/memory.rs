//! How much memory this process may have, and what it can do without.

use std::io;

use crate::platform;

/// The memory of the machine, or what the process's control groups (a container's, a service's) let it have, whichever is
/// less, in bytes; `None` where the system does not say.
pub fn available() -> Option<u64> {
    platform::memory()
}

/// Gives back the pages of the program's own file: those that only its start needed, and all that the kernel read beside what was
/// touched. What is still needed comes back as it is touched, from the file or the kernel's cache of it, for half a microsecond
/// or so for each 64 KiB.
///
/// # Errors
/// What the system said. Nothing is lost then.
pub fn let_go_of_program() -> io::Result<()> {
    platform::let_go_of_program()
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn a_machine_that_runs_tests_has_memory() {
        let available = super::available().unwrap();
        assert!((64 << 20..1 << 50).contains(&available), "{available}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn pages_of_the_program_are_let_go_and_it_goes_on() {
        let resident = || -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let before = resident();
        super::let_go_of_program().unwrap();
        let after = resident();
        assert!(after < before, "{before} KiB, then {after} KiB");
    }
}
