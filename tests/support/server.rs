//! `coracle serve` as a process of its own, as users run it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take that should take moments: the machine may be busy, and some guests are compiled first.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running server. It is killed when dropped.
pub struct Server {
    child: Mutex<Child>,
    id: u32,
    log: Arc<Log>,
    /// Where it answers requests.
    pub address: SocketAddr,
    /// Where it answers its operator.
    pub admin: SocketAddr,
}

#[derive(Default)]
struct Log {
    events: Mutex<Events>,
    more: Condvar,
}

#[derive(Default)]
struct Events {
    all: Vec<Value>,
    /// Where the access line of each request is: thousands of requests are looked up in some tests.
    access: HashMap<String, usize>,
}

impl Events {
    fn push(&mut self, event: Value) {
        if text(&event, "target") == "coracle::access" {
            self.access.insert(text(&event, "request_id").to_owned(), self.all.len());
        }
        self.all.push(event);
    }

    fn access_line(&self, request_id: &str) -> Option<Value> {
        self.access.get(request_id).map(|at| self.all[*at].clone())
    }
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
        let id = child.id();
        let mut server = Self { child: Mutex::new(child), id, log, address: unset, admin: unset };
        let listening = server.wait_for("that it listens", |event| text(event, "message") == "serving");
        server.address = text(&listening, "address").parse().expect("an address");
        server.admin = text(&listening, "admin_address").parse().expect("an address");
        server
    }

    /// Waits for an event of the log that fits; earlier ones count.
    pub fn wait_for(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(what, |events| events.all.iter().find(|event| fits(event)).cloned())
    }

    /// The access line of a request.
    pub fn access(&self, request_id: &str) -> Value {
        self.wait(&format!("how {request_id} went"), |events| events.access_line(request_id))
    }

    /// The access line of a request, if there is one yet.
    pub fn find_access(&self, request_id: &str) -> Option<Value> {
        self.log.events.lock().expect("no writer panics").access_line(request_id)
    }

    /// Whether it has ended, and how.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().expect("nobody panics with it").try_wait().expect("a child has a state")
    }

    fn wait(&self, what: &str, find: impl Fn(&Events) -> Option<Value>) -> Value {
        let began = Instant::now();
        let mut events = self.log.events.lock().expect("no writer panics");
        loop {
            if let Some(event) = find(&events) {
                return event;
            }
            let ended = self.ended();
            assert!(ended.is_none(), "the server ended ({ended:?}) before it said {what}: {:#?}", events.all);
            assert!(began.elapsed() < PATIENCE, "the server did not say {what}: {:#?}", events.all);
            events = self.log.more.wait_timeout(events, Duration::from_millis(100)).expect("no writer panics").0;
        }
    }

    /// Every event until now.
    pub fn events(&self) -> Vec<Value> {
        self.log.events.lock().expect("no writer panics").all.clone()
    }

    /// The memory it holds, in bytes.
    #[cfg(target_os = "linux")]
    pub fn resident(&self) -> u64 {
        crate::memory::of(self.id, "VmRSS").expect("a running process has memory")
    }

    /// The most memory that it held since it started, or since [`Server::forget_peak`], in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak(&self) -> u64 {
        crate::memory::of(self.id, "VmHWM").expect("a running process has memory")
    }

    /// Forgets how much memory it held before now.
    #[cfg(target_os = "linux")]
    pub fn forget_peak(&self) {
        crate::memory::forget_peak(self.id);
    }

    /// Asks it to end, as a service manager does.
    #[cfg(unix)]
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.child.lock().expect("nobody panics with it"));
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a running process");
    }

    /// Waits until it has ended.
    pub fn wait_for_end(&self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end: {:#?}", self.events());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already, as some tests want it to.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A field of a log event as text, empty where it is absent.
pub fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}
