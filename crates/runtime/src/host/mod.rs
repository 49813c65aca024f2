//! What a guest sees of the host: the state of one store, and everything that a component may import.
//!
//! Linking is wide and authority is narrow: every WASI interface is there in 0.2 and 0.3, because toolchains import more
//! than their programs use, and none of them gives anything that the [`Authority`] does not hold.

mod buffers;
mod config;
mod files;
mod folders;
mod inherit;
mod keyvalue;
#[cfg(test)]
mod linked;
mod logging;
mod lookup;
mod network;
mod outbound;
mod stdio;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use coracle_package::grant::Access;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::authority::Authority;
use crate::current::Current;
use crate::engine::Engine;
use crate::invocation::Invocation;
use crate::limiter::{Crossing, Full, Limiter, NoRoom};
use crate::meter::{EPOCHS_PER_SLICE, Exhausted, go_on};
use crate::wired::{Handles, Tree};

pub(crate) use buffers::held;
pub(crate) use files::Quota;
use files::Quotas;
use inherit::Inherited;
pub(crate) use network::Network;
pub(crate) use outbound::Outbound;
pub(crate) use stdio::GuestOutput;

/// Where a guest's standard streams lead.
pub(crate) enum Stdio {
    /// Nothing to read; lines that are written become log events.
    Log,
    /// The process's own.
    Inherit,
}

/// The state of one store.
pub(crate) struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    outbound: Outbound,
    limiter: Limiter,
    /// Bytes that the guest's compare-and-swap handles hold.
    held: Arc<AtomicUsize>,
    /// What the guest holds of other components' resources.
    pub(crate) handles: Handles,
    /// What crossed in calls that came back since the last tick, and in those that did before. The guest is still given their
    /// results, by code of its own, so that they count until it calls again, or two ticks have come.
    crossed: Vec<Crossing>,
    crossed_before: Vec<Crossing>,
    /// The instances of other components that it may call.
    pub(crate) tree: Tree,
    /// Which of its descriptors are in a folder with a quota.
    quotas: Quotas,
    pub(crate) authority: Arc<Authority>,
    pub(crate) current: Arc<Current>,
}

impl Host {
    /// The state for what `current` names.
    ///
    /// # Errors
    /// When a granted folder cannot be opened, or the memory of all guests is used up.
    pub(crate) fn new(
        engine: &Engine,
        authority: &Arc<Authority>,
        current: &Arc<Current>,
        stdio: Stdio,
        arguments: &[String],
    ) -> wasmtime::Result<Self> {
        let network = Arc::new(Network::new(Arc::clone(authority), Arc::clone(current)));
        let mut table = ResourceTable::new();
        table.set_max_capacity(bytes(authority.limits.handles.into()));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(bytes(authority.limits.headers));
        Ok(Self {
            wasi: wasi(authority, current, &network, stdio, arguments)?.build(),
            table,
            http,
            outbound: Outbound::new(network),
            limiter: Limiter::new(Arc::clone(current), &authority.limits, engine.budget())?,
            held: Arc::default(),
            handles: Handles::default(),
            crossed: Vec::new(),
            crossed_before: Vec::new(),
            tree: Tree::default(),
            quotas: Quotas::default(),
            authority: Arc::clone(authority),
            current: Arc::clone(current),
        })
    }

    /// Begins another invocation in the same instance.
    pub(crate) fn begin(&self, invocation: &Arc<Invocation>) {
        self.limiter.begin(invocation);
        self.current.set(Arc::clone(invocation));
    }

    /// Works for another invocation too, beside those of the same instance that are under way.
    pub(crate) fn join(&self, invocation: &Arc<Invocation>) {
        self.limiter.begin(invocation);
        self.current.add(Arc::clone(invocation));
    }

    /// Counts what the host keeps for the guest.
    fn weigh(&mut self) -> Result<(), Exhausted> {
        self.crossed_before = std::mem::take(&mut self.crossed);
        self.limiter.keep(buffers::held(&mut self.table))
    }

    /// Keeps what crosses to or from another component, until what this returns is dropped.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<Crossing, Full> {
        self.limiter.hold(bytes)
    }

    /// What crossed is on its way into the guest's own memory.
    pub(crate) fn crossed(&mut self, what: impl IntoIterator<Item = Crossing>) {
        self.crossed.extend(what);
    }

    /// What crossed before has arrived.
    pub(crate) fn let_pass(&mut self) {
        self.crossed.clear();
        self.crossed_before.clear();
    }

    /// Why there is no instance: `error`, unless it comes of what other guests hold.
    pub(crate) fn not_begun(&self, error: wasmtime::Error) -> wasmtime::Error {
        if self.limiter.is_short() { NoRoom.into() } else { error }
    }

    /// A store around this state, for code of `wasm`, with its limits in force.
    pub(crate) fn into_store(
        self,
        engine: &Engine,
        wasm: &wasmtime::Engine,
    ) -> wasmtime::Result<wasmtime::Store<Self>> {
        let limits = self.authority.limits.clone();
        let mut store = wasmtime::Store::new(wasm, self);
        store.limiter(|host| &mut host.limiter);
        store.set_epoch_deadline(EPOCHS_PER_SLICE);
        store.epoch_deadline_callback(|mut store| {
            store.data().current.check()?;
            store.data_mut().weigh()?;
            Ok(go_on())
        });
        store.set_hostcall_fuel(bytes(limits.call_bytes));
        store.set_max_component_handles(bytes(limits.handles.into()));
        if engine.options().fuel {
            store.set_fuel(limits.fuel.unwrap_or(u64::MAX))?;
        }
        Ok(store)
    }
}

