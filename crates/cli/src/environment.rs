//! The one place that reads the process's environment. Libraries are told what they need.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Failure;

/// The environment of the process, read once at its start.
#[derive(Clone)]
pub(crate) struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    pub(crate) fn read() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsString> {
        self.variables.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty())
    }

    /// A variable that is set to text, empty or not, for a guest that is granted it by name.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.variables.get(std::ffi::OsStr::new(name))?.to_str().map(str::to_owned)
    }

    /// The environment as a function, for libraries that look for tools.
    pub(crate) fn lookup(&self) -> coracle_toolchain::tool::Environment {
        let environment = self.clone();
        Arc::new(move |name| environment.get(name).cloned())
    }

    /// The path of this program, for work that a process of its own does.
    pub(crate) fn program(&self) -> Result<PathBuf, Failure> {
        std::env::current_exe().map_err(|error| Failure::internal(format!("cannot find my own program: {error}")))
    }

    /// Where compiled code is kept: `CORACLE_CACHE`, else the user's cache folder as the system has it.
    pub(crate) fn cache_directory(&self) -> Option<PathBuf> {
        if let Some(directory) = self.get("CORACLE_CACHE") {
            return Some(PathBuf::from(directory));
        }
        let absolute = |name: &str| self.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = if cfg!(windows) {
            absolute("LOCALAPPDATA")?
        } else if cfg!(target_os = "macos") {
            absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join("Library/Caches")))?
        } else {
            absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?
        };
        Some(base.join("coracle"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment { variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    #[test]
    fn the_cache_directory_is_the_one_named() {
        let named = environment(&[("CORACLE_CACHE", "here"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/home/me")]);
        assert_eq!(named.cache_directory(), Some(PathBuf::from("here")));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_cache_directory_follows_the_base_directory_specification() {
        let xdg = environment(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/home/me")]);
        assert_eq!(xdg.cache_directory(), Some(PathBuf::from("/x/coracle")));
        // The specification has relative paths ignored.
        let relative = environment(&[("XDG_CACHE_HOME", "x"), ("HOME", "/home/me")]);
        assert_eq!(relative.cache_directory(), Some(PathBuf::from("/home/me/.cache/coracle")));
        assert_eq!(environment(&[]).cache_directory(), None);
    }
}
