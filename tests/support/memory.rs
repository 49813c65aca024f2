//! The memory that a process holds, by `/proc`.

/// A value of `/proc/ID/status` that is a size, in bytes; none once the process has ended.
pub(crate) fn of(id: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// The most memory that a process has held, in bytes; none once it has ended.
pub fn peak_memory(id: u32) -> Option<u64> {
    of(id, "VmHWM")
}

/// Lets the peak begin anew, from what is held now.
pub(crate) fn forget_peak(id: u32) {
    std::fs::write(format!("/proc/{id}/clear_refs"), "5").expect("a running process of ours");
}
