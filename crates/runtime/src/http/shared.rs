//! Instances that answer several requests at once.
//!
//! A choice of the manifest, for guests of WASI 0.3. Calls in one instance share its memory, its CPU time in equal parts,
//! and its end: what traps the guest ends them all. A call that is late or whose caller leaves ends alone, but its guest
//! cannot be told; such an instance takes no more calls and goes when its last one has ended.
//!
//! An instance has a task of its own, but a call that finds it at rest has it work on the caller's thread ([`Driven`]). One
//! that is at work on another thread is not waited for while there are fewer instances than processors.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use coracle_package::manifest;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::p3::{self, Request};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView};

use super::driven::{Again, Claim, Driven};
use super::gathered::Gathered;
use super::guest::{Ending, pass_on, with_scheme};
use super::{Ended, Guest, Inner, Job, RequestBody};
use crate::current::Current;
use crate::engine::ClockGuard;
use crate::host::{Host, Stdio};
use crate::invocation::{Invocation, Reporter};
use crate::meter::{Exhausted, Metered, passed};

/// The instances of one function that take more calls.
pub(super) struct Shared {
    reuse: manifest::Reuse,
    service: ServicePre<Host>,
    instances: Mutex<Vec<Arc<Instance>>>,
}

/// One instance, as its callers see it.
struct Instance {
    calls: mpsc::UnboundedSender<Call>,
    seats: Mutex<Seats>,
    driver: Arc<Driven>,
}

struct Seats {
    /// Calls that it answers now.
    open: u32,
    /// Calls that it has taken so far.
    taken: u32,
    /// Whether it takes no more.
    closed: bool,
}

/// One call that has a seat.
struct Call {
    job: Job,
    /// Told how the guest ended.
    ended: oneshot::Sender<Ended>,
    /// Completes when the caller leaves.
    left: oneshot::Receiver<()>,
}

impl Shared {
    pub(super) fn new(reuse: manifest::Reuse, service: ServicePre<Host>) -> Self {
        Self { reuse, service, instances: Mutex::default() }
    }

    /// Has an instance with a free seat answer, or a new one where there is none.
    pub(super) fn call(&self, function: &Arc<Inner>, job: Job) -> Guest {
        let (ended, told) = oneshot::channel();
        let (present, left) = oneshot::channel();
        if let Some(claim) = self.seat(function, Call { job, ended, left }) {
            claim.poll();
        }
        Box::pin(async move {
            let ended = told.await.ok();
            drop::<oneshot::Sender<()>>(present);
            ended
        })
    }

    /// Gives `call` a seat, in an instance that may be polled here where that is returned.
    fn seat(&self, function: &Arc<Inner>, mut call: Call) -> Option<Claim> {
        let mut instances = lock(&self.instances);
        instances.retain(|instance| !lock(&instance.seats).closed);
        for instance in instances.iter() {
            let Some(claim) = instance.driver.claim() else { continue };
            match instance.take(&self.reuse, call) {
                None => return Some(claim),
                Some(turned_away) => call = turned_away,
            }
        }
        if instances.len() >= function.engine.turns().slots() {
            for instance in instances.iter() {
                match instance.take(&self.reuse, call) {
                    None => return None,
                    Some(turned_away) => call = turned_away,
                }
            }
        }
        let (calls, waiting) = mpsc::unbounded_channel();
        let seats = Seats { open: 1, taken: 1, closed: self.reuse.invocations.get() == 1 };
        let instance = Arc::new(Instance { calls, seats: Mutex::new(seats), driver: Arc::default() });
        instances.push(Arc::clone(&instance));
        drop(instances);
        let (claim, driven) = (instance.driver.claim(), Arc::clone(&instance.driver));
        let current = Current::of(&call.job.invocation);
        let driver =
            Driver { function: Arc::clone(function), instance, current: Arc::clone(&current), roll: Mutex::default() };
        let driver = Again::new(driver.run(call, waiting), Arc::clone(&current), Arc::clone(&driven));
        let driver = Metered::sharing(current, &function.share, driver);
        // Where the host panicked in it, that has been reported, and its calls find their ends gone.
        driven.start(async { _ = driver.await });
        claim
    }
}

impl Instance {
    /// Gives `call` a seat, or gives it back.
    fn take(&self, reuse: &manifest::Reuse, call: Call) -> Option<Call> {
        let mut seats = lock(&self.seats);
        if seats.closed || seats.open >= reuse.concurrent.get() {
            return Some(call);
        }
        // Sent under the lock: an instance that closes finds every call that has a seat.
        if let Err(refused) = self.calls.send(call) {
            // The host panicked in it.
            seats.closed = true;
            return Some(refused.0);
        }
        seats.open += 1;
        seats.taken += 1;
        seats.closed = seats.taken >= reuse.invocations.get();
        None
    }

