//! What the process uses and may use, from /proc and its control groups.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Usage;

pub(crate) fn usage() -> Option<Usage> {
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    let memory = fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = memory.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name is in parentheses and may hold anything; the fields after it are counted from the third.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Usage {
        resident_bytes: resident.checked_mul(page)?,
        cpu: Duration::from_millis((user + system).checked_mul(1000)?.checked_div(ticks)?),
        open_files: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
    })
}

/// Where control groups are found, version 1 and 2: the controller's name in `/proc/self/cgroup`, its folder, its limit.
const GROUPS: [(&str, &str, &str); 2] =
    [("", "/sys/fs/cgroup", "memory.max"), ("memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes")];

pub(crate) fn memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(group_limit);
    limits.chain(machine_memory()).min()
}

fn machine_memory() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The least limit of a control group and those around it, of a line such as `4:memory:/user/shop`.
fn group_limit(line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (_, folder, file) = GROUPS.iter().find(|(name, ..)| controllers.split(',').any(|it| it == *name))?;
    let around = Path::new(path).ancestors().filter_map(|group| {
        let group = Path::new(folder).join(group.strip_prefix("/").ok()?);
        // A group without a limit says `max`.
        fs::read_to_string(group.join(file)).ok()?.trim().parse().ok()
    });
    around.min()
}
