//! What the process uses, from /proc.

use std::fs;
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
