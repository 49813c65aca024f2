//! The engine: one per process, which is two of wasmtime's behind one clock of epochs, one budget and one set of settings.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolConcurrencyLimitError, PoolingAllocationConfig};

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::compile::Compiler;
use crate::host::{self, Host};
use crate::meter::TICK;
use crate::places::Due;
use crate::turn::Turns;

/// The deepest call stack of a guest in bytes. Twice what wasmtime gives by default: recursive parsers in Python and
/// JavaScript guests need it, and it is only touched when it is used.
pub(crate) const DEFAULT_STACK: usize = 1 << 20;

/// The stack that host functions have above the guest's, in bytes, on the fiber that both run on.
const HOST_STACK: usize = 1 << 20;

/// The linear memory kept mapped in an idle pool slot, in bytes: a small guest then starts without a page fault, and
/// 1,000 idle slots of one engine hold at most 64 MiB.
const KEEP_RESIDENT: usize = 64 << 10;

/// The same where the kernel tells which pages were written (Linux 6.7 and later), in bytes, and at the least. Only those are
/// restored, so that more can be kept for nothing: all that a guest in Rust or C writes for a small answer. 1,000 slots of one
/// engine hold at most 512 MiB after as many requests at once that wrote so much.
const KEEP_WRITTEN: usize = 512 << 10;

/// The most that is kept so, in bytes. Between the two it is the memory of all guests divided by the memories of a pool: these hold
/// no more than guests may when as many requests at once as there are places have written so much, but for the least of each.
///
/// Reason: a guest in JavaScript leaves 300 KiB for a small answer, in Go 0.8 MiB and in Python 3.6 MiB, and one that does
/// something some more.
const KEEP_WRITTEN_MOST: usize = 6 << 20;

/// The linear memories in a pool for each instance. Nearly all components have one.
const MEMORIES_PER_INSTANCE: u32 = 2;

/// The address space of one linear memory, in bytes: all that a 32-bit memory can name, so that bounds need no check.
const MEMORY_RESERVATION: usize = 4 << 30;

/// The most instances that are kept in a pool; more at one time are turned away as overload.
///
/// Reason: each reserves the address space of two memories, in each of two engines, and a process has 128 TiB on the systems
/// that Coracle runs on: so many take half of that.
pub const MAX_POOL: u32 = 4_000;

/// Core instances, memories and tables in one component. Go, Python and JavaScript components of today have under 20.
const MAX_PARTS_PER_COMPONENT: u32 = 64;

/// What the engine itself keeps for one core instance, in bytes: 32 for each function that can be pointed to. Python, merged to one
/// module, has 0.2 MiB.
pub(crate) const MAX_CORE_INSTANCE: usize = 1 << 20;

/// Elements of one table. Python's interpreter has about 10,000.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// How often the clock of an engine on which nothing runs looks whether the engine is still there.
const IDLE_LOOK: Duration = Duration::from_secs(1);

/// Settings of an engine, fixed when it is made. Where they make a difference to compiled code, the code cache has entries
/// for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineOptions {
    /// Instances kept in a pool; `None` allocates each anew, which suits one invocation a process.
    pub pool: Option<u32>,
    /// Whether fuel is counted. Costs a guest 10 to 40 % of its speed.
    pub fuel: bool,
    /// The deepest call stack of a guest in bytes.
    pub stack: usize,
    /// Whether a trap also takes a picture of the guest's memory.
    pub coredump: bool,
    /// Bytes that all guests together may hold; `None` bounds each by its own limits alone.
    pub memory: Option<u64>,
}

impl EngineOptions {
    /// Whether code is changed before it is compiled ([`crate::compile::rewrite`]).
    pub(crate) fn rewrites(&self) -> bool {
        // Fuel counts the instructions as they were written, and who looks into a core dump looks for their places.
        !self.fuel && !self.coredump
    }

    /// For one command in a process of its own.
    #[must_use]
    pub fn command() -> Self {
        Self { pool: None, fuel: false, stack: DEFAULT_STACK, coredump: false, memory: None }
    }

