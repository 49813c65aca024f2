//! A future that has a task of its own, and that others poll too when they have something for it.
//!
//! To hand work to a task on another thread, and to be woken when it is done, costs more than a small guest takes. Who has
//! work for a future that nobody polls right now claims it, hands the work over, and polls it in its own time. What the
//! future waits for afterwards wakes its own task, as always.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

use crate::current::Current;

/// How often a future that wakes itself is polled at one go, before its own task polls on.
///
/// Reason: a call is answered in less than ten; a thread that serves connections is not to be held by one of them.
const MAX_POLLS: usize = 32;

/// Somebody has claimed it.
const CLAIMED: u8 = 1;
/// It was woken since the last poll began.
const WOKEN: u8 = 2;
/// It has come to its end.
const ENDED: u8 = 4;

/// The future, as those see it who may poll it.
#[derive(Default)]
pub(super) struct Driven {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    state: AtomicU8,
    task: AtomicWaker,
    rest: Mutex<Rest>,
}

/// Who waits for a future to rest.
#[derive(Default)]
struct Rest {
    /// How often it has rested.
    times: u64,
    /// The last number that was given to one who waits.
    number: u64,
    waiting: Vec<(u64, Waker)>,
}

impl Driven {
    /// Has `future` polled by a task of its own from now on.
    pub(super) fn start(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) {
        *self.future() = Some(Box::pin(future));
        // Whoever has claimed it meanwhile found nothing to poll, and has its task do so.
        self.state.fetch_or(WOKEN, SeqCst);
        tokio::spawn(Task(Arc::clone(self)));
    }

    /// The right to poll it, unless somebody else has it now.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claim> {
        let before = self.state.fetch_or(CLAIMED, SeqCst);
        (before & CLAIMED == 0).then(|| Claim(Arc::clone(self)))
    }

    /// Completes when the future rests the next time: when it has done what it can without waiting, or is to let others run.
    pub(super) fn rest(&self) -> Resting<'_> {
        let mut rest = self.lock_rest();
        rest.number += 1;
        Resting { driven: self, before: rest.times, number: rest.number }
    }

    /// Whether somebody who waited for the future to rest goes on now.
    fn has_rested(&self) -> bool {
        let mut rest = self.lock_rest();
        rest.times += 1;
        let waiting = std::mem::take(&mut rest.waiting);
        drop(rest);
        let any = !waiting.is_empty();
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
        any
    }

    fn lock_rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn future(&self) -> MutexGuard<'_, Option<Pin<Box<dyn Future<Output = ()> + Send>>>> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Driven {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Who has claimed it looks before and after giving it up.
        if self.state.fetch_or(WOKEN, SeqCst) & CLAIMED == 0 {
            self.task.wake();
        }
    }
}

/// The right to poll, which one has at a time. What wakes the future meanwhile wakes nobody else.
pub(super) struct Claim(Arc<Driven>);

impl Claim {
    /// Polls until the future rests. Does nothing where it has ended or not begun.
    pub(super) fn poll(&self) {
        let Self(driven) = self;
        let mut slot = driven.future();
        let Some(future) = slot.as_mut() else { return };
        driven.state.fetch_and(!WOKEN, SeqCst);
        if future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(driven)))).is_ready() {
            *slot = None;
            driven.state.fetch_or(WOKEN | ENDED, SeqCst);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.0.state.fetch_and(!CLAIMED, SeqCst) & WOKEN != 0 {
            self.0.task.wake();
        }
    }
}

/// A wait for a future to rest.
pub(super) struct Resting<'a> {
    driven: &'a Driven,
    before: u64,
    number: u64,
}

impl Future for Resting<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut rest = self.driven.lock_rest();
        if rest.times > self.before {
            return Poll::Ready(());
        }
        match rest.waiting.iter_mut().find(|(number, _)| *number == self.number) {
            Some((_, waker)) => waker.clone_from(context.waker()),
            None => rest.waiting.push((self.number, context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.driven.lock_rest().waiting.retain(|(number, _)| *number != self.number);
    }
}

/// A guest inside of the future that is driven, polled again for as long as it is woken meanwhile: what stands around it is
/// polled once. One that a tick has interrupted lets others run first.
pub(super) struct Again<F> {
    future: Pin<Box<F>>,
    current: Arc<Current>,
    driven: Arc<Driven>,
}

impl<F> Again<F> {
    pub(super) fn new(future: F, current: Arc<Current>, driven: Arc<Driven>) -> Self {
        Self { future: Box::pin(future), current, driven }
    }
}

impl<F: Future> Future for Again<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, current, driven } = &mut *self;
        for _ in 0..MAX_POLLS {
            driven.state.fetch_and(!WOKEN, SeqCst);
            let polled = future.as_mut().poll(context);
            let waits = driven.state.load(SeqCst) & WOKEN == 0;
            if polled.is_ready() || waits && !driven.has_rested() {
                return polled;
            }
            if current.is_interrupted() {
                break;
            }
        }
        // Whoever waits for it to rest does not wait for longer than others for their turn.
        driven.has_rested();
        Poll::Pending
    }
}

