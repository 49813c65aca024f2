//! When to look, and what to make of what is seen.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::Component;

use super::{memory, ranges};
use crate::engine::Engine;

/// The ranges of written pages that a memory is brought to. The engine restores 32 (`MAX_REGIONS` of its `pagemap.rs`).
///
/// Reason: a call may write in some more places than those before it did.
const RANGES: usize = 28;

/// The least memory of a guest that is looked at, in bytes.
///
/// Reason: smaller guests write less than fits into so many ranges, and a look takes longer than they do.
const LARGE: u64 = 2 << 20;

/// How far into a memory is looked, in bytes.
///
/// Reason: more than is kept for an idle place lies behind it only in guests for which this is not worth while.
const DEPTH: usize = 64 << 20;

/// The time between two looks after one that found something.
///
/// Reason: a hundred times what one takes; a server under load then has its places warm within a second.
const OFTEN: Duration = Duration::from_millis(100);

/// The longest time between two looks of a function that is called; it doubles up to this while nothing new is found.
///
/// Reason: so long a place that is used for the first time may stay cold.
const SELDOM: Duration = Duration::from_secs(10);

/// A look is followed by so many times what it took without one.
///
/// Reason: looking takes a hundredth of a processor at most.
const PART: u32 = 100;

/// The places that instances of one component have, or had.
pub(crate) struct Places {
    /// An address in its code. The memories' first content is mapped from the same file.
    code: usize,
    /// The pages that may stay in one place.
    most: usize,
    made: Instant,
    /// When the next look is due, in milliseconds since `made`.
    due: AtomicU64,
    seen: Mutex<Seen>,
}

/// What looking has shown.
struct Seen {
    pause: Duration,
    /// The pages to be kept in each place, by where the content of its memory begins in the file.
    wanted: BTreeMap<u64, Vec<Range<usize>>>,
}

impl Places {
    /// Of the instances of `component`; none where the engine keeps none, or the kernel does not tell what was written.
    pub(crate) fn of(engine: &Engine, component: &Component) -> Option<Arc<Self>> {
        let most = engine.kept_written()? / memory::page();
        let seen = Mutex::new(Seen { pause: OFTEN, wanted: BTreeMap::new() });
        let code = component.image_range().start.addr();
        Some(Arc::new(Self { code, most, made: Instant::now(), due: AtomicU64::new(0), seen }))
    }

    /// Looks, if it is time, at what was written by an instance that holds `bytes` and is about to go.
    pub(crate) async fn tend(self: &Arc<Self>, bytes: u64) {
        if bytes < LARGE || !self.is_due() {
            return;
        }
        let places = Arc::clone(self);
        // Not in the guest's own time.
        if let Err(error) = tokio::task::spawn_blocking(move || places.look()).await {
            tracing::debug!(%error, "nobody looked at what a guest has written");
        }
    }

    /// Whether it is time to look, which is said to one at a time.
    fn is_due(&self) -> bool {
        let due = self.due.load(Relaxed);
        self.now() >= due && self.due.compare_exchange(due, u64::MAX, Relaxed, Relaxed).is_ok()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let changed = seen.look(self).unwrap_or_else(|error| {
            tracing::debug!(%error, "what a guest has written cannot be looked at");
            false
        });
        seen.pause = if changed { OFTEN } else { SELDOM.min(seen.pause * 2) };
        let pause = seen.pause.max(began.elapsed() * PART);
        self.due.store(self.now() + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl Seen {
    /// Whether there was something to do.
    fn look(&mut self, places: &Places) -> std::io::Result<bool> {
        let found = memory::find(places.code)?;
        let written = found.iter().map(|place| place.written(DEPTH)).collect::<Result<Vec<_>, _>>()?;
        for (place, written) in found.iter().zip(&written) {
            self.learn(place.content, written, places.most);
        }
        let mut changed = false;
        for (place, written) in found.iter().zip(written) {
            let Some(wanted) = self.wanted.get(&place.content) else { continue };
            let wanted = ranges::before(wanted, place.pages());
            if ranges::union(&written, &wanted) != written {
                wanted.into_iter().try_for_each(|pages| place.make_own(pages))?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Takes note of what was `written`. What is then too much, or few ranges as it is, is left as it is.
    fn learn(&mut self, content: u64, written: &[Range<usize>], most: usize) {
        let known = self.wanted.get(&content).map_or(&[][..], Vec::as_slice);
        let all = ranges::union(known, written);
        if all.len() <= RANGES && known.is_empty() {
            return;
        }
        let joined = ranges::join(all, RANGES);
        if joined.iter().map(Range::len).sum::<usize>() <= most {
            self.wanted.insert(content, joined);
        }
    }
}