    /// For a server that runs at most `instances` at once, and [`MAX_POOL`] where that is more.
    #[must_use]
    pub fn server(instances: u32) -> Self {
        Self { pool: Some(instances.min(MAX_POOL)), fuel: false, stack: DEFAULT_STACK, coredump: false, memory: None }
    }
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The settings do not fit this machine: too little address space, or a processor that is not supported.
    #[error("the WebAssembly engine cannot start with these settings on this machine")]
    Settings(#[source] wasmtime::Error),
    /// Host functions could not be registered.
    #[error("the host's interfaces cannot be linked")]
    Link(#[source] wasmtime::Error),
}

/// The WebAssembly engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    wasm: wasmtime::Engine,
    /// Made when the first component needs it.
    concurrent: OnceLock<wasmtime::Engine>,
    /// Held while it is made: two pools of that kind may not fit into the address space.
    making: Mutex<()>,
    options: EngineOptions,
    compiler: Compiler,
    ticker: Arc<Ticker>,
    budget: Budget,
    turns: Arc<Turns>,
    looks: Arc<Due>,
    /// Bytes that an idle memory of the pool keeps of what was written there.
    kept_written: Option<usize>,
}

impl Engine {
    /// Makes an engine, for whose components `compiler` does the compiling.
    ///
    /// # Errors
    /// [`EngineError::Settings`] when this machine cannot run it so.
    pub fn new(options: EngineOptions, compiler: Compiler) -> Result<Self, EngineError> {
        // Once: swap may come and go, and both pools and who looks at them are to go by the same.
        let kept_written = options.pool.and_then(|instances| kept_written(instances, options.memory));
        let wasm = wasmtime::Engine::new(&config(options, kept_written, false)).map_err(EngineError::Settings)?;
        let (concurrent, making) = (OnceLock::new(), Mutex::default());
        let budget = Budget::new(options.memory);
        let turns = Turns::new(std::thread::available_parallelism().map_or(1, NonZeroUsize::get));
        let inner = Inner {
            wasm,
            concurrent,
            making,
            options,
            compiler,
            ticker: Arc::default(),
            budget,
            turns,
            looks: Arc::default(),
            kept_written,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn options(&self) -> EngineOptions {
        self.inner.options
    }

    /// What all guests together may hold.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.inner.turns
    }

    /// When to look again at what guests have written.
    pub(crate) fn looks(&self) -> &Arc<Due> {
        &self.inner.looks
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.inner.compiler
    }

    /// For core modules, and for components whose calls end before they return: those of WASI 0.2.
    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.inner.wasm
    }

    /// For components with asynchronous functions, futures and streams, where `concurrent`: those of WASI 0.3. The engine then
    /// keeps account of the tasks of every call, which others need not pay for.
    pub(crate) fn wasm_for(&self, concurrent: bool) -> Result<&wasmtime::Engine, EngineError> {
        if !concurrent {
            return Ok(&self.inner.wasm);
        }
        let _making = self.inner.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = self.inner.concurrent.get() {
            return Ok(engine);
        }
        let engine = wasmtime::Engine::new(&config(self.inner.options, self.inner.kept_written, true))
            .map_err(EngineError::Settings)?;
        self.inner.ticker.follow(&engine);
        Ok(self.inner.concurrent.get_or_init(|| engine))
    }

    /// What `component` imports of the host.
    pub(crate) fn linker_for(&self, component: &Component) -> Result<Linker<Host>, EngineError> {
        let ty = component.component_type();
        let imports: Vec<&str> = ty.imports(component.engine()).map(|(name, _)| name).collect();
        host::link(component.engine(), &imports).map_err(EngineError::Link)
    }

    /// Whether an instance that was not `made` may be made now: the pool had no place for it, and one that only waited for work
    /// has gone.
    pub(crate) fn has_made_place<T>(&self, made: &wasmtime::Result<T>) -> bool {
        let missing = made.as_ref().is_err_and(|error| error.is::<PoolConcurrencyLimitError>());
        missing && self.inner.budget.make_room()
    }

    /// Bytes that an idle place of the pool keeps of what was written there; none where that cannot be told.
    pub(crate) fn kept_written(&self) -> Option<usize> {
        self.inner.kept_written
    }

    /// Keeps the epochs advancing for as long as the guard lives.
    pub(crate) fn run_clock(&self) -> ClockGuard {
        self.inner.ticker.enter(&self.inner.wasm)
    }
}

fn config(options: EngineOptions, kept_written: Option<usize>, concurrent: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(options.fuel)
        .max_wasm_stack(options.stack)
        .async_stack_size(options.stack + HOST_STACK)
        .coredump_on_trap(options.coredump)
        // Names of functions come from the module itself; reading source lines out of DWARF costs hundreds of
        // milliseconds in a large guest, and wasmtime would do it whenever RUST_BACKTRACE is set.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable)
        .concurrency_support(concurrent)
        .wasm_component_model_async(concurrent)
        .wasm_relaxed_simd(true)
        .wasm_multi_memory(true)
        .wasm_tail_call(true);
    if let Some(instances) = options.pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances, kept_written)));
    }
    config
}

/// Bytes that each memory in a pool of `instances` keeps of what was written, where guests may hold `budget` together; none where
/// the kernel does not tell what was written.
fn kept_written(instances: u32, budget: Option<u64>) -> Option<usize> {
    let memories = u64::from(instances.saturating_mul(MEMORIES_PER_INSTANCE).max(1));
    let part = budget.map_or(0, |budget| usize::try_from(budget / memories).unwrap_or(usize::MAX));
    tells_written().then(|| part.clamp(KEEP_WRITTEN, KEEP_WRITTEN_MOST))
}

/// Whether the kernel tells which pages were written, and tells all of them: not of those that it has swapped out, which the engine
/// would then leave as the last guest wrote them.
fn tells_written() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
        && std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| !has_swap(&swaps))
}

/// Whether `/proc/swaps` (proc_swaps(5)) names anything below its head.
fn has_swap(swaps: &str) -> bool {
    swaps.lines().skip(1).any(|line| !line.trim().is_empty())
}

