//! The dispatcher: one future per life of a daemon that calls its event handlers; one more for each that is isolated.
//!
//! It borrows the daemon and its context for that life, takes events from its mailbox, those in line in batches and those of a
//! queue that keeps them one by one, and hands each to the lane of its topic and type. It never holds the mailbox's lock while it
//! calls a handler.
//!
//! Invariants:
//! 1. It parks only after it found, in one critical section, nothing queued and nobody woken; see the mailbox for why no wake-up
//!    is lost.
//! 2. It takes an event from a queue of its own only if the handler that got the one before may begin another call, so
//!    handlers that share a queue are called strictly one after the other.
//! 3. However it ends (drained, closed, dropped in the middle), its destructor drops every call, counts those under way as
//!    abandoned and gives everything else back to the mailbox.
//! 4. Once its life is over it calls nobody any more, even if it is in the middle of a batch: whoever blocks its thread keeps it
//!    from being dropped, and others from stopping.
//! 5. Between two steps it offers the worker to others, at the pace of tokio's cooperative budget.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;

use tokio::sync::Notify;

use super::clock::Clock;
use super::desk::{Desk, Observer};
use super::drop_quietly;
use super::lane::{CALLS_PER_STEP, Lane};
use super::wiring::{Section, Wiring};
use crate::event::{Batch, Item, WHOLE_LANE, Woken, Work};

/// How many calls that were woken go on before the worker is offered to others.
const READY_PER_STEP: usize = 8;
/// How many events are handed out before that.
const ITEMS_PER_STEP: u32 = 8;

/// A daemon has one dispatcher at a time, besides those of isolated handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event handlers of the life before have not ended")]
pub struct StillRunning;

impl<D: Sync + 'static, C: Sync + 'static> Wiring<D, C> {
    /// Calls all but the isolated handlers for one life of the daemon, beginning with the events kept so far. Ends when the intake
    /// has stopped and nothing is queued, waiting or under way, or at once when closed.
    ///
    /// Dropping it drops the calls under way, counted as abandoned; events not begun stay for the next life.
    ///
    /// # Errors
    ///
    /// Another life's has not ended.
    pub async fn run(&self, daemon: &D, cx: &C, observer: &dyn Observer) -> Result<(), StillRunning> {
        self.run_section(0, daemon, cx, observer).await
    }

    /// As [`Wiring::run`], for the isolated handler or queue at that place among those that [`Wiring::isolated`] names.
    ///
    /// # Errors
    ///
    /// As [`Wiring::run`].
    pub async fn run_isolated(
        &self,
        at: usize,
        daemon: &D,
        cx: &C,
        observer: &dyn Observer,
    ) -> Result<(), StillRunning> {
        self.run_section(1 + at, daemon, cx, observer).await
    }

    async fn run_section(&self, at: usize, daemon: &D, cx: &C, observer: &dyn Observer) -> Result<(), StillRunning> {
        match self.section(at) {
            Some(section) => section.run(daemon, cx, observer).await,
            None => Ok(()),
        }
    }
}

/// The lanes of one life, and who sits where.
pub(super) struct Lanes<'d> {
    pub(super) lanes: Vec<Box<dyn Lane + 'd>>,
    /// Of each subscription.
    pub(super) seats: Vec<SeatAt>,
    /// Of each call that may be under way: its seat, and its place there.
    pub(super) calls: Vec<(SeatAt, u32)>,
    /// Of each queue that keeps its own events.
    pub(super) own: Vec<Option<Feed>>,
    pub(super) woken: Arc<Woken>,
}

impl Lanes<'_> {
    /// None yet.
    pub(super) fn new(woken: Arc<Woken>, queues: usize) -> Self {
        Self { lanes: Vec::new(), seats: Vec::new(), calls: Vec::new(), own: vec![None; queues], woken }
    }
}

/// Calls that were woken and have not gone on yet.
#[derive(Default)]
struct Calls {
    /// Those of one word, a bit for each.
    bits: u64,
    /// The word that is looked at next.
    next: usize,
}

impl Calls {
    /// The first one.
    fn first(&mut self, woken: &Woken) -> Option<usize> {
        while self.bits == 0 {
            self.bits = woken.take(self.next)?;
            self.next += 1;
        }
        Some((self.next - 1) * u64::BITS as usize + self.bits.trailing_zeros() as usize)
    }

    /// It has gone on.
    fn went_on(&mut self) {
        self.bits &= self.bits - 1;
    }
}

/// A seat by its lane and its place therein, and the queue that feeds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeatAt {
    pub(super) lane: u32,
    pub(super) seat: u32,
    pub(super) queue: u32,
}

/// How far a queue that keeps its own events has been handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feed {
    /// The seat that got the last event.
    pub(super) last: SeatAt,
    /// Whether it waits for another turn.
    pub(super) again: bool,
}

struct Dispatcher<'d> {
    desk: Desk<'d>,
    attached: Lanes<'d>,
    batch: Batch,
    calls: Calls,
    /// Told of its end.
    left: &'d Notify,
}

