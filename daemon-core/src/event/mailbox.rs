//! One daemon's mailbox: where published events wait for its dispatcher. It outlives the daemon's restarts.
//!
//! Queues (one per subscription) are grouped in lanes: queues of one topic and one type. An event for which every queue of
//! a lane has room costs one push for the lane; otherwise each queue decides for itself.
//!
//! Invariants:
//! 1. Everything but [`Progress`] changes under the one lock. Under it no user code runs: wakers are woken, events dropped
//!    and warnings written after it is released ([`After`]).
//! 2. `accepted - taken` is what waits in front of a queue's consumer. Publishers change `accepted` under the lock, the
//!    only consumer changes `taken` without it; a publisher that reads an old `taken` sees less room than there is, never more.
//! 3. `credit` of a lane never exceeds the room of any of its queues: it is computed from all of them, each push for the lane
//!    takes 1, each push for one queue sets it to 0, and consumers only make room.
//! 4. A queue's line of waiting publishers is non-empty only while the phase is running, and nothing overtakes it: a queue with
//!    a line has no room.
//! 5. No lost wake-up: the consumer stores its waker in `parked` in the critical section in which it found nothing to do; whoever
//!    adds something to do takes the waker in the section that adds it. The consumer serves the lines before it
//!    parks, and only it makes room, so no line waits for a parked consumer that has room.

use super::QueueOptions;
use super::after::After;
use super::counters::{Progress, SubscriptionStatus};
use super::event::AnyEvent;
use super::publish::Message;
use super::queue::Queue;
use super::routes::{Route, TypeTag};
use super::state::{Item, Lane, Phase, State, list};
use super::wait_graph::{Node, WaitGraph};
use super::waiting::{Full, Parked, Ticket};
use crate::sync::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
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
    pub(crate) progress: Box<[Progress]>,
    state: Mutex<State>,
}

/// One lane of a new mailbox: the queues' names and options.
#[derive(Debug)]
pub(crate) struct LanePlan {
    pub(crate) topic: String,
    pub(crate) is_own: bool,
    pub(crate) queues: Vec<(String, QueueOptions)>,
}

impl Mailbox {
    pub(crate) fn new(
        owner: Arc<str>,
        graph: Arc<WaitGraph>,
        phase: Phase,
        plan: &[(LanePlan, Option<TypeTag>)],
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (mut lanes, mut queues) = (Vec::with_capacity(plan.len()), Vec::new());
        for (index, (lane, _)) in (0..).zip(plan) {
            let first = queues.len() as u32;
            for (name, options) in &lane.queues {
                queues.push(Queue::new(&owner, name, &lane.topic, *options, index, lane.is_own));
            }
            let range = first..queues.len() as u32;
            lanes.push(Lane { queues: range, is_own: lane.is_own, credit: 0, whole: 0, is_fresh: false });
        }
        let progress = queues.iter().map(|_| Progress::default()).collect();
        let state = State {
            phase,
            life: 0,
            attached: false,
            line: VecDeque::new(),
            ready: VecDeque::new(),
            parked: None,
            lanes,
            queues,
            lined: Vec::new(),
            order: 0..0,
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Self { id, owner, graph, progress, state: Mutex::new(state) });
        mailbox.graph.join(id, Arc::downgrade(&mailbox));
        mailbox
    }

