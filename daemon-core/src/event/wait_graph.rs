//! Who waits for whom: the handlers and ticks that wait for handlers, or for ticks, so that a wait that cannot end is refused.
//!
//! A node is a queue with the handlers that empty it: one that takes its events one at a time, or up to `width` at once. Or it is an
//! interval with its ticks. An edge says that a call of one node waits in `publish` for room in the queue of another, or for an event in it
//! to be handled, or in `clear_interval` for the ticks of another to end. Work that is neither a handler nor a tick (tasks, other
//! programs) is not known to be waited for and has no edges.
//!
//! A node is stuck if it cannot take another event: all the calls it may make are under way, and each waits for a node that is
//! stuck. An interval is waited for until all its ticks have ended, so it is stuck if one is: it counts as a queue of width 1.
//! Which of several calls has the event that somebody waits for is not known: as long as one call of a node is free, no wait for it
//! is refused, though that event may be with another, which waits for the publisher. Such waits are told of only.
//!
//! Invariants:
//! 1. An edge is added in the same critical section that finds that it leaves no node stuck, so of the waits that would close
//!    a cycle the last is refused.
//! 2. An edge is removed under the lock of the mailbox or the book of intervals that it points at, when its wait ends there.
//! 3. A call that has an edge out has only edges in whose waits are real: before it waits, its own mailbox is settled
//!    (the room it made by taking its event goes to those who wait for it), and while it waits it takes nothing.
//!    Hence a stuck node is one that never moves again.
//! 4. Lock order: a mailbox or a book of intervals, then the graph. Never two of those, never one of them inside the graph.

use super::mailbox::Mailbox;
use crate::sync::{Mutex, MutexGuard, per_thread};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, Weak};

/// One queue of one mailbox, and the handlers that empty it; or one interval of one life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// The number of the mailbox, or of the life's intervals.
    pub(crate) mailbox: u64,
    /// Of the queue, or the interval's slot.
    pub(crate) queue: u32,
}

/// A number for a mailbox, or for the intervals of a life, that no other of this process has.
pub(crate) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One call of a handler: its node, and which of the calls that the node may make at once; or a tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) node: Node,
    pub(crate) place: u32,
}

per_thread! {
    static CURRENT: Cell<Option<Waiter>> = Cell::new(None);
}

/// The handler or tick being polled on this thread.
pub(crate) fn current() -> Option<Waiter> {
    CURRENT.with(Cell::get)
}

/// Sets the handler or tick being polled on this thread; returns the one before it, to be set again.
#[inline]
pub(crate) fn set_current(waiter: Option<Waiter>) -> Option<Waiter> {
    CURRENT.with(|current| current.replace(waiter))
}

#[derive(Debug, Default)]
pub(crate) struct WaitGraph(Mutex<Graph>);

#[derive(Debug, Default)]
struct Graph {
    /// The calls of each node that wait, and what each waits for.
    waits: FxHashMap<Node, Vec<(u32, Node)>>,
    mailboxes: FxHashMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    mailbox: Weak<Mailbox>,
    /// Of each of its queues.
    widths: Box<[u32]>,
}

impl WaitGraph {
    fn lock(&self) -> MutexGuard<'_, Graph> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, id: u64, mailbox: Weak<Mailbox>, widths: Box<[u32]>) {
        self.lock().mailboxes.insert(id, Member { mailbox, widths });
    }

    pub(crate) fn leave(&self, id: u64) {
        self.lock().mailboxes.remove(&id);
    }

    pub(crate) fn mailbox(&self, id: u64) -> Option<Arc<Mailbox>> {
        self.lock().mailboxes.get(&id)?.mailbox.upgrade()
    }

    /// The call that is polled on this thread and is about to wait, once its own mailbox is settled (invariant 3).
    pub(crate) fn caller(&self) -> Option<Waiter> {
        let waiter = current()?;
        if let Some(own) = self.mailbox(waiter.node.mailbox) {
            own.settle();
        }
        Some(waiter)
    }

    /// Notes that `from` waits for `on`; false, and nothing noted, if that wait could never end.
    pub(crate) fn wait(&self, from: Waiter, on: Node) -> bool {
        let mut graph = self.lock();
        graph.add(from, on);
        if graph.is_stuck(on) {
            graph.remove(from, on);
            return false;
        }
        true
    }

    /// One wait of `from` for `on` has ended.
    pub(crate) fn end(&self, from: Waiter, on: Node) {
        self.lock().remove(from, on);
    }

    /// Every wait for `on` has ended.
    pub(crate) fn end_all(&self, on: Node) {
        self.lock().waits.retain(|_, waits| {
            waits.retain(|(_, waits_for)| *waits_for != on);
            !waits.is_empty()
        });
    }
}

impl Graph {
    fn add(&mut self, from: Waiter, on: Node) {
        self.waits.entry(from.node).or_default().push((from.place, on));
    }

