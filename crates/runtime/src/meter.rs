//! What one invocation uses, and where that ends: CPU time, wall time and memory.
//!
//! The engine's epoch advances every [`TICK`] while anything runs. At each tick a running guest is asked here whether it
//! may go on; if it may, it also yields its thread and waits for its turn, so that a guest in a loop never holds one from
//! others.
//! CPU time is the thread's own clock, read when a guest's future is entered and left, so that waiting costs nothing.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use coracle_package::limit::Limits;
use wasmtime::UpdateDeadline;

pub(crate) use crate::clock::thread_time;
use crate::current::Current;
use crate::turn::{Share, Turn};

/// How often a running guest is interrupted to be checked and to yield.
///
/// A neighbour of guests that loop waits for two or three of them at the worst. At 2 ms that is half of what it is at 5, and a
/// running guest loses some microseconds of them.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// How many epochs a guest runs between two checks.
pub(crate) const EPOCHS_PER_SLICE: u64 = 1;

/// The counters of one invocation, shared between its future, its store and whoever reports on it.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    cpu_limit: u64,
    wall_limit: Option<Duration>,
    /// Nanoseconds used in finished polls.
    cpu_spent: AtomicU64,
    /// What it came to, in nanoseconds, where it has ended and its instance may go on; 0 before.
    cpu_settled: AtomicU64,
    /// The thread's clock when the poll under way began; 0 between polls.
    poll_began: AtomicU64,
    /// Among how many invocations the poll under way is shared.
    share: AtomicU64,
    memory_peak: AtomicU64,
    memory_denied: AtomicBool,
    /// Whether a tick has come in the poll under way.
    interrupted: AtomicBool,
}

/// Why the meter stopped a guest. Raised inside the guest as its trap, and found again by `trap::classify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exhausted {
    #[error("the guest used up its CPU time")]
    Cpu,
    #[error("the guest took longer than its wall time")]
    Wall,
    #[error("the host keeps too much for the guest: header fields, requests, open streams")]
    Buffers,
}

/// Raised in place of the guest's own end when the host panicked; the panic has been reported where it happened.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the host panicked")]
pub(crate) struct HostPanicked;

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            started: Instant::now(),
            cpu_limit: limits.cpu_time.map_or(u64::MAX, nanoseconds),
            wall_limit: limits.wall_time,
            cpu_spent: AtomicU64::new(0),
            cpu_settled: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            share: AtomicU64::new(1),
            memory_peak: AtomicU64::new(0),
            memory_denied: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
        }
    }

    /// Wall time since the invocation began.
    pub(crate) fn wall(&self) -> Duration {
        self.started.elapsed()
    }

    /// CPU time used so far, or until it was settled.
    pub(crate) fn cpu(&self) -> Duration {
        match self.cpu_settled.load(Relaxed) {
            0 => Duration::from_nanos(self.cpu_nanoseconds()),
            settled => Duration::from_nanos(settled),
        }
    }

    /// The invocation has ended, between two polls or outside of any: what its instance uses from now on counts against its
    /// limit, and is not told as its own.
    pub(crate) fn settle(&self) {
        self.cpu_settled.store(self.cpu_spent.load(Relaxed).max(1), Relaxed);
    }

    fn cpu_nanoseconds(&self) -> u64 {
        let running = match self.poll_began.load(Relaxed) {
            0 => 0,
            began => self.part(began, thread_time()),
        };
        self.cpu_spent.load(Relaxed).saturating_add(running)
    }

    /// A poll begins, whose time is shared among `share` invocations.
    pub(crate) fn enter(&self, now: u64, share: u64) {
        self.share.store(share.max(1), Relaxed);
        self.poll_began.store(now, Relaxed);
    }

    /// The poll ends; the invocation is charged its part.
    pub(crate) fn leave(&self, now: u64) {
        match self.poll_began.swap(0, Relaxed) {
            0 => {}
            began => _ = self.cpu_spent.fetch_add(self.part(began, now), Relaxed),
        }
    }

    fn part(&self, began: u64, now: u64) -> u64 {
        now.saturating_sub(began) / self.share.load(Relaxed)
    }

    /// So much memory is held now, in bytes.
    pub(crate) fn note_memory(&self, bytes: u64) {
        self.memory_peak.fetch_max(bytes, Relaxed);
    }

    /// More memory was wanted, and denied.
    pub(crate) fn note_denied(&self) {
        self.memory_denied.store(true, Relaxed);
    }

    /// The most memory held at one time, in bytes: linear memories, heaps and tables, and what was on its way to and from other
    /// components.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.memory_peak.load(Relaxed)
    }

    /// Whether more was denied at any time.
    pub(crate) fn memory_denied(&self) -> bool {
        self.memory_denied.load(Relaxed)
    }

    /// When the invocation must have ended.
    pub(crate) fn wall_deadline(&self) -> Option<Instant> {
        self.wall_limit.and_then(|limit| self.started.checked_add(limit))
    }

    /// Asked at every tick of a running guest.
    pub(crate) fn check(&self) -> Result<(), Exhausted> {
        if self.cpu_nanoseconds() >= self.cpu_limit {
            return Err(Exhausted::Cpu);
        }
        if self.is_late() {
            return Err(Exhausted::Wall);
        }
        self.interrupt();
        Ok(())
    }

    /// A tick has come.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Relaxed);
    }

    /// Whether the wall time is over.
    pub(crate) fn is_late(&self) -> bool {
        self.wall_limit.is_some_and(|limit| self.wall() >= limit)
    }

    /// Whether a tick has come that nobody has taken note of.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }

    /// Whether a tick has come since this was asked before.
    pub(crate) fn take_interrupted(&self) -> bool {
        self.interrupted.swap(false, Relaxed)
    }
}

