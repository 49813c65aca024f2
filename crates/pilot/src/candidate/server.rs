//! Servers: programs of the plan, and components that `coracle` serves.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::watchdog::kill_group;
use super::{Entry, Process, Target, Trouble, before_exec};
use crate::account::{Cpu, Group, cpu_of, group_members};

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) enum Deployment {
    /// A program, with `{port}` in its arguments: each copy is a process.
    Program(Process),
    /// A component: each copy is an app of one server.
    Component {
        /// `coracle serve`, without the manifest and the port.
        serve: Process,
        /// The component's file.
        source: PathBuf,
        /// How many calls one instance answers.
        reuse: Option<u32>,
    },
}

/// Servers that run. They are ended when dropped.
pub(crate) struct Running {
    children: Vec<Child>,
    group: Option<Group>,
    /// Where each copy is reached.
    pub(crate) targets: Vec<Target>,
    /// The manifest of served components.
    _manifest: Option<tempfile::TempDir>,
}

impl Deployment {
    /// Starts copies. Nobody has looked yet whether they answer.
    pub(crate) fn start(&self, copies: u32, accounted: bool) -> Result<Running, Trouble> {
        let group = accounted.then(Group::new).flatten();
        let mut running = Running { children: Vec::new(), group, targets: Vec::new(), _manifest: None };
        match self {
            Self::Program(process) => {
                for port in free_ports(copies)? {
                    running.spawn(&process.with_port(port))?;
                    running.targets.push(Target { port, host: format!("127.0.0.1:{port}") });
                }
            }
            Self::Component { serve, source, reuse } => {
                let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
                let manifest = folder.path().join("coracle.toml");
                std::fs::write(&manifest, apps(source, *reuse, copies))
                    .map_err(|error| format!("cannot write {}: {error}", manifest.display()))?;
                for port in free_ports(1)? {
                    let mut process = serve.with_port(port);
                    process.argv.push(manifest.clone().into());
                    running.spawn(&process)?;
                    running.targets.extend((0..copies).map(|copy| Target { port, host: format!("copy-{copy}.test") }));
                }
                running._manifest = Some(folder);
            }
        }
        Ok(running)
    }

    /// Whether copies are processes of their own.
    pub(crate) fn copies_are_processes(&self) -> bool {
        matches!(self, Self::Program(_))
    }
}

impl Running {
    fn spawn(&mut self, process: &Process) -> Result<(), Trouble> {
        let mut command = process.command(&[]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(group) = &self.group {
            before_exec(&mut command, Entry::Group(group))
                .map_err(|error| format!("cannot account for it: {error}"))?;
        }
        self.children.push(command.spawn().map_err(|error| process.unstartable(&error))?);
        Ok(())
    }

    /// Where the first copy is reached.
    pub(crate) fn target(&self) -> Result<&Target, Trouble> {
        self.targets.first().ok_or_else(|| Trouble::from("no server was started".to_owned()))
    }

    /// All of their processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        match &self.group {
            Some(group) => group.members(),
            None => self.children.iter().flat_map(|child| group_members(child.id())).collect(),
        }
    }

    /// The processor time that they have used.
    pub(crate) fn cpu(&self) -> Cpu {
        self.group.as_ref().and_then(Group::cpu).unwrap_or_else(|| cpu_of(&self.processes()))
    }

    /// The account that processor time is read from.
    pub(crate) fn account(&self) -> &'static str {
        self.group.as_ref().map_or("/proc/ID/stat, to the tick", Group::account)
    }

    /// How one of them ended, if one has.
    pub(crate) fn ended(&self) -> Option<String> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let ended = |child: &Child| rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), look).ok().flatten();
        let status = self.children.iter().find_map(ended)?;
        Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("the server ended with code {code}"),
            (None, Some(9)) => "the server was killed (SIGKILL), as the kernel does when memory runs out".to_owned(),
            (None, signal) => format!("the server crashed (signal {})", signal.unwrap_or_default()),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            kill_group(child.id());
        }
        for child in &mut self.children {
            // Killed a moment ago, or ended before: nobody asks how.
            let _ = child.wait();
        }
    }
}

impl Process {
    fn with_port(&self, port: u16) -> Self {
        let fill = |word: &std::ffi::OsString| match word.to_str() {
            Some(text) => text.replace("{port}", &port.to_string()).into(),
            None => word.clone(),
        };
        Self { argv: self.argv.iter().map(fill).collect(), ..self.clone() }
    }
}

/// Ports that nobody listens on.
fn free_ports(count: u32) -> Result<Vec<u16>, Trouble> {
    // Held until all are known, so that none is given twice.
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<Vec<_>>>();
    let ports = listeners.and_then(|all| all.iter().map(|one| Ok(one.local_addr()?.port())).collect());
    ports.map_err(|error| format!("there is no free port: {error}").into())
}

/// A manifest that serves a component under as many host names as there are copies.
fn apps(source: &Path, reuse: Option<u32>, copies: u32) -> String {
    let source = toml::Value::String(source.display().to_string());
    let reuse = reuse.map(|calls| format!("reuse = {{ invocations = {calls} }}\n")).unwrap_or_default();
    let mut text = "[app]\nname = \"pilot\"\n".to_owned();
    for copy in 0..copies {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n[component.copy-{copy}]\nsource = {source}\n{reuse}\n\
             [[route]]\nhost = \"copy-{copy}.test\"\npath = \"/*\"\ncomponent = \"copy-{copy}\"\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_apps_of_a_manifest_that_is_right() {
        let text = apps(Path::new("/a \"b\".wasm"), Some(10), 2);
        let manifest = coracle_package::manifest::Manifest::parse(&text, Path::new("coracle.toml")).unwrap();
        assert_eq!((manifest.components.len(), manifest.routes.len()), (2, 2));
        assert_eq!(manifest.components["copy-1"].reuse.map(|reuse| reuse.invocations.get()), Some(10));
    }

    #[test]
    fn ports_are_free_and_different() {
        let mut ports = free_ports(20).unwrap();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }
}
