//! What one instance may hold: linear memories, garbage-collected heaps, tables, and what the host keeps for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use coracle_package::limit::Limits;
use wasmtime::ResourceLimiter;

use crate::budget::{Budget, Held, INSTANCE_BYTES};
use crate::current::Current;
use crate::invocation::Invocation;
use crate::meter::Exhausted;

/// Bytes that one element of a table takes: a pointer on the systems that Coracle runs on.
const ELEMENT_BYTES: u64 = 8;

/// The memory of all guests together has no room for another instance.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the memory of all guests together is used up")]
pub(crate) struct NoRoom;

/// Why the host does not keep more for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Its own limit, in bytes.
    Limit(u64),
    /// What all guests together may hold.
    Budget,
}

/// Bounds what one store holds. Growth past a limit fails in the guest, as the core specification has it (`memory.grow`
/// returns -1); the meter notes it, so that a guest that dies of it is told apart from other traps.
///
/// What was allowed stays charged until the store goes, also where the system then had no memory to give.
pub(crate) struct Limiter {
    current: Arc<Current>,
    memory_limit: u64,
    buffer_limit: u64,
    table_limit: u64,
    instance_limit: usize,
    /// Bytes of all linear memories, heaps and tables of the store.
    memory: u64,
    /// Elements of all tables of the store.
    elements: u64,
    /// Bytes that the host keeps for the guest: behind its handles, counted now and then, and of calls to and from other
    /// components. What every instance is charged covers some of the former.
    buffers: u64,
    crossing: Arc<AtomicU64>,
    /// What is charged to the budget of all guests, but for what is on its way.
    held: Held,
    budget: Budget,
    /// Whether that budget has denied anything.
    short: bool,
}

/// What is charged for values on their way to or from another component, for as long as this is there. A call that is given up
/// drops it like one that comes back.
pub(crate) struct Crossing {
    bytes: u64,
    /// Of all that is on its way.
    crossing: Arc<AtomicU64>,
    _held: Held,
}

impl Drop for Crossing {
    fn drop(&mut self) {
        self.crossing.fetch_sub(self.bytes, Relaxed);
    }
}

impl Limiter {
    pub(crate) fn new(current: Arc<Current>, limits: &Limits, budget: &Budget) -> Result<Self, NoRoom> {
        let mut held = budget.hold();
        if !held.take(INSTANCE_BYTES) {
            return Err(NoRoom);
        }
        Ok(Self {
            current,
            memory_limit: limits.memory,
            buffer_limit: limits.host_memory,
            table_limit: limits.table_elements,
            instance_limit: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            memory: 0,
            elements: 0,
            buffers: 0,
            crossing: Arc::default(),
            held,
            budget: budget.clone(),
            short: false,
        })
    }

    /// An instance that is used again holds from the start what it held before.
    pub(crate) fn begin(&self, invocation: &Invocation) {
        invocation.meter.note_memory(self.total());
    }

    /// Whether the memory of all guests did not allow what this instance wanted.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    /// The host now keeps so many bytes behind the guest's handles.
    pub(crate) fn keep(&mut self, bytes: u64) -> Result<(), Exhausted> {
        let (beyond, before) = (bytes.saturating_sub(INSTANCE_BYTES), self.buffers.saturating_sub(INSTANCE_BYTES));
        if beyond <= before {
            self.held.give_back(before - beyond);
        } else if bytes.saturating_add(self.crossing()) > self.buffer_limit || !self.take(beyond - before) {
            return Err(Exhausted::Buffers);
        }
        self.buffers = bytes;
        Ok(())
    }

