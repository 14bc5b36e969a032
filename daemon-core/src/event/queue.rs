//! One queue: its bound, its policy and, where it keeps them itself, its events. Pure state, changed under its mailbox's lock.
//!
//! Where a queued event is:
//! * in line: in the mailbox's common line, as an item for one subscription or for its whole lane, or already in the dispatcher's
//!   hands. Such a queue has one subscription, whose account says how many events that are;
//! * own: in `own`, for policies that remove from the middle of things, for queues that are shared, and for pulled subscriptions;
//! * `early`: while the subscriber starts or backs off;
//! * `waiting`: with a publisher that waits.

use super::Overflow;
use super::account::Account;
use super::counters::Progress;
use super::key::Hashed;
use super::plan::QueuePlan;
use super::store::{Entry, Put, Store};
use super::waiting::{Parked, Ticket};
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Queue {
    /// Its name, if handlers share it.
    pub(crate) name: Option<&'static str>,
    pub(crate) capacity: usize,
    pub(crate) overflow: Overflow,
    startup: usize,
    /// How many of its events may be in flight at once.
    pub(crate) width: u32,
    pub(crate) is_own: bool,

    pub(crate) high_water: u64,
    pub(crate) own: Store,
    /// Whether the consumer knows that `own` has events.
    pub(crate) listed: bool,
    pub(crate) early: Store,
    /// How many of `early` were queued in the life before; they stay, whatever the startup bound is.
    pub(crate) kept: usize,
    pub(crate) warned: bool,
    /// Whether its reader hears of what it loses, and nobody else needs to.
    is_quiet: bool,
    /// Whether it has dropped an event in this life.
    pub(crate) is_crowded: bool,
    pub(crate) waiting: VecDeque<Parked>,
}

/// Where an event offered to a running queue goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Enter,
    /// It is dropped.
    Drop,
    /// Its publisher has to wait.
    Wait,
}

impl Queue {
    pub(crate) fn new(plan: &QueuePlan) -> Self {
        let conflates = plan.options.overflow == Overflow::Latest;
        Self {
            name: plan.name,
            capacity: plan.options.capacity,
            overflow: plan.options.overflow,
            startup: plan.options.startup,
            width: plan.width,
            is_own: plan.is_own,
            high_water: 0,
            own: Store::new(conflates),
            listed: false,
            early: Store::new(conflates),
            kept: 0,
            warned: false,
            is_quiet: plan.is_quiet,
            is_crowded: false,
            waiting: VecDeque::new(),
        }
    }

    /// How many events wait in front of the consumer. `account`: of its subscription, if its events are in line.
    #[inline]
    pub(crate) fn depth(&self, account: &Account, whole_lane: u64, progress: &Progress) -> u64 {
        if self.is_own {
            self.own.len() as u64
        } else {
            account.queued(whole_lane, progress) - (self.early.len() + self.waiting.len()) as u64
        }
    }

    /// How many more events it takes at that depth; also notes the high water.
    #[inline]
    pub(crate) fn room(&mut self, depth: u64) -> u64 {
        self.high_water = self.high_water.max(depth);
        if self.waiting.is_empty() { (self.capacity as u64).saturating_sub(depth) } else { 0 }
    }

    /// What becomes of one more event while it runs.
    pub(crate) fn admit(&self, has_room: bool) -> Admission {
        match self.overflow {
            Overflow::Block if !has_room => Admission::Wait,
            Overflow::DropNewest if !has_room => Admission::Drop,
            _ => Admission::Enter,
        }
    }

    /// Puts an event into `own`; what had to make room is given out.
    pub(crate) fn push_own(&mut self, entry: Entry, key: Hashed) -> Option<Entry> {
        let put = self.own.put(entry, key, self.capacity);
        self.high_water = self.high_water.max(self.own.len() as u64);
        match put {
            Put::Added => None,
            Put::Replaced(out) | Put::Evicted(out) => Some(out),
        }
    }

    /// An event is dropped for want of room; whether that is to be told, as the first time in a life. Conflating is no want.
    pub(crate) fn crowds(&mut self) -> bool {
        self.overflow != Overflow::Latest && !self.is_quiet && !std::mem::replace(&mut self.is_crowded, true)
    }

    /// Keeps an event for when the subscriber runs.
    pub(crate) fn keep(&mut self, entry: Entry, key: Hashed) -> Put {
        self.early.put(entry, key, self.startup.max(self.kept))
    }

    /// Takes a waiting publisher's event out of the line.
    pub(crate) fn unpark(&mut self, to: u32, ticket: &Arc<Ticket>) -> Option<Parked> {
        let at = self.waiting.iter().position(|parked| parked.is(to, ticket))?;
        self.waiting.remove(at)
    }
}
