//! Guests and clients that mean harm, each against `coracle serve` with a quiet neighbour beside it.
//!
//! A case says what is attacked, how, and what must come of it: the outcome, the time, the server's memory. What holds for
//! every case is checked for every case: nothing of the host shows in an answer, and the neighbour's p99 stays within its
//! bound. Where the attack comes from the guest, `coracle run` has to survive it too. Cases run one after another, since
//! each measures; a table of all ends the run. `cargo test --workspace --test hostile NAME` runs those that hold NAME.
//!
//! Adding a case is adding a guest to `guests/`, where one is needed, and an entry to a list in `cases/`. A core module
//! that exports `attack` is enough of a guest: `guest.rs` makes a component of it that answers HTTP and is a command.

#[cfg(target_os = "linux")]
mod case;
#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod guest;
#[cfg(target_os = "linux")]
mod neighbour;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod stage;

/// Memory is read from `/proc`: elsewhere there is nothing to hold the cases to.
#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::sync::{Arc, Mutex};

    use libtest_mimic::{Arguments, Trial};

    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let rows = Arc::new(Mutex::new(Vec::new()));
    let trial = |case: case::Case| {
        let rows = Arc::clone(&rows);
        Trial::test(case.name, move || {
            let row = case.run();
            rows.lock().expect("one case at a time").push(row);
            Ok(())
        })
    };
    let trials = cases::all().into_iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    report::print(&rows.lock().expect("no case runs any more"));
    conclusion.exit_code()
}
