//! What every bench begins with: the programs, a quiet machine, and what that machine is.

use std::path::PathBuf;

use super::machine::{self, Machine};
use super::peers::{self, Programs};
use super::report::{self, Report};
use crate::Result;
use crate::project::Project;

/// One call of `cargo xtask bench`.
pub(super) struct Run<'a> {
    pub(super) project: &'a Project,
    pub(super) programs: Programs,
    pub(super) machine: Machine,
    smoke: bool,
}

impl<'a> Run<'a> {
    /// Gets the programs, and waits for a quiet machine unless this is a smoke test.
    pub(super) fn begin(project: &'a Project, smoke: bool) -> Result<Self> {
        let programs = Programs::get(project, smoke)?;
        if !smoke {
            machine::wait_until_quiet()?;
        }
        let machine = Machine::describe(peers::version(&programs.coracle)?, peers::version(&programs.wasmtime)?)?;
        Ok(Self { project, programs, machine, smoke })
    }

    /// What was asked for, or the little that shows whether the bench works.
    pub(super) fn pick<T>(&self, asked: T, smoke: T) -> T {
        if self.smoke { smoke } else { asked }
    }

    /// A folder for what a bench writes and nobody keeps.
    pub(super) fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.project.tools().join("bench").join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Shows the results, and keeps them unless this is a smoke test.
    pub(super) fn finish<R: Report>(&self, results: &R) -> Result {
        println!("\n{}", results.table());
        if self.smoke { Ok(()) } else { report::keep(self.project, results) }
    }

    /// Shows what is met of the targets, unless nothing was kept.
    pub(super) fn show_targets(&self) -> Result {
        if self.smoke { Ok(()) } else { report::render(self.project) }
    }
}
