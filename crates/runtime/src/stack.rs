//! A guest's own call stack, in names that its author knows.

use std::fmt;

use wasmtime::{FrameInfo, WasmBacktrace};

/// The calls that were under way when a guest was stopped, the innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStack {
    /// The calls.
    pub frames: Vec<Frame>,
}

/// One call. Not by its place in the module's file: what runs is not laid out as the file is ([`crate::compile::rewrite`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's name as its author wrote it, if the module has names.
    pub function: Option<String>,
    /// The function's index in its module.
    pub index: u32,
    /// The module's name, if it has one.
    pub module: Option<String>,
}

impl CallStack {
    /// The call stack that the engine attached to an error, if it did.
    pub(crate) fn of(error: &wasmtime::Error) -> Option<Self> {
        let frames: Vec<Frame> = error.downcast_ref::<WasmBacktrace>()?.frames().iter().map(Frame::from).collect();
        (!frames.is_empty()).then_some(Self { frames })
    }
}

impl CallStack {
    /// One line for each call, numbered from the innermost; calls that repeat are one line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut next = 0;
        for same in self.frames.chunk_by(|a, b| a == b) {
            let Some(frame) = same.first() else { continue };
            lines.push(match same.len() {
                1 => format!("{next:>3}: {frame}"),
                times => format!("{next:>3}: {frame}, {times} times"),
            });
            next += same.len();
        }
        lines
    }
}

impl From<&FrameInfo> for Frame {
    fn from(frame: &FrameInfo) -> Self {
        Self {
            function: frame.func_name().map(demangle),
            index: frame.func_index(),
            module: frame.module().name().map(str::to_owned),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => f.write_str(function)?,
            None => write!(f, "function {}", self.index)?,
        }
        match &self.module {
            Some(module) => write!(f, " ({module})"),
            None => Ok(()),
        }
    }
}

/// A linker's symbol as its author wrote it: Rust's and C++'s are encoded, other languages' are not.
fn demangle(symbol: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        return format!("{name:#}");
    }
    if symbol.starts_with("_Z")
        && let Ok(name) = cpp_demangle::Symbol::new(symbol)
        && let Ok(name) = name.demangle()
    {
        return name;
    }
    symbol.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_repeat_are_one_line() {
        let frame = |name: &str| Frame { function: Some(name.into()), index: 0, module: None };
        let stack = CallStack { frames: vec![frame("a"), frame("b"), frame("b"), frame("c")] };
        assert_eq!(stack.lines(), ["  0: a", "  1: b, 2 times", "  3: c"]);
    }

    #[test]
    fn names_are_those_of_the_source() {
        assert_eq!(demangle("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(
            demangle("_ZNSt6vectorIiSaIiEE9push_backERKi"),
            "std::vector<int, std::allocator<int> >::push_back(int const&)"
        );
        assert_eq!(demangle("main.main"), "main.main");
    }
}
