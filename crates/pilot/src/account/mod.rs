//! The kernel's accounts of processes: what they use, and where that is read.

mod cgroup;
mod process;
mod system;
mod traced;

pub(crate) use cgroup::{Cpu, Group};
pub(crate) use process::{Stolen, children_cpu, cpu_of, footprint, group_members, mean, peak_of, resident};
pub(crate) use system::trace_me;
pub(crate) use traced::memory_run;
