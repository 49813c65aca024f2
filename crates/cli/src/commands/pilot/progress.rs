//! How far a pilot is: a bar on a terminal, a line for each part elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use coracle_pilot::measure::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The parts of a run, one after the other.
#[derive(Default)]
pub(super) struct Line {
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress for Line {
    fn begin(&self, part: &str, steps: u64) {
        let Ok(mut bar) = self.bar.lock() else { return };
        if let Some(last) = bar.take() {
            last.finish_and_clear();
        }
        if !std::io::stderr().is_terminal() {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "{part}");
            return;
        }
        let style = ProgressStyle::with_template("{msg:20} {bar:30} {pos}/{len} {eta}");
        let new = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        new.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        new.set_message(part.to_owned());
        *bar = Some(new);
    }

    fn step(&self) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = bar.as_ref()
        {
            bar.inc(1);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some(last) = bar.take()
        {
            last.finish_and_clear();
        }
    }
}