    fn close(&self) {
        lock(&self.seats).closed = true;
    }
}

/// Runs one instance for all of its calls.
struct Driver {
    function: Arc<Inner>,
    instance: Arc<Instance>,
    current: Arc<Current>,
    /// The calls under way: what their ends are told with is kept here, where the end of the instance finds it.
    roll: Mutex<Vec<Open>>,
}

struct Open {
    invocation: Arc<Invocation>,
    reporter: Reporter,
    ended: oneshot::Sender<Ended>,
    _clock: ClockGuard,
}

/// What the guest needs for one call.
struct Work {
    request: http::Request<RequestBody>,
    answer: oneshot::Sender<http::Response<WasiBody>>,
    invocation: Arc<Invocation>,
    left: oneshot::Receiver<()>,
}

/// How one call came to its end.
enum Over {
    Guest(Ending),
    Late,
    Left,
}

impl Driver {
    async fn run(self, first: Call, mut waiting: mpsc::UnboundedReceiver<Call>) {
        let ended = self.instantiate_and_serve(first, &mut waiting).await;
        self.instance.close();
        let open = std::mem::take(&mut *lock(&self.roll));
        if let Err(error) = ended {
            for Open { invocation, reporter, ended, .. } in open {
                // A caller that has left gets no word, and its end is reported as cancelled.
                let _ = ended.send(Ended::failed(reporter, &error, &invocation));
            }
        }
        // Those that had a seat and were not begun go to another instance.
        while let (Ok(call), super::Reuse::Shared(shared)) = (waiting.try_recv(), &self.function.reuse) {
            // The other instance's own task goes on: there is no end to what could follow from here.
            drop(shared.seat(&self.function, call));
        }
    }

    async fn instantiate_and_serve(
        &self,
        first: Call,
        waiting: &mut mpsc::UnboundedReceiver<Call>,
    ) -> wasmtime::Result<()> {
        let super::Reuse::Shared(shared) = &self.function.reuse else { return Ok(()) };
        let deadline = first.job.invocation.meter.wall_deadline();
        let first = self.open(first)?;
        let instantiated = self.instantiate(shared);
        let (mut store, service) = tokio::select! {
            instantiated = instantiated => instantiated?,
            () = passed(deadline) => return Err(Exhausted::Wall.into()),
        };
        store
            .run_concurrent(async |accessor| self.serve(accessor, &service, shared.reuse.idle, first, waiting).await)
            .await?
    }

    async fn instantiate(&self, shared: &Shared) -> wasmtime::Result<(Store<Host>, Service)> {
        let Inner { engine, authority, .. } = &*self.function;
        loop {
            let host = Host::new(engine, authority, &self.current, Stdio::Log, &[])?;
            let mut store = host.into_store(engine, shared.service.engine())?;
            let service = shared.service.instantiate_async(&mut store).await;
            if !engine.has_made_place(&service) {
                let service = service.map_err(|error| store.data().not_begun(error))?;
                return Ok((store, service));
            }
        }
    }

    /// Answers calls until the instance takes no more, or none has come for as long as `idle`.
    async fn serve(
        &self,
        accessor: &Accessor<Host>,
        service: &Service,
        idle: std::time::Duration,
        first: Work,
        waiting: &mut mpsc::UnboundedReceiver<Call>,
    ) -> wasmtime::Result<()> {
        let begin = |call: Call| {
            let work = self.open(call)?;
            accessor.with(|mut store| store.data_mut().join(&work.invocation));
            Ok::<_, wasmtime::Error>(self.answer(accessor, service, work))
        };
        // Set anew when it is over, and not at each call: where calls follow each other it never is.
        let mut rest = pin!(tokio::time::sleep(idle));
        let mut worked = Instant::now();
        let mut running = FuturesUnordered::new();
        running.push(self.answer(accessor, service, first));
        // The last call, answered: what its guest still does is charged to it, as in an instance of its own.
        let mut last: Option<Arc<Invocation>> = None;
        // Whether the guest still works for a call that has ended without it. That cannot be told from what it does after
        // an answer, so that nothing is waited for any more.
        let mut abandoned = false;
        loop {
            let resting = running.is_empty() && last.is_none();
            if resting && lock(&self.instance.seats).closed && waiting.is_empty() {
                return Ok(());
            }
            if !resting {
                worked = Instant::now();
            }
            let deadline = last.as_ref().and_then(|invocation| invocation.meter.wall_deadline());
            tokio::select! {
                Some(call) = waiting.recv() => {
                    running.push(begin(call)?);
                    if let Some(invocation) = last.take() {
                        self.end(&invocation, Over::Guest(Ending::Answered));
                    }
                }
                Some(over) = running.next(), if !running.is_empty() => {
                    let (invocation, over) = over?;
                    abandoned |= !matches!(over, Over::Guest(_));
                    match over {
                        Over::Guest(Ending::Answered) if running.is_empty() && !abandoned => last = Some(invocation),
                        over => self.end(&invocation, over),
                    }
                }
                () = poll_fn(|context| accessor.poll_no_interesting_tasks(context)), if last.is_some() => {
                    last.take().iter().for_each(|invocation| self.end(invocation, Over::Guest(Ending::Answered)));
                }
                () = passed(deadline), if last.is_some() => {
                    last.take().iter().for_each(|invocation| self.end(invocation, Over::Late));
                }
                () = rest.as_mut(), if resting => match worked + idle {
                    over if over <= Instant::now() => self.instance.close(),
                    over => rest.as_mut().reset(over),
                },
            }
        }
    }

