//! What a subscription's own code says of an event before it is queued: whether the subscription wants it, and what tells it apart.
//! Asked in the publisher's call and outside any lock.
//!
//! **Invariant:** code that panics costs its own subscription that event and nobody anything else: the event counts as
//! offered and failed there, and the publisher and all other subscriptions go on. So with its destructor: the last to hold it may be
//! whoever closes the subscription, or a publisher.

use super::event::AnyEvent;
use super::filter::Filter;
use super::key::{Conflation, Hashed};
use super::plan::LanePlan;
use crate::unwind::{bury, quietly};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a gate says of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    /// It passes, and this tells it apart.
    PassesAs(Hashed),
    TurnsAway,
    Panicked,
}

/// The code of one subscription.
#[derive(Debug)]
pub(crate) struct Gate {
    subscription: String,
    filter: Option<Filter>,
    conflation: Option<Conflation>,
    panics: AtomicU64,
}

impl Gate {
    /// The gate of a lane of `owner`, if it has one.
    pub(crate) fn of(owner: &str, lane: &LanePlan) -> Option<Arc<Self>> {
        let conflation = lane.is_latest.then(|| Conflation::new(&lane.topic, lane.key.clone()));
        let (filter, panics) = (lane.filter.clone(), AtomicU64::new(0));
        let subscription = format!("{owner}.{}", lane.seats.first()?.name);
        (filter.is_some() || conflation.is_some()).then(|| Arc::new(Self { subscription, filter, conflation, panics }))
    }

    /// Asks about an event that was published on `topic`. Call without locks.
    pub(crate) fn judge(&self, topic: &str, event: &AnyEvent, publisher: &str) -> Verdict {
        let mut what = "a filter";
        let asked = catch_unwind(AssertUnwindSafe(|| {
            if self.filter.as_ref().is_some_and(|filter| !filter.passes(event)) {
                return Verdict::TurnsAway;
            }
            what = "a key";
            self.conflation.as_ref().map_or(Verdict::Passes, |by| Verdict::PassesAs(by.hash(topic, event)))
        }));
        asked.unwrap_or_else(|payload| {
            self.tell(what, publisher);
            bury(payload);
            Verdict::Panicked
        })
    }

    /// Says that it panicked: the first time, the second, the fourth and so on, so that a flood makes no flood of lines.
    #[cold]
    fn tell(&self, what: &str, publisher: &str) {
        let panics = self.panics.fetch_add(1, Ordering::Relaxed) + 1;
        if panics.is_power_of_two() {
            let subscription = &*self.subscription;
            tracing::error!(subscription, publisher, panics, "{what} panicked; the event counts as failed");
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let (filter, conflation) = (self.filter.take(), self.conflation.take());
        if !(quietly(|| drop(filter)) & quietly(|| drop(conflation))) {
            let subscription = &*self.subscription;
            tracing::error!(subscription, "the destructor of a filter or a key panicked");
        }
    }
}
