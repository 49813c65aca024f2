//! A line on the terminal while something takes long.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError::Timeout, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use coracle_package::unit::format_size;
use coracle_runtime::compile::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work goes on in silence: most is done by then, and a line that flashes tells nobody anything.
const SILENCE: Duration = Duration::from_millis(300);

/// How often the line moves.
const STEP: Duration = Duration::from_millis(100);

/// Shows that a component is being compiled, on a terminal only.
pub(crate) struct CompileLine {
    name: String,
    line: Mutex<Option<Delayed>>,
}

/// A line that appears after a while, unless it is dropped before.
struct Delayed {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl CompileLine {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), line: Mutex::new(None) }
    }

    fn set(&self, line: Option<Delayed>) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }
}

impl Progress for CompileLine {
    fn started(&self, bytes: u64) {
        self.set(Delayed::start(format!("compiling {} ({}), once", self.name, readable(bytes))));
    }

    fn finished(&self) {
        self.set(None);
    }
}

/// Shows which WIT package is being fetched, on a terminal only.
pub(crate) fn fetch_line() -> coracle_toolchain::wit::Progress {
    let line: Mutex<Option<Delayed>> = Mutex::new(None);
    Arc::new(move |message| {
        *line.lock().unwrap_or_else(PoisonError::into_inner) =
            message.and_then(|message| Delayed::start(message.to_owned()));
    })
}

impl Delayed {
    /// None where there is no terminal.
    fn start(message: String) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            if stopped.recv_timeout(SILENCE) != Err(Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::default_spinner());
            bar.set_message(message);
            while stopped.recv_timeout(STEP) == Err(Timeout) {
                bar.tick();
            }
            bar.finish_and_clear();
        });
        Some(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Delayed {
    /// Waits until the line is gone, so that the guest's first output does not land in it.
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A thread that draws has nothing to say when it fails.
            let _ = thread.join();
        }
    }
}

/// A size rounded to what matters to a reader.
pub(crate) fn readable(bytes: u64) -> String {
    const STEPS: [u64; 3] = [1 << 30, 1 << 20, 1 << 10];
    let step = STEPS.into_iter().find(|step| bytes >= *step).unwrap_or(1);
    format_size(bytes.div_ceil(step).saturating_mul(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_whole_units() {
        for (bytes, shown) in
            [(0, "0 B"), (999, "999 B"), (1_025, "2 KiB"), ((33 << 20) - 5, "33 MiB"), (1 << 30, "1 GiB")]
        {
            assert_eq!(readable(bytes), shown);
        }
    }
}
