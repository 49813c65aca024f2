//! What `/proc` and `getrusage` say of processes.

use std::fs;

use super::{Cpu, system};
use crate::number::{float, length};
use crate::record::Footprint;

/// The processor time of all children that have ended and been waited for: the difference over one wait is that of one child
/// with all its own.
pub(crate) fn children_cpu() -> Cpu {
    // The call fails for arguments that it is not given here.
    let Ok((user, system)) = system::children_usage() else { return Cpu::default() };
    let seconds = |time: libc::timeval| {
        let (whole, micros) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_usec));
        float(whole.unwrap_or_default()) + float(micros.unwrap_or_default()) / 1e6
    };
    Cpu { user: seconds(user), system: seconds(system) }
}

/// The processor time of running processes, to the tick.
pub(crate) fn cpu_of(processes: &[u32]) -> Cpu {
    let ticks = float(rustix::param::clock_ticks_per_second());
    let mut sum = Cpu::default();
    for process in processes {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let fields = after_name(&stat);
        // Fields 14 and 15 of proc(5), of which the first two are the id and the name.
        let time = |field: usize| fields.get(field - 3).and_then(|field| field.parse().ok()).map_or(0.0, float);
        sum.user += time(14) / ticks;
        sum.system += time(15) / ticks;
    }
    sum
}

/// The fields of `/proc/ID/stat` from the third on: a name may hold anything.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default()
}

/// The processes of a process group.
pub(crate) fn group_members(group: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of_group = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = after_name(&stat);
        // Field 3 is the state, field 5 the group; a process that has ended has no memory to read.
        fields.get(2).and_then(|field| field.parse().ok()) == Some(group) && fields.first() != Some(&"Z")
    };
    ids.filter(of_group).collect()
}

/// A value of `/proc/ID/status` in bytes.
fn status(process: u32, key: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    kib(&text, key)
}

fn kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The most that was ever resident.
pub(crate) fn peak_of(process: u32) -> Option<u64> {
    status(process, "VmHWM")
}

/// What is resident now.
pub(crate) fn resident(process: u32) -> Option<u64> {
    status(process, "VmRSS")
}

/// What processes hold now, together. Shared pages count once in the proportional size and several times in the resident one.
pub(crate) fn footprint(processes: &[u32]) -> Footprint {
    let mut sum = Footprint::default();
    for process in processes {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
        let of = |key| kib(&text, key).unwrap_or_default();
        sum.rss += of("Rss");
        sum.pss += of("Pss");
        sum.private += of("Private_Clean") + of("Private_Dirty");
    }
    sum
}

/// The share of processor time that a hypervisor gave to others, between two readings of `/proc/stat`.
pub(crate) struct Stolen {
    before: Vec<f64>,
}

impl Stolen {
    pub(crate) fn start() -> Self {
        Self { before: times() }
    }

    pub(crate) fn share(&self) -> f64 {
        let passed: Vec<f64> = times().iter().zip(&self.before).map(|(now, then)| now - then).collect();
        // The eighth column; the two after it are counted in others already.
        let (all, stolen) = (passed.iter().take(8).sum::<f64>(), passed.get(7).copied().unwrap_or_default());
        if all > 0.0 { stolen / all } else { 0.0 }
    }
}

fn times() -> Vec<f64> {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect()
}

/// The mean of a few numbers, 0 of none.
pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / length(values.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_a_group() {
        let own = std::process::id();
        let held = footprint(&[own]);
        assert!(held.rss > 1 << 20 && held.pss <= held.rss && held.private <= held.pss, "{held:?}");
        assert!(peak_of(own).unwrap() >= resident(own).unwrap() / 2);
        let group = rustix::process::getpgrp().as_raw_nonzero().get();
        assert!(group_members(u32::try_from(group).unwrap()).contains(&own));
    }

    #[test]
    fn a_child_is_accounted_when_it_was_waited_for() {
        let before = children_cpu();
        let loops = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(std::process::Command::new("sh").args(["-c", loops]).status().unwrap().success());
        let used = children_cpu().since(before);
        assert!(used.user + used.system > 0.01, "{used:?}");
    }
}