    /// The host now keeps `bytes` more of a call to or from another component, until what this returns is dropped.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<Crossing, Full> {
        let total = self.crossing().saturating_add(bytes);
        if self.buffers.saturating_add(total) > self.buffer_limit {
            return Err(Full::Limit(self.buffer_limit));
        }
        let mut held = self.budget.hold();
        if !held.take(bytes) {
            self.short = true;
            return Err(Full::Budget);
        }
        self.crossing.fetch_add(bytes, Relaxed);
        self.note();
        Ok(Crossing { bytes, crossing: Arc::clone(&self.crossing), _held: held })
    }

    fn crossing(&self) -> u64 {
        self.crossing.load(Relaxed)
    }

    /// What the guest is said to hold: its own, and what is on its way.
    fn total(&self) -> u64 {
        self.memory.saturating_add(self.crossing())
    }

    fn note(&self) {
        let total = self.total();
        self.current.each(|call| call.meter.note_memory(total));
    }

    /// Whether the linear memories, heaps and tables may have `bytes` more.
    fn grow(&mut self, bytes: u64) -> bool {
        let total = self.memory.saturating_add(bytes);
        let grown = total <= self.memory_limit && self.take(bytes);
        if grown {
            self.memory = total;
            self.note();
        } else {
            self.deny();
        }
        grown
    }

    /// Takes `bytes` of the budget of all guests.
    fn take(&mut self, bytes: u64) -> bool {
        let taken = self.held.take(bytes);
        self.short |= !taken;
        taken
    }

    fn deny(&self) {
        self.current.each(|call| call.meter.note_denied());
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Past the memory's own maximum the engine would refuse after this; nothing may be charged for that.
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.deny();
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let elements = self.elements.saturating_add(more);
        if elements > self.table_limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.deny();
            return Ok(false);
        }
        let grown = self.grow(more.saturating_mul(ELEMENT_BYTES));
        if grown {
            self.elements = elements;
        }
        Ok(grown)
    }

    fn instances(&self) -> usize {
        self.instance_limit
    }

    fn tables(&self) -> usize {
        self.instance_limit
    }

    fn memories(&self) -> usize {
        self.instance_limit
    }
}

#[cfg(test)]
mod tests {
    use coracle_package::limit::HTTP_HOST_MEMORY;
    use proptest::prelude::*;

    use super::*;

    const PAGE: usize = 65_536;

    fn limiter(memory: u64, budget: &Budget) -> (Limiter, Arc<Invocation>) {
        let limits = Limits { memory, ..Limits::http() };
        let invocation = Arc::new(Invocation::new(&limits, None, None));
        (Limiter::new(Current::of(&invocation), &limits, budget).unwrap(), invocation)
    }

