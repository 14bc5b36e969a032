//! What is known of one piece of work while it is under way.
//!
//! There may be a great many, so a record is small: what work of one name from one place has in common lies in its
//! [`Origin`], which the next of them shares.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::name::Name;
use super::tally::Owner;
use super::tasks::Tasks;
use super::waits::Wait;
use crate::status::{TaskKind, TaskStatus};

/// What hears of the end of a piece of work. It lies in the same allocation as the record.
pub(crate) trait End: Send + Sync {
    /// The work's future has been dropped, and its registry holds it no more.
    fn gone(&self) {}

    /// What it is busy with, if it does several things in turn.
    fn stands_for(&self) -> Option<Stand> {
        None
    }
}

/// A piece of work that another one does in its place.
pub(crate) struct Stand {
    pub(crate) kind: TaskKind,
    pub(crate) name: String,
    pub(crate) at: &'static Location<'static>,
}

/// Nobody hears of the end.
impl End for () {}

/// Whoever waits, or will, hears of the end.
impl End for Notify {
    fn gone(&self) {
        self.notify_one();
    }
}

/// Where work comes from.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) name: Name,
    pub(super) at: &'static Location<'static>,
}

/// What is known of one piece of work.
pub(crate) struct Record<E: ?Sized = dyn End> {
    origin: Arc<Origin>,
    tasks: Arc<Tasks>,
    /// The how manieth piece of work of its registry it is.
    pub(crate) number: u64,
    /// When it was spawned, in nanoseconds after its registry was made.
    since: u64,
    polls: AtomicU64,
    /// When it was last polled, likewise.
    last_poll: AtomicU64,
    /// Where it is among the work under way.
    pub(super) place: u32,
    kind: TaskKind,
    /// Whether a thread is polling it right now.
    polling: AtomicBool,
    waits_in: AtomicU8,
    gone: AtomicBool,
    pub(crate) end: E,
}

/// What tells a new piece of work from the others.
pub(super) struct Birth {
    pub(super) kind: TaskKind,
    pub(super) number: u64,
    pub(super) place: u32,
}

impl<E: End> Record<E> {
    pub(super) fn new(tasks: Arc<Tasks>, origin: Arc<Origin>, birth: Birth, end: E) -> Self {
        let Birth { kind, number, place } = birth;
        Self {
            since: tasks.now(),
            origin,
            tasks,
            number,
            polls: AtomicU64::new(0),
            last_poll: AtomicU64::new(0),
            place,
            kind,
            polling: AtomicBool::new(false),
            waits_in: AtomicU8::new(Wait::NONE),
            gone: AtomicBool::new(false),
            end,
        }
    }
}

impl<E: ?Sized> Record<E> {
    pub(crate) fn name(&self) -> &str {
        &self.origin.name
    }

    pub(crate) fn kind(&self) -> TaskKind {
        self.kind
    }

    /// The registry it is in.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Whose work it is.
    pub(crate) fn owner(&self) -> &Owner {
        &self.tasks.owner
    }

    pub(super) fn begin_poll(&self) {
        // Only the thread that polls it writes: no two do at once.
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.last_poll.store(self.tasks.now(), Ordering::Relaxed);
        self.polling.store(true, Ordering::Relaxed);
    }

    pub(super) fn end_poll(&self) {
        self.polling.store(false, Ordering::Relaxed);
    }

    /// Whether a thread is polling it right now.
    pub(super) fn is_polled(&self) -> bool {
        self.polling.load(Ordering::Relaxed)
    }

    pub(super) fn waits_in(&self, what: Option<Wait>) {
        self.waits_in.store(what.map_or(Wait::NONE, |wait| wait as u8), Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Whether its future has been dropped.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

impl<E: End + ?Sized> Record<E> {
    pub(crate) fn status(&self) -> TaskStatus {
        let own = || Stand { kind: self.kind, name: self.name().to_owned(), at: self.origin.at };
        let Stand { kind, name, at } = if self.is_polled() { self.end.stands_for().unwrap_or_else(own) } else { own() };
        let (now, polls) = (self.tasks.now(), self.polls.load(Ordering::Relaxed));
        let since = |then: u64| Duration::from_nanos(now.saturating_sub(then));
        TaskStatus {
            name,
            kind,
            spawned_at: format!("{}:{}", at.file(), at.line()),
            polls,
            age: since(self.since),
            idle: (polls > 0).then(|| since(self.last_poll.load(Ordering::Relaxed))),
            polling: self.is_polled(),
            waits_in: Wait::of(self.waits_in.load(Ordering::Relaxed)).map(|wait| wait.name().to_owned()),
        }
    }
}

impl<E: ?Sized> fmt::Debug for Record<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("origin", &self.origin).field("kind", &self.kind).finish_non_exhaustive()
    }
}
