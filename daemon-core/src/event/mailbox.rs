//! One dispatcher's mailbox: where published events wait for it. It outlives the daemon's restarts.
//!
//! Subscriptions are grouped in lanes: those to one topic and one type. An event for which the queues of all of a lane have room
//! costs one push for the lane; otherwise each queue decides for itself.
//!
//! Invariants:
//! 1. Everything but [`Progress`] changes under the one lock. Under it no user code runs: keys are hashed before it is taken,
//!    wakers are woken, events dropped and warnings written after it is released ([`After`]).
//! 2. What waits in front of a subscription's consumer is what its account was offered and neither dropped, abandoned nor taken.
//!    Publishers change the account under the lock, the only consumer counts as taken without it; a publisher that reads an old
//!    number sees less room than there is, never more.
//! 3. `credit` of a lane never exceeds the room of any of its queues: it is computed from all of them, each push for the lane
//!    takes 1, each push for one queue sets it to 0, and consumers only make room.
//! 4. A queue's line of waiting publishers is non-empty only while the phase is running, and nothing overtakes it: a queue with
//!    a line has no room.
//! 5. No lost wake-up: the consumer stores its waker in `parked` in the critical section in which it found nothing to do; whoever
//!    adds something to do takes the waker in the section that adds it. The consumer serves the lines before it
//!    parks, and only it makes room, so no line waits for a parked consumer that has room.

use super::account::Account;
use super::after::After;
use super::counters::{Progress, SubscriptionStatus};
use super::error::Fate;
use super::event::{AnyEvent, discard};
use super::key::Hashed;
use super::message::{Message, Wait};
use super::plan::MailboxPlan;
use super::queue::Queue;
use super::receipt;
use super::routes::Route;
use super::state::{Item, Lane, Missed, Phase, State};
use super::store::Entry;
use super::wait_graph::{Node, WaitGraph, Waiter, next_number};
use super::waiting::{Crowd, Full, Line, Parked, Ticket};
use crate::sync::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError};

/// What became of an event that found its queue full.
pub(crate) enum Insisted {
    Done,
    Parked,
    Refused,
}

pub(crate) struct Mailbox {
    id: u64,
    pub(crate) owner: Arc<str>,
    pub(crate) graph: Arc<WaitGraph>,
    /// What the consumer did with the events of each subscription.
    pub(crate) progress: Box<[Progress]>,
    isolated: bool,
    state: Mutex<State>,
}

