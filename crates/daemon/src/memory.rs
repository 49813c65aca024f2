//! How much memory this process may have.

use crate::platform;

/// The memory of the machine, or what the process's control groups (a container's, a service's) let it have, whichever is
/// less, in bytes; `None` where the system does not say.
pub fn available() -> Option<u64> {
    platform::memory()
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn a_machine_that_runs_tests_has_memory() {
        let available = super::available().unwrap();
        assert!((64 << 20..1 << 50).contains(&available), "{available}");
    }
}
