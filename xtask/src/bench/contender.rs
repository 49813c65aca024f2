//! Who answers: Coracle and its peers, each as a command that serves a guest at an address.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::Result;
use crate::server::Server;

/// What makes `wasmtime serve` fastest with small guests: memory, tables and stacks come from a pool and stay resident.
const POOLED: &str = "pooling-allocator=y,pooling-memory-keep-resident=16777216,pooling-table-keep-resident=1048576,\
                      pooling-async-stack-keep-resident=131072";

/// The same, with only those pages reset that were written: better for some guests, worse for others.
const PAGEMAP: &str = "pooling-pagemap-scan=y";

/// Reuse as `wasmtime serve` does it by default with guests for WASI 0.3.
const REUSE: &str = "{ invocations = 128, concurrent = 16, idle = \"1s\" }";

/// A server with its settings, in the order in which each round measures them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Contender {
    Coracle,
    CoracleReuse,
    Wasmtime,
    WasmtimePooled,
    WasmtimePagemap,
    WasmCloud,
    Native,
}

impl Contender {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Coracle => "`coracle serve`",
            Self::CoracleReuse => "`coracle serve`, with the same reuse",
            Self::Wasmtime => "`wasmtime serve`",
            Self::WasmtimePooled => "`wasmtime serve`, pooling, resident",
            Self::WasmtimePagemap => "`wasmtime serve`, the same with PAGEMAP_SCAN",
            Self::WasmCloud => "wasmCloud, `wash dev`",
            Self::Native => "hyper, native",
        }
    }

    /// Whether a guest's answers differ from one request to the next is not its matter: it says `body` whatever it is asked.
    pub(super) fn command(self, run: &Run, guest: &Path, body: &str, address: SocketAddr) -> Result<Command> {
        match self {
            Self::Coracle => Ok(coracle(run, guest, address)),
            Self::CoracleReuse => Ok(coracle(run, &reusing(run, guest)?, address)),
            Self::Wasmtime => Ok(wasmtime(run, &[], guest, address)),
            Self::WasmtimePooled => Ok(wasmtime(run, &[POOLED], guest, address)),
            Self::WasmtimePagemap => Ok(wasmtime(run, &[POOLED, PAGEMAP], guest, address)),
            Self::WasmCloud => wash(run, guest, address),
            Self::Native => {
                let mut command = Command::new(&run.programs.native);
                command.args([&address.to_string(), body]);
                Ok(command)
            }
        }
    }

    /// The server, once it has answered.
    pub(super) fn start(self, run: &Run, guest: &Path, body: &str) -> Result<Server> {
        Server::start(|address| self.command(run, guest, body, address))
    }
}

/// `coracle serve` with its defaults.
pub(super) fn coracle(run: &Run, target: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(&run.programs.coracle);
    command.args(["serve", "--addr", &address.to_string()]).arg(target);
    command
}

fn wasmtime(run: &Run, settings: &[&str], guest: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(&run.programs.wasmtime);
    command.args(["serve", "-S", "cli", "--addr", &address.to_string()]);
    command.args(settings.iter().flat_map(|setting| ["-O", setting])).arg(guest);
    command
}

/// The manifest of an app of one component, whose instances serve more than one request.
fn reusing(run: &Run, guest: &Path) -> Result<std::path::PathBuf> {
    let file = run.scratch("reuse")?.join("coracle.toml");
    let manifest = format!(
        "[app]\nname = \"reuse\"\n\n[component.guest]\nsource = '{}'\nreuse = {REUSE}\n\n\
         [[route]]\npath = \"/*\"\ncomponent = \"guest\"\n",
        guest.display()
    );
    fs::write(&file, manifest)?;
    Ok(file)
}

/// `wash dev` serves a project: this one's build does nothing, and its component is the guest as it is.
fn wash(run: &Run, guest: &Path, address: SocketAddr) -> Result<Command> {
    let folder = run.scratch("wash")?;
    fs::create_dir_all(folder.join(".wash"))?;
    fs::copy(guest, folder.join("guest.wasm"))?;
    let settings = format!("build:\n  command: \"true\"\n  component_path: guest.wasm\ndev:\n  address: {address}\n");
    fs::write(folder.join(".wash").join("config.yaml"), settings)?;
    let mut command = Command::new(&run.programs.wash);
    // The user's settings stay out, and its own files out of the project: it builds anew when one changes there.
    command.env("HOME", run.scratch("wash-home")?).arg("--non-interactive").arg("-C").arg(&folder).arg("dev");
    for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    Ok(command)
}