    pub(crate) fn node(&self, queue: u32) -> Node {
        Node { mailbox: self.id, queue }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers a message to some lanes: one lock, at most one wake. Queues that are full and make publishers wait are added to
    /// `full`, uncounted.
    pub(crate) fn offer(self: &Arc<Self>, routes: &[Route], message: &Message<'_>, full: &mut Vec<Full>) {
        let mut after = After::default();
        let mut state = self.lock();
        for route in routes {
            if let Some(event) = message.as_taken_by(route) {
                state.offer_to_lane(&self.progress, route.lane, event, &mut after, |queue| {
                    full.push(Full::new(self.clone(), queue, event.clone()));
                });
            }
        }
        state.wake_consumer(&mut after);
        drop(state);
        after.run();
    }

    /// Offers an event again to a queue that was full: it gets in, waits in line, or is refused (and counted as dropped).
    pub(crate) fn insist(&self, queue: u32, event: &AnyEvent, line: Option<(&Arc<Ticket>, Option<Node>)>) -> Insisted {
        let mut after = After::default();
        let mut state = self.lock();
        let outcome = if state.offer_to_queue(&self.progress, queue, event, &mut after) {
            state.wake_consumer(&mut after);
            Insisted::Done
        } else {
            let on = self.node(queue);
            let full = &mut state.queues[queue as usize];
            full.offered += 1;
            match line {
                Some((ticket, from)) if from.is_none_or(|from| self.graph.wait(from, on)) => {
                    ticket.parked();
                    full.waiting.push_back(Parked { event: event.clone(), ticket: ticket.clone(), from });
                    if full.waiting.len() == 1 {
                        state.lined.push(queue);
                    }
                    Insisted::Parked
                }
                _ => {
                    full.dropped += 1;
                    Insisted::Refused
                }
            }
        };
        drop(state);
        after.run();
        outcome
    }

    /// A publish was given up: its event leaves the line, counted as dropped.
    pub(crate) fn withdraw(&self, queue: u32, ticket: &Arc<Ticket>) {
        let mut state = self.lock();
        let withdrawn = state.queues[queue as usize].unpark(ticket);
        if let Some(parked) = &withdrawn {
            self.end_wait(parked.from, queue);
            state.queues[queue as usize].dropped += 1;
            if state.queues[queue as usize].waiting.is_empty() {
                state.lined.retain(|lined| *lined != queue);
            }
        }
        drop(state);
    }

    /// Gives the room there is to those who wait for it.
    pub(crate) fn settle(&self) {
        let mut after = After::default();
        let mut state = self.lock();
        self.serve_lines(&mut state, &mut after);
        state.wake_consumer(&mut after);
        drop(state);
        after.run();
    }

    /// Moves waiting events into queues that have room again, first come first served.
    pub(crate) fn serve_lines(&self, state: &mut State, after: &mut After) {
        if state.lined.is_empty() {
            return;
        }
        let State { lanes, queues, line, ready, lined, .. } = state;
        lined.retain(|&index| {
            let (queue, progress) = (&mut queues[index as usize], &self.progress[index as usize]);
            let whole = lanes[queue.lane as usize].whole;
            while queue.depth(whole, progress) < queue.options.capacity as u64
                && let Some(Parked { event, ticket, from }) = queue.waiting.pop_front()
            {
                self.end_wait(from, index);
                after.settle(ticket);
                if queue.is_own {
                    queue.push_own(event, true);
                    list(queue, index, ready);
                } else {
                    queue.accepted += 1;
                    line.push_back(Item { event, lane: queue.lane, queue: index });
                }
            }
            !queue.waiting.is_empty()
        });
    }

    pub(crate) fn end_wait(&self, from: Option<Node>, queue: u32) {
        if let Some(from) = from {
            self.graph.end(from, self.node(queue));
        }
    }

    pub(crate) fn label(&self, queue: u32) -> Arc<str> {
        self.lock().queues[queue as usize].label.clone()
    }

    pub(crate) fn label_if_waiting(&self, queue: u32, ticket: &Arc<Ticket>) -> Option<Arc<str>> {
        let state = self.lock();
        let queue = &state.queues[queue as usize];
        queue.waiting.iter().any(|parked| Arc::ptr_eq(&parked.ticket, ticket)).then(|| queue.label.clone())
    }

    /// The exact counts of every queue, at one moment.
    pub(crate) fn status(&self) -> Vec<SubscriptionStatus> {
        let state = self.lock();
        let whole = |queue: &Queue| state.lanes[queue.lane as usize].whole;
        state.queues.iter().zip(&self.progress).map(|(queue, progress)| queue.status(whole(queue), progress)).collect()
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
