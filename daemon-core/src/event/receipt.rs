//! What becomes of one published event at each subscription, for a publisher that waits to know.
//!
//! Such an event is queued for each subscription by itself, wrapped in a [`Tracked`]. Whoever hands it to a handler takes it out
//! and tells the outcome; an event that is lost on the way, wherever that is, tells so by being dropped. So no queue knows of
//! receipts, and publishers that do not wait pay nothing for those that do.
//!
//! Invariants:
//! 1. Each tracked event settles its place in the receipt once: told, or dropped untold.
//! 2. A place with an edge in the graph of waits has it from before its event is queued until the place is settled or the
//!    publisher gives up.
//! 3. Lock order: a mailbox, then a receipt or the graph; never a receipt and the graph at once. A receipt's waker is woken
//!    outside every lock, so a tracked event must not be dropped under one.

use super::error::{Fate, Unhandled};
use super::event::{AnyEvent, discard};
use super::span::Linked;
use super::stall::Stall;
use super::wait_graph::{Node, WaitGraph, Waiter};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::unwind::wake;
use std::any::Any;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The outcomes of one publish.
#[derive(Debug)]
pub(crate) struct Receipt {
    graph: Arc<WaitGraph>,
    /// The handler or tick that publishes, if one does.
    from: Option<Waiter>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Each place that is not settled: the subscription, and where its events wait.
    places: Vec<Option<(Arc<str>, Node)>>,
    open: usize,
    handled: usize,
    unhandled: Vec<Unhandled>,
    waker: Option<Waker>,
}

/// An event on its way to one subscription, whose publisher waits to know what becomes of it.
#[derive(Debug)]
pub(crate) struct Tracked {
    /// There until it is dropped: it may be the last reference, and so run the user's destructor.
    event: Option<AnyEvent>,
    receipt: Arc<Receipt>,
    place: usize,
    abandoned: AtomicBool,
}

impl Receipt {
    pub(crate) fn new(graph: Arc<WaitGraph>, from: Option<Waiter>) -> Arc<Self> {
        Arc::new(Self { graph, from, inner: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tracked event for a subscription; `None`, and that noted, if the publisher would wait for itself.
    pub(crate) fn track(self: &Arc<Self>, event: &AnyEvent, subscription: &Arc<str>, on: Node) -> Option<Tracked> {
        if self.from.is_some_and(|from| !self.graph.wait(from, on)) {
            self.note(subscription, Fate::WouldDeadlock);
            return None;
        }
        let mut inner = self.lock();
        inner.places.push(Some((subscription.clone(), on)));
        inner.open += 1;
        let (event, place) = (Some(event.clone()), inner.places.len() - 1);
        Some(Tracked { event, receipt: self.clone(), place, abandoned: AtomicBool::new(false) })
    }

    /// Notes what became of an event that was not tracked.
    pub(crate) fn note(&self, subscription: &str, fate: Fate) {
        self.lock().unhandled.push(Unhandled { subscription: subscription.to_owned(), fate });
    }

    fn settle(&self, place: usize, fate: Option<Fate>) {
        let (on, waker) = {
            let mut inner = self.lock();
            let Some((subscription, on)) = inner.places[place].take() else { return };
            inner.open -= 1;
            match fate {
                None => inner.handled += 1,
                Some(fate) => inner.unhandled.push(Unhandled { subscription: subscription.to_string(), fate }),
            }
            (on, if inner.open == 0 { inner.waker.take() } else { None })
        };
        self.end_wait(on);
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    fn end_wait(&self, on: Node) {
        if let Some(from) = self.from {
            self.graph.end(from, on);
        }
    }

    /// Waits until every place is settled; then how many handled the event, and what became of it elsewhere. Dropping the future
    /// gives the wait up.
    pub(crate) async fn settled(self: &Arc<Self>, publisher: &str) -> (usize, Vec<Unhandled>) {
        let waits = Waits(self);
        let mut stall = None;
        poll_fn(|cx| {
            if self.poll_settled(cx).is_ready() {
                return Poll::Ready(());
            }
            let stall = stall.get_or_insert_with(|| Stall::watch(publisher));
            if let Some(waited) = stall.as_mut().and_then(|stall| stall.poll(cx)) {
                self.warn(publisher, waited);
            }
            Poll::Pending
        })
        .await;
        if let Some(stall) = stall.flatten() {
            stall.end();
        }
        drop(waits);
        let mut inner = self.lock();
        (inner.handled, std::mem::take(&mut inner.unhandled))
    }

    fn poll_settled(&self, cx: &Context<'_>) -> Poll<()> {
        let new = cx.waker().clone();
        let mut inner = self.lock();
        let (poll, old) =
            if inner.open == 0 { (Poll::Ready(()), None) } else { (Poll::Pending, inner.waker.replace(new)) };
        drop(inner);
        drop(old);
        poll
    }

    fn warn(&self, publisher: &str, waited: Duration) {
        let open: Vec<_> = self.lock().places.iter().flatten().map(|(subscription, _)| subscription.clone()).collect();
        for subscription in open {
            let subscription = &*subscription;
            tracing::warn!(publisher, subscription, "publish has waited for its event to be handled for {waited:?}");
        }
    }

    /// From here on nobody waits for what is open.
    fn give_up(&self) {
        let open: Vec<_> = self.lock().places.iter_mut().filter_map(Option::take).collect();
        open.into_iter().for_each(|(_, on)| self.end_wait(on));
    }
}

/// A wait for a receipt, given up when dropped.
struct Waits<'r>(&'r Arc<Receipt>);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Tracked {
    /// The event itself, if it is tracked or not.
    pub(crate) fn inside(event: &AnyEvent) -> &AnyEvent {
        let event = Linked::inside(event);
        event.downcast_ref::<Self>().and_then(|tracked| tracked.event.as_ref()).unwrap_or(event)
    }

    /// Whether it is that event.
    pub(crate) fn is<E>(&self, event: &Arc<E>) -> bool {
        self.event.as_ref().is_some_and(|own| std::ptr::addr_eq(Arc::as_ptr(own), Arc::as_ptr(event)))
    }

    /// Its handler has ended; with a reason if not well. Call without locks.
    pub(crate) fn end(&self, failure: Option<String>) {
        self.receipt.settle(self.place, failure.map(Fate::Failed));
    }

    /// It will reach no handler, for its subscriber stops. Told once it is dropped.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let abandoned = self.abandoned.swap(false, Ordering::Acquire); // which sees the latest, whatever an `Arc` may order
        self.receipt.settle(self.place, Some(if abandoned { Fate::Abandoned } else { Fate::Dropped }));
        self.event.take().into_iter().for_each(discard);
    }
}

/// Notes of an event, if it is tracked, that it will reach no handler.
pub(crate) fn abandon(event: &AnyEvent) {
    if let Some(tracked) = Linked::inside(event).downcast_ref::<Tracked>() {
        tracked.abandon();
    }
}

/// The event in a tracked one, of the type of its lane, and what is to be told of it.
pub(crate) fn take_out<E: Any + Send + Sync>(event: AnyEvent) -> Option<(Arc<E>, Arc<Tracked>)> {
    let tracked = event.downcast::<Tracked>().ok()?;
    Some((tracked.event.clone()?.downcast().ok()?, tracked))
}