/// A limit as a size in memory; what does not fit there is no limit.
fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Random bytes that a guest may ask for in one call; one that wants more traps.
///
/// Reason: keys and seeds take dozens; they are made in the host's memory, for milliseconds in which nobody interrupts it.
const RANDOM_BYTES: u64 = 4 << 20;

/// The longest name, in bytes, that is kept of something a guest asked for: a refusal needs no more to be recognised.
const MAX_NAME: usize = 256;

/// The start of `text`, at most `longest` bytes of it.
fn start(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// The part of a store's state that WASI's own implementation keeps, with nothing but what was granted.
pub(crate) fn wasi(
    authority: &Authority,
    current: &Arc<Current>,
    network: &Arc<Network>,
    stdio: Stdio,
    arguments: &[String],
) -> wasmtime::Result<WasiCtxBuilder> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.max_random_size(RANDOM_BYTES);
    match stdio {
        Stdio::Log => {
            let longest = bytes(authority.limits.log_line);
            wasi.stdout(GuestOutput::stdout(current, longest)).stderr(GuestOutput::stderr(current, longest));
        }
        Stdio::Inherit => {
            let budget = bytes(authority.limits.call_bytes);
            wasi.inherit_stdin().stdout(Inherited::stdout(budget)).stderr(Inherited::stderr(budget));
            // Waiting for a file hinders nobody else, as long as no limit of time has to be kept meanwhile.
            wasi.allow_blocking_current_thread(authority.limits.wall_time.is_none());
        }
    }
    wasi.args(arguments).envs(&authority.environment);
    for directory in &authority.directories {
        let permissions = match directory.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite(_) => FsPerms::ReadWrite,
        };
        wasi.preopened_dir(&directory.host, &directory.guest, permissions)?;
    }
    let network = Arc::clone(network);
    // All that these switches allow is to ask for an address, which is checked one by one.
    wasi.allow_ip_name_lookup(true).allow_tcp(true).allow_udp(true).socket_addr_check(move |address, purpose| {
        let allowed = network.permits_socket(address, purpose);
        Box::pin(std::future::ready(allowed))
    });
    Ok(wasi)
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

/// The packages of WASI's own implementation.
const WASI: [&str; 6] = ["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:cli/", "wasi:filesystem/", "wasi:sockets/"];

/// What most functions import of them in 0.2; `wasmtime_wasi` links these by themselves.
const SMALL: [&str; 7] = [
    "wasi:io/",
    "wasi:clocks/monotonic-clock@",
    "wasi:clocks/wall-clock@",
    "wasi:random/random@",
    "wasi:cli/stdin@",
    "wasi:cli/stdout@",
    "wasi:cli/stderr@",
];

/// Links at least the interfaces that `imports` names, of those that Coracle implements. A guest calls some dozens of their
/// hundreds of functions, and linking the others takes time and memory: each has code of its own.
pub(crate) fn link(engine: &wasmtime::Engine, imports: &[&str]) -> wasmtime::Result<Linker<Host>> {
    let is_of = |name: &str, parts: &[&str]| parts.iter().any(|part| name.starts_with(part));
    let wants = |package: &str, line: &str| imports.iter().any(|name| name.starts_with(package) && name.contains(line));
    let wasi = |line: &'static str| imports.iter().filter(move |name| is_of(name, &WASI) && name.contains(line));
    let mut linker = Linker::new(engine);
    // What goes by the grants of Coracle stands in for what WASI's own implementation has there.
    linker.allow_shadowing(true);
    if wasi("@0.2.").any(|name| !is_of(name, &SMALL)) {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        lookup::link_p2(&mut linker)?;
        files::link_p2(&mut linker)?;
        folders::link_p2(&mut linker)?;
    } else if wasi("@0.2.").next().is_some() {
        wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(&mut linker)?;
    }
    if wasi("@0.3.").next().is_some() {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        lookup::link_p3(&mut linker)?;
        files::link_p3(&mut linker)?;
        folders::link_p3(&mut linker)?;
    }
    linker.allow_shadowing(false);
    if wants("wasi:http/", "@0.2.") {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    }
    if wants("wasi:http/", "@0.3.") {
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    if wants("wasi:config/", "@") {
        config::link(&mut linker)?;
    }
    if wants("wasi:keyvalue/", "@") {
        keyvalue::link(&mut linker)?;
    }
    if wants("wasi:logging/", "") {
        logging::link(&mut linker)?;
    }
    Ok(linker)
}
