//! System packages: which programs a task needs, and how they come onto the machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::{Result, shell};

/// Something the system's package manager has and Cargo has not.
pub(crate) struct Package {
    /// Its name in Debian and Ubuntu.
    pub(crate) name: &'static str,
    /// What shows that it is there: a program on the search path, or a file where the name starts with `/`.
    pub(crate) shown_by: &'static str,
    /// What it is for, as the end of a sentence.
    pub(crate) purpose: &'static str,
}

impl Package {
    fn present(&self) -> bool {
        if self.shown_by.starts_with('/') {
            Path::new(self.shown_by).exists()
        } else {
            shell::find(self.shown_by).is_some()
        }
    }
}

/// Installs what is missing where that needs no question (root on a machine with apt), else says the one line to run.
pub(crate) fn ensure(packages: &[Package]) -> Result {
    let missing: Vec<&Package> = packages.iter().filter(|package| !package.present()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        println!("missing: {} ({})", package.name, package.purpose);
    }
    let names: BTreeSet<&str> = missing.iter().map(|package| package.name).collect();
    let has_apt = shell::find("apt-get").is_some();
    if !has_apt || !is_root() {
        let names = names.into_iter().collect::<Vec<_>>().join(" ");
        let with = if has_apt { "sudo apt-get install -y" } else { "this system's package manager (Debian's names):" };
        return Err(format!("system packages are missing; install them with {with} {names}").into());
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    shell::run(apt().arg("update"))?;
    shell::run(apt().args(["install", "-y", "--no-install-recommends"]).args(names))?;
    let still: Vec<&str> = missing.iter().filter(|package| !package.present()).map(|package| package.name).collect();
    if still.is_empty() {
        Ok(())
    } else {
        Err(format!("installed, but not found afterwards: {}", still.join(", ")).into())
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