impl Mailbox {
    pub(crate) fn new(owner: Arc<str>, graph: Arc<WaitGraph>, phase: Phase, plan: &MailboxPlan) -> Arc<Self> {
        let (mut lanes, mut accounts) = (Vec::with_capacity(plan.lanes.len()), Vec::new());
        for (index, lane) in (0..).zip(&plan.lanes) {
            let first = accounts.len() as u32;
            accounts.extend(lane.seats.iter().map(|seat| Account::new(&owner, index, lane, seat)));
            let subscriptions = first..accounts.len() as u32;
            let is_own = lane.is_own;
            lanes.push(Lane { subscriptions, is_own, credit: 0, whole: 0, seen: 0, is_fresh: false, high_water: 0 });
        }
        let progress = accounts.iter().map(|_| Progress::default()).collect();
        let state = State {
            phase,
            life: 0,
            attached: false,
            line: VecDeque::new(),
            ready: VecDeque::new(),
            parked: None,
            lanes,
            accounts,
            queues: plan.queues.iter().map(Queue::new).collect(),
            lined: Vec::new(),
            order: 0..1,
            missed: Missed::default(),
            boundary: 0,
        };
        let id = next_number();
        let isolated = plan.isolated;
        let mailbox = Arc::new(Self { id, owner, graph, progress, isolated, state: Mutex::new(state) });
        let widths = plan.queues.iter().map(|queue| queue.width).collect();
        mailbox.graph.join(id, Arc::downgrade(&mailbox), widths);
        mailbox
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn node(&self, queue: u32) -> Node {
        Node { mailbox: self.id, queue }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers a message to some lanes: one lock, at most one wake. Subscriptions whose queues are full and make publishers wait are
    /// added to `full`, uncounted.
    pub(crate) fn offer<'r>(
        self: &Arc<Self>,
        routes: impl IntoIterator<Item = &'r Route>,
        message: &Message<'_>,
        full: &mut Crowd,
    ) {
        let mut after = After::default();
        let mut state = self.lock();
        for route in routes {
            if let Some(event) = message.as_taken_by(route) {
                // A tap may keep what it sees, and no span is to stay open for that.
                let linked = if route.is_tap { None } else { message.linked(event) };
                let event = linked.unwrap_or_else(|| event.clone());
                self.offer_under_lock(&mut state, route.lane, event, &mut after, full);
            }
        }
        state.wake_consumer(&mut after);
        message.offered(state, after);
    }

    /// As [`Mailbox::offer`], for an event that all of these lanes take as it is.
    pub(crate) fn offer_plain(self: &Arc<Self>, routes: &[Route], event: AnyEvent, publisher: &str, full: &mut Crowd) {
        let [others @ .., last] = routes else { return };
        let mut after = After::default();
        let mut state = self.lock();
        for route in others {
            self.offer_under_lock(&mut state, route.lane, event.clone(), &mut after, full);
        }
        self.offer_under_lock(&mut state, last.lane, event, &mut after, full);
        state.wake_consumer(&mut after);
        drop(state);
        after.run_for(publisher);
    }

    #[inline]
    fn offer_under_lock(
        self: &Arc<Self>,
        state: &mut State,
        lane: u32,
        event: AnyEvent,
        after: &mut After,
        full: &mut Crowd,
    ) {
        state.offer_to_lane(&self.progress, lane, event, after, |to, event| {
            full.push(Full::new(self.clone(), to, event));
        });
    }

    /// Offers an event to a lane whose queue tells events apart by a key. Such a queue makes nobody wait.
    pub(crate) fn offer_keyed(&self, lane: u32, event: AnyEvent, key: Hashed, message: &Message<'_>) {
        let mut after = After::default();
        let mut state = self.lock();
        let to = state.lanes[lane as usize].subscriptions.start;
        let refused = state.offer_to(&self.progress, to, event, key, &mut after);
        debug_assert!(refused.is_none(), "it makes nobody wait");
        state.wake_consumer(&mut after);
        message.offered(state, after);
    }

    /// Offers an event to each subscription of a lane by itself, tracked. Those that make its publisher wait are added to `full`.
    pub(crate) fn offer_tracked(
        self: &Arc<Self>,
        lane: u32,
        event: &AnyEvent,
        key: Hashed,
        (wait, message): (&Wait<'_>, &Message<'_>),
        full: &mut Crowd,
    ) {
        let mut after = After::default();
        let mut state = self.lock();
        let (stops, starts) = (state.phase.stops(), state.phase == Phase::Buffering);
        let held_up = starts && wait.held_up.iter().any(|daemon| **daemon == *self.owner);
        for to in state.lanes[lane as usize].subscriptions.clone() {
            let account = &state.accounts[to as usize];
            let (label, on) = (account.label.clone(), self.node(account.queue));
            let event: AnyEvent = if held_up {
                wait.receipt.note(&label, Fate::WouldDeadlock);
                event.clone()
            } else {
                wait.receipt.track(event, &label, on).map_or_else(|| event.clone(), |tracked| Arc::new(tracked))
            };
            let event = message.linked(&event).unwrap_or(event);
            if stops {
                receipt::abandon(&event);
            }
            if let Some(event) = state.offer_to(&self.progress, to, event, key, &mut after) {
                full.push(Full::new(self.clone(), to, event));
            }
        }
        state.wake_consumer(&mut after);
        message.offered(state, after);
    }

    /// Counts an event as offered to a lane, and failed: the user's code at its gate panicked.
    pub(crate) fn fail_unasked(&self, lane: u32, wait: Option<&Wait<'_>>) {
        let mut state = self.lock();
        for to in state.lanes[lane as usize].subscriptions.clone() {
            let account = &mut state.accounts[to as usize];
            account.offered += 1;
            account.unasked += 1;
            if let Some(wait) = wait {
                wait.receipt.note(&account.label, Fate::Failed("its filter or key panicked".to_owned()));
            }
        }
    }

    /// Offers events again to subscriptions of its own that were full, at once.
    pub(crate) fn insist_all(&self, places: &mut [Full], line: Option<Line<'_>>) -> After {
        let mut after = After::default();
        let mut state = self.lock();
        places.iter_mut().for_each(|full| full.insist(self, &mut state, line, &mut after));
        state.wake_consumer(&mut after);
        drop(state);
        after
    }

    /// Offers an event again to a subscription that was full: it gets in, waits in line, or is refused (and counted as dropped).
    pub(crate) fn insist(
        &self,
        state: &mut State,
        to: u32,
        event: &AnyEvent,
        line: Option<Line<'_>>,
        after: &mut After,
    ) -> Insisted {
        let Some(event) = state.offer_to(&self.progress, to, event.clone(), 0, after) else {
            return Insisted::Done;
        };
        let State { accounts, queues, lined, .. } = state;
        let account = &mut accounts[to as usize];
        let on = self.node(account.queue);
        account.offered += 1;
        match line {
            Some((ticket, from)) if from.is_none_or(|from| self.graph.wait(from, on)) => {
                ticket.parked();
                let waiting = &mut queues[account.queue as usize].waiting;
                waiting.push_back(Parked { event, to, ticket: ticket.clone(), from });
                if waiting.len() == 1 {
                    lined.push(account.queue);
                }
                Insisted::Parked
            }
            _ => {
                account.dropped += 1; // the caller has the event, too, so nothing of it is dropped here
                Insisted::Refused
            }
        }
    }

    /// A publish was given up: its event leaves the line, counted as dropped.
    pub(crate) fn withdraw(&self, to: u32, ticket: &Arc<Ticket>) {
        let mut state = self.lock();
        let index = state.accounts[to as usize].queue;
        let queue = &mut state.queues[index as usize];
        let withdrawn = queue.unpark(to, ticket);
        let is_lined = !queue.waiting.is_empty();
        if let Some(parked) = &withdrawn {
            self.end_wait(parked.from, index);
            state.accounts[to as usize].dropped += 1;
            if !is_lined {
                state.lined.retain(|lined| *lined != index);
            }
        }
        drop(state);
        if let Some(Parked { event, .. }) = withdrawn {
            discard(event);
        }
    }

    /// Gives the room there is to those who wait for it; there is none while the consumer is parked (invariant 5).
    pub(crate) fn settle(&self) {
        let mut after = After::default();
        let mut state = self.lock();
        self.serve_lines(&mut state, &mut after);
        drop(state);
        after.run();
    }

    /// Moves waiting events into queues that have room again, first come first served.
    pub(crate) fn serve_lines(&self, state: &mut State, after: &mut After) {
        if state.lined.is_empty() {
            return;
        }
        let State { lanes, accounts, queues, line, lined, .. } = state;
        lined.retain(|&index| {
            let queue = &mut queues[index as usize];
            while let Some(to) = queue.waiting.front().map(|parked| parked.to as usize) {
                let (account, lane) = (&accounts[to], &lanes[accounts[to].lane as usize]);
                if queue.depth(account, lane.whole, &self.progress[to]) >= queue.capacity as u64 {
                    break;
                }
                let Some(Parked { event, to, ticket, from }) = queue.waiting.pop_front() else { break };
                self.end_wait(from, index);
                after.settle(ticket);
                if queue.is_own {
                    // there is room, and a queue that makes publishers wait has no keys
                    drop(queue.push_own(Entry { to, order: 0, event }, 0));
                } else {
                    line.push_back(Item { event, lane: account.lane, to });
                }
            }
            !queue.waiting.is_empty()
        });
    }

    pub(crate) fn end_wait(&self, from: Option<Waiter>, queue: u32) {
        if let Some(from) = from {
            self.graph.end(from, self.node(queue));
        }
    }

    pub(crate) fn label(&self, to: u32) -> Arc<str> {
        self.lock().accounts[to as usize].label.clone()
    }

    pub(crate) fn label_if_waiting(&self, to: u32, ticket: &Arc<Ticket>) -> Option<Arc<str>> {
        let state = self.lock();
        let account = &state.accounts[to as usize];
        let waiting = &state.queues[account.queue as usize].waiting;
        waiting.iter().any(|parked| parked.is(to, ticket)).then(|| account.label.clone())
    }

    /// The exact counts of every subscription, at one moment.
    pub(crate) fn status(&self) -> Vec<SubscriptionStatus> {
        let state = self.lock();
        let status = |(account, progress): (&Account, &Progress)| {
            let lane = &state.lanes[account.lane as usize];
            account.status(&state.queues[account.queue as usize], lane, progress, self.isolated)
        };
        state.accounts.iter().zip(&self.progress).map(status).collect()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.graph.leave(self.id);
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("owner", &self.owner).field("id", &self.id).finish_non_exhaustive()
    }
}
