//! A mailbox through the lives of its daemon: who consumes it, and what becomes of its events when nobody does.
//!
//! `Buffering` → (a consumer attaches) → `Running` → `Draining` → `Closed`; [`Mailbox::buffer`] goes back to the start from
//! anywhere. A consumer that ends, however it ends, gives back what it had not begun: events survive a restart, and only
//! [`Mailbox::close`] turns them into abandoned ones. What was being handled is abandoned at once.

use super::after::After;
use super::event::{AnyEvent, discard};
use super::key::Hashed;
use super::mailbox::Mailbox;
use super::receipt;
use super::state::{Item, Phase, State, drop_entry};
use super::store::Entry;
use super::waiting::Parked;
use super::woken::Woken;
use crate::unwind::wake;
use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Poll};

/// What a consumer is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Its batch has something.
    Some,
    /// Nothing is left, and nothing will come.
    Done,
}

/// What a consumer has taken over but not begun.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) items: VecDeque<Item>,
    pub(crate) ready: VecDeque<u32>,
}

impl Mailbox {
    /// Makes the caller the consumer and gives it what was kept; the number of its life, or `None` if there is one.
    pub(crate) fn attach(&self) -> Option<u64> {
        let mut state = self.lock();
        if state.attached {
            return None;
        }
        state.attached = true;
        state.life += 1;
        if state.phase == Phase::Buffering {
            state.phase = Phase::Running;
        }
        state.release_kept();
        Some(state.life)
    }

    /// Swaps what there is to do into an empty batch, besides going on with calls that were woken. `idle`: the consumer has nothing
    /// under way.
    pub(crate) fn poll_work(&self, cx: &Context<'_>, batch: &mut Batch, woken: &Woken, idle: bool) -> Poll<Work> {
        let mut after = After::default();
        let mut outdated = None;
        let mut state = self.lock();
        self.serve_lines(&mut state, &mut after);
        let poll = if state.phase == Phase::Closed {
            Poll::Ready(Work::Done)
        } else if !(state.line.is_empty() && state.ready.is_empty()) || woken.any() {
            if !state.line.is_empty() {
                self.note_high_water(&mut state, idle);
            }
            mem::swap(&mut state.line, &mut batch.items);
            mem::swap(&mut state.ready, &mut batch.ready);
            Poll::Ready(Work::Some)
        } else if idle && state.phase != Phase::Running {
            Poll::Ready(Work::Done)
        } else {
            if state.parked.as_ref().is_none_or(|parked| !parked.will_wake(cx.waker())) {
                outdated = state.parked.replace(cx.waker().clone());
            }
            Poll::Pending
        };
        drop(state);
        after.run();
        drop(outdated);
        poll
    }

    /// Notes how many events wait before they are taken over. In front of an idle consumer, that is what came for each lane; one
    /// that is busy may hold more for each handler.
    fn note_high_water(&self, state: &mut State, idle: bool) {
        let State { lanes, accounts, queues, .. } = state;
        for lane in lanes {
            let came = lane.whole - mem::replace(&mut lane.seen, lane.whole);
            if !(mem::take(&mut lane.is_fresh) || (came > 0 && !idle)) {
                lane.high_water = lane.high_water.max(came);
                continue;
            }
            for to in lane.subscriptions.clone() {
                let account = &accounts[to as usize];
                let queue = &mut queues[account.queue as usize];
                let depth = queue.depth(account, lane.whole, &self.progress[to as usize]);
                queue.room(depth);
            }
        }
    }

    /// Takes the oldest event of a queue that keeps its own, with its key; to be counted as taken by the caller.
    pub(crate) fn pop_own(&self, index: u32) -> Option<(Entry, Hashed)> {
        let mut after = After::default();
        let mut state = self.lock();
        let queue = &mut state.queues[index as usize];
        let taken = queue.own.take();
        queue.listed = taken.is_some();
        self.serve_lines(&mut state, &mut after);
        drop(state);
        after.run();
        taken
    }

    /// Gives back what was taken out of such a queue last, and not begun.
    #[cold]
    pub(crate) fn put_back(&self, index: u32, entry: Entry, key: Hashed) {
        let mut after = After::default();
        let mut state = self.lock();
        let State { phase, accounts, queues, .. } = &mut *state;
        if *phase == Phase::Closed {
            accounts[entry.to as usize].abandoned += 1;
            receipt::abandon(&entry.event);
            after.discard(entry.event);
        } else if let Some(older) = queues[index as usize].own.put_back(entry, key) {
            drop_entry(accounts, older, &mut after);
        }
        drop(state);
        after.run();
    }