    #[test]
    fn tables_count_as_memory() {
        let (mut limiter, invocation) = limiter(PAGE as u64 + 80, &Budget::new(None));
        assert!(limiter.memory_growing(0, PAGE, None).unwrap());
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!invocation.meter.memory_denied());
        assert!(!limiter.table_growing(10, 11, None).unwrap());
        assert!(invocation.meter.memory_denied());
        assert_eq!(invocation.meter.memory_peak(), PAGE as u64 + 80);
    }

    #[test]
    fn growth_past_a_declared_maximum_is_not_charged() {
        let budget = Budget::new(None);
        let (mut limiter, _) = limiter(2 * PAGE as u64, &budget);
        for _ in 0..10 {
            assert!(!limiter.memory_growing(0, 2 * PAGE, Some(PAGE)).unwrap());
            assert!(!limiter.table_growing(0, 11, Some(10)).unwrap());
        }
        assert_eq!(budget.used(), INSTANCE_BYTES);
    }

    #[test]
    fn growth_past_the_budget_of_all_is_denied_and_all_is_given_back() {
        let budget = Budget::new(Some(2 * INSTANCE_BYTES + 3 * PAGE as u64));
        let (mut one, _) = limiter(u64::MAX, &budget);
        let (mut other, invocation) = limiter(u64::MAX, &budget);
        assert!(one.memory_growing(0, 2 * PAGE, None).unwrap());
        assert!(!other.memory_growing(0, 2 * PAGE, None).unwrap());
        assert!(other.is_short() && !one.is_short());
        assert!(invocation.meter.memory_denied());
        drop(one);
        assert!(other.memory_growing(0, 2 * PAGE, None).unwrap());
        drop(other);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_the_host_keeps_is_charged_and_bounded() {
        let budget = Budget::new(None);
        let (mut limiter, _) = limiter(u64::MAX, &budget);
        limiter.keep(INSTANCE_BYTES).unwrap();
        assert_eq!(budget.used(), INSTANCE_BYTES, "every instance is charged that much");
        limiter.keep(HTTP_HOST_MEMORY).unwrap();
        assert_eq!(budget.used(), HTTP_HOST_MEMORY);
        assert_eq!(limiter.keep(HTTP_HOST_MEMORY + 1), Err(Exhausted::Buffers));
        limiter.keep(0).unwrap();
        assert_eq!(budget.used(), INSTANCE_BYTES);
    }

    #[test]
    fn what_crosses_is_charged_and_bounded_with_what_the_host_keeps() {
        let budget = Budget::new(Some(HTTP_HOST_MEMORY));
        let (mut limiter, invocation) = limiter(u64::MAX, &budget);
        limiter.keep(INSTANCE_BYTES).unwrap();
        assert_eq!(limiter.hold(HTTP_HOST_MEMORY).err(), Some(Full::Limit(HTTP_HOST_MEMORY)));
        let crossing = limiter.hold(1 << 20).unwrap();
        assert_eq!(budget.used(), INSTANCE_BYTES + (1 << 20));
        assert!(limiter.memory_growing(0, PAGE, None).unwrap());
        assert_eq!(
            invocation.meter.memory_peak(),
            (1 << 20) + PAGE as u64,
            "what is on its way, and what grew meanwhile"
        );
        assert_eq!(limiter.keep(HTTP_HOST_MEMORY), Err(Exhausted::Buffers), "both together");
        drop(crossing);
        assert_eq!(budget.used(), INSTANCE_BYTES + PAGE as u64);
        limiter.keep(HTTP_HOST_MEMORY - PAGE as u64).unwrap();
        limiter.keep(INSTANCE_BYTES).unwrap();
        let (mut other, _) = self::limiter(u64::MAX, &budget);
        assert!(other.memory_growing(0, usize::try_from(HTTP_HOST_MEMORY - (1 << 20)).unwrap(), None).unwrap());
        assert_eq!(limiter.hold(1 << 20).err(), Some(Full::Budget));
        assert!(limiter.is_short());
    }

    /// What a guest does with its memory, and its host.
    #[derive(Clone, Debug)]
    enum Step {
        Memory(usize, Option<usize>),
        Table(usize, Option<usize>),
        Keep(u64),
        Hold(u64),
        LetPass,
        /// Begins an instance, or ends the one there is.
        Turn,
    }

    /// One instance: the bytes of its memory, the elements of its table, and what is on its way to or from it.
    type Instance = (Limiter, usize, usize, Vec<Crossing>);

    fn step() -> impl Strategy<Value = Step> {
        let maximum = || proptest::option::of(0_usize..200);
        prop_oneof![
            (0_usize..100, maximum()).prop_map(|(pages, maximum)| Step::Memory(pages, maximum)),
            (0_usize..20_000, maximum()).prop_map(|(elements, maximum)| Step::Table(elements, maximum)),
            (0_u64..2 * HTTP_HOST_MEMORY).prop_map(Step::Keep),
            (0_u64..2 * HTTP_HOST_MEMORY).prop_map(Step::Hold),
            Just(Step::LetPass),
            Just(Step::Turn),
        ]
    }

    proptest! {
        /// Charged is at every time what the instances hold, never more than the budget, and in the end nothing.
        #[test]
        fn the_budget_is_what_instances_hold(
            limit in INSTANCE_BYTES..64 << 20,
            steps in proptest::collection::vec((0_usize..4, step()), 0..200),
        ) {
            let budget = Budget::new(Some(limit));
            let mut instances: [Option<Instance>; 4] = Default::default();
            for (which, step) in steps {
                let slot = &mut instances[which];
                match (step, slot.as_mut()) {
                    (Step::Turn, Some(_)) => *slot = None,
                    (Step::Turn, None) => {
                        let limits = Limits::http();
                        let invocation = Arc::new(Invocation::new(&limits, None, None));
                        let begun = Limiter::new(Current::of(&invocation), &limits, &budget);
                        *slot = begun.ok().map(|limiter| (limiter, 0, 0, Vec::new()));
                    }
                    (Step::Memory(pages, maximum), Some((limiter, memory, ..))) => {
                        let desired = *memory + pages * PAGE;
                        if limiter.memory_growing(*memory, desired, maximum.map(|pages| pages * PAGE)).unwrap() {
                            *memory = desired;
                        }
                    }
                    (Step::Table(more, maximum), Some((limiter, _, elements, _))) => {
                        let desired = *elements + more;
                        if limiter.table_growing(*elements, desired, maximum).unwrap() {
                            *elements = desired;
                        }
                    }
                    (Step::Keep(bytes), Some((limiter, ..))) => _ = limiter.keep(bytes),
                    (Step::Hold(bytes), Some((limiter, .., crossing))) => crossing.extend(limiter.hold(bytes)),
                    (Step::LetPass, Some((.., crossing))) => _ = crossing.pop(),
                    (_, None) => {}
                }
                let held = instances.iter().flatten().map(|(limiter, memory, elements, _)| {
                    assert_eq!(limiter.memory, *memory as u64 + *elements as u64 * ELEMENT_BYTES);
                    INSTANCE_BYTES.max(limiter.buffers) + limiter.total()
                });
                prop_assert_eq!(budget.used(), held.sum::<u64>());
                prop_assert!(budget.used() <= limit);
            }
            drop(instances);
            prop_assert_eq!(budget.used(), 0);
        }
    }
}
