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
use super::counters::{Progress, SubscriptionStatus};
use super::event::{AnyEvent, discard};
use super::publish::Message;
use super::queue::{Offered, Queue};
use super::routes::{Route, TypeTag};
use super::wait_graph::{self, Node, WaitGraph};
use super::waiting::{Parked, Ticket, Waiting};
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// An event in the common line: for one queue, or for all of its lane.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: AnyEvent,
    pub(crate) lane: u32,
    /// `None`: every queue of the lane.
    pub(crate) queue: Option<u32>,
}

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

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) queues: Range<u32>,
    pub(crate) is_own: bool,
    /// How many events may be pushed for the whole lane without looking at its queues.
    pub(crate) credit: u64,
    /// Events pushed for the whole lane: offered to and accepted by each of its queues.
    pub(crate) whole: u64,
    /// Whether something was pushed since the consumer last looked.
    pub(crate) is_fresh: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// Counts lives; a waker of an earlier one is ignored.
    pub(crate) life: u64,
    pub(crate) attached: bool,
    pub(crate) line: VecDeque<Item>,
    /// Queues whose handler was woken, or whose own events wait for it.
    pub(crate) ready: VecDeque<u32>,
    pub(crate) parked: Option<Waker>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) queues: Vec<Queue>,
    /// Queues with a line of waiting publishers.
    pub(crate) lined: Vec<u32>,
    /// Places of kept events: the next one at the back, and the first one.
    pub(crate) order: Range<i64>,
}

/// What must happen once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct After {
    pub(crate) waker: Option<Waker>,
    pub(crate) evicted: Option<AnyEvent>,
    pub(crate) discarded: Vec<AnyEvent>,
    pub(crate) settled: Vec<Arc<Ticket>>,
    pub(crate) overflowed: Vec<Arc<str>>,
}

impl After {
    #[inline]
    pub(crate) fn discard(&mut self, event: Option<AnyEvent>) {
        if let Some(event) = event
            && let Some(earlier) = self.evicted.replace(event)
        {
            self.discarded.push(earlier);
        }
    }

    #[inline]
    pub(crate) fn run(self) {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        for ticket in self.settled {
            ticket.settle();
        }
        self.evicted.into_iter().chain(self.discarded).for_each(discard);
        for subscription in self.overflowed {
            let subscription = &*subscription;
            tracing::warn!(subscription, "startup buffer is full; the oldest events are dropped until it runs");
        }
    }
}

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
                    full.push(Full { mailbox: self.clone(), queue, event: event.clone() });
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
                after.settled.push(ticket);
                if queue.is_own {
                    queue.push_own(event, true);
                    list(queue, index, ready);
                } else {
                    queue.accepted += 1;
                    line.push_back(Item { event, lane: queue.lane, queue: Some(index) });
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

/// A queue that had no room for an event, and makes publishers wait.
pub(crate) struct Full {
    mailbox: Arc<Mailbox>,
    queue: u32,
    event: AnyEvent,
}

impl Full {
    /// The handler that publishes, once its own mailbox is settled (see [`wait_graph`], invariant 3).
    pub(crate) fn publisher(graph: &WaitGraph) -> Option<Node> {
        let node = wait_graph::current()?;
        if let Some(own) = graph.mailbox(node.mailbox) {
            own.settle();
        }
        Some(node)
    }

    /// Offers the event again; `waiting` notes a place in line. False if it was refused, and with which label.
    pub(crate) fn insist(self, waiting: Option<(&mut Waiting, Option<Node>)>) -> Result<(), Arc<str>> {
        let Self { mailbox, queue, event } = self;
        let Some((waiting, from)) = waiting else {
            return match mailbox.insist(queue, &event, None) {
                Insisted::Done | Insisted::Parked => Ok(()),
                Insisted::Refused => Err(mailbox.label(queue)),
            };
        };
        match mailbox.insist(queue, &event, Some((&waiting.ticket, from))) {
            Insisted::Done => Ok(()),
            Insisted::Parked => {
                waiting.places.push((mailbox, queue));
                Ok(())
            }
            Insisted::Refused => Err(mailbox.label(queue)),
        }
    }
}

fn list(queue: &mut Queue, index: u32, ready: &mut VecDeque<u32>) {
    if !queue.listed {
        queue.listed = true;
        ready.push_back(index);
    }
}

impl State {
    #[inline]
    pub(crate) fn wake_consumer(&mut self, after: &mut After) {
        if !(self.line.is_empty() && self.ready.is_empty()) {
            after.waker = self.parked.take();
        }
    }

    #[inline]
    fn offer_to_lane(
        &mut self,
        progress: &[Progress],
        index: u32,
        event: &AnyEvent,
        after: &mut After,
        mut full: impl FnMut(u32),
    ) {
        let lane = &mut self.lanes[index as usize];
        if self.phase == Phase::Running && !lane.is_own {
            if lane.credit == 0 {
                let range = lane.queues.start as usize..lane.queues.end as usize;
                let room = |(queue, progress): (&mut Queue, &Progress)| queue.room(lane.whole, progress);
                lane.credit = self.queues[range.clone()].iter_mut().zip(&progress[range]).map(room).min().unwrap_or(0);
            }
            if lane.credit > 0 {
                lane.credit -= 1;
                lane.whole += 1;
                lane.is_fresh = true;
                self.line.push_back(Item { event: event.clone(), lane: index, queue: None });
                return;
            }
        }
        for queue in lane.queues.clone() {
            if !self.offer_to_queue(progress, queue, event, after) {
                full(queue);
            }
        }
    }

    /// Offers an event to one queue, whatever the phase. False, and nothing counted, if a publisher has to wait.
    fn offer_to_queue(&mut self, progress: &[Progress], index: u32, event: &AnyEvent, after: &mut After) -> bool {
        let queue = &mut self.queues[index as usize];
        let lane = &mut self.lanes[queue.lane as usize];
        match self.phase {
            Phase::Draining | Phase::Closed => {
                queue.offered += 1;
                queue.abandoned += 1;
            }
            Phase::Buffering => {
                queue.offered += 1;
                let evicted = queue.keep(self.order.end, event.clone());
                self.order.end += 1;
                if evicted.is_some() && !std::mem::replace(&mut queue.warned, true) {
                    after.overflowed.push(queue.label.clone());
                }
                after.discard(evicted);
            }
            Phase::Running => match queue.offer(lane.whole, &progress[index as usize], event) {
                Offered::Full => return false,
                Offered::Dropped => {}
                Offered::Own(evicted) => {
                    after.discard(evicted);
                    list(queue, index, &mut self.ready);
                }
                Offered::Shared => {
                    lane.credit = 0;
                    lane.is_fresh = true;
                    self.line.push_back(Item { event: event.clone(), lane: queue.lane, queue: Some(index) });
                }
            },
        }
        true
    }
}