/// What a guest that may go on does at a tick: it lets others run.
pub(crate) fn go_on() -> UpdateDeadline {
    // A plain yield would go to the end of the thread's queue, and the thread looks for input only once in some dozens
    // of polls: with guests that run for a slice each, once in hundreds of milliseconds. This one goes on after the
    // thread has looked.
    UpdateDeadline::YieldCustom(EPOCHS_PER_SLICE, Box::pin(tokio::task::yield_now()))
}

/// Polls `future` when it is its turn, charges the CPU time of each poll to those it works for, and ends them alone when the
/// host panics in it: the output is then `None`.
pub(crate) struct Metered<F> {
    current: Arc<Current>,
    turn: Option<Turn>,
    /// Whether a tick came in the poll before.
    interrupted: bool,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Metered<F> {
    /// A guest that has the process to itself, or runs in the turns of the one that calls it.
    pub(crate) fn alone(current: Arc<Current>, future: F) -> Self {
        Self { current, turn: None, interrupted: false, future: Some(Box::pin(future)) }
    }

    /// A guest of a component that has this share of the processors.
    pub(crate) fn sharing(current: Arc<Current>, share: &Arc<Share>, future: F) -> Self {
        Self { turn: Some(Turn::new(Arc::clone(share))), ..Self::alone(current, future) }
    }

    /// Whether a tick came in the poll before.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupted
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = &mut *self;
        let Some(future) = &mut this.future else { return Poll::Ready(None) };
        if let Some(turn) = &mut this.turn
            && turn.poll_begin(context).is_pending()
            // One whose time is over has only to end, and need not wait for that.
            && !this.current.is_late()
        {
            return Poll::Pending;
        }
        let began = this.current.enter();
        // What a panic leaves half done is the guest's own state, and that is dropped next.
        let result = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        let (ended, interrupted) = this.current.leave();
        this.interrupted = interrupted;
        if let Some(turn) = &mut this.turn {
            turn.end(ended.saturating_sub(began), interrupted && matches!(result, Ok(Poll::Pending)));
        }
        match result {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => {
                this.turn = None;
                Poll::Ready(Some(output))
            }
            Err(_) => {
                this.current.each(|invocation| invocation.note_panic());
                (this.future, this.turn) = (None, None);
                Poll::Ready(None)
            }
        }
    }
}

/// Completes at `deadline`; never, without one.
pub(crate) async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
