//! One subscription's account: what became of every event it was offered. Pure state, changed under its mailbox's lock.
//!
//! **Invariant:** what waits for it, wherever it waits, is `offered - dropped - abandoned - unasked - taken`. So moving an event from
//! one place to another changes no count, and an event that is lost without one shows as queued for ever.

use super::counters::{Progress, SubscriptionStatus};
use super::plan::{LanePlan, SeatPlan};
use super::queue::Queue;
use super::state::Lane;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    /// `daemon.handler`, for errors and warnings.
    pub(crate) label: Arc<str>,
    pub(crate) topic: String,
    pub(crate) queue: u32,
    pub(crate) lane: u32,

    pub(crate) offered: u64,
    pub(crate) dropped: u64,
    pub(crate) abandoned: u64,
    /// Abandoned while in flight: taken, and never to have another outcome.
    pub(crate) cut: u64,
    /// Failed before they were queued, because a filter or a key panicked.
    pub(crate) unasked: u64,
}

impl Account {
    pub(crate) fn new(owner: &str, lane: u32, plan: &LanePlan, seat: &SeatPlan) -> Self {
        Self {
            name: seat.name.clone(),
            label: format!("{owner}.{}", seat.name).into(),
            topic: plan.topic.clone(),
            queue: seat.queue,
            lane,
            offered: 0,
            dropped: 0,
            abandoned: 0,
            cut: 0,
            unasked: 0,
        }
    }

    /// How many events wait for it. `whole_lane`: those offered to all subscriptions of its lane at once.
    #[inline]
    pub(crate) fn queued(&self, whole_lane: u64, progress: &Progress) -> u64 {
        self.queued_of(whole_lane, progress.taken())
    }

    #[inline]
    fn queued_of(&self, whole_lane: u64, taken: u64) -> u64 {
        self.offered + whole_lane - self.dropped - self.abandoned - self.unasked - taken
    }

    /// The exact counts, at one moment.
    pub(crate) fn status(&self, queue: &Queue, lane: &Lane, progress: &Progress, isolated: bool) -> SubscriptionStatus {
        let (taken, handled, failed) = progress.read();
        let queued = self.queued_of(lane.whole, taken);
        let waiting = if queue.is_own { queue.own.len() as u64 } else { queued };
        SubscriptionStatus {
            name: self.name.clone(),
            topic: self.topic.clone(),
            queue: queue.name.map(str::to_owned),
            capacity: queue.capacity,
            overflow: queue.overflow,
            concurrency: queue.width as usize,
            isolated,
            offered: self.offered + lane.whole,
            handled,
            failed: failed + self.unasked,
            dropped: self.dropped,
            abandoned: self.abandoned + self.cut,
            queued,
            in_flight: taken - handled - failed - self.cut,
            high_water: queue.high_water.max(lane.high_water).max(waiting),
            times: progress.times().read(),
        }
    }
}
