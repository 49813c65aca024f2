//! Whose turn it is: processor time shared among components, by weight.
//!
//! At most as many guests run at one time as there are processors: each that runs has a slot. A guest that finds none free
//! waits, in the order in which those of its component came, but that those which have begun and used little are before those
//! which have not: under load few instances are then held at one time, and not one for each that waits. A slot that comes free goes to the component that has had the
//! least CPU time for its weight among those that wait (start-time fair queueing: Goyal, Vin, Cheng, "Start-time Fair Queuing",
//! SIGCOMM 1996). So it does not matter how many guests a component has.
//!
//! A guest that a tick interrupts keeps its slot until its thread has looked for input, and asks again then: what came
//! meanwhile is compared with it, and a guest that yields is never taken for one that rests. One that waits for something
//! else than a processor holds no slot. A component that rested goes on level with the one that was served last: rest is
//! no credit. While slots are free nobody waits, and a poll costs two short locks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The weight at which virtual time is CPU time.
const UNIT_WEIGHT: u64 = 100;

/// CPU time that a guest has used when it goes behind those that have not begun.
///
/// Reason: most functions need less, so that they end before others begin; one that needs more keeps nobody out.
const LITTLE: Duration = Duration::from_millis(5);

/// Everybody who wants a turn on the guests of one engine.
pub(crate) struct Turns {
    /// How many guests run at one time at the most.
    slots: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Slots that nobody has.
    free: usize,
    /// The virtual time of the component that was given a slot last.
    now: u64,
    /// The last number that was given to somebody who waits.
    number: u64,
    components: Vec<Component>,
    /// Places in `components` that nobody has.
    vacant: Vec<usize>,
    /// The components of which somebody waits, by virtual time.
    ready: BTreeSet<(u64, usize)>,
}

/// One component.
struct Component {
    weight: u64,
    /// Its virtual time: the CPU time that it has had, in nanoseconds, by weight.
    time: u64,
    /// Slots that its guests have.
    slots: usize,
    /// Who waits, the next first.
    waiting: BTreeMap<Ticket, Waker>,
}

/// A place in the queue of a component.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    rank: Rank,
    number: u64,
}

/// Who goes first among the guests of a component.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// One that has begun, and used less than [`LITTLE`].
    Begun,
    /// One that has not begun, or has used more.
    Other,
}

impl Turns {
    /// With so many slots.
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        let slots = slots.max(1);
        let state = State { free: slots, ..State::default() };
        Arc::new(Self { slots, state: Mutex::new(state) })
    }

    /// How many guests run at one time at the most.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Enters a component.
    pub(crate) fn share(self: &Arc<Self>, weight: u32) -> Arc<Share> {
        let mut state = self.lock();
        let component = Component { weight: weight.max(1).into(), time: 0, slots: 0, waiting: BTreeMap::new() };
        let place = match state.vacant.pop() {
            Some(place) => {
                state.components[place] = component;
                place
            }
            None => {
                state.components.push(component);
                state.components.len() - 1
            }
        };
        Arc::new(Share { turns: Arc::clone(self), place })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Charges a component, and puts it where it then belongs among those that wait.
    fn charge(&mut self, place: usize, nanoseconds: u64) {
        let component = &mut self.components[place];
        let before = component.time;
        component.time = before.saturating_add(nanoseconds.saturating_mul(UNIT_WEIGHT) / component.weight);
        if self.ready.remove(&(before, place)) {
            self.ready.insert((component.time, place));
        }
    }

    /// Takes a free slot for a guest of the component at `place`, if there is one.
    fn take(&mut self, place: usize) -> bool {
        let component = &mut self.components[place];
        if component.slots == 0 && component.waiting.is_empty() {
            component.time = component.time.max(self.now);
        }
        if self.free == 0 {
            return false;
        }
        self.free -= 1;
        self.occupy(place);
        true
    }

    fn occupy(&mut self, place: usize) {
        let component = &mut self.components[place];
        component.slots += 1;
        self.now = self.now.max(component.time);
    }

    /// Puts a guest behind those of its component and rank that wait, and returns its place there.
    fn enqueue(&mut self, place: usize, rank: Rank, waker: &Waker) -> Ticket {
        self.number += 1;
        let ticket = Ticket { rank, number: self.number };
        let component = &mut self.components[place];
        component.waiting.insert(ticket, waker.clone());
        self.ready.insert((component.time, place));
        ticket
    }

    /// The guest with this ticket waits no longer. Nothing when it did not: it was given a slot.
    fn dequeue(&mut self, place: usize, ticket: Ticket) -> Option<Waker> {
        let component = &mut self.components[place];
        let left = component.waiting.remove(&ticket);
        if component.waiting.is_empty() {
            self.ready.remove(&(component.time, place));
        }
        left
    }

    /// Whether one that waits has its turn before a guest of the component at `place` that could go on.
    fn somebody_precedes(&self, place: usize, rank: Rank) -> bool {
        let component = &self.components[place];
        match self.ready.first() {
            // Guests of one rank take turns.
            Some((_, next)) if *next == place => {
                component.waiting.keys().next().is_some_and(|first| first.rank <= rank)
            }
            Some((time, _)) => *time <= component.time,
            None => false,
        }
    }

    /// Gives a slot up, and to whoever is next; returns whom to wake.
    fn release(&mut self, place: usize) -> Option<Waker> {
        self.components[place].slots -= 1;
        let Some((_, next)) = self.ready.first().copied() else {
            self.free += 1;
            return None;
        };
        self.occupy(next);
        let first = self.components[next].waiting.first_key_value().map(|(ticket, _)| *ticket);
        first.and_then(|ticket| self.dequeue(next, ticket))
    }
}