fn pool(instances: u32, written: Option<usize>) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let parts = instances.saturating_mul(4);
    pool.total_component_instances(instances)
        .total_core_instances(parts)
        .total_memories(instances.saturating_mul(MEMORIES_PER_INSTANCE))
        .total_tables(parts)
        .total_stacks(instances)
        .total_gc_heaps(instances)
        .max_core_instances_per_component(MAX_PARTS_PER_COMPONENT)
        .max_memories_per_component(MAX_PARTS_PER_COMPONENT)
        .max_tables_per_component(MAX_PARTS_PER_COMPONENT)
        .max_tables_per_module(MAX_PARTS_PER_COMPONENT)
        .max_core_instance_size(MAX_CORE_INSTANCE)
        .max_component_instance_size(1 << 20)
        .max_memory_size(MEMORY_RESERVATION)
        .table_elements(MAX_TABLE_ELEMENTS)
        .pagemap_scan(if written.is_some() { Enabled::Yes } else { Enabled::No })
        .linear_memory_keep_resident(written.unwrap_or(KEEP_RESIDENT))
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(KEEP_RESIDENT);
    pool
}

/// Advances the engine's epoch from a thread of its own while a guest is under way, and sleeps otherwise.
#[derive(Default)]
struct Ticker {
    running: AtomicUsize,
    started: OnceLock<()>,
    /// The second engine, once there is one.
    concurrent: OnceLock<wasmtime::EngineWeak>,
    /// Whether the thread sleeps until it is woken. To wake it costs as much as a small guest does: only who finds it
    /// asleep does so.
    asleep: AtomicBool,
    sleep: Mutex<()>,
    wake: Condvar,
}

impl Ticker {
    fn enter(self: &Arc<Self>, wasm: &wasmtime::Engine) -> ClockGuard {
        if self.running.fetch_add(1, SeqCst) == 0 {
            self.started.get_or_init(|| self.start(wasm.weak()));
            // The thread says that it sleeps before it looks for guests, and here the guest is there before it is asked:
            // one of the two sees the other.
            if self.asleep.load(SeqCst) {
                let _asleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
                self.wake.notify_one();
            }
        }
        ClockGuard { ticker: Arc::clone(self) }
    }

    /// Advances the epoch of this engine too.
    fn follow(&self, concurrent: &wasmtime::Engine) {
        self.concurrent.get_or_init(|| concurrent.weak());
    }

    fn start(self: &Arc<Self>, wasm: wasmtime::EngineWeak) {
        let ticker: Weak<Self> = Arc::downgrade(self);
        let spawned = std::thread::Builder::new().name("epoch".into()).spawn(move || {
            while let (Some(ticker), Some(wasm)) = (ticker.upgrade(), wasm.upgrade()) {
                ticker.wait_for_guests();
                wasm.increment_epoch();
                if let Some(concurrent) = ticker.concurrent.get().and_then(wasmtime::EngineWeak::upgrade) {
                    concurrent.increment_epoch();
                }
                drop((ticker, wasm));
                std::thread::sleep(TICK);
            }
        });
        if let Err(error) = spawned {
            // Without the clock no limit of time holds, so nothing may run.
            tracing::error!(%error, "the thread that enforces time limits cannot be started");
            std::process::abort();
        }
    }

    fn wait_for_guests(&self) {
        let mut asleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.store(true, SeqCst);
        while self.running.load(SeqCst) == 0 {
            let (guard, timeout) = self.wake.wait_timeout(asleep, IDLE_LOOK).unwrap_or_else(PoisonError::into_inner);
            asleep = guard;
            if timeout.timed_out() {
                // The engine may have gone; look before sleeping on.
                break;
            }
        }
        self.asleep.store(false, SeqCst);
    }
}

/// Something is under way on the engine.
pub(crate) struct ClockGuard {
    ticker: Arc<Ticker>,
}

impl Drop for ClockGuard {
    fn drop(&mut self) {
        self.ticker.running.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_pools_of_both_engines_fit_into_the_address_space() {
        let engine = Engine::new(EngineOptions::server(MAX_POOL * 4), Compiler::InProcess).unwrap();
        engine.wasm_for(true).unwrap();
    }

    #[test]
    fn swap_is_found_where_there_is_some() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(!has_swap("") && !has_swap(head));
        assert!(has_swap(&format!("{head}/swapfile  file\t\t2097148\t\t0\t\t-2\n")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_idle_memory_keeps_its_part_of_what_guests_may_hold() {
        let kept = |instances, memory| kept_written(instances, memory).expect("Linux 6.7 or later, without swap");
        assert_eq!(kept(1_000, None), KEEP_WRITTEN);
        assert_eq!(kept(1_000, Some(512 << 20)), KEEP_WRITTEN);
        assert_eq!(kept(1_000, Some(4_000 << 20)), 2 << 20);
        assert_eq!(kept(1_000, Some(64 << 30)), KEEP_WRITTEN_MOST);
        assert_eq!(kept(0, Some(64 << 30)), KEEP_WRITTEN_MOST);
    }
}
