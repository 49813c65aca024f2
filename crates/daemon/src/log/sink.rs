//! Where log lines go, without making anybody wait.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of log lines that wait to be written. Whoever reads the log and stalls costs this much memory and then lines,
/// but never an answer.
pub const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;

/// Where log lines go. Clones are the same.
#[derive(Clone, Debug)]
pub struct Sink(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Direct,
    Queue(Queue),
}

#[derive(Clone, Debug)]
struct Queue {
    lines: Sender<Message>,
    queued: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// Answers when everything before it is written.
    Flush(Sender<()>),
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
        let (lines, receiver) = channel();
        let queue = Queue { lines, queued: Arc::default(), dropped: Arc::default() };
        let (queued, dropped) = (Arc::clone(&queue.queued), Arc::clone(&queue.dropped));
        thread::Builder::new().name("log".to_owned()).spawn(move || write(to, &receiver, &queued, &dropped))?;
        Ok(Sink(Kind::Queue(queue)))
    }

    /// How many lines were dropped because the queue was full or could not be written.
    pub fn dropped(&self) -> u64 {
        match &self.0 {
            Kind::Direct => 0,
            Kind::Queue(queue) => queue.dropped.load(Ordering::Relaxed),
        }
    }

    /// Waits until everything that was logged so far is written.
    pub fn flush(&self) {
        if let Kind::Queue(queue) = &self.0 {
            let (done, wait) = channel();
            if queue.lines.send(Message::Flush(done)).is_ok() {
                // The thread answers, or has ended and there is nothing to wait for.
                let _ended = wait.recv();
            }
        }
    }
}

/// Writes what comes, and flushes when there is nothing more for now.
fn write(to: impl Write, messages: &Receiver<Message>, queued: &AtomicUsize, dropped: &AtomicU64) {
    let mut to = io::BufWriter::new(to);
    while let Ok(first) = messages.recv() {
        for message in std::iter::once(first).chain(messages.try_iter()) {
            match message {
                Message::Line(line) => {
                    if to.write_all(&line).is_err() {
                        dropped.fetch_add(1, Ordering::Relaxed);
                    }
                    queued.fetch_sub(line.len(), Ordering::Relaxed);
                }
                Message::Flush(done) => {
                    count(to.flush(), dropped);
                    let _gone = done.send(());
                }
            }
        }
        count(to.flush(), dropped);
    }
}

/// There is nowhere to tell that the log cannot be written but its own count.
fn count(result: io::Result<()>, dropped: &AtomicU64) {
    if result.is_err() {
        dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes one formatted event at a time.
impl Write for &Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Direct => io::stderr().lock().write(line),
            Kind::Queue(queue) => {
                let before = queue.queued.fetch_add(line.len(), Ordering::Relaxed);
                let fits = before + line.len() <= MAX_QUEUED_BYTES;
                if !fits || queue.lines.send(Message::Line(line.to_vec())).is_err() {
                    queue.queued.fetch_sub(line.len(), Ordering::Relaxed);
                    queue.dropped.fetch_add(1, Ordering::Relaxed);
                }
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
        struct Stalled(Receiver<()>);
        impl Write for Stalled {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _told = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (go, wait) = channel();
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
