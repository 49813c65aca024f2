//! Control groups: the one account that holds a whole tree of processes, those included that nobody waited for.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::number::float;

/// Processor time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    /// In user mode.
    pub(crate) user: f64,
    /// In the kernel.
    pub(crate) system: f64,
}

impl Cpu {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { user: (self.user - before.user).max(0.0), system: (self.system - before.system).max(0.0) }
    }
}

/// Where this user may make groups that account for processor time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Home {
    /// Version 2: one tree for everything.
    V2(PathBuf),
    /// Version 1: the tree of the controller cpuacct.
    V1(PathBuf),
}

/// A control group of its own. Processes are put into it before they begin; it is removed when dropped.
pub(crate) struct Group {
    path: PathBuf,
    v2: bool,
    entry: File,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Group {
    /// Makes a group; `None` where this user may not.
    pub(crate) fn new() -> Option<Self> {
        homes().into_iter().find_map(|home| Self::below(&home).ok())
    }

    fn below(home: &Home) -> io::Result<Self> {
        let (Home::V2(folder) | Home::V1(folder)) = home;
        let name = format!("coracle-pilot-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(name);
        fs::create_dir(&path)?;
        let v2 = matches!(home, Home::V2(_));
        let entry = OpenOptions::new().write(true).open(path.join("cgroup.procs"));
        let group = entry.map(|entry| Self { path: path.clone(), v2, entry }).inspect_err(|_| remove(&path))?;
        // A group whose account cannot be read is none.
        group.cpu().map(|_| group).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
    }

    /// What a process writes `0` to in order to enter.
    pub(crate) fn entry(&self) -> BorrowedFd<'_> {
        self.entry.as_fd()
    }

    /// The account's name, for the report.
    pub(crate) fn account(&self) -> &'static str {
        if self.v2 { "cgroup v2, cpu.stat" } else { "cgroup v1, cpuacct" }
    }

    /// Processor time of all that ever ran in it.
    pub(crate) fn cpu(&self) -> Option<Cpu> {
        let number = |name: &str| fs::read_to_string(self.path.join(name)).ok()?.trim().parse::<u64>().ok();
        if self.v2 {
            let text = fs::read_to_string(self.path.join("cpu.stat")).ok()?;
            let of = |key: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
                line.parse::<u64>().ok().map(|micros| float(micros) / 1e6)
            };
            return Some(Cpu { user: of("user_usec")?, system: of("system_usec")? });
        }
        Some(Cpu {
            user: float(number("cpuacct.usage_user")?) / 1e9,
            system: float(number("cpuacct.usage_sys")?) / 1e9,
        })
    }

    /// The processes in it.
    pub(crate) fn members(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes a group. The kernel refuses while a process in it still ends; the last one is gone within moments.
fn remove(path: &Path) {
    for _ in 0..50 {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            // Removed, or not ours to remove: an empty group harms nobody.
            _ => return,
        }
    }
}

/// The groups that this process is in and could make others below, the newer version first.
fn homes() -> Vec<Home> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    homes_of(&own, &mounts)
}

fn homes_of(own: &str, mounts: &str) -> Vec<Home> {
    let mount = |kind: &str, option: Option<&str>| {
        mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [_, place, found, options, ..] = fields[..] else { return None };
            let fits = found == kind && option.is_none_or(|option| options.split(',').any(|it| it == option));
            fits.then(|| PathBuf::from(place))
        })
    };
    let mut homes = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(hierarchy), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let below = path.trim_start_matches('/');
        if hierarchy == "0" && controllers.is_empty() {
            homes.extend(mount("cgroup2", None).map(|mount| Home::V2(mount.join(below))));
        } else if controllers.split(',').any(|controller| controller == "cpuacct") {
            homes.extend(mount("cgroup", Some("cpuacct")).map(|mount| Home::V1(mount.join(below))));
        }
    }
    homes.sort_by_key(|home| matches!(home, Home::V1(_)));
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_in_both_versions() {
        let mounts = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let own = "4:cpu,cpuacct:/user\n0::/user.slice/me\n";
        let found = homes_of(own, mounts);
        assert_eq!(
            found,
            [
                Home::V2("/sys/fs/cgroup/unified/user.slice/me".into()),
                Home::V1("/sys/fs/cgroup/cpu,cpuacct/user".into()),
            ]
        );
        assert_eq!(homes_of("", mounts), []);
    }
}