impl<D: Sync + 'static, C: Sync + 'static> Section<D, C> {
    /// Calls its handlers for one life of the daemon.
    pub(super) async fn run(&self, daemon: &D, cx: &C, observer: &dyn Observer) -> Result<(), StillRunning> {
        let life = self.mailbox().attach().ok_or(StillRunning)?;
        let desk = Desk { mailbox: self.mailbox(), observer, busy: 0, over: observer.over(), clock: Clock::default() };
        let nobody = Lanes::new(Woken::new(self.mailbox().clone(), life, 0), 0);
        let (batch, calls, left) = (Batch::default(), Calls::default(), &self.left);
        let mut dispatcher = Dispatcher { desk, attached: nobody, batch, calls, left };
        dispatcher.attached = self.attach(daemon, cx, life); // if that panics, the dispatcher gives its life up
        dispatcher.run().await;
        Ok(())
    }
}

impl Dispatcher<'_> {
    async fn run(&mut self) {
        let mut items = 0_u32;
        while self.work().await == Work::Some {
            self.desk.clock.reset();
            self.calls.next = 0;
            while self.some_ready() {
                self.pause().await;
            }
            while let Some(Item { event, lane, to }) = self.batch.items.pop_front() {
                if to == WHOLE_LANE {
                    let mut more = self.attached.lanes[lane as usize].deliver(event, &mut self.desk);
                    while more {
                        self.pause().await;
                        more = self.attached.lanes[lane as usize].step(&mut self.desk);
                    }
                } else {
                    let seat = self.attached.seats[to as usize].seat as usize;
                    self.attached.lanes[lane as usize].hand(event, seat, &mut self.desk);
                }
                items = items.wrapping_add(1);
                if items.is_multiple_of(ITEMS_PER_STEP) {
                    self.pause().await;
                }
            }
            if self.desk.is_over() {
                return;
            }
        }
    }

    /// Waits until there is something to do.
    async fn work(&mut self) -> Work {
        let Self { desk, attached, batch, .. } = self;
        poll_fn(|cx| desk.mailbox.poll_work(cx, batch, &attached.woken, desk.busy == 0)).await
    }

    /// Offers the worker to others.
    #[inline]
    async fn pause(&mut self) {
        tokio::task::coop::consume_budget().await;
        self.desk.clock.reset();
    }

    /// Goes on with some of the calls that were woken and of the queues that have events of their own; whether it did.
    fn some_ready(&mut self) -> bool {
        for number in 0..READY_PER_STEP {
            if let Some(call) = self.calls.first(&self.attached.woken) {
                if !self.resume(call) {
                    self.calls.went_on();
                }
            } else if let Some(queue) = self.batch.ready.pop_front() {
                self.turn(queue);
            } else {
                return number > 0;
            }
        }
        true
    }

    /// Goes on with a call that was woken, and with what waited for it; whether there is more of that.
    fn resume(&mut self, call: usize) -> bool {
        let (SeatAt { lane, seat, queue }, place) = self.attached.calls[call];
        let more = self.attached.lanes[lane as usize].resume(seat as usize, place, &mut self.desk);
        self.feed(queue); // of a queue in the common line there is nothing to hand out here
        more
    }

    /// A queue has its turn: it was listed, or had not been done with in its last one.
    fn turn(&mut self, queue: u32) {
        if let Some(feed) = &mut self.attached.own[queue as usize] {
            feed.again = false;
        }
        self.feed(queue);
    }

    /// Hands out events that a queue keeps itself, until there is none, the handler that got the last takes no more, or it is the
    /// turn of others: a queue that is filled as fast as it is emptied must not hold them up.
    fn feed(&mut self, queue: u32) {
        let Lanes { lanes, seats, own, .. } = &mut self.attached;
        let Some(feed) = own[queue as usize].as_mut().filter(|feed| !feed.again) else { return };
        for _ in 0..CALLS_PER_STEP {
            if !lanes[feed.last.lane as usize].is_free(feed.last.seat as usize, &self.desk) {
                return;
            }
            let Some((entry, key)) = self.desk.mailbox.pop_own(queue) else { return };
            if self.desk.is_over() {
                // since a moment ago: it is the first of the next life
                self.desk.mailbox.put_back(queue, entry, key);
                return;
            }
            feed.last = seats[entry.to as usize];
            lanes[feed.last.lane as usize].begin(entry.event, feed.last.seat as usize, &mut self.desk);
        }
        feed.again = true;
        self.desk.mailbox.relist(queue);
    }
}

impl Drop for Dispatcher<'_> {
    fn drop(&mut self) {
        let (mut held, mut cut) = (Vec::new(), Vec::new());
        for lane in &mut self.attached.lanes {
            lane.surrender(&mut held, &mut cut);
        }
        let items = mem::take(&mut self.batch.items);
        self.desk.mailbox.detach(held, items, &cut).into_iter().for_each(|(_, event)| drop_quietly(event));
        self.left.notify_waiters();
    }
}
