//! Numbers of one subscription: those its consumer writes, and the sum a reader sees.

use super::Overflow;
use super::times::Times;
use crate::Histogram;
use crate::sync::atomic::{AtomicU64, Ordering};
use serde::{Deserialize, Serialize};

/// What a subscription's only consumer has done so far.
///
/// **Invariant:** one writer at a time, so a plain load and store suffice. `taken` is stored before the outcome of the
/// same event, both with release: who reads the outcomes first and `taken` second never sees more outcomes than takes.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    taken: AtomicU64,
    handled: AtomicU64,
    failed: AtomicU64,
    times: Times,
}

impl Progress {
    #[inline]
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Outcomes first, takes second; see the invariant.
    pub(crate) fn read(&self) -> (u64, u64, u64) {
        let (handled, failed) = (self.handled.load(Ordering::Acquire), self.failed.load(Ordering::Acquire));
        (self.taken(), handled, failed)
    }

    #[inline]
    pub(crate) fn take(&self) {
        bump(&self.taken);
    }

    #[inline]
    pub(crate) fn handled(&self) {
        bump(&self.handled);
    }

    pub(crate) fn failed(&self) {
        bump(&self.failed);
    }

    /// How long calls took.
    pub(crate) fn times(&self) -> &Times {
        &self.times
    }
}

#[inline]
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Release);
}

/// A subscription and its exact counts.
///
/// At any moment `offered = handled + failed + dropped + abandoned + queued + in_flight`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubscriptionStatus {
    /// The handler's name, or that of the pulling subscriber.
    pub name: String,
    /// The topic or pattern.
    pub topic: String,
    /// The name of the queue, if it shares one with other handlers; bounds and high water are then those of that queue.
    pub queue: Option<String>,
    /// How many events may wait.
    pub capacity: usize,
    /// What happens to those beyond.
    pub overflow: Overflow,
    /// How many calls of its handler may be under way at once.
    pub concurrency: usize,
    /// Whether its handler runs on a task of its own.
    pub isolated: bool,
    /// Events published that it should have got.
    pub offered: u64,
    /// Events whose handler ended well, or that were received.
    pub handled: u64,
    /// Events whose handler returned an error or panicked.
    pub failed: u64,
    /// Events lost to a bound, a refused wait or a publish given up.
    pub dropped: u64,
    /// Events that came, or were still there, when the subscriber stopped.
    pub abandoned: u64,
    /// Events that wait, those of waiting publishers and of the startup buffer included.
    pub queued: u64,
    /// Events being handled now.
    pub in_flight: u64,
    /// The most events that were seen waiting at once while running.
    pub high_water: u64,
    /// How long calls of its handler took: each that had to wait, measured from its first wait on, and of those that did not every
    /// 64th (more often at first), counted for those since the one before. Empty for events that are pulled.
    pub times: Histogram,
}
