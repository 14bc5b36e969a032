//! What a mailbox keeps from one life of its daemon to the next, and how it is given up.

use super::event::AnyEvent;
use super::queue::{Early, Queue};
use super::state::{Item, State, WHOLE_LANE};
use std::mem;

impl State {
    /// Hands what was kept to the consumer, in the order it was published.
    pub(crate) fn release_kept(&mut self) {
        let mut kept = Vec::new();
        for (index, queue) in (0..).zip(&mut self.queues) {
            queue.kept = 0;
            queue.warned = false;
            queue.accepted += queue.early.len() as u64;
            let early = mem::take(&mut queue.early);
            if queue.is_own {
                queue.own.extend(early.into_iter().map(|early| early.event));
                queue.listed = !queue.own.is_empty();
                self.ready.extend(queue.listed.then_some(index));
            } else {
                let item = |event| Item { event, lane: queue.lane, queue: index };
                kept.extend(early.into_iter().map(|early| (early.order, item(early.event))));
            }
        }
        kept.sort_by_key(|(order, _)| *order);
        self.line.extend(kept.into_iter().map(|(_, item)| item));
        for lane in &mut self.lanes {
            lane.credit = 0;
            lane.is_fresh = true;
        }
        self.order = 0..0;
    }

    /// From here on every queue counts for itself what was pushed for its whole lane.
    pub(crate) fn fold_lanes(&mut self) {
        for lane in &mut self.lanes {
            for queue in lane.queues.clone() {
                let queue = &mut self.queues[queue as usize];
                queue.offered += lane.whole;
                queue.accepted += lane.whole;
            }
            lane.whole = 0;
            lane.credit = 0;
        }
    }

    /// One event per queue from items for whole lanes, and from queues that keep their own.
    pub(crate) fn expand(&mut self, items: impl Iterator<Item = Item>, out: &mut Vec<(u32, AnyEvent)>) {
        for Item { event, lane, queue } in items {
            if queue == WHOLE_LANE {
                out.extend(self.lanes[lane as usize].queues.clone().map(|queue| (queue, event.clone())));
            } else {
                out.push((queue, event));
            }
        }
        for (index, queue) in (0..).zip(&mut self.queues) {
            queue.listed = false;
            out.extend(queue.own.drain(..).map(|event| (index, event)));
        }
    }

    /// Events that were accepted but not taken go in front of what was kept since.
    pub(crate) fn carry_over(&mut self, events: Vec<(u32, AnyEvent)>) {
        self.order.start -= events.len() as i64;
        let newer: Vec<_> = self.queues.iter_mut().map(|queue| mem::take(&mut queue.early)).collect();
        for (order, (queue, event)) in (self.order.start..).zip(events) {
            let queue = &mut self.queues[queue as usize];
            queue.accepted -= 1;
            queue.kept += 1;
            queue.early.push_back(Early { order, event });
        }
        for (queue, newer) in self.queues.iter_mut().zip(newer) {
            queue.early.extend(newer);
        }
    }

    pub(crate) fn abandon(&mut self, events: Vec<(u32, AnyEvent)>) -> Vec<AnyEvent> {
        let abandon = |(queue, event): (u32, AnyEvent)| {
            let queue = &mut self.queues[queue as usize];
            queue.accepted -= 1;
            queue.abandoned += 1;
            event
        };
        events.into_iter().map(abandon).collect()
    }

    pub(crate) fn abandon_all(&mut self) -> Vec<AnyEvent> {
        let mut queued = Vec::new();
        self.fold_lanes();
        let line = mem::take(&mut self.line);
        self.expand(line.into_iter(), &mut queued);
        let mut abandoned = self.abandon(queued);
        for Queue { early, abandoned: count, kept, .. } in &mut self.queues {
            *count += early.len() as u64;
            *kept = 0;
            abandoned.extend(early.drain(..).map(|early| early.event));
        }
        abandoned
    }
}
