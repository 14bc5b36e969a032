//! Who waits for whom: the handlers that wait for room in a queue, so that a wait that cannot end is refused.
//!
//! An edge `a -> b` says that handler `a` waits in `publish` for room in the queue of handler `b`. Publishers that are not
//! handlers (tasks, intervals, other programs) are waited for by nobody and have no edges.
//!
//! Invariants:
//! 1. An edge is added in the same critical section that finds no path back, so of two waits that would close a cycle the
//!    second is refused.
//! 2. An edge is removed under the lock of the mailbox it points at, when its wait ends there.
//! 3. A handler that has an edge out has only edges in whose waits are real: before it waits, its own mailbox is settled
//!    (the room it made by taking its event goes to those who wait for it), and while it waits it takes nothing.
//!    Hence a path found is a wait that cannot end.
//! 4. Lock order: a mailbox, then the graph. Never two mailboxes, never a mailbox inside the graph.

use super::mailbox::Mailbox;
use crate::sync::{Mutex, MutexGuard, per_thread};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::Cell;
use std::sync::{Arc, PoisonError, Weak};

/// One handler: its mailbox and its queue therein.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) mailbox: u64,
    pub(crate) queue: u32,
}

per_thread! {
    static CURRENT: Cell<Option<Node>> = Cell::new(None);
}

/// The handler being polled on this thread.
pub(crate) fn current() -> Option<Node> {
    CURRENT.with(Cell::get)
}

/// Sets the handler being polled on this thread; returns the one before it, to be set again.
#[inline]
pub(crate) fn set_current(node: Option<Node>) -> Option<Node> {
    CURRENT.with(|current| current.replace(node))
}

#[derive(Debug, Default)]
pub(crate) struct WaitGraph(Mutex<Graph>);

#[derive(Debug, Default)]
struct Graph {
    edges: FxHashMap<Node, Vec<Node>>,
    mailboxes: FxHashMap<u64, Weak<Mailbox>>,
}

impl WaitGraph {
    fn lock(&self) -> MutexGuard<'_, Graph> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, id: u64, mailbox: Weak<Mailbox>) {
        self.lock().mailboxes.insert(id, mailbox);
    }

    pub(crate) fn leave(&self, id: u64) {
        self.lock().mailboxes.remove(&id);
    }

    pub(crate) fn mailbox(&self, id: u64) -> Option<Arc<Mailbox>> {
        self.lock().mailboxes.get(&id)?.upgrade()
    }

    /// Notes that `from` waits for room in `on`; false, and nothing noted, if that wait could never end.
    pub(crate) fn wait(&self, from: Node, on: Node) -> bool {
        let mut graph = self.lock();
        if graph.reaches(on, from) {
            return false;
        }
        graph.edges.entry(from).or_default().push(on);
        true
    }

    /// One wait of `from` for `on` has ended.
    pub(crate) fn end(&self, from: Node, on: Node) {
        let mut graph = self.lock();
        if let Some(waits) = graph.edges.get_mut(&from) {
            if let Some(at) = waits.iter().position(|node| *node == on) {
                waits.swap_remove(at);
            }
            if waits.is_empty() {
                graph.edges.remove(&from);
            }
        }
    }
}

impl Graph {
    fn reaches(&self, start: Node, goal: Node) -> bool {
        let (mut seen, mut open) = (FxHashSet::default(), vec![start]);
        while let Some(node) = open.pop() {
            if node == goal {
                return true;
            }
            if seen.insert(node) {
                open.extend(self.edges.get(&node).into_iter().flatten());
            }
        }
        false
    }
}
