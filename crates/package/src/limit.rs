//! Limits: bounds on what one component uses, with their defaults.
//!
//! [`KEYS`] is the only list of them. The manifest's parser, the flags and the reference read it.

use std::borrow::Cow;
use std::time::Duration;

use crate::fault::SyntaxError;
use crate::reference::KeyDoc;
use crate::unit::{format_duration, format_size, parse_duration, parse_size};

/// Linear memory of a function: what other function platforms give by default, and enough for a Python or JavaScript guest.
pub const HTTP_MEMORY: u64 = 128 << 20;
/// Linear memory of a command: one program on a user's own machine, so more than a function, less than all of it.
pub const COMMAND_MEMORY: u64 = 1 << 30;
/// Bytes that the host keeps for a function: a thousand requests with their header fields, or two hundred open streams.
pub const HTTP_HOST_MEMORY: u64 = 32 << 20;
/// The same for a command, which may have thousands of files open.
pub const COMMAND_HOST_MEMORY: u64 = 1 << 30;
/// Elements of all tables together: several times what the largest language runtimes need.
pub const TABLE_ELEMENTS: u64 = 100_000;
/// Bytes of Wasm stack: deep recursion in interpreters fits, and an endless one ends quickly.
pub const STACK: u64 = 1 << 20;
/// Resource handles of a function: files, sockets, streams, requests that it holds at one time. A function has dozens, and
/// each may stand for buffers of the host.
pub const HTTP_HANDLES: u32 = 1_024;
/// Resource handles of a command, which may keep many files open.
pub const COMMAND_HANDLES: u32 = 65_536;
/// Core instances inside one component: compositions of several languages have some dozens.
pub const INSTANCES: u32 = 1_000;
/// CPU time of one request: far above honest work of a function, and short enough to free the processor from a loop.
pub const HTTP_CPU_TIME: Duration = Duration::from_secs(10);
/// Wall time of one request: what clients and proxies in front usually wait.
pub const HTTP_WALL_TIME: Duration = Duration::from_secs(60);
/// Bytes of one request's body: bodies stream, so this bounds work and not memory.
pub const REQUEST_BODY: u64 = 1 << 30;
/// Bytes of header fields in one message that a guest makes: what servers and proxies accept is less.
pub const HEADERS: u64 = 128 << 10;
/// Bytes that one call of a guest may hand to the host at once: larger data goes through streams.
pub const CALL_BYTES: u64 = 32 << 20;
/// Share of the processors: a number to set others against, with room for a hundredth.
pub const WEIGHT: u32 = 100;
/// Invocations of one component at one time.
pub const CONCURRENCY: u32 = 64;
/// Requests that wait for a permit: a short burst, small enough that those who wait are still served in time.
pub const QUEUE: u32 = 256;
/// How long a request waits for a permit before it is answered with 503.
pub const QUEUE_WAIT: Duration = Duration::from_secs(1);
/// Log lines of one invocation: a stack trace and some more, not a flood.
pub const LOG_LINES: u32 = 1_000;
/// The same of a command, whose log is on its user's terminal, where its standard error is not counted either: an end to a
/// loop that logs, after some seconds.
pub const COMMAND_LOG_LINES: u32 = 1_000_000;
/// Bytes of one log line; the rest of it is cut.
pub const LOG_LINE: u64 = 8 << 10;

/// What one component may use. Times, fuel, bodies, calls and logs count for one invocation, the memory and handles for
/// one instance, and the permits for the component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories, garbage-collected heaps and tables together.
    pub memory: u64,
    /// Bytes that the host keeps for the guest: header fields, requests, what is written to streams and not read.
    pub host_memory: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Bytes of Wasm stack.
    pub stack: u64,
    /// Resource handles held at one time.
    pub handles: u32,
    /// Core instances inside the component.
    pub instances: u32,
    /// CPU time of one invocation; `None` is unbounded.
    pub cpu_time: Option<Duration>,
    /// Wall time of one invocation; `None` is unbounded.
    pub wall_time: Option<Duration>,
    /// Instructions of one invocation, counted in wasmtime's units of fuel; `None` counts nothing and costs nothing.
    pub fuel: Option<u64>,
    /// Bytes of a request's body.
    pub request_body: u64,
    /// Bytes of header fields in one message that the guest makes.
    pub headers: u64,
    /// Bytes that the guest may hand to the host in one call.
    pub call_bytes: u64,
    /// Share of the processors beside other components that want them.
    pub weight: u32,
    /// Invocations at one time.
    pub concurrency: u32,
    /// Requests that wait for one of these.
    pub queue: u32,
    /// How long they wait.
    pub queue_wait: Duration,
    /// Log lines of one invocation.
    pub log_lines: u32,
    /// Bytes of one log line.
    pub log_line: u64,
}