    fn remove(&mut self, from: Waiter, on: Node) {
        if let Some(waits) = self.waits.get_mut(&from.node) {
            if let Some(at) = waits.iter().position(|call| *call == (from.place, on)) {
                waits.swap_remove(at);
            }
            if waits.is_empty() {
                self.waits.remove(&from.node);
            }
        }
    }

    /// Whether a node is stuck: of all that could be, those that move are taken out until none does.
    fn is_stuck(&self, goal: Node) -> bool {
        let mut stuck = self.reachable(goal);
        loop {
            let rest: FxHashSet<Node> = stuck.iter().filter(|node| !self.moves(**node, &stuck)).copied().collect();
            if rest.len() == stuck.len() {
                return stuck.contains(&goal);
            }
            stuck = rest;
        }
    }

    fn reachable(&self, start: Node) -> FxHashSet<Node> {
        let (mut seen, mut open) = (FxHashSet::default(), vec![start]);
        while let Some(node) = open.pop() {
            if seen.insert(node) {
                open.extend(self.waits.get(&node).into_iter().flatten().map(|(_, on)| *on));
            }
        }
        seen
    }

    /// Whether a node can take another event, if those in `stuck` cannot.
    fn moves(&self, node: Node, stuck: &FxHashSet<Node>) -> bool {
        let waits = self.waits.get(&node).into_iter().flatten();
        let places: FxHashSet<u32> = waits.filter(|(_, on)| stuck.contains(on)).map(|(place, _)| *place).collect();
        let widths = self.mailboxes.get(&node.mailbox).map(|member| &member.widths);
        let width = widths.and_then(|widths| widths.get(node.queue as usize)).copied().unwrap_or(1);
        (places.len() as u32) < width
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, WaitGraph, Waiter};
    use std::sync::Weak;

    /// A graph of one mailbox, whose queues have the given widths.
    fn graph(widths: &[u32]) -> WaitGraph {
        let graph = WaitGraph::default();
        graph.join(0, Weak::new(), widths.into());
        graph
    }

    fn node(queue: u32) -> Node {
        Node { mailbox: 0, queue }
    }

    fn call(queue: u32, place: u32) -> Waiter {
        Waiter { node: node(queue), place }
    }

    #[test]
    fn the_last_call_of_a_node_may_not_wait_for_its_own_queue() {
        let graph = graph(&[3]);
        assert!(graph.wait(call(0, 0), node(0)));
        assert!(graph.wait(call(0, 2), node(0)));
        assert!(graph.wait(call(0, 2), node(0)), "twice from one call");
        assert!(!graph.wait(call(0, 1), node(0)));
        graph.end(call(0, 0), node(0));
        assert!(graph.wait(call(0, 1), node(0)), "one place is free");
        assert!(!graph.wait(call(0, 0), node(0)));
    }

    #[test]
    fn a_cycle_is_one_only_if_no_call_on_it_can_go_on() {
        let graph = graph(&[2, 1, 1]);
        assert!(graph.wait(call(0, 0), node(1)));
        assert!(graph.wait(call(1, 0), node(0)), "the other call of 0 goes on");
        assert!(graph.wait(call(0, 1), node(2)), "2 goes on");
        assert!(!graph.wait(call(2, 0), node(0)), "0 waits for 1 and 2, and both for 0");
        graph.end(call(0, 0), node(1));
        assert!(graph.wait(call(2, 0), node(0)));
    }

    #[test]
    fn waits_that_are_over_and_mailboxes_that_are_gone_leave_nothing() {
        let graph = graph(&[1, 1, 1]);
        assert!(graph.wait(call(0, 0), node(2)) && graph.wait(call(1, 0), node(2)));
        graph.end(call(0, 0), node(2));
        assert_eq!(graph.lock().waits.len(), 1);
        graph.end_all(node(2));
        assert!(graph.lock().waits.is_empty());

        let bus = crate::Bus::new();
        let subscription = bus.subscribe_all("daemon", "**", crate::QueueOptions::default()).unwrap();
        assert_eq!(bus.graph().lock().mailboxes.len(), 1);
        drop(subscription);
        assert!(bus.graph().lock().mailboxes.is_empty());
    }

    #[test]
    fn a_wait_that_was_refused_is_not_one() {
        let graph = graph(&[1, 1]);
        assert!(!graph.wait(call(0, 0), node(0)), "its own queue");
        assert!(graph.wait(call(1, 0), node(0)), "0 goes on");
    }

    #[test]
    fn what_has_come_to_rest_is_waited_for_by_nobody() {
        let graph = graph(&[1, 1, 1]);
        assert!(graph.wait(call(0, 0), node(2)) && graph.wait(call(0, 0), node(1)) && graph.wait(call(1, 0), node(2)));
        assert!(!graph.wait(call(2, 0), node(0)));
        graph.end_all(node(2));
        assert!(graph.wait(call(2, 0), node(0)));
        assert!(
            !graph.wait(call(1, 0), node(0)) || !graph.wait(call(1, 0), node(2)),
            "what else is waited for still is"
        );
    }
}
