//! What a mailbox keeps under its lock, and what becomes of an event that is offered to it.

use super::account::Account;
use super::after::After;
use super::counters::Progress;
use super::event::AnyEvent;
use super::key::Hashed;
use super::queue::{Admission, Queue};
use super::store::{Entry, Put};
use std::collections::VecDeque;
use std::ops::Range;
use std::task::Waker;

/// An event in the common line: for one subscription, or for all of its lane.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: AnyEvent,
    pub(crate) lane: u32,
    /// The subscription, or [`WHOLE_LANE`].
    pub(crate) to: u32,
}

/// An [`Item`] for every subscription of its lane. Not an `Option`: items are written to cold memory, where every word counts.
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

impl Phase {
    /// Whether new events are abandoned.
    pub(crate) fn stops(self) -> bool {
        matches!(self, Self::Draining | Self::Closed)
    }
}

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) subscriptions: Range<u32>,
    pub(crate) is_own: bool,
    /// How many events may be pushed for the whole lane without looking at its queues.
    pub(crate) credit: u64,
    /// Events pushed for the whole lane: offered to and accepted by each of its subscriptions.
    pub(crate) whole: u64,
    /// How many of these the consumer has taken over.
    pub(crate) seen: u64,
    /// Whether something was pushed for one queue since the consumer last looked.
    pub(crate) is_fresh: bool,
    /// The most events that were seen waiting in each of its queues at once, as far as these do not know of more.
    pub(crate) high_water: u64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// Counts lives; a waker of an earlier one is ignored.
    pub(crate) life: u64,
    pub(crate) attached: bool,
    pub(crate) line: VecDeque<Item>,
    /// Queues that have events of their own.
    pub(crate) ready: VecDeque<u32>,
    pub(crate) parked: Option<Waker>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) queues: Vec<Queue>,
    /// Queues with a line of waiting publishers.
    pub(crate) lined: Vec<u32>,
    /// Places of kept events: the next one at the back, and the first one. What came to a queue of its own while that ran has the
    /// place 0, which is before all that was kept since.
    pub(crate) order: Range<i64>,
    pub(crate) missed: Missed,
    /// The place of the first event that was kept since then.
    pub(crate) boundary: i64,
}

/// Which retained events were abandoned since the subscriber last began to keep events.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    /// The number of the first that came while it was stopped.
    pub(crate) from: Option<u64>,
    /// Those that were queued when it stopped, and still are the last of their topics: for which subscription, and their numbers.
    pub(crate) queued: Vec<(u32, u64)>,
}

impl Missed {
    pub(crate) fn is_none(&self) -> bool {
        self.from.is_none() && self.queued.is_empty()
    }

    /// Whether a subscription missed the one of that number.
    pub(crate) fn has(&self, to: u32, number: u64) -> bool {
        self.from.is_some_and(|from| number >= from) || self.queued.contains(&(to, number))
    }
}

/// Lets the consumer know that a queue has events of its own.
pub(crate) fn list(queue: &mut Queue, index: u32, ready: &mut VecDeque<u32>) {
    if !queue.listed {
        queue.listed = true;
        ready.push_back(index);
    }
}

/// Counts an event as dropped, for the subscription it was for.
pub(crate) fn drop_entry(accounts: &mut [Account], entry: Entry, after: &mut After) {
    accounts[entry.to as usize].dropped += 1;
    after.discard(entry.event);
}

impl State {
    /// From here on events are kept for the next life.
    pub(crate) fn begin_to_keep(&mut self) {
        self.phase = Phase::Buffering;
        self.boundary = self.order.end;
        self.queues.iter_mut().for_each(|queue| queue.warned = false);
    }

    #[inline]
    pub(crate) fn wake_consumer(&mut self, after: &mut After) {
        if !(self.line.is_empty() && self.ready.is_empty()) {
            after.waker = self.parked.take();
        }
    }

    /// Offers an event to every subscription of a lane; `full` gets it back for those that refuse it for now.
    #[inline]
    pub(crate) fn offer_to_lane(
        &mut self,
        progress: &[Progress],
        lane: u32,
        event: AnyEvent,
        after: &mut After,
        full: impl FnMut(u32, AnyEvent),
    ) {
        if self.takes_whole(progress, lane) {
            self.push_whole(lane, event);
        } else {
            self.offer_to_each(progress, lane, event, after, full);
        }
    }

