//! The attack as a command: `coracle run` must end it by the same limits, with the exit code of its outcome.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::guest::Guest;
use crate::report::milliseconds;

/// How long a command may take that its own limits end in less than a second: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a guest is run, and what must come of it.
#[derive(Clone, Copy)]
pub struct Run {
    /// Before the guest: grants and limits.
    pub flags: &'static [&'static str],
    /// Behind the guest: its own arguments.
    pub arguments: &'static [&'static str],
    /// The exit code.
    pub exit: i32,
    /// What is in its output, be it of the guest or of Coracle.
    pub says: &'static str,
    /// The most memory that the process may hold, in MiB.
    pub memory: u64,
}

impl Run {
    /// Runs the guest, and says in a few words what came of it.
    pub fn of(self, guest: Guest) -> String {
        let folder = tempfile::tempdir().expect("a folder for a guest");
        let file = folder.path().join("guest.wasm");
        std::fs::write(&file, guest.bytes()).expect("a guest that can be written");
        let mut command = Command::new(support::coracle());
        command.arg("run").args(self.flags).arg(&file).args(self.arguments).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let child = command.spawn().expect("coracle starts");
        let id = child.id();
        let output = std::thread::spawn(move || child.wait_with_output().expect("a command that ends"));
        let mut peak = 0;
        while !output.is_finished() {
            peak = support::peak_memory(id).unwrap_or(0).max(peak);
            if began.elapsed() > PATIENCE {
                // Nobody else will.
                let _ = Command::new("kill").arg("-9").arg(id.to_string()).status();
                panic!("`coracle run` does not end by itself");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let time = began.elapsed();
        let output = output.join().expect("no reader panics");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(self.exit), "under `coracle run`: {}", start(&said));
        assert!(said.contains(self.says), "under `coracle run` it does not say {:?}: {}", self.says, start(&said));
        assert!(!said.contains("panicked"), "{}", start(&said));
        assert!(peak >> 20 <= self.memory, "`coracle run` took {} MiB, and may take {}", peak >> 20, self.memory);
        format!("exit {}, {}, {} MiB", self.exit, milliseconds(time), peak >> 20)
    }
}

/// Enough of an output to see what happened.
fn start(text: &str) -> &str {
    &text[..text.floor_char_boundary(2_000)]
}
