//! A publish that finds queues full: what it does about each, the ticket its parked events share, and the future that waits.

use super::event::AnyEvent;
use super::mailbox::{Insisted, Mailbox};
use super::stall::Stall;
use super::wait_graph::{self, WaitGraph, Waiter};
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
    /// The call that waits, if a handler does.
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
}

impl Full {
    pub(crate) fn new(mailbox: Arc<Mailbox>, to: u32, event: AnyEvent) -> Self {
        Self { mailbox, to, event }
    }

    /// The call that publishes, once its own mailbox is settled (see [`wait_graph`], invariant 3).
    pub(crate) fn publisher(graph: &WaitGraph) -> Option<Waiter> {
        let waiter = wait_graph::current()?;
        if let Some(own) = graph.mailbox(waiter.node.mailbox) {
            own.settle();
        }
        Some(waiter)
    }

    /// Offers the event again; `waiting` notes its place in line, without one it does not wait.
    ///
    /// # Errors
    ///
    /// It was refused: the full subscription.
    pub(crate) fn insist(self, waiting: Option<(&mut Waiting, Option<Waiter>)>) -> Result<(), Arc<str>> {
        let Self { mailbox, to, event } = self;
        let Some((waiting, from)) = waiting else {
            return match mailbox.insist(to, &event, None) {
                Insisted::Done | Insisted::Parked => Ok(()),
                Insisted::Refused => Err(mailbox.label(to)),
            };
        };
        match mailbox.insist(to, &event, Some((&waiting.ticket, from))) {
            Insisted::Done => Ok(()),
            Insisted::Parked => {
                waiting.places.push((mailbox, to));
                Ok(())
            }
            Insisted::Refused => Err(mailbox.label(to)),
        }
    }
}

/// The parked events of one publish; dropping it takes back those still in line, counted as dropped.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) places: Vec<(Arc<Mailbox>, u32)>,
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
