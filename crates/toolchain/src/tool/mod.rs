//! Languages' own tools: where they are on this machine, and what installs those that are not.

mod find;
pub(crate) mod rust;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use coracle_package::manifest::Language;

pub use find::{Found, Need};

/// Looks a variable of the process's environment up.
pub type Environment = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// A tool that a language needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Rust's own build tool.
    Cargo,
    /// The standard library of Rust for `wasm32-wasip2`.
    RustTarget,
    /// The Go distribution.
    Go,
    /// What makes components of Python.
    ComponentizePy,
    /// The runtime of JavaScript's tools.
    Node,
    /// What fetches JavaScript's tools.
    Npm,
    /// A C compiler with a C library for WASI.
    Clang,
}

impl Tool {
    /// What a language needs, in the order in which it is asked for.
    pub fn of(language: Language) -> &'static [Self] {
        match language {
            Language::Rust => &[Self::Cargo, Self::RustTarget],
            Language::Go => &[Self::Go],
            Language::Python => &[Self::ComponentizePy],
            Language::JavaScript | Language::TypeScript => &[Self::Node, Self::Npm],
            Language::C => &[Self::Clang],
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::RustTarget => "wasm32-wasip2 for Rust",
            Self::Go => "go",
            Self::ComponentizePy => "componentize-py",
            Self::Node => "node",
            Self::Npm => "npm",
            Self::Clang => "clang or zig for WASI",
        }
    }

    /// The line that installs it, or makes it new enough.
    pub fn install(self) -> &'static str {
        match self {
            Self::Cargo => "install Rust by https://rustup.rs",
            Self::RustTarget => "rustup target add wasm32-wasip2",
            Self::Go => "install Go 1.25 or later from https://go.dev/dl",
            Self::ComponentizePy => "pip install componentize-py==0.25.1",
            Self::Node | Self::Npm => "install Node.js 20 or later from https://nodejs.org",
            Self::Clang => {
                "unpack https://github.com/WebAssembly/wasi-sdk/releases and set WASI_SDK_PATH to its folder, or pip install ziglang"
            }
        }
    }

    /// The oldest version that works; none where any does.
    fn oldest(self) -> Option<(u32, u32)> {
        match self {
            // wasm32-wasip2 became a target that is kept.
            Self::Cargo => Some((1, 82)),
            // c-shared modules for wasip1.
            Self::Go => Some((1, 25)),
            Self::ComponentizePy => Some((0, 17)),
            Self::Node => Some((20, 0)),
            Self::RustTarget | Self::Npm | Self::Clang => None,
        }
    }
}

/// Why a tool cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// It is not there.
    #[error("{} is not on this machine", .0.name())]
    Missing(Tool),
    /// It is there, and too old.
    #[error("{} is {version}, and {}.{} is the oldest that works", tool.name(), oldest.0, oldest.1)]
    Old {
        /// Which.
        tool: Tool,
        /// Its version.
        version: String,
        /// What would do.
        oldest: (u32, u32),
    },
}

impl ToolError {
    /// Which tool.
    pub fn tool(&self) -> Tool {
        match self {
            Self::Missing(tool) | Self::Old { tool, .. } => *tool,
        }
    }
}

/// A tool that can be used: a program, and what has to stand before its own arguments.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its first arguments.
    pub leading: Vec<OsString>,
}

impl Program {
    /// A command of it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.leading);
        command
    }
}
