//! When to look, and what to make of what is seen.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::Component;

use super::{Due, memory, ranges};
use crate::engine::Engine;

/// The ranges of written pages that a memory is brought to. The engine restores 32 (`MAX_REGIONS` of its `pagemap.rs`).
///
/// Reason: a call may write in some more places than those before it did.
const RANGES: usize = 28;

/// The least memory of a guest that is looked at, in bytes.
///
/// Reason: smaller guests write little, and a look takes longer than they do.
const LARGE: u64 = 2 << 20;

/// How far into a memory is looked, in bytes.
///
/// Reason: more than is kept for an idle place lies behind it only in guests for which this is not worth while.
const DEPTH: usize = 64 << 20;

/// The time between two looks after one that found something.
///
/// Reason: a server under load has its places warm within a second.
const OFTEN: Duration = Duration::from_millis(100);

/// The longest time between two looks of a function that is called; it doubles up to this while nothing new is found.
///
/// Reason: so long a place that is used for the first time may stay cold.
const SELDOM: Duration = Duration::from_secs(10);

/// A look is followed by so many times what it took without one, at any component of the engine.
///
/// Reason: looking takes a hundredth of a processor at most.
const PAUSE: u32 = 100;

/// How long a call that has ended waits for the look, which goes on without it.
///
/// Reason: many times what a look takes that is begun at once.
const WAIT: Duration = Duration::from_millis(100);

/// The places that instances of one component have, or had.
pub(crate) struct Places {
    /// An address in its code. The memories' first content is mapped from the same file.
    code: usize,
    /// The pages that may stay in one place.
    most: usize,
    due: Due,
    /// Of all components of the engine.
    engine: Arc<Due>,
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
        Some(Arc::new(Self { code, most, due: Due::default(), engine: Arc::clone(engine.looks()), seen }))
    }

    /// Looks, if it is time, at what was written by an instance that holds `bytes` and is about to go.
    pub(crate) async fn tend(self: &Arc<Self>, bytes: u64) {
        if bytes < LARGE || !self.due.begin() {
            return;
        }
        if !self.engine.begin() {
            return self.due.after(OFTEN);
        }
        let places = Arc::clone(self);
        // Not in the guest's own time.
        let look = tokio::task::spawn_blocking(move || places.look());
        if let Ok(Err(error)) = tokio::time::timeout(WAIT, look).await {
            tracing::debug!(%error, "nobody looked at what a guest has written");
        }
    }

    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let changed = seen.look(self).unwrap_or_else(|error| {
            tracing::debug!(%error, "what a guest has written cannot be looked at");
            false
        });
        seen.pause = if changed { OFTEN } else { SELDOM.min(seen.pause * 2) };
        self.due.after(seen.pause);
        self.engine.after(began.elapsed() * PAUSE);
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
            let both = ranges::union(&written, &wanted);
            if both == written || ranges::pages(&both) > places.most {
                continue;
            }
            changed = true;
            if let Err(error) = wanted.into_iter().try_for_each(|pages| place.make_own(pages)) {
                tracing::debug!(%error, "a place has gone before it was warm");
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
        if ranges::pages(&joined) <= most {
            self.wanted.insert(content, joined);
        }
    }
}
