//! What must not happen under a mailbox's lock: user code, and whatever may run some.

use super::event::{AnyEvent, discard};
use super::waiting::Ticket;
use crate::unwind::wake;
use std::sync::Arc;
use std::task::Waker;

/// What must happen once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct After {
    pub(crate) waker: Option<Waker>,
    evicted: Option<AnyEvent>,
    /// What is rare.
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default)]
struct Rest {
    discarded: Vec<AnyEvent>,
    settled: Vec<Arc<Ticket>>,
    overflowed: Vec<Arc<str>>,
    /// Subscriptions that begin to drop events, for want of room.
    crowded: Vec<Arc<str>>,
}

impl After {
    /// Drops an event.
    pub(crate) fn discard(&mut self, event: AnyEvent) {
        if let Some(earlier) = self.evicted.replace(event) {
            self.rest.get_or_insert_default().discarded.push(earlier);
        }
    }

    /// Tells a publisher that one of its waits is over.
    pub(crate) fn settle(&mut self, ticket: Arc<Ticket>) {
        self.rest.get_or_insert_default().settled.push(ticket);
    }

    /// Warns of a startup buffer that overflows.
    pub(crate) fn warn(&mut self, subscription: Arc<str>) {
        self.rest.get_or_insert_default().overflowed.push(subscription);
    }

    /// Warns of a running queue that drops its first event.
    pub(crate) fn crowded(&mut self, subscription: Arc<str>) {
        self.rest.get_or_insert_default().crowded.push(subscription);
    }

    #[inline]
    pub(crate) fn run(self) {
        self.run_for("");
    }

    /// As [`run`](Self::run), after something was offered by `publisher`.
    #[inline]
    pub(crate) fn run_for(self, publisher: &str) {
        let Self { waker, evicted, rest } = self;
        if let Some(waker) = waker {
            wake(waker);
        }
        if let Some(event) = evicted {
            discard(event);
        }
        if let Some(rest) = rest {
            rest.run(publisher);
        }
    }
}

impl Rest {
    #[cold]
    fn run(self, publisher: &str) {
        for ticket in self.settled {
            ticket.settle();
        }
        self.discarded.into_iter().for_each(discard);
        for subscription in self.overflowed {
            let subscription = &*subscription;
            tracing::warn!(subscription, "startup buffer is full; the oldest events are dropped until it runs");
        }
        for subscription in self.crowded {
            let subscription = &*subscription;
            tracing::warn!(subscription, publisher, "queue is full; events are dropped from now on, and counted");
        }
    }
}
