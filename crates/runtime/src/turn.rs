//! Whose turn it is: processor time shared among components, by weight.
//!
//! At most as many guests run at one time as there are processors: each that runs has a slot. A guest that finds none free
//! waits, in the order in which those of its component came; and a slot that comes free goes to the component that has had the
//! least CPU time for its weight among those that wait (start-time fair queueing: Goyal, Vin, Cheng, "Start-time Fair Queuing",
//! SIGCOMM 1996). So it does not matter how many guests a component has.
//!
//! A guest that a tick interrupts keeps its slot until its thread has looked for input, and asks again then: what came
//! meanwhile is compared with it, and a guest that yields is never taken for one that rests. One that waits for something
//! else than a processor holds no slot. A component that rested goes on level with the one that was served last: rest is
//! no credit. While slots are free nobody waits, and a poll costs two short locks.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The weight at which virtual time is CPU time.
const UNIT_WEIGHT: u64 = 100;

/// Everybody who wants a turn on the guests of one engine.
pub(crate) struct Turns {
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
    /// Who waits, by number, the first first.
    waiting: VecDeque<(u64, Waker)>,
}

impl Turns {
    /// With so many slots.
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        let state = State { free: slots.max(1), ..State::default() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Enters a component.
    pub(crate) fn share(self: &Arc<Self>, weight: u32) -> Arc<Share> {
        let mut state = self.lock();
        let component = Component { weight: weight.max(1).into(), time: 0, slots: 0, waiting: VecDeque::new() };
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

    /// Puts a guest behind those of its component that wait, and returns its number there.
    fn enqueue(&mut self, place: usize, waker: &Waker) -> u64 {
        self.number += 1;
        let component = &mut self.components[place];
        component.waiting.push_back((self.number, waker.clone()));
        self.ready.insert((component.time, place));
        self.number
    }

    /// Where in its queue the guest with this number waits; nowhere when it was given a slot.
    fn find(&self, place: usize, number: u64) -> Option<usize> {
        self.components[place].waiting.binary_search_by_key(&number, |waiting| waiting.0).ok()
    }

    /// The guest at `index` of a queue waits no longer.
    fn dequeue(&mut self, place: usize, index: usize) -> Option<Waker> {
        let component = &mut self.components[place];
        let left = component.waiting.remove(index);
        if component.waiting.is_empty() {
            self.ready.remove(&(component.time, place));
        }
        left.map(|(_, waker)| waker)
    }

    /// Gives a slot up, and to whoever is next; returns whom to wake.
    fn release(&mut self, place: usize) -> Option<Waker> {
        self.components[place].slots -= 1;
        let Some((_, next)) = self.ready.first().copied() else {
            self.free += 1;
            return None;
        };
        self.occupy(next);
        self.dequeue(next, 0)
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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Wants nothing.
    Away,
    /// Waits under this number, or has been given a slot and does not know it yet.
    Waiting(u64),
    /// Has a slot, and runs.
    Running,
    /// Has a slot, and was interrupted.
    Interrupted,
}

impl Turn {
    pub(crate) fn new(share: Arc<Share>) -> Self {
        Self { share, standing: Standing::Away }
    }

    /// Begins a turn, or waits for it. Every turn that was begun has to be ended.
    pub(crate) fn poll_begin(&mut self, context: &Context<'_>) -> Poll<()> {
        let place = self.share.place;
        let mut state = self.share.turns.lock();
        let mut next = None;
        self.standing = match self.standing {
            Standing::Running => Standing::Running,
            Standing::Away if state.take(place) => Standing::Running,
            Standing::Away => Standing::Waiting(state.enqueue(place, context.waker())),
            Standing::Interrupted => {
                let time = state.components[place].time;
                match state.ready.first() {
                    // Those of the same component too: its guests take turns.
                    Some((first, _)) if *first <= time => {
                        let number = state.enqueue(place, context.waker());
                        next = state.release(place);
                        Standing::Waiting(number)
                    }
                    _ => {
                        state.now = state.now.max(time);
                        Standing::Running
                    }
                }
            }
            Standing::Waiting(number) => match state.find(place, number) {
                Some(index) => {
                    state.components[place].waiting[index].1.clone_from(context.waker());
                    Standing::Waiting(number)
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
        let waits = match self.standing {
            Standing::Waiting(number) => state.find(place, number),
            _ => None,
        };
        let next = match waits {
            // It wakes nobody: this one was not going to run.
            Some(index) => state.dequeue(place, index).and(None),
            None => state.release(place),
        };
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn begins(turn: &mut Turn) -> bool {
        turn.poll_begin(&Context::from_waker(Waker::noop())).is_ready()
    }

    /// Milliseconds, as a turn is charged them.
    const MS: u64 = 1_000_000;

    /// A component with guests that never rest.
    struct Busy {
        guests: Vec<Turn>,
        slices: u64,
    }

    fn busy(turns: &Arc<Turns>, weight: u32, guests: usize) -> Busy {
        let share = turns.share(weight);
        Busy { guests: (0..guests).map(|_| Turn::new(Arc::clone(&share))).collect(), slices: 0 }
    }

    /// Polls everyone until nobody else begins, and lets those that have a slot run for a slice.
    fn round(all: &mut [Busy]) {
        let mut running: Vec<(usize, usize)> = Vec::new();
        // One that gives its slot to another is before or behind that one.
        let mut idle = 0;
        while idle < 2 {
            let before = running.len();
            for (place, component) in all.iter_mut().enumerate() {
                for (guest, turn) in component.guests.iter_mut().enumerate() {
                    if !running.contains(&(place, guest)) && begins(turn) {
                        running.push((place, guest));
                    }
                }
            }
            idle = if running.len() == before { idle + 1 } else { 0 };
        }
        for (place, guest) in running {
            all[place].slices += 1;
            all[place].guests[guest].end(5 * MS, true);
        }
    }

    #[test]
    fn many_guests_get_no_more_than_few() {
        let turns = Turns::new(2);
        let mut all = [busy(&turns, 100, 64), busy(&turns, 100, 4), busy(&turns, 100, 1)];
        (0..3_000).for_each(|_| round(&mut all));
        let [many, few, one] = all.map(|component| component.slices);
        assert!(few * 100 >= many * 98 && one * 100 >= many * 98, "{many}, {few}, {one}");
        assert_eq!(many + few + one, 6_000, "no slot is ever left");
    }

    #[test]
    fn a_heavier_component_gets_its_share() {
        let turns = Turns::new(2);
        let mut all = [busy(&turns, 300, 8), busy(&turns, 100, 8)];
        (0..2_000).for_each(|_| round(&mut all));
        let [heavy, light] = all.map(|component| component.slices);
        assert!((295..=305).contains(&(heavy * 100 / light)), "{heavy} slices beside {light}");
    }

    #[test]
    fn while_there_are_slots_nobody_waits_and_a_place_is_kept() {
        let turns = Turns::new(2);
        let mut one = busy(&turns, 100, 3);
        assert!(begins(&mut one.guests[0]) && begins(&mut one.guests[1]));
        assert!(!begins(&mut one.guests[2]), "there are two slots");
        one.guests[0].end(MS, true);
        assert!(!begins(&mut one.guests[0]), "its own component's other guest is next");
        assert!(begins(&mut one.guests[2]));
        one.guests[1].end(MS, false);
        assert!(begins(&mut one.guests[0]), "the slot of one that rests");
    }

    #[test]
    fn one_that_comes_is_before_one_that_has_had_more() {
        let turns = Turns::new(1);
        let mut loud = busy(&turns, 100, 8);
        let mut quiet = busy(&turns, 100, 1);
        assert_eq!(loud.guests.iter_mut().filter_map(|turn| begins(turn).then_some(())).count(), 1);
        loud.guests[0].end(5 * MS, true);
        assert!(!begins(&mut quiet.guests[0]), "the slot is taken");
        assert!(!begins(&mut loud.guests[0]), "the one that was interrupted sees it");
        assert!(begins(&mut quiet.guests[0]));
    }

    #[test]
    fn rest_is_no_credit() {
        let turns = Turns::new(1);
        let mut all = [busy(&turns, 100, 2), busy(&turns, 100, 2)];
        (0..1_000).for_each(|_| round(&mut all[..1]));
        let before = all[0].slices;
        (0..1_000).for_each(|_| round(&mut all));
        let [worked, rested] = all.map(|component| component.slices);
        assert!(rested <= (worked - before) * 102 / 100, "{rested} slices beside {}", worked - before);
    }

    #[test]
    fn work_while_nobody_else_wanted_any_is_no_debt() {
        let turns = Turns::new(1);
        let mut all = [busy(&turns, 100, 2), busy(&turns, 100, 2)];
        (0..1_000).for_each(|_| round(&mut all[..1]));
        all[0].guests.clear();
        (0..10).for_each(|_| round(&mut all[1..]));
        all[0] = Busy { slices: 0, ..busy(&turns, 100, 2) };
        all[1].slices = 0;
        (0..100).for_each(|_| round(&mut all));
        assert!((48..=52).contains(&all[0].slices), "{}", all[0].slices);
    }

    #[test]
    fn who_leaves_keeps_no_slot_and_no_place() {
        let turns = Turns::new(1);
        let mut all = busy(&turns, 100, 4).guests;
        assert!(begins(&mut all[0]));
        assert!(!begins(&mut all[1]) && !begins(&mut all[2]) && !begins(&mut all[3]));
        // One that waits, one that has a slot, and one that was given it and does not know yet.
        drop(all.remove(1));
        drop(all.remove(0));
        drop(all.remove(0));
        assert!(begins(&mut all[0]));
        drop(all);
        let state = turns.lock();
        assert_eq!((state.free, state.vacant.len(), state.ready.len()), (1, 1, 0));
    }

    /// What a guest does next.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// It is polled; where it has a slot it runs for so many milliseconds, and is interrupted or rests.
        Poll(u64, bool),
        /// It is dropped, and another one takes its place.
        Leave,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => (1_u64..10, any::<bool>()).prop_map(|(time, interrupted)| Step::Poll(time, interrupted)),
            1 => Just(Step::Leave),
        ]
    }

    proptest! {
        /// Whatever guests do: no more of them run than there are slots, nobody waits while one is free, and in the end all
        /// are free.
        #[test]
        fn slots_are_neither_lost_nor_made(
            slots in 1_usize..4,
            weights in proptest::collection::vec(1_u32..500, 1..4),
            steps in proptest::collection::vec((0_usize..4, 0_usize..5, any::<bool>(), step()), 0..400),
        ) {
            let turns = Turns::new(slots);
            let shares: Vec<_> = weights.iter().map(|weight| turns.share(*weight)).collect();
            let guests = || shares.iter().map(|share| (0..5).map(|_| Turn::new(Arc::clone(share))).collect());
            let mut guests: Vec<Vec<Turn>> = guests().collect();
            // Who runs, and with what it will end.
            let mut running: Vec<(usize, usize, u64, bool)> = Vec::new();
            for (component, guest, ends, step) in steps {
                let component = component % shares.len();
                if ends && !running.is_empty() {
                    let (component, guest, time, interrupted) = running.remove(0);
                    guests[component][guest].end(time * MS, interrupted);
                }
                if running.iter().any(|it| (it.0, it.1) == (component, guest)) {
                    continue;
                }
                match step {
                    Step::Leave => guests[component][guest] = Turn::new(Arc::clone(&shares[component])),
                    Step::Poll(time, interrupted) => {
                        if begins(&mut guests[component][guest]) {
                            running.push((component, guest, time, interrupted));
                        }
                    }
                }
                let state = turns.lock();
                let taken: usize = state.components.iter().map(|component| component.slots).sum();
                prop_assert_eq!(taken + state.free, slots);
                prop_assert!(running.len() <= taken);
                prop_assert!(state.free == 0 || state.ready.is_empty());
                for (place, component) in state.components.iter().enumerate() {
                    prop_assert_eq!(!component.waiting.is_empty(), state.ready.contains(&(component.time, place)));
                }
            }
            drop(guests);
            prop_assert_eq!(turns.lock().free, slots);
            prop_assert!(turns.lock().ready.is_empty());
        }

        /// Components that always want more get CPU time by their weights, however long their slices are, but for what runs at
        /// one time.
        #[test]
        fn cpu_time_is_by_weight(
            slots in 1_usize..4,
            weights in proptest::collection::vec(50_u32..400, 2..5),
            slices in proptest::collection::vec(1_u64..10, 1..20),
        ) {
            let turns = Turns::new(slots);
            let mut all: Vec<Busy> = weights.iter().map(|weight| busy(&turns, *weight, 2 * slots)).collect();
            let mut used = vec![0; all.len()];
            let mut lengths = slices.iter().cycle();
            for _ in 0..2_000 {
                let mut running = Vec::new();
                for (component, used) in all.iter_mut().zip(&mut used) {
                    for turn in &mut component.guests {
                        if begins(turn) {
                            let length = *lengths.next().unwrap();
                            *used += length;
                            running.push((turn, length));
                        }
                    }
                }
                running.into_iter().for_each(|(turn, length)| turn.end(length * MS, true));
            }
            let by_weight = used.iter().zip(&weights).map(|(used, weight)| used * UNIT_WEIGHT / u64::from(*weight));
            let (least, most) = by_weight.fold((u64::MAX, 0), |(least, most), time| (least.min(time), most.max(time)));
            // Each may be ahead by what its guests on all slots take at once, at the least weight.
            let ahead = 2 * slots as u64 * 10 * UNIT_WEIGHT / 50;
            prop_assert!(most - least <= ahead, "{:?} by {:?}", used, weights);
        }
    }
}
