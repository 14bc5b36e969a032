//! One subscription's queue: its bound, its policy and its counts. Pure state, changed under its mailbox's lock.
//!
//! Where a queued event is:
//! * shared: in the mailbox's common line, as an item for this queue or for its whole lane, or already in the
//!   dispatcher's hands; never more than `accepted - taken`;
//! * own: in `own`, for `drop_oldest` (which removes from the middle of things) and for pulled subscriptions;
//! * `early`: while the subscriber starts or backs off;
//! * `waiting`: with a publisher that waits.

use super::QueueOptions;
use super::counters::{Progress, SubscriptionStatus};
use super::event::AnyEvent;
use super::waiting::{Parked, Ticket};
use std::collections::VecDeque;
use std::sync::Arc;

/// An event kept for a subscriber that is not running, and its place among those of its mailbox.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) order: i64,
    pub(crate) event: AnyEvent,
}

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    /// `daemon.handler`, for errors and warnings.
    pub(crate) label: Arc<str>,
    pub(crate) topic: String,
    pub(crate) options: QueueOptions,
    pub(crate) lane: u32,
    pub(crate) is_own: bool,

    pub(crate) offered: u64,
    pub(crate) accepted: u64,
    pub(crate) dropped: u64,
    pub(crate) abandoned: u64,
    /// Abandoned while in flight: taken, and never to have another outcome.
    pub(crate) cut: u64,
    /// Failed before they were queued, because a filter panicked.
    pub(crate) unasked: u64,
    pub(crate) high_water: u64,

    pub(crate) own: VecDeque<AnyEvent>,
    /// Whether the consumer knows that `own` has events.
    pub(crate) listed: bool,
    pub(crate) early: VecDeque<Early>,
    /// How many of `early` were queued in the life before; they do not count against the startup bound.
    pub(crate) kept: usize,
    pub(crate) warned: bool,
    pub(crate) waiting: VecDeque<Parked>,
}

/// What a running queue did with an event.
pub(crate) enum Offered {
    /// It goes into the common line, for this queue.
    Shared,
    /// It is in `own`; the evicted one is to be dropped outside the lock.
    Own(Option<AnyEvent>),
    /// Dropped and counted.
    Dropped,
    /// No room, and publishers wait; nothing was counted.
    Full,
}

impl Queue {
    pub(crate) fn new(owner: &str, name: &str, topic: &str, options: QueueOptions, lane: u32, is_own: bool) -> Self {
        Self {
            name: name.to_owned(),
            label: format!("{owner}.{name}").into(),
            topic: topic.to_owned(),
            options,
            lane,
            is_own,
            offered: 0,
            accepted: 0,
            dropped: 0,
            abandoned: 0,
            cut: 0,
            unasked: 0,
            high_water: 0,
            own: VecDeque::new(),
            listed: false,
            early: VecDeque::new(),
            kept: 0,
            warned: false,
            waiting: VecDeque::new(),
        }
    }

    /// How many events wait in front of the consumer. `whole_lane`: those accepted for all queues of the lane at once.
    #[inline]
    pub(crate) fn depth(&self, whole_lane: u64, progress: &Progress) -> u64 {
        if self.is_own { self.own.len() as u64 } else { self.accepted + whole_lane - progress.taken() }
    }

    /// How many more events it takes now; also notes the high water.
    #[inline]
    pub(crate) fn room(&mut self, whole_lane: u64, progress: &Progress) -> u64 {
        let depth = self.depth(whole_lane, progress);
        self.high_water = self.high_water.max(depth);
        if self.waiting.is_empty() { (self.options.capacity as u64).saturating_sub(depth) } else { 0 }
    }

    /// Offers an event to a running queue.
    pub(crate) fn offer(&mut self, whole_lane: u64, progress: &Progress, event: &AnyEvent) -> Offered {
        use super::Overflow::{Block, DropNewest, DropOldest};
        let has_room = self.room(whole_lane, progress) > 0;
        match self.options.overflow {
            Block if !has_room => return Offered::Full,
            DropNewest if !has_room => {
                self.offered += 1;
                self.dropped += 1;
                return Offered::Dropped;
            }
            Block | DropNewest | DropOldest => {}
        }
        self.offered += 1;
        if self.is_own {
            Offered::Own(self.push_own(event.clone(), has_room))
        } else {
            self.accepted += 1;
            Offered::Shared
        }
    }

    /// Puts an event into `own`, in the place of the oldest if there is no room.
    pub(crate) fn push_own(&mut self, event: AnyEvent, has_room: bool) -> Option<AnyEvent> {
        let evicted = if has_room { None } else { self.own.pop_front() };
        self.dropped += u64::from(evicted.is_some());
        self.accepted += u64::from(evicted.is_none());
        self.own.push_back(event);
        self.high_water = self.high_water.max(self.own.len() as u64);
        evicted
    }

    /// Keeps an event, offered before, for when the subscriber runs. Returns what has to make room, counted.
    pub(crate) fn keep(&mut self, order: i64, event: AnyEvent) -> Option<AnyEvent> {
        let bound = self.options.startup.max(self.kept);
        if bound == 0 {
            self.dropped += 1;
            return Some(event);
        }
        let evicted = if self.early.len() >= bound { self.early.pop_front() } else { None };
        self.dropped += u64::from(evicted.is_some());
        self.early.push_back(Early { order, event });
        evicted.map(|early| early.event)
    }

    /// Takes a waiting publisher's event out of the line.
    pub(crate) fn unpark(&mut self, ticket: &Arc<Ticket>) -> Option<Parked> {
        let at = self.waiting.iter().position(|parked| Arc::ptr_eq(&parked.ticket, ticket))?;
        self.waiting.remove(at)
    }

    /// The exact counts. `whole_lane` as in [`Queue::depth`].
    pub(crate) fn status(&self, whole_lane: u64, progress: &Progress) -> SubscriptionStatus {
        let (taken, handled, failed) = progress.read();
        let in_line = self.accepted + whole_lane - taken;
        SubscriptionStatus {
            name: self.name.clone(),
            topic: self.topic.clone(),
            capacity: self.options.capacity,
            overflow: self.options.overflow,
            offered: self.offered + whole_lane,
            handled,
            failed: failed + self.unasked,
            dropped: self.dropped,
            abandoned: self.abandoned + self.cut,
            queued: in_line + (self.early.len() + self.waiting.len()) as u64,
            in_flight: taken - handled - failed - self.cut,
            high_water: self.high_water.max(in_line),
        }
    }
}
