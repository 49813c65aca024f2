//! `coracle serve` as a process of its own, as users run it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take that should take moments: the machine may be busy, and some guests are compiled first.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running server. It is killed when dropped.
pub struct Server {
    child: Child,
    log: Arc<Log>,
    /// Where it answers requests.
    pub address: SocketAddr,
    /// Where it answers its operator.
    pub admin: SocketAddr,
}

#[derive(Default)]
struct Log {
    events: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Server {
    /// Starts `coracle serve` with more arguments, on ports that the system chooses, and waits until it listens.
    pub fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(crate::coracle());
        command.arg("serve").args(["--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]).args(arguments);
        Self::start_command(command)
    }

    /// Starts a server by a command of one's own, which must let the system choose both ports.
    pub fn start_command(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("coracle starts");
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("standard error is piped");
        std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    // What is no JSON is a complaint from before logging began.
                    let event = serde_json::from_str(&line).unwrap_or_else(|_| serde_json::json!({ "line": line }));
                    log.events.lock().expect("no reader panics").push(event);
                    log.more.notify_all();
                }
            }
        });
        let unset = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { child, log, address: unset, admin: unset };
        let listening = server.wait_for("that it listens", |event| text(event, "message") == "serving");
        server.address = text(&listening, "address").parse().expect("an address");
        server.admin = text(&listening, "admin_address").parse().expect("an address");
        server
    }

    /// Waits for an event of the log that fits; earlier ones count.
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        let mut events = self.log.events.lock().expect("no writer panics");
        loop {
            if let Some(event) = events.iter().find(|event| fits(event)) {
                return event.clone();
            }
            let ended = self.child.try_wait().expect("a child has a state");
            assert!(ended.is_none(), "the server ended ({ended:?}) before it said {what}: {events:#?}");
            assert!(began.elapsed() < PATIENCE, "the server did not say {what}: {events:#?}");
            events = self.log.more.wait_timeout(events, Duration::from_millis(100)).expect("no writer panics").0;
        }
    }

    /// The access line of a request.
    pub fn access(&mut self, request_id: &str) -> Value {
        let fits =
            |event: &Value| text(event, "target") == "coracle::access" && text(event, "request_id") == request_id;
        self.wait_for(&format!("how {request_id} went"), fits)
    }

    /// Every event until now.
    pub fn events(&self) -> Vec<Value> {
        self.log.events.lock().expect("no writer panics").clone()
    }

    /// The memory it holds, in bytes.
    #[cfg(target_os = "linux")]
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Asks it to end, as a service manager does.
    #[cfg(unix)]
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a running process");
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child has a state") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end: {:#?}", self.events());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, as some tests want it to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A field of a log event as text, empty where it is absent.
pub fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}
