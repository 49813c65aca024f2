//! The server as a whole: what its parts share, its start and its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use coracle_daemon::drain::Drain;
use coracle_daemon::signal::{Reload, Shutdown};
use coracle_package::fault::Problem;
use coracle_runtime::app::Loader;
use coracle_runtime::{Budget, Engine, EngineOptions};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::admit::{Gate, MAX_WAIT, MAX_WAITING};
use crate::app::{App, Builder};
use crate::config::{Config, Report, ServerError};
use crate::connection::{self, Peer, Timeouts};
use crate::forwarded::TrustedProxies;
use crate::listener::{Accepted, Listener};
use crate::metrics::{Metrics, ReloadLabels};
use crate::open::Open;
use crate::tls::{Certificate, RELOAD_INTERVAL};
use crate::watch::Watcher;
use crate::wire;

/// What the connections of a server share.
pub(crate) struct Server {
    pub(crate) app: ArcSwap<App>,
    pub(crate) gate: Gate,
    /// What all guests together may hold.
    pub(crate) memory: Budget,
    pub(crate) trusted: TrustedProxies,
    pub(crate) metrics: Metrics,
    pub(crate) timeouts: Timeouts,
    pub(crate) open: Arc<Open>,
    /// Cancelled when nothing new is to be taken.
    pub(crate) drain: CancellationToken,
    /// Cancelled when what is left is to end.
    pub(crate) stop: CancellationToken,
    in_flight: AtomicUsize,
}

/// A request under way, until its response is sent or dropped.
pub(crate) struct InFlight {
    server: Arc<Server>,
    peer: Arc<Peer>,
}

impl InFlight {
    pub(crate) fn new(server: &Arc<Server>, peer: &Arc<Peer>) -> Self {
        server.in_flight.fetch_add(1, Relaxed);
        server.metrics.in_flight.inc();
        peer.begun.fetch_add(1, Relaxed);
        peer.in_flight.fetch_add(1, Relaxed);
        Self { server: Arc::clone(server), peer: Arc::clone(peer) }
    }
}

impl InFlight {
    /// The connection has a piece of the response, which its client is to take before it asks for more.
    pub(crate) fn given(&self) {
        self.peer.untaken.fetch_add(1, Relaxed);
    }

