//! The dispatcher: one future per life of a daemon that calls its event handlers.
//!
//! It borrows the daemon and its context for that life, takes events from the mailbox in batches, and hands each to the lane
//! of its topic and type. It never holds the mailbox's lock while it calls a handler.
//!
//! Invariants:
//! 1. It parks only after it found, in one critical section, nothing queued and nobody woken; see the mailbox for why no wake-up
//!    is lost.
//! 2. However it ends (drained, closed, dropped in the middle), its destructor drops every call, counts those under way as
//!    abandoned and gives everything else back to the mailbox.
//! 3. Between two steps it offers the worker to others, at the pace of tokio's cooperative budget.

use std::future::poll_fn;
use std::mem;

use super::Observer;
use super::drop_quietly;
use super::handlers::{Lanes, Wiring};
use super::lane::Desk;
use crate::event::{Batch, Item, WHOLE_LANE, Work};

/// A daemon has one dispatcher at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event handlers of the life before have not ended")]
pub struct StillRunning;

struct Dispatcher<'d> {
    desk: Desk<'d>,
    attached: Lanes<'d>,
    batch: Batch,
}

impl<D: Sync + 'static, C: Sync + 'static> Wiring<D, C> {
    /// Calls the handlers for one life of the daemon, beginning with the events kept so far. Ends when the intake has stopped
    /// and nothing is queued, waiting or under way, or at once when closed.
    ///
    /// Dropping it drops the calls under way, counted as abandoned; events not begun stay for the next life.
    ///
    /// # Errors
    ///
    /// Another life's has not ended.
    pub async fn run(&self, daemon: &D, cx: &C, observer: &dyn Observer) -> Result<(), StillRunning> {
        let life = self.mailbox().attach().ok_or(StillRunning)?;
        let desk = Desk { mailbox: self.mailbox().clone(), observer, busy: 0 };
        let mut dispatcher = Dispatcher { desk, attached: Lanes::default(), batch: Batch::default() };
        dispatcher.attached = self.attach(daemon, cx, life);
        dispatcher.run().await;
        Ok(())
    }
}

impl Dispatcher<'_> {
    async fn run(&mut self) {
        while poll_fn(|cx| self.desk.mailbox.poll_work(cx, &mut self.batch, self.desk.busy == 0)).await == Work::Some {
            while let Some(queue) = self.batch.ready.pop_front() {
                let (lane, seat) = self.attached.places[queue as usize];
                while self.attached.lanes[lane as usize].resume(seat as usize, &mut self.desk) {
                    tokio::task::coop::consume_budget().await;
                }
                tokio::task::coop::consume_budget().await;
            }
            while let Some(Item { event, lane, queue }) = self.batch.items.pop_front() {
                let lane = &mut self.attached.lanes[lane as usize];
                let seat = (queue != WHOLE_LANE).then(|| self.attached.places[queue as usize].1 as usize);
                lane.deliver(event, seat, &mut self.desk);
                while lane.step(&mut self.desk) {
                    tokio::task::coop::consume_budget().await;
                }
                tokio::task::coop::consume_budget().await;
            }
        }
    }
}

impl Drop for Dispatcher<'_> {
    fn drop(&mut self) {
        let (mut held, mut cut) = (Vec::new(), Vec::new());
        for lane in &mut self.attached.lanes {
            lane.surrender(&mut held, &mut cut);
        }
        let items = mem::take(&mut self.batch.items);
        self.desk.mailbox.detach(held, items, &cut).into_iter().for_each(drop_quietly);
    }
}