impl Limits {
    /// The defaults of a command: memory, tables, handles and stack are bounded, and time is not, since a command may run long.
    pub fn command() -> Self {
        Self {
            memory: COMMAND_MEMORY,
            host_memory: COMMAND_HOST_MEMORY,
            handles: COMMAND_HANDLES,
            cpu_time: None,
            wall_time: None,
            log_lines: COMMAND_LOG_LINES,
            ..Self::http()
        }
    }

    /// The defaults of a function behind HTTP: everything is bounded.
    pub fn http() -> Self {
        Self {
            memory: HTTP_MEMORY,
            host_memory: HTTP_HOST_MEMORY,
            table_elements: TABLE_ELEMENTS,
            stack: STACK,
            handles: HTTP_HANDLES,
            instances: INSTANCES,
            cpu_time: Some(HTTP_CPU_TIME),
            wall_time: Some(HTTP_WALL_TIME),
            fuel: None,
            request_body: REQUEST_BODY,
            headers: HEADERS,
            call_bytes: CALL_BYTES,
            weight: WEIGHT,
            concurrency: CONCURRENCY,
            queue: QUEUE,
            queue_wait: QUEUE_WAIT,
            log_lines: LOG_LINES,
            log_line: LOG_LINE,
        }
    }
}

/// One limit: how it is written, read and documented.
pub struct Key {
    /// The key in the manifest; the flag is the same with `--` before it.
    pub key: &'static str,
    /// What the limit bounds, and why its default is what it is.
    pub reason: &'static str,
    slot: Slot,
}

/// Which field of [`Limits`] a key stands for; its type is the kind of value that the key takes.
enum Slot {
    Size(fn(&mut Limits) -> &mut u64),
    Count(fn(&mut Limits) -> &mut u32),
    CountOrZero(fn(&mut Limits) -> &mut u32),
    Elements(fn(&mut Limits) -> &mut u64),
    Duration(fn(&mut Limits) -> &mut Duration),
    OptionalDuration(fn(&mut Limits) -> &mut Option<Duration>),
    OptionalCount(fn(&mut Limits) -> &mut Option<u64>),
}

/// What is written to take a limit away, where that is allowed.
const NONE: &str = "none";

/// Every limit that can be set for one component.
pub const KEYS: &[Key] = &[
    Key {
        key: "memory",
        reason: "All linear memories, garbage-collected heaps and tables of one instance. Growth past it fails inside the guest.",
        slot: Slot::Size(|limits| &mut limits.memory),
    },
    Key {
        key: "host-memory",
        reason: "What the host keeps for one instance: header fields, requests, what is written to streams and not read, what is on \
                 its way to and from other components. More ends the guest as out of memory.",
        slot: Slot::Size(|limits| &mut limits.host_memory),
    },
    Key {
        key: "table-elements",
        reason: "Elements of all tables of one instance; several times what the largest language runtimes need.",
        slot: Slot::Elements(|limits| &mut limits.table_elements),
    },
    Key {
        key: "handles",
        reason: "Files, sockets, streams and other resources that one instance holds at one time.",
        slot: Slot::Count(|limits| &mut limits.handles),
    },
    Key {
        key: "instances",
        reason: "Core instances inside one component; compositions of several languages have some dozens.",
        slot: Slot::Count(|limits| &mut limits.instances),
    },
    Key {
        key: "cpu-time",
        reason: "CPU time of one invocation. A command may run long; a function that loops has to free the processor.",
        slot: Slot::OptionalDuration(|limits| &mut limits.cpu_time),
    },
    Key {
        key: "wall-time",
        reason: "Wall time of one invocation, waiting included; about what clients and proxies in front of a function wait.",
        slot: Slot::OptionalDuration(|limits| &mut limits.wall_time),
    },
    Key {
        key: "fuel",
        reason: "Instructions of one invocation, for ends that must repeat exactly. Counting costs speed, so nothing is counted by default.",
        slot: Slot::OptionalCount(|limits| &mut limits.fuel),
    },
    Key {
        key: "request-body",
        reason: "Body of one request; more is answered with 413. Bodies stream, so this bounds work and not memory.",
        slot: Slot::Size(|limits| &mut limits.request_body),
    },
    Key {
        key: "headers",
        reason: "Header fields of one message that the guest makes; servers and proxies accept less.",
        slot: Slot::Size(|limits| &mut limits.headers),
    },
    Key {
        key: "call-bytes",
        reason: "What one call of the guest may hand to the host, or to another component, at once; larger data goes through streams. \
                 As it is held there: text as it is, and 40 bytes for each element of a list.",
        slot: Slot::Size(|limits| &mut limits.call_bytes),
    },
    Key {
        key: "weight",
        reason: "Share of the processors where components want more than there is: one with 200 gets twice what one with 100 \
                 gets, however many invocations either has. Where there is enough it changes nothing.",
        slot: Slot::Count(|limits| &mut limits.weight),
    },
    Key {
        key: "concurrency",
        reason: "Invocations of one component at one time.",
        slot: Slot::Count(|limits| &mut limits.concurrency),
    },
    Key {
        key: "queue",
        reason: "Requests that wait for a free invocation; more are answered with 503 at once. 0 lets none wait.",
        slot: Slot::CountOrZero(|limits| &mut limits.queue),
    },
    Key {
        key: "queue-wait",
        reason: "How long a request waits for a free invocation before it is answered with 503.",
        slot: Slot::Duration(|limits| &mut limits.queue_wait),
    },
    Key {
        key: "log-lines",
        reason: "Log lines of one invocation; more are dropped and counted.",
        slot: Slot::CountOrZero(|limits| &mut limits.log_lines),
    },
    Key {
        key: "log-line",
        reason: "Length of one log line; the rest of it is cut.",
        slot: Slot::Size(|limits| &mut limits.log_line),
    },
];