    /// Gives a queue that keeps its own events another turn, after what there is to do already.
    pub(crate) fn relist(&self, index: u32) {
        self.lock().ready.push_back(index);
    }

    /// For a consumer without a dispatcher, of a mailbox's only queue: the oldest event, counted as handled; `Ready(None)`
    /// once closed and empty. With it how many were dropped before. Without `cx` nobody is woken.
    pub(crate) fn poll_own(&self, cx: Option<&Context<'_>>) -> Poll<Option<(AnyEvent, u64)>> {
        let (mut after, mut outdated) = (After::default(), None);
        let mut state = self.lock();
        let poll = match state.queues[0].own.pop() {
            Some(entry) => {
                self.progress[0].take();
                self.progress[0].handled();
                self.serve_lines(&mut state, &mut after);
                Poll::Ready(Some((entry.event, state.accounts[0].dropped)))
            }
            None => {
                state.queues[0].listed = false;
                state.ready.clear();
                if state.phase == Phase::Running {
                    outdated = cx.map(|cx| state.parked.replace(cx.waker().clone()));
                    Poll::Pending
                } else {
                    Poll::Ready(None)
                }
            }
        };
        drop(state);
        after.run();
        drop(outdated);
        poll
    }

    /// The consumer of the given life has something to do, whatever the line says.
    pub(super) fn wake_life(&self, life: u64) {
        let mut state = self.lock();
        let parked = if state.life == life { state.parked.take() } else { None };
        drop(state);
        if let Some(waker) = parked {
            wake(waker);
        }
    }

    /// The consumer ends: `held` is what it had not begun, in order per subscription; `cut` the subscription of each call that was
    /// cut short.
    /// Returns what was abandoned, to be dropped.
    #[must_use]
    pub(crate) fn detach(
        &self,
        mut held: Vec<(u32, AnyEvent)>,
        items: VecDeque<Item>,
        cut: &[u32],
    ) -> Vec<(u32, AnyEvent)> {
        let mut after = After::default();
        let mut state = self.lock();
        state.attached = false;
        let parked = state.parked.take();
        for of in cut {
            state.accounts[*of as usize].cut += 1;
        }
        let line = mem::take(&mut state.line);
        state.expand(items.into_iter().chain(line), &mut held);
        let closed = state.phase == Phase::Closed;
        let abandoned = if closed {
            state.abandon(&held);
            held
        } else {
            state.carry_over(held, &mut after);
            Vec::new()
        };
        if state.phase == Phase::Running {
            state.begin_to_keep();
            self.release_lines(&mut state, &mut after);
        }
        drop(state);
        after.run();
        drop(parked);
        abandoned
    }

    /// Keeps new events for the next life, from now on; a consumer still delivers what it has, then ends.
    pub(crate) fn buffer(&self) {
        drop(self.leave(Phase::Buffering)); // which gives nothing up
    }

    /// Refuses new events; a consumer still delivers what is queued, then ends.
    pub(crate) fn drain(&self) {
        drop(self.leave(Phase::Draining)); // likewise
    }

    /// Refuses new events; what is queued is abandoned, and a consumer ends without delivering more.
    pub(crate) fn close(&self) {
        self.abandon().into_iter().for_each(|(_, event)| discard(event));
    }

    /// As [`close`](Self::close); what is abandoned is given out, to be [discarded](discard), with the subscription each was for.
    #[must_use]
    pub(super) fn abandon(&self) -> Vec<(u32, AnyEvent)> {
        self.leave(Phase::Closed)
    }

    /// Goes over to a phase; what is abandoned is given out.
    fn leave(&self, phase: Phase) -> Vec<(u32, AnyEvent)> {
        let mut after = After::default();
        let mut state = self.lock();
        match phase {
            Phase::Buffering if state.phase == phase => {}
            Phase::Buffering => state.begin_to_keep(),
            _ => state.phase = phase,
        }
        self.release_lines(&mut state, &mut after);
        after.waker = state.parked.take();
        let garbage = if phase == Phase::Closed { state.abandon_all() } else { Vec::new() };
        drop(state);
        after.run();
        garbage
    }

    /// Publishers wait only for a running subscriber: their events are kept for its next life, or abandoned.
    fn release_lines(&self, state: &mut State, after: &mut After) {
        for index in mem::take(&mut state.lined) {
            for Parked { event, to, ticket, from } in mem::take(&mut state.queues[index as usize].waiting) {
                self.end_wait(from, index);
                after.settle(ticket);
                if state.phase == Phase::Buffering {
                    state.keep(to, event, 0, after);
                } else {
                    state.accounts[to as usize].abandoned += 1;
                    receipt::abandon(&event);
                    after.discard(event);
                }
            }
        }
    }
}
