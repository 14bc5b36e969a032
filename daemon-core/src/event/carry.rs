//! What a mailbox keeps from one life of its daemon to the next, and how it is given up. No event changes its count here, but
//! for those that are given up.

use super::after::After;
use super::event::AnyEvent;
use super::queue::Queue;
use super::receipt;
use super::state::{Item, State, WHOLE_LANE, drop_entry};
use super::store::Entry;
use std::mem;

impl State {
    /// Hands what was kept to the consumer, in the order it was published.
    pub(crate) fn release_kept(&mut self) {
        let mut kept = Vec::new();
        self.ready.clear();
        for (index, queue) in (0..).zip(&mut self.queues) {
            queue.kept = 0;
            queue.is_crowded = false;
            if queue.is_own {
                mem::swap(&mut queue.own, &mut queue.early);
                debug_assert!(queue.early.is_empty(), "the life before has given back all it had");
                queue.listed = !queue.own.is_empty();
                queue.high_water = queue.high_water.max(queue.own.len() as u64);
                self.ready.extend(queue.listed.then_some(index));
            } else {
                kept.extend(queue.early.drain());
            }
        }
        kept.sort_by_key(|entry| entry.order);
        let accounts = &self.accounts;
        let item = |Entry { to, event, .. }| Item { event, lane: accounts[to as usize].lane, to };
        self.line.extend(kept.into_iter().map(item));
        for lane in &mut self.lanes {
            lane.credit = 0;
            lane.is_fresh = true;
        }
    }

    /// One event per subscription from items for whole lanes.
    pub(crate) fn expand(&mut self, items: impl Iterator<Item = Item>, out: &mut Vec<(u32, AnyEvent)>) {
        for Item { event, lane, to } in items {
            if to == WHOLE_LANE {
                out.extend(self.lanes[lane as usize].subscriptions.clone().map(|to| (to, event.clone())));
            } else {
                out.push((to, event));
            }
        }
    }

    /// Events that were queued but not taken go in front of what was kept since. Those from the line are given; the others are
    /// with their queues.
    pub(crate) fn carry_over(&mut self, from_line: Vec<(u32, AnyEvent)>, after: &mut After) {
        for (to, event) in from_line.into_iter().rev() {
            let queue = &mut self.queues[self.accounts[to as usize].queue as usize];
            self.order.start -= 1;
            queue.early.put_first(Entry { to, order: self.order.start, event });
            queue.kept += 1;
        }
        let mut replaced = Vec::new();
        for Queue { own, early, kept, .. } in self.queues.iter_mut().filter(|queue| queue.is_own) {
            *kept += own.len();
            own.append(early, &mut replaced);
            mem::swap(own, early);
        }
        replaced.into_iter().for_each(|older| drop_entry(&mut self.accounts, older, after));
    }

    pub(crate) fn abandon(&mut self, events: &[(u32, AnyEvent)]) {
        for (to, event) in events {
            self.accounts[*to as usize].abandoned += 1;
            receipt::abandon(event);
        }
    }

    /// Gives up whatever is queued, wherever it is; returns it with the subscription each was for.
    pub(crate) fn abandon_all(&mut self) -> Vec<(u32, AnyEvent)> {
        let mut queued = Vec::new();
        let line = mem::take(&mut self.line);
        self.expand(line.into_iter(), &mut queued);
        for queue in &mut self.queues {
            queue.kept = 0;
            for store in [&mut queue.own, &mut queue.early] {
                queued.extend(store.drain().map(|entry| (entry.to, entry.event)));
            }
        }
        self.abandon(&queued);
        queued
    }
}
