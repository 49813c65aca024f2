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
    assert!(begins(&mut one.guests[0]), "it has used little");
    one.guests[0].end(5 * MS, true);
    assert!(!begins(&mut one.guests[0]), "its own component's other guest is next");
    assert!(begins(&mut one.guests[2]));
    one.guests[1].end(MS, false);
    assert!(begins(&mut one.guests[0]), "the slot of one that rests");
}

#[test]
fn those_that_have_begun_end_before_others_begin_unless_they_take_long() {
    let turns = Turns::new(1);
    let mut all = busy(&turns, 100, 4).guests;
    assert!(begins(&mut all[0]));
    assert!(!begins(&mut all[1]) && !begins(&mut all[2]));
    all[0].end(MS, false);
    assert!(!begins(&mut all[0]), "the slot was given away while it waited for something else");
    assert!(!begins(&mut all[3]));
    assert!(begins(&mut all[1]));
    all[1].end(5 * MS, true);
    assert!(!begins(&mut all[1]));
    assert!(begins(&mut all[0]), "it has begun");
    all[0].end(3 * MS, false);
    assert!(begins(&mut all[2]), "the first that came");
    assert!(!begins(&mut all[0]), "it waits again");
    all[2].end(MS, false);
    assert!(begins(&mut all[0]), "it has used little so far");
    all[0].end(MS, false);
    assert!(!begins(&mut all[0]), "now it has used more, and is the last");
    for next in [3, 1, 0] {
        assert!(begins(&mut all[next]), "{next}");
        all[next].end(MS, false);
    }
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