    /// Enters a call in the roll.
    fn open(&self, call: Call) -> wasmtime::Result<Work> {
        let Call { job: Job { request, scheme, answer, invocation, reporter }, ended, left } = call;
        let clock = self.function.engine.run_clock();
        lock(&self.roll).push(Open { invocation: Arc::clone(&invocation), reporter, ended, _clock: clock });
        Ok(Work { request: with_scheme(request, scheme)?, answer, invocation, left })
    }

    /// Strikes a call from the roll and gives its seat up.
    fn end(&self, invocation: &Arc<Invocation>, over: Over) {
        self.current.remove(invocation);
        let mut roll = lock(&self.roll);
        let found = roll.iter().position(|open| Arc::ptr_eq(&open.invocation, invocation));
        let open = found.map(|place| roll.swap_remove(place));
        drop(roll);
        let mut seats = lock(&self.instance.seats);
        seats.open = seats.open.saturating_sub(1);
        seats.closed |= matches!(over, Over::Late | Over::Left);
        drop(seats);
        let Some(Open { reporter, ended, .. }) = open else { return };
        let end = match over {
            Over::Guest(ending) => Ended::by_itself(reporter, ending),
            Over::Late => Ended::failed(reporter, &Exhausted::Wall.into(), invocation),
            Over::Left => return,
        };
        // A caller that has left gets no word, and its end is reported as cancelled.
        let _ = ended.send(end);
    }

    /// Has the guest answer one call.
    async fn answer(
        &self,
        accessor: &Accessor<Host>,
        service: &Service,
        work: Work,
    ) -> wasmtime::Result<(Arc<Invocation>, Over)> {
        let Work { request, answer, invocation, left } = work;
        let guest = async {
            let (request, sent) = accessor.with(|mut store| {
                let (request, sent) = Request::from_http(store.data_mut().http().hooks, request);
                (request, Box::pin(sent) as Pin<Box<dyn Future<Output = _> + Send>>)
            });
            let response = match service.handle(accessor, request).await? {
                Ok(response) => accessor.with(|mut store| p3::Response::into_http(response, &mut store, sent))?,
                Err(code) => {
                    return Ok::<_, wasmtime::Error>(Ending::Failed(format!(
                        "the guest answered with the error {code:?}"
                    )));
                }
            };
            let (head, body) = response.into_parts();
            let body = Gathered::of(body, &self.instance.driver).await;
            if body.is_whole() {
                return Ok(pass_on(http::Response::from_parts(head, body.boxed_unsync()), answer));
            }
            let (read, over) = oneshot::channel();
            let (_call, call) = oneshot::channel();
            let body = Held { body, driver: Arc::clone(&self.instance.driver), _read: read, call };
            let ending = pass_on(http::Response::from_parts(head, body.boxed_unsync()), answer);
            // The guest writes the body until nobody reads it any more.
            let _ = over.await;
            Ok(ending)
        };
        let over = tokio::select! {
            biased;
            ending = guest => Over::Guest(ending?),
            _ = left => Over::Left,
            () = passed(invocation.meter.wall_deadline()) => Over::Late,
        };
        Ok((invocation, over))
    }
}

/// The body of an answer, which breaks off when its call has ended before it.
struct Held {
    body: Gathered,
    /// Of the guest that writes it: who reads has it write on.
    driver: Arc<Driven>,
    /// Dropped with the body: nobody reads it any more.
    _read: oneshot::Sender<()>,
    /// Completes when the call has ended.
    call: oneshot::Receiver<()>,
}

impl Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.call).poll(context) {
            Poll::Ready(_) => Poll::Ready(Some(Err(Error::ConnectionTerminated))),
            Poll::Pending => {
                // What is read lets the guest write on: here where nothing has come, by its own task otherwise.
                let claim = self.driver.claim();
                let frame = Pin::new(&mut self.body).poll_frame(context);
                match claim {
                    Some(claim) if frame.is_pending() => claim.poll(),
                    _ => return frame,
                }
                Pin::new(&mut self.body).poll_frame(context)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
