//! Looking on at what is published, without having a part in it.
//!
//! A tap is a subscription to envelopes that no publisher waits for, that nothing is counted for but what it missed, and that
//! nobody counts as a listener. Where there is none, publishing does nothing for it.

use super::bus::Bus;
use super::envelope::Envelope;
use super::error::SubscribeError;
use super::subscription::{Handles, Subscription, SubscriptionHandle};
use super::{Overflow, QueueOptions};
use crate::sync::Mutex;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

/// How many events wait for the reader of a tap at most.
const CAPACITY: usize = 1024;

/// Everything published on the topics that a pattern selects, by whomever.
///
/// It holds nobody up: when 1024 events wait for its reader, the oldest makes room, and the reader hears of that. Dropping it
/// ends it.
#[derive(Debug)]
pub struct Tap {
    subscription: Subscription<Envelope>,
    missed: u64,
}

/// An event that a [`Tap`] saw.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tapped {
    /// How many events were lost before this one, because the reader was slow.
    pub missed: u64,
    /// The event: its topic, its publisher, its time, and its JSON when asked for.
    pub event: Arc<Envelope>,
}

impl Tap {
    /// The next event; `None` once the host, or the life of the daemon it belongs to, has ended and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// An event is taken only when it is returned.
    pub async fn recv(&mut self) -> Option<Tapped> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Tapped>> {
        self.subscription.poll_in_turn(cx).map(|taken| taken.map(|taken| self.told(taken)))
    }

    /// An event that is there already.
    pub fn try_recv(&mut self) -> Option<Tapped> {
        match self.subscription.poll_next(None) {
            Poll::Ready(Some(taken)) => Some(self.told(taken)),
            _ => None,
        }
    }

    /// How many events were lost so far, because the reader was slow; those that the reader has heard of.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    fn told(&mut self, (event, dropped): (Arc<Envelope>, u64)) -> Tapped {
        let missed = dropped - self.missed;
        self.missed = dropped;
        Tapped { missed, event }
    }

    pub(crate) fn handle(&self) -> SubscriptionHandle {
        self.subscription.handle()
    }
}

/// The taps of a bus.
#[derive(Debug, Default)]
pub(crate) struct Taps(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    taps: Handles,
    /// Whether nothing will be published any more.
    over: bool,
}

impl Taps {
    fn add(&self, tap: SubscriptionHandle) {
        let over = {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            open.taps.add(tap.clone());
            open.over
        };
        if over {
            tap.close();
        }
    }

    fn end(&self) {
        let taps = {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            open.over = true;
            std::mem::take(&mut open.taps)
        };
        taps.iter().for_each(SubscriptionHandle::close);
    }
}

impl Bus {
    /// Looks on at everything published on the topics that `pattern` selects, from now on.
    ///
    /// # Errors
    ///
    /// The pattern is malformed.
    pub fn tap(self: &Arc<Self>, owner: &str, pattern: &str) -> Result<Tap, SubscribeError> {
        self.tap_of(owner, pattern, CAPACITY)
    }

    /// As [`tap`](Self::tap), with a bound of its own.
    pub(crate) fn tap_of(self: &Arc<Self>, owner: &str, pattern: &str, capacity: usize) -> Result<Tap, SubscribeError> {
        let options = QueueOptions::default().capacity(capacity).overflow(Overflow::DropOldest);
        let subscription = self.pull(owner, pattern, options, None, true)?;
        self.taps.add(subscription.handle());
        Ok(Tap { subscription, missed: 0 })
    }

    /// Ends every tap: nothing will be published any more.
    pub(crate) fn end_taps(&self) {
        self.taps.end();
    }
}