/// The future's own task.
struct Task(Arc<Driven>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self(driven) = &*self;
        driven.task.register(context.waker());
        if let Some(claim) = driven.claim() {
            claim.poll();
        }
        if driven.state.load(SeqCst) & ENDED == 0 { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // A runtime that shuts down drops its tasks: what they hold goes with them.
        let future = self.0.future().take();
        drop(future);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;
    use std::time::Duration;

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// A future that echoes what it is sent, and says on which thread.
    fn echo(driven: &Arc<Driven>) -> mpsc::UnboundedSender<oneshot::Sender<thread::ThreadId>> {
        let (sender, mut receiver) = mpsc::unbounded_channel::<oneshot::Sender<thread::ThreadId>>();
        driven.start(async move {
            while let Some(answer) = receiver.recv().await {
                answer.send(thread::current().id()).unwrap();
            }
        });
        sender
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_claims_it_polls_it_on_the_own_thread() {
        let driven = Arc::<Driven>::default();
        let sender = echo(&driven);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let claim = driven.claim().unwrap();
        assert!(driven.claim().is_none());
        let (answer, mut told) = oneshot::channel();
        sender.send(answer).unwrap();
        claim.poll();
        assert_eq!(told.try_recv().unwrap(), thread::current().id());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_claim_leaves_over_is_done_by_its_own_task() {
        let driven = Arc::<Driven>::default();
        let sender = echo(&driven);
        let claim = driven.claim();
        let (answer, told) = oneshot::channel();
        sender.send(answer).unwrap();
        drop(claim);
        told.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_is_lost_among_many() {
        let driven = Arc::<Driven>::default();
        let sender = echo(&driven);
        let answered = Arc::new(AtomicUsize::new(0));
        let mut callers = Vec::new();
        for _ in 0..8 {
            let (driven, sender, answered) = (Arc::clone(&driven), sender.clone(), Arc::clone(&answered));
            callers.push(tokio::spawn(async move {
                for _ in 0..5_000 {
                    let (answer, told) = oneshot::channel();
                    let claim = driven.claim();
                    sender.send(answer).unwrap();
                    claim.iter().for_each(Claim::poll);
                    drop(claim);
                    told.await.unwrap();
                    answered.fetch_add(1, SeqCst);
                }
            }));
        }
        for caller in callers {
            tokio::time::timeout(Duration::from_mins(1), caller).await.unwrap().unwrap();
        }
        assert_eq!(answered.load(SeqCst), 40_000);
    }

    #[tokio::test]
    async fn its_end_ends_its_task() {
        let driven = Arc::<Driven>::default();
        let sender = echo(&driven);
        drop(sender);
        let weak = Arc::downgrade(&driven);
        drop(driven);
        tokio::time::timeout(Duration::from_mins(1), async {
            while weak.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_that_is_claimed_before_it_has_begun_is_begun_all_the_same() {
        for _ in 0..200 {
            let driven = Arc::<Driven>::default();
            let claim = driven.claim().unwrap();
            claim.poll();
            let (done, told) = oneshot::channel();
            driven.start(async move { done.send(()).unwrap() });
            // Its task finds it claimed.
            tokio::task::yield_now().await;
            drop(claim);
            tokio::time::timeout(Duration::from_mins(1), told).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn who_waits_for_it_to_rest_is_forgotten_with_the_wait() {
        let driven = Arc::<Driven>::default();
        {
            let mut rest = Box::pin(driven.rest());
            for _ in 0..3 {
                assert!(futures_util::poll!(rest.as_mut()).is_pending());
            }
            assert_eq!(driven.lock_rest().waiting.len(), 1);
        }
        assert!(!driven.has_rested());
        let mut rest = Box::pin(driven.rest());
        assert!(futures_util::poll!(rest.as_mut()).is_pending());
        assert!(driven.has_rested());
        assert!(futures_util::poll!(rest.as_mut()).is_ready());
    }

    #[test]
    fn a_runtime_that_ends_drops_it() {
        let held = Arc::new(());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let driven = Arc::<Driven>::default();
        let (mine, cycle) = (Arc::clone(&held), Arc::clone(&driven));
        runtime.block_on(async {
            driven.start(async move {
                poll_fn::<(), _>(|_| Poll::Pending).await;
                drop((mine, cycle));
            });
        });
        drop((runtime, driven));
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
