//! Where log lines go, without making anybody wait.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of log lines that wait to be written. Whoever reads the log and stalls costs this much memory and then lines,
/// but never an answer.
pub const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;

/// How long lines are gathered after some were written.
///
/// Reason: to wake a thread costs more than to format a line; a server that answers ten thousand requests a second then
/// wakes it two hundred times and not ten thousand, and a reader sees a line as soon as before.
const PAUSE: Duration = Duration::from_millis(5);

/// Where log lines go. Clones are the same.
#[derive(Clone, Debug)]
pub struct Sink(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Direct,
    Queue(Arc<Queue>),
}

/// Lines on their way to a thread that writes them. It ends when this is dropped, with everything written.
#[derive(Debug)]
struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when there is something to write after there was nothing, and when somebody waits for it.
    wanted: Condvar,
    /// Told when something was written.
    done: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: Lines,
    /// Bytes that the thread has taken and not yet written.
    in_hand: usize,
    /// Bytes accepted and bytes written since the beginning.
    accepted: u64,
    written: u64,
    /// Whether somebody waits until all is written.
    flush: bool,
    /// Whether the thread sleeps until it is woken.
    asleep: bool,
    closed: bool,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

impl Sink {
    /// Straight to standard error: for programs that end soon, and where lines must not be lost when they do.
    pub fn direct() -> Sink {
        Sink(Kind::Direct)
    }

    /// To standard error by way of a bounded queue and a thread: for servers. Call [`Sink::flush`] before the end.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn queued() -> io::Result<Sink> {
        Sink::queued_to(io::stderr())
    }

    fn queued_to(to: impl Write + Send + 'static) -> io::Result<Sink> {
        let shared = Arc::new(Shared::default());
        let queue = Queue(Arc::clone(&shared));
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_to(to))?;
        Ok(Sink(Kind::Queue(Arc::new(queue))))
    }

    /// How many lines were dropped because the queue was full or could not be written.
    pub fn dropped(&self) -> u64 {
        match &self.0 {
            Kind::Direct => 0,
            Kind::Queue(queue) => queue.0.dropped.load(Ordering::Relaxed),
        }
    }

    /// Waits until everything that was logged so far is written.
    pub fn flush(&self) {
        if let Kind::Queue(queue) = &self.0 {
            queue.0.flush();
        }
    }
}

impl Shared {
    /// Takes a line, or drops it where too much waits already.
    fn accept(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.bytes.len() + state.in_hand + line.len() > MAX_QUEUED_BYTES {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.bytes.extend_from_slice(line);
        state.waiting.count += 1;
        state.accepted += line.len() as u64;
        if std::mem::take(&mut state.asleep) {
            self.wanted.notify_one();
        }
    }

    fn flush(&self) {
        let mut state = self.lock();
        let all = state.accepted;
        while state.written < all {
            state.flush = true;
            state.asleep = false;
            self.wanted.notify_one();
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes what comes until the queue is closed.
    fn write_to(&self, mut to: impl Write) {
        let mut lines = Lines::default();
        while self.take(&mut lines) {
            if to.write_all(&lines.bytes).and_then(|()| to.flush()).is_err() {
                // There is nowhere to tell that the log cannot be written but its own count.
                self.dropped.fetch_add(lines.count, Ordering::Relaxed);
            }
            self.written(&mut lines);
        }
    }

    /// Waits for lines and takes them all. None are left and none will come when it says so.
    fn take(&self, lines: &mut Lines) -> bool {
        let mut state = self.lock();
        while state.waiting.bytes.is_empty() {
            if state.closed {
                return false;
            }
            state.asleep = true;
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        std::mem::swap(lines, &mut state.waiting);
        state.in_hand = lines.bytes.len();
        true
    }

    /// Tells who waits that `lines` are written, empties them, and lets more gather unless somebody waits.
    fn written(&self, lines: &mut Lines) {
        let mut state = self.lock();
        state.in_hand = 0;
        state.written += lines.bytes.len() as u64;
        state.flush &= state.written < state.accepted;
        self.done.notify_all();
        lines.bytes.clear();
        lines.count = 0;
        let hurried = |state: &mut State| !state.flush && !state.closed;
        drop(self.wanted.wait_timeout_while(state, PAUSE, hurried).unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wanted.notify_one();
    }
}

/// Takes one formatted event at a time.
impl Write for &Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Direct => io::stderr().lock().write(line),
            Kind::Queue(queue) => {
                queue.0.accept(line);
                Ok(line.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = &'a Sink;

    fn make_writer(&'a self) -> &'a Sink {
        self
    }
}

/// What a test's sink wrote.
#[cfg(test)]
#[derive(Clone, Default)]
pub(super) struct Written(Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Written {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Sink {
    pub(super) fn to_memory() -> (Sink, Written) {
        let written = Written::default();
        (Sink::queued_to(written.clone()).unwrap(), written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_order_and_flush_waits_for_them() {
        let (sink, written) = Sink::to_memory();
        for number in 0..1000 {
            writeln!(&sink, "{number}").unwrap();
        }
        sink.flush();
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(written.text(), expected);
        assert_eq!(sink.dropped(), 0);
    }

    #[test]
    fn a_stalled_reader_costs_lines_and_no_waiting() {
        /// Writes nothing until it is told to.
        struct Stalled(std::sync::mpsc::Receiver<()>);
        impl Write for Stalled {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _told = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (go, wait) = std::sync::mpsc::channel();
        let sink = Sink::queued_to(Stalled(wait)).unwrap();
        let line = vec![b'x'; MAX_QUEUED_BYTES / 4];
        for _ in 0..10 {
            (&sink).write_all(&line).unwrap();
        }
        assert!((5..=6).contains(&sink.dropped()), "{}", sink.dropped());
        drop(go);
        sink.flush();
        (&sink).write_all(&line).unwrap();
        assert!(sink.dropped() <= 6);
    }
}