    /// Whether every queue of a lane has room, so that an event may be pushed for all at once.
    #[inline]
    fn takes_whole(&mut self, progress: &[Progress], lane: u32) -> bool {
        let lane = &mut self.lanes[lane as usize];
        if self.phase != Phase::Running || lane.is_own {
            return false;
        }
        if lane.credit == 0 {
            lane.credit = room_of_all(lane, &self.accounts, &mut self.queues, progress);
        }
        lane.credit > 0
    }

    /// Pushes an event for a whole lane, which takes it.
    #[inline]
    fn push_whole(&mut self, index: u32, event: AnyEvent) {
        let lane = &mut self.lanes[index as usize];
        lane.credit -= 1;
        lane.whole += 1;
        self.line.push_back(Item { event, lane: index, to: WHOLE_LANE });
    }

    fn offer_to_each(
        &mut self,
        progress: &[Progress],
        lane: u32,
        event: AnyEvent,
        after: &mut After,
        mut full: impl FnMut(u32, AnyEvent),
    ) {
        let Range { start, end } = self.lanes[lane as usize].subscriptions;
        let mut offer = |to, event| {
            if let Some(event) = self.offer_to(progress, to, event, 0, after) {
                full(to, event);
            }
        };
        (start..end - 1).for_each(|to| offer(to, event.clone()));
        offer(end - 1, event);
    }

    /// Offers an event to one subscription, whatever the phase. It is given back, and nothing counted, if a publisher has to wait.
    pub(crate) fn offer_to(
        &mut self,
        progress: &[Progress],
        to: u32,
        event: AnyEvent,
        key: Hashed,
        after: &mut After,
    ) -> Option<AnyEvent> {
        let account = &mut self.accounts[to as usize];
        match self.phase {
            Phase::Draining | Phase::Closed => {
                account.offered += 1;
                account.abandoned += 1;
                after.discard(event);
                None
            }
            Phase::Buffering => {
                account.offered += 1;
                self.keep(to, event, key, after);
                None
            }
            Phase::Running => self.enter(&progress[to as usize], to, event, key, after),
        }
    }

    /// Offers an event to a running subscription.
    fn enter(
        &mut self,
        progress: &Progress,
        to: u32,
        event: AnyEvent,
        key: Hashed,
        after: &mut After,
    ) -> Option<AnyEvent> {
        let account = &mut self.accounts[to as usize];
        let (queue, lane) = (&mut self.queues[account.queue as usize], &mut self.lanes[account.lane as usize]);
        let depth = queue.depth(account, lane.whole, progress);
        let has_room = queue.room(depth) > 0;
        match queue.admit(has_room) {
            Admission::Wait => return Some(event),
            Admission::Drop => {
                account.offered += 1;
                account.dropped += 1;
                if queue.crowds() {
                    after.crowded(account.label.clone());
                }
                after.discard(event);
            }
            Admission::Enter if queue.is_own => {
                account.offered += 1;
                let index = account.queue;
                let out = queue.push_own(Entry { to, order: 0, event }, key);
                list(queue, index, &mut self.ready);
                if let Some(out) = out {
                    if queue.crowds() {
                        after.crowded(account.label.clone());
                    }
                    drop_entry(&mut self.accounts, out, after);
                }
            }
            Admission::Enter => {
                account.offered += 1;
                lane.credit = 0;
                lane.is_fresh = true;
                self.line.push_back(Item { event, lane: account.lane, to });
            }
        }
        None
    }

    /// Keeps an event, offered before, for when the subscriber runs.
    pub(crate) fn keep(&mut self, to: u32, event: AnyEvent, key: Hashed, after: &mut After) {
        let queue = &mut self.queues[self.accounts[to as usize].queue as usize];
        let put = queue.keep(Entry { to, order: self.order.end, event }, key);
        self.order.end += 1;
        match put {
            Put::Added => {}
            Put::Replaced(older) => drop_entry(&mut self.accounts, older, after),
            Put::Evicted(oldest) => {
                if !std::mem::replace(&mut queue.warned, true) {
                    after.warn(self.accounts[oldest.to as usize].label.clone());
                }
                drop_entry(&mut self.accounts, oldest, after);
            }
        }
    }
}

/// How many events fit into every queue of a lane.
fn room_of_all(lane: &Lane, accounts: &[Account], queues: &mut [Queue], progress: &[Progress]) -> u64 {
    let range = lane.subscriptions.start as usize..lane.subscriptions.end as usize;
    let room = |(account, progress): (&Account, &Progress)| {
        let queue = &mut queues[account.queue as usize];
        queue.room(queue.depth(account, lane.whole, progress))
    };
    accounts[range.clone()].iter().zip(&progress[range]).map(room).min().unwrap_or(0)
}