/// One component among those that share the processors.
pub(crate) struct Share {
    turns: Arc<Turns>,
    place: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        // Nobody is left who waits: everyone who does holds the share.
        self.turns.lock().vacant.push(self.place);
    }
}

/// One guest that wants turns.
pub(crate) struct Turn {
    share: Arc<Share>,
    standing: Standing,
    /// CPU time that it has used, in nanoseconds.
    used: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Wants nothing.
    Away,
    /// Waits with this ticket, or has been given a slot and does not know it yet.
    Waiting(Ticket),
    /// Has a slot, and runs.
    Running,
    /// Has a slot, and was interrupted.
    Interrupted,
}

impl Turn {
    pub(crate) fn new(share: Arc<Share>) -> Self {
        Self { share, standing: Standing::Away, used: 0 }
    }

    /// Begins a turn, or waits for it. Every turn that was begun has to be ended.
    pub(crate) fn poll_begin(&mut self, context: &Context<'_>) -> Poll<()> {
        let place = self.share.place;
        let little = (1..LITTLE.as_nanos()).contains(&self.used.into());
        let rank = if little { Rank::Begun } else { Rank::Other };
        let mut state = self.share.turns.lock();
        let mut next = None;
        self.standing = match self.standing {
            Standing::Running => Standing::Running,
            Standing::Away if state.take(place) => Standing::Running,
            Standing::Away => Standing::Waiting(state.enqueue(place, rank, context.waker())),
            Standing::Interrupted if state.somebody_precedes(place, rank) => {
                let ticket = state.enqueue(place, rank, context.waker());
                next = state.release(place);
                Standing::Waiting(ticket)
            }
            Standing::Interrupted => {
                state.now = state.now.max(state.components[place].time);
                Standing::Running
            }
            Standing::Waiting(ticket) => match state.components[place].waiting.get_mut(&ticket) {
                Some(waker) => {
                    waker.clone_from(context.waker());
                    Standing::Waiting(ticket)
                }
                None => Standing::Running,
            },
        };
        drop(state);
        wake(next);
        if self.standing == Standing::Running { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends a turn that took `nanoseconds` of CPU time. A guest that was `interrupted` wants another one.
    pub(crate) fn end(&mut self, nanoseconds: u64, interrupted: bool) {
        let place = self.share.place;
        // A clock that did not move in a short turn does not make it one that has not begun.
        self.used = self.used.saturating_add(nanoseconds.max(1));
        let mut state = self.share.turns.lock();
        state.charge(place, nanoseconds);
        let mut next = None;
        if self.standing == Standing::Running {
            self.standing = if interrupted {
                Standing::Interrupted
            } else {
                next = state.release(place);
                Standing::Away
            };
        }
        drop(state);
        wake(next);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.standing == Standing::Away {
            return;
        }
        let place = self.share.place;
        let mut state = self.share.turns.lock();
        let left = match self.standing {
            Standing::Waiting(ticket) => state.dequeue(place, ticket),
            _ => None,
        };
        // One that still waited had no slot.
        let next = if left.is_some() { None } else { state.release(place) };
        drop(state);
        wake(next);
    }
}

/// Outside of the lock: a waker may run anything.
fn wake(next: Option<Waker>) {
    if let Some(next) = next {
        next.wake();
    }
}

#[cfg(test)]
mod tests;
