//! A publish that finds queues full: what it does about each, the ticket its parked events share, and the future that waits.

use super::after::After;
use super::event::{AnyEvent, discard};
use super::mailbox::{Insisted, Mailbox};
use super::stall::Stall;
use super::state::State;
use super::wait_graph::{WaitGraph, Waiter};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::unwind::wake;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// An event that waits in a full queue's line, and who is to be told when it is in.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) event: AnyEvent,
    /// The subscription it is for.
    pub(crate) to: u32,
    pub(crate) ticket: Arc<Ticket>,
    /// The call that waits, if a handler or a tick does.
    pub(crate) from: Option<Waiter>,
}

impl Parked {
    pub(crate) fn is(&self, to: u32, ticket: &Arc<Ticket>) -> bool {
        self.to == to && Arc::ptr_eq(&self.ticket, ticket)
    }
}

/// Shared by all parked events of one publish.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    open: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Ticket {
    pub(crate) fn parked(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// One of its events is in, or was given up by the queue. Call without locks: it wakes.
    pub(crate) fn settle(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                wake(waker);
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_settled() {
            return Poll::Ready(());
        }
        let new = cx.waker().clone();
        let old = self.waker.lock().unwrap_or_else(PoisonError::into_inner).replace(new);
        drop(old);
        // stored first, read again: whoever settles last either finds the waker or is seen here
        if self.is_settled() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A subscription whose queue had no room for an event, and makes publishers wait.
pub(crate) struct Full {
    mailbox: Arc<Mailbox>,
    to: u32,
    event: AnyEvent,
    insisted: Option<Early>,
}

/// What came of insisting where that could not be left for later.
struct Early {
    outcome: Insisted,
    ticket: Option<Arc<Ticket>>,
}

/// Where the events of a publish that waits stand in line.
pub(crate) type Line<'a> = (&'a Arc<Ticket>, Option<Waiter>);

impl Full {
    pub(crate) fn new(mailbox: Arc<Mailbox>, to: u32, event: AnyEvent) -> Self {
        Self { mailbox, to, event, insisted: None }
    }

    fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }

    /// Offers it again, by whoever holds the lock of its mailbox; without a line it does not wait.
    pub(crate) fn insist(&mut self, mailbox: &Mailbox, state: &mut State, line: Option<Line<'_>>, after: &mut After) {
        let outcome = mailbox.insist(state, self.to, &self.event, line, after);
        self.insisted = Some(Early { outcome, ticket: line.map(|(ticket, _)| ticket.clone()) });
    }

    /// What came of it; refused if it was not offered again.
    fn outcome(&mut self) -> Insisted {
        self.insisted.take().map_or(Insisted::Refused, |early| early.outcome)
    }
}

/// Where an event found no room: mostly nowhere, which costs nothing to make, to hand on or to drop.
#[derive(Default)]
pub(crate) struct Crowd(Option<Box<Places>>);

#[derive(Default)]
struct Places(Vec<Full>);

impl Crowd {
    /// It, unless nobody is in it.
    #[inline]
    pub(crate) fn any(self) -> Option<Self> {
        self.0.is_some().then_some(self)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[cold]
    pub(crate) fn push(&mut self, full: Full) {
        self.0.get_or_insert_default().0.push(full);
    }

    /// Offers the event again wherever that has not been done, with one lock for each mailbox; without a line it does not wait.
    /// `then` gets what must happen without locks.
    pub(crate) fn insist(&mut self, line: Option<Line<'_>>, then: impl FnMut(After)) {
        let places = self.0.iter_mut().flat_map(|places| places.0.chunk_by_mut(|full, next| full.is_beside(next)));
        let left = places.filter(|group| group[0].insisted.is_none());
        left.map(|group| group[0].mailbox.clone().insist_all(group, line)).for_each(then);
    }

    fn first(&self) -> Option<&Full> {
        self.0.as_ref().and_then(|places| places.0.first())
    }

    fn into_places(self) -> Vec<Full> {
        self.0.map_or_else(Vec::new, |places| places.0)
    }
}

/// Offers an event again wherever there was no room for it, without waiting; says where it was refused.
pub(crate) fn refuse(mut full: Crowd) -> Option<Arc<str>> {
    let mut refused = None;
    full.insist(None, After::run);
    for mut full in full.into_places() {
        if let Insisted::Refused = full.outcome() {
            refused.get_or_insert_with(|| full.mailbox.label(full.to));
        }
        discard(full.event);
    }
    refused
}

/// Puts an event in line wherever there was no room for it, and says where waiting would be hopeless.
pub(crate) fn park(mut full: Crowd, graph: &WaitGraph) -> (Waiting, Option<Arc<str>>) {
    let early = full.first().and_then(|full| full.insisted.as_ref());
    let ticket = early.and_then(|early| early.ticket.clone()).unwrap_or_default();
    let from = if early.is_some() { None } else { graph.caller() };
    let (mut waiting, mut refused) = (Waiting { ticket, places: Vec::new() }, None);
    full.insist(Some((&waiting.ticket, from)), After::run);
    for mut full in full.into_places() {
        let outcome = full.outcome();
        let Full { mailbox, to, event, .. } = full;
        match outcome {
            Insisted::Done => {}
            Insisted::Refused => {
                refused.get_or_insert_with(|| mailbox.label(to));
            }
            Insisted::Parked => waiting.places.push((mailbox, to)),
        }
        discard(event);
    }
    (waiting, refused)
}

/// The parked events of one publish; dropping it takes back those still in line, counted as dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    ticket: Arc<Ticket>,
    places: Vec<(Arc<Mailbox>, u32)>,
}

impl Waiting {
    /// Ends when every parked event is in its queue or was given up by it.
    pub(crate) async fn done(self, publisher: &str) {
        if self.places.is_empty() {
            return;
        }
        let mut stall = Stall::watch(publisher);
        poll_fn(|cx| {
            if self.ticket.poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if let Some(waited) = stall.as_mut().and_then(|stall| stall.poll(cx)) {
                self.warn(publisher, waited);
            }
            Poll::Pending
        })
        .await;
        if let Some(stall) = stall {
            stall.end();
        }
    }

    fn warn(&self, publisher: &str, waited: Duration) {
        for (mailbox, to) in &self.places {
            if let Some(subscription) = mailbox.label_if_waiting(*to, &self.ticket) {
                let subscription = &*subscription;
                tracing::warn!(publisher, subscription, "publish has waited for room for {waited:?}");
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.ticket.is_settled() {
            return;
        }
        for (mailbox, to) in &self.places {
            mailbox.withdraw(*to, &self.ticket);
        }
    }
}
