//! Debian packages as archives of files: fetched and unpacked into a folder of ours, nothing installed, no root needed.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Result, shell};

/// Whether this machine has Debian's package tools.
pub(crate) fn is_here() -> bool {
    shell::find("apt-get").is_some() && shell::find("dpkg-deb").is_some()
}

/// Fetches packages, with those they need that the system does not have, and unpacks them all into a folder.
/// Paths that match a pattern of `without` are left out.
pub(crate) fn unpack(tools: &Path, packages: &[&str], into: &Path, without: &[&str]) -> Result {
    // Package lists and archives of our own: the system's may be absent, and only root may change them.
    let apt = tools.join("apt");
    let archives = apt.join("cache").join("archives");
    for folder in [apt.join("lists").join("partial"), archives.join("partial")] {
        fs::create_dir_all(folder)?;
    }
    let setting = |key: &str, value: &Path| {
        let mut setting = OsString::from(format!("{key}="));
        setting.push(value);
        setting
    };
    let command = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command.arg("-qq").args(["-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User="]);
        command.arg("-o").arg(setting("Dir::State::lists", &apt.join("lists")));
        command.arg("-o").arg(setting("Dir::Cache", &apt.join("cache")));
        command
    };
    shell::run(command().arg("update"))?;
    shell::run(
        command().args(["install", "--download-only", "--reinstall", "-y", "--no-install-recommends"]).args(packages),
    )?;

    fs::create_dir_all(into)?;
    for entry in fs::read_dir(&archives)? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            unpack_one(&archive, into, without)?;
            fs::remove_file(&archive)?;
        }
    }
    Ok(())
}

fn unpack_one(archive: &Path, into: &Path, without: &[&str]) -> Result {
    let mut unpacker = Command::new("dpkg-deb").arg("--fsys-tarfile").arg(archive).stdout(Stdio::piped()).spawn()?;
    let files = unpacker.stdout.take().ok_or("a piped child has no output")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--no-wildcards-match-slash", "-C"]).arg(into);
    tar.args(without.iter().map(|pattern| format!("--exclude={pattern}")));
    shell::run(tar.stdin(files))?;
    let status = unpacker.wait()?;
    if status.success() { Ok(()) } else { Err(format!("unpacking {} failed: {status}", archive.display()).into()) }
}