/// Limits that are the same for everything in one process, and therefore no key of a component.
pub fn fixed() -> Vec<KeyDoc> {
    vec![KeyDoc {
        key: "stack",
        kind: "size",
        default: Cow::Owned(format_size(STACK)),
        unit: "bytes",
        reason: "Wasm stack of one invocation: deep recursion in interpreters fits, and an endless one ends quickly. \
                 The engine fixes it for the whole process.",
    }]
}

impl Key {
    /// The limit with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        KEYS.iter().find(|known| known.key == key)
    }

    /// Reads `text` into `limits`.
    pub fn set(&self, limits: &mut Limits, text: &str) -> Result<(), SyntaxError> {
        match self.slot {
            Slot::Size(slot) => *slot(limits) = self.positive(parse_size(text)?)?,
            Slot::Count(slot) => *slot(limits) = self.small(self.positive(self.number(text)?)?)?,
            Slot::CountOrZero(slot) => *slot(limits) = self.small(self.number(text)?)?,
            Slot::Elements(slot) => *slot(limits) = self.positive(self.number(text)?)?,
            Slot::Duration(slot) => *slot(limits) = self.duration(text)?,
            Slot::OptionalDuration(slot) => {
                *slot(limits) = if text == NONE { None } else { Some(self.duration(text)?) };
            }
            Slot::OptionalCount(slot) => {
                *slot(limits) = if text == NONE { None } else { Some(self.positive(self.number(text)?)?) };
            }
        }
        Ok(())
    }

    /// The value in `limits`, as [`set`](Self::set) reads it.
    pub fn get(&self, limits: &Limits) -> String {
        let mut limits = limits.clone();
        let none = || NONE.to_owned();
        match self.slot {
            Slot::Size(slot) => format_size(*slot(&mut limits)),
            Slot::Count(slot) | Slot::CountOrZero(slot) => slot(&mut limits).to_string(),
            Slot::Elements(slot) => slot(&mut limits).to_string(),
            Slot::Duration(slot) => format_duration(*slot(&mut limits)),
            Slot::OptionalDuration(slot) => slot(&mut limits).map_or_else(none, format_duration),
            Slot::OptionalCount(slot) => slot(&mut limits).map_or_else(none, |count| count.to_string()),
        }
    }

    /// What the reference says of this limit.
    pub fn doc(&self) -> KeyDoc {
        let (http, command) = (self.get(&Limits::http()), self.get(&Limits::command()));
        let default = if http == command { http } else { format!("{http}; `coracle run`: {command}") };
        KeyDoc {
            key: self.key,
            kind: self.kind(),
            default: Cow::Owned(default),
            unit: self.unit(),
            reason: self.reason,
        }
    }

    /// The kind of value that this limit takes.
    pub fn kind(&self) -> &'static str {
        match self.slot {
            Slot::Size(_) => "size",
            Slot::Count(_) | Slot::CountOrZero(_) | Slot::Elements(_) | Slot::OptionalCount(_) => "count",
            Slot::Duration(_) | Slot::OptionalDuration(_) => "duration",
        }
    }

    fn unit(&self) -> &'static str {
        match self.slot {
            Slot::Size(_) => "number with B, KiB, MiB, GiB, kB, MB or GB",
            Slot::Count(_) | Slot::CountOrZero(_) | Slot::Elements(_) => "whole number",
            Slot::OptionalCount(_) => "whole number, or none",
            Slot::Duration(_) => "number with us, ms, s, m or h",
            Slot::OptionalDuration(_) => "number with us, ms, s, m or h, or none",
        }
    }

    fn duration(&self, text: &str) -> Result<Duration, SyntaxError> {
        let duration = parse_duration(text)?;
        if duration.is_zero() { Err(self.zero()) } else { Ok(duration) }
    }

    fn number(&self, text: &str) -> Result<u64, SyntaxError> {
        let least = if matches!(self.slot, Slot::CountOrZero(_)) { 0 } else { 1 };
        let wrong =
            |_| SyntaxError::new(format!("`{}` takes a whole number from {least}, and {text:?} is not one", self.key));
        text.trim().parse().map_err(wrong)
    }

    fn small(&self, value: u64) -> Result<u32, SyntaxError> {
        u32::try_from(value).map_err(|_| SyntaxError::new(format!("`{}` is at most {}", self.key, u32::MAX)))
    }

    fn positive(&self, value: u64) -> Result<u64, SyntaxError> {
        if value == 0 { Err(self.zero()) } else { Ok(value) }
    }

    fn zero(&self) -> SyntaxError {
        SyntaxError::new(format!("`{}` cannot be 0", self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, text: &str) -> Result<Limits, SyntaxError> {
        let mut limits = Limits::http();
        Key::find(key).unwrap().set(&mut limits, text)?;
        Ok(limits)
    }

    #[test]
    fn every_limit_has_a_key() {
        let mut all = Limits::http();
        for key in KEYS {
            let text = match key.kind() {
                "size" => "7 kB",
                "duration" => "7ms",
                _ => "7",
            };
            key.set(&mut all, text).unwrap();
            assert_eq!(key.get(&all), text);
        }
        let time = Duration::from_millis(7);
        let expected = Limits {
            memory: 7_000,
            host_memory: 7_000,
            table_elements: 7,
            stack: STACK,
            handles: 7,
            instances: 7,
            cpu_time: Some(time),
            wall_time: Some(time),
            fuel: Some(7),
            request_body: 7_000,
            headers: 7_000,
            call_bytes: 7_000,
            weight: 7,
            concurrency: 7,
            queue: 7,
            queue_wait: time,
            log_lines: 7,
            log_line: 7_000,
        };
        assert_eq!(all, expected, "a new limit needs an entry in KEYS, or in fixed()");
    }

    #[test]
    fn every_default_reads_as_itself() {
        for limits in [Limits::http(), Limits::command()] {
            let mut read = Limits::http();
            KEYS.iter().for_each(|key| key.set(&mut read, &key.get(&limits)).unwrap());
            assert_eq!(read, limits);
        }
    }

    #[test]
    fn only_what_may_be_unbounded_takes_none() {
        assert_eq!(set("wall-time", "none").unwrap().wall_time, None);
        assert_eq!(set("fuel", "none").unwrap().fuel, None);
        assert!(set("memory", "none").is_err());
        assert!(set("queue-wait", "none").is_err());
    }

    #[test]
    fn nothing_but_a_queue_can_be_zero() {
        let message = |key, text| set(key, text).unwrap_err().message;
        assert_eq!(message("memory", "0 B"), "`memory` cannot be 0");
        assert_eq!(message("cpu-time", "0s"), "`cpu-time` cannot be 0");
        assert_eq!(message("concurrency", "0"), "`concurrency` cannot be 0");
        assert_eq!(message("fuel", "0"), "`fuel` cannot be 0");
        assert_eq!(set("queue", "0").unwrap().queue, 0);
        assert_eq!(set("log-lines", "0").unwrap().log_lines, 0);
    }

    #[test]
    fn counts_are_whole_numbers() {
        assert_eq!(
            set("handles", "ten").unwrap_err().message,
            "`handles` takes a whole number from 1, and \"ten\" is not one"
        );
        assert_eq!(set("queue", "4294967296").unwrap_err().message, "`queue` is at most 4294967295");
    }
}
