//! What a mailbox keeps under its lock, and what becomes of an event that is offered to it.

use super::after::After;
use super::counters::Progress;
use super::event::AnyEvent;
use super::queue::{Offered, Queue};
use std::collections::VecDeque;
use std::ops::Range;
use std::task::Waker;

/// An event in the common line: for one queue, or for all of its lane.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: AnyEvent,
    pub(crate) lane: u32,
    /// The queue, or [`WHOLE_LANE`].
    pub(crate) queue: u32,
}

/// An [`Item`] for every queue of its lane. Not an `Option`: items are written to cold memory, where every word counts.
pub(crate) const WHOLE_LANE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Starting or backing off: events are kept for the next life.
    Buffering,
    /// A consumer is delivering.
    Running,
    /// No new events; what is queued is still delivered.
    Draining,
    /// No new events; nothing is delivered.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) queues: Range<u32>,
    pub(crate) is_own: bool,
    /// How many events may be pushed for the whole lane without looking at its queues.
    pub(crate) credit: u64,
    /// Events pushed for the whole lane: offered to and accepted by each of its queues.
    pub(crate) whole: u64,
    /// Whether something was pushed since the consumer last looked.
    pub(crate) is_fresh: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// Counts lives; a waker of an earlier one is ignored.
    pub(crate) life: u64,
    pub(crate) attached: bool,
    pub(crate) line: VecDeque<Item>,
    /// Queues whose handler was woken, or whose own events wait for it.
    pub(crate) ready: VecDeque<u32>,
    pub(crate) parked: Option<Waker>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) queues: Vec<Queue>,
    /// Queues with a line of waiting publishers.
    pub(crate) lined: Vec<u32>,
    /// Places of kept events: the next one at the back, and the first one.
    pub(crate) order: Range<i64>,
}

/// Lets the consumer know that a queue has events of its own.
pub(crate) fn list(queue: &mut Queue, index: u32, ready: &mut VecDeque<u32>) {
    if !queue.listed {
        queue.listed = true;
        ready.push_back(index);
    }
}

impl State {
    #[inline]
    pub(crate) fn wake_consumer(&mut self, after: &mut After) {
        if !(self.line.is_empty() && self.ready.is_empty()) {
            after.waker = self.parked.take();
        }
    }

    /// Offers an event to every queue of a lane; `full` hears of those that refuse it for now.
    #[inline]
    pub(crate) fn offer_to_lane(
        &mut self,
        progress: &[Progress],
        index: u32,
        event: &AnyEvent,
        after: &mut After,
        mut full: impl FnMut(u32),
    ) {
        let lane = &mut self.lanes[index as usize];
        if self.phase == Phase::Running && !lane.is_own {
            if lane.credit == 0 {
                let range = lane.queues.start as usize..lane.queues.end as usize;
                let room = |(queue, progress): (&mut Queue, &Progress)| queue.room(lane.whole, progress);
                lane.credit = self.queues[range.clone()].iter_mut().zip(&progress[range]).map(room).min().unwrap_or(0);
            }
            if lane.credit > 0 {
                lane.credit -= 1;
                lane.whole += 1;
                lane.is_fresh = true;
                self.line.push_back(Item { event: event.clone(), lane: index, queue: WHOLE_LANE });
                return;
            }
        }
        for queue in lane.queues.clone() {
            if !self.offer_to_queue(progress, queue, event, after) {
                full(queue);
            }
        }
    }

    /// Offers an event to one queue, whatever the phase. False, and nothing counted, if a publisher has to wait.
    pub(crate) fn offer_to_queue(
        &mut self,
        progress: &[Progress],
        index: u32,
        event: &AnyEvent,
        after: &mut After,
    ) -> bool {
        let queue = &mut self.queues[index as usize];
        let lane = &mut self.lanes[queue.lane as usize];
        match self.phase {
            Phase::Draining | Phase::Closed => {
                queue.offered += 1;
                queue.abandoned += 1;
            }
            Phase::Buffering => {
                queue.offered += 1;
                let evicted = queue.keep(self.order.end, event.clone());
                self.order.end += 1;
                if evicted.is_some() && !std::mem::replace(&mut queue.warned, true) {
                    after.warn(queue.label.clone());
                }
                if let Some(evicted) = evicted {
                    after.discard(evicted);
                }
            }
            Phase::Running => match queue.offer(lane.whole, &progress[index as usize], event) {
                Offered::Full => return false,
                Offered::Dropped => {}
                Offered::Own(evicted) => {
                    if let Some(evicted) = evicted {
                        after.discard(evicted);
                    }
                    list(queue, index, &mut self.ready);
                }
                Offered::Shared => {
                    lane.credit = 0;
                    lane.is_fresh = true;
                    self.line.push_back(Item { event: event.clone(), lane: queue.lane, queue: index });
                }
            },
        }
        true
    }
}