    /// The client has taken what was given, or never will.
    pub(crate) fn taken(&self) {
        self.peer.taken.fetch_add(1, Relaxed);
        self.peer.untaken.fetch_sub(1, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.server.in_flight.fetch_sub(1, Relaxed);
        self.server.metrics.in_flight.dec();
        self.peer.begin_idle();
        self.peer.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A server that has checked everything and listens, and has not accepted anything yet.
pub struct Bound {
    server: Arc<Server>,
    builder: Builder,
    listener: Listener,
    admin: Option<Listener>,
    tls: Option<(TlsAcceptor, Certificate)>,
    watcher: Option<Watcher>,
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    drain: Duration,
}

impl Bound {
    /// Checks the configuration whole, loads the app, and listens.
    ///
    /// # Errors
    /// [`ServerError`]: everything that is wrong with the configuration at once, before anything listens.
    pub async fn new(config: Config) -> Result<Self, ServerError> {
        let metrics = Metrics::new();
        // Each invocation of a wired component may take an instance of every component that provides for it.
        let each = wire::instances(&config.source);
        let invocations = wire::whole_invocations(config.max_invocations, each);
        if invocations < config.max_invocations {
            tracing::warn!(
                invocations,
                asked = config.max_invocations,
                each,
                "each invocation takes so many instances that fewer run at one time"
            );
        }
        let options =
            EngineOptions { memory: Some(config.memory), ..EngineOptions::server(invocations.saturating_mul(each)) };
        let engine = Engine::new(options, config.compiler.clone())?;
        metrics.watch(engine.budget());
        let loader = Loader {
            engine,
            cache: config.cache.clone(),
            progress: Arc::clone(&config.progress),
            environment: Arc::clone(&config.environment),
            variables: config.variables.clone(),
        };
        let builder = Builder { loader, metrics: metrics.clone(), source: config.source.clone() };

        let tls = config.tls.clone().map(|files| {
            let certificate = Certificate::load(files)?;
            Ok((TlsAcceptor::from(certificate.server_config()?), certificate))
        });
        let tls = tls.transpose().map_err(|error: crate::tls::TlsError| Problem::of(&error).at("TLS"));
        let (app, tls) = match (builder.build().await, tls) {
            (Ok(app), Ok(tls)) => (app, tls),
            (app, tls) => {
                let problems = app.err().unwrap_or_default().into_iter().chain(tls.err());
                return Err(ServerError::Config(problems.collect()));
            }
        };
        let watcher = config.watch.then(|| Watcher::new(&app.files)).transpose().map_err(ServerError::Watch)?;

        let listener = listen(config.address, config.max_connections)?;
        let admin = config.admin_address.map(|address| listen(address, admin::MAX_CONNECTIONS)).transpose()?;
        let address = bound_address(&listener, config.address)?;
        let admin_address = match (&admin, config.admin_address) {
            (Some(admin), Some(address)) => Some(bound_address(admin, address)?),
            _ => None,
        };
        let server = Server {
            app: ArcSwap::from_pointee(app),
            gate: Gate::new(invocations, MAX_WAITING, MAX_WAIT),
            memory: builder.loader.engine.budget().clone(),
            trusted: config.trusted_proxies.clone().into(),
            metrics,
            timeouts: config.timeouts,
            open: Arc::default(),
            drain: CancellationToken::new(),
            stop: CancellationToken::new(),
            in_flight: AtomicUsize::new(0),
        };
        let drain = config.drain;
        Ok(Self { server: Arc::new(server), builder, listener, admin, tls, watcher, address, admin_address, drain })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers about its health, if it does.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Serves until it is asked to end, and then lets what is under way finish in the time that the configuration
    /// gives.
    pub async fn run(self, shutdown: Shutdown) -> Report {
        let Self { server, builder, listener, admin, tls, watcher, address, admin_address, drain: limit } = self;
        let (acceptor, certificate) = tls.unzip();
        tracing::info!(
            app = server.app.load().name,
            %address,
            admin_address = admin_address.map(tracing::field::display),
            tls = acceptor.is_some(),
            "serving"
        );
        let helpers = tokio::spawn(help(Arc::clone(&server), builder, watcher, certificate, admin));
        let connections = Drain::default();
        let accepting = tokio::spawn(accept(Arc::clone(&server), listener, acceptor, connections.clone()));
        shutdown.requested().await;
        // Closed, so that new clients are refused and go elsewhere.
        accepting.abort();
        let _ = accepting.await;
        server.drain.cancel();
        tracing::info!(requests = server.in_flight.load(Relaxed), limit = ?limit, "draining");
        tokio::select! {
            _ = connections.wait(limit) => {}
            () = shutdown.now() => {}
        }
        let cancelled = server.in_flight.load(Relaxed);
        server.stop.cancel();
        // Connections that are dropped now still have their guests to end.
        connections.wait(STOP).await;
        helpers.abort();
        if cancelled > 0 {
            tracing::warn!(cancelled, "ended, and cancelled what was not finished in time");
        } else {
            tracing::info!("ended");
        }
        Report { cancelled }
    }
}

/// How long connections that are to end at once may take for it.
///
/// Reason: dropping takes microseconds; a second forgives a machine that is busy, and ends the wait for a task that
/// never yields.
const STOP: Duration = Duration::from_secs(1);

fn listen(address: SocketAddr, connections: usize) -> Result<Listener, ServerError> {
    Listener::bind(address, connections).map_err(|source| ServerError::Listen { address, source })
}

fn bound_address(listener: &Listener, address: SocketAddr) -> Result<SocketAddr, ServerError> {
    listener.address().map_err(|source| ServerError::Listen { address, source })
}

/// Takes connections for ever, each in a task of its own.
///
/// It is a task like theirs, and goes to the end of the queue after each: however many clients come at once, those that
/// are there are served in between, and the rest wait in the kernel.
async fn accept(server: Arc<Server>, listener: Listener, tls: Option<TlsAcceptor>, connections: Drain) {
    loop {
        let Accepted { stream, peer, slot } = listener.accept(|| make_room(&server)).await;
        let (server, tls, open) = (Arc::clone(&server), tls.clone(), connections.enter());
        tokio::spawn(async move {
            server.metrics.connections.inc();
            let _decrement = Decrement(server.metrics.connections.clone());
            connection::serve(server, stream, peer, tls).await;
            drop((slot, open));
        });
        tokio::task::yield_now().await;
    }
}

/// Closes connections that do nothing, for those that wait.
fn make_room(server: &Server) {
    let closed = server.open.make_room();
    server.metrics.evicted.inc_by(closed as u64);
    tracing::debug!(closed, "idle connections are closed to make room");
}

/// Lowers a gauge when it is dropped, also by a panic.
struct Decrement(coracle_daemon::metrics::Gauge);

impl Drop for Decrement {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Everything that goes on beside the connections.
async fn help(
    server: Arc<Server>,
    builder: Builder,
    watcher: Option<Watcher>,
    certificate: Option<Certificate>,
    admin: Option<Listener>,
) {
    let fresh = async {
        match certificate {
            Some(certificate) => certificate.keep_fresh(RELOAD_INTERVAL).await,
            None => std::future::pending().await,
        }
    };
    let admin = async {
        match admin {
            Some(listener) => admin::serve(&server, listener).await,
            None => std::future::pending().await,
        }
    };
    tokio::join!(fresh, admin, reload(&server, &builder, watcher));
}

/// Reads the app again when a file changes or a signal says so, and puts it in the place of the one in use if nothing
/// is wrong with it.
async fn reload(server: &Server, builder: &Builder, mut watcher: Option<Watcher>) {
    let mut signal =
        Reload::listen().inspect_err(|error| tracing::warn!(%error, "no signal to reload is listened to")).ok();
    loop {
        let changed = async {
            match &mut watcher {
                Some(watcher) => watcher.changed().await,
                None => std::future::pending().await,
            }
        };
        let signalled = async {
            match &mut signal {
                Some(signal) => signal.requested().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = changed => {}
            () = signalled => {}
        }
        let result = match builder.build().await {
            Ok(app) => {
                if let Some(watcher) = &mut watcher
                    && let Err(error) = watcher.follow(&app.files)
                {
                    tracing::warn!(%error, "changes of some files will not be seen");
                }
                tracing::info!(app = app.name, "a new version is in use");
                server.app.store(Arc::new(app));
                "ok"
            }
            Err(problems) => {
                for problem in problems {
                    let details = (!problem.details.is_empty()).then(|| problem.details.join("\n"));
                    tracing::error!(details, hint = problem.hint, "{}", Problem { hint: None, ..problem.clone() });
                }
                tracing::error!("the new version is not used; the one before goes on serving");
                "failed"
            }
        };
        server.metrics.reloads.get_or_create(&ReloadLabels { result }).inc();
    }
}
