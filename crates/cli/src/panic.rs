//! A fault of Coracle's own ends in one line that asks for a report, never in a page of addresses.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo};

/// Runs `body`; `None` means that it panicked, which has been said.
pub(crate) fn guard<T>(body: impl FnOnce() -> T) -> Option<T> {
    std::panic::set_hook(Box::new(report));
    std::panic::catch_unwind(AssertUnwindSafe(body)).ok()
}

fn report(info: &PanicHookInfo<'_>) {
    // It is caught, and no fault of ours.
    if coracle_toolchain::build::is_generating() {
        return;
    }
    let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
    let what = info.payload_as_str().unwrap_or("no message");
    // Captured only where the user asked for it by RUST_BACKTRACE.
    let backtrace = Backtrace::capture();
    let more = match backtrace.status() {
        BacktraceStatus::Captured => format!("{backtrace}\n"),
        _ => String::new(),
    };
    let version = env!("CARGO_PKG_VERSION");
    // Where standard error is closed there is nobody to tell.
    let _ = write!(
        std::io::stderr().lock(),
        "error: Coracle {version} has a fault: {what}{place}; please report it, with the command that you ran\n{more}",
    );
}
