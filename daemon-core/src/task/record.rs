//! What is known of one piece of work while it is under way.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::waits::Wait;
use crate::status::{TaskKind, TaskStatus};
use crate::sync::Once;

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

/// What is known of one piece of work.
pub(crate) struct Record<E: ?Sized = dyn End> {
    pub(super) name: Arc<str>,
    pub(super) kind: TaskKind,
    spawned_at: &'static Location<'static>,
    since: Instant,
    /// The how manieth piece of work of its registry it is.
    pub(super) number: u64,
    /// Where it is among the work under way; changed only under the registry's lock.
    pub(super) place: AtomicU32,
    polls: AtomicU64,
    /// Nanoseconds after `since`.
    last_poll: AtomicU64,
    /// Whether a thread is polling it right now.
    polling: AtomicBool,
    waits_in: AtomicU8,
    gone: AtomicBool,
    abort: Once<AbortHandle>,
    pub(crate) end: E,
}

impl<E: End> Record<E> {
    pub(super) fn new(
        name: Arc<str>,
        kind: TaskKind,
        spawned_at: &'static Location<'static>,
        number: u64,
        end: E,
    ) -> Self {
        Self {
            name,
            kind,
            spawned_at,
            since: Instant::now(),
            number,
            place: AtomicU32::new(0),
            polls: AtomicU64::new(0),
            last_poll: AtomicU64::new(0),
            polling: AtomicBool::new(false),
            waits_in: AtomicU8::new(Wait::NONE),
            gone: AtomicBool::new(false),
            abort: Once::new(),
            end,
        }
    }
}

impl<E: ?Sized> Record<E> {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn kind(&self) -> TaskKind {
        self.kind
    }

    pub(super) fn begin_poll(&self) {
        // Only the thread that polls it writes: no two do at once.
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let after = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_poll.store(after, Ordering::Relaxed);
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

    /// Tells how it is aborted; once.
    pub(super) fn attach(&self, abort: AbortHandle) {
        self.abort.set(abort);
    }

    /// Asks the runtime to drop the future. An abort keeps blocking work that has not begun from beginning.
    pub(super) fn abort(&self) {
        if let Some(abort) = self.abort.get() {
            abort.abort();
        }
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
        let own = || Stand { kind: self.kind, name: self.name.to_string(), at: self.spawned_at };
        let Stand { kind, name, at } = if self.is_polled() { self.end.stands_for().unwrap_or_else(own) } else { own() };
        let polls = self.polls.load(Ordering::Relaxed);
        let age = self.since.elapsed();
        let last = Duration::from_nanos(self.last_poll.load(Ordering::Relaxed));
        TaskStatus {
            name,
            kind,
            spawned_at: format!("{}:{}", at.file(), at.line()),
            polls,
            age,
            idle: (polls > 0).then(|| age.saturating_sub(last)),
            polling: self.is_polled(),
            waits_in: Wait::of(self.waits_in.load(Ordering::Relaxed)).map(|wait| wait.name().to_owned()),
        }
    }
}

impl<E: ?Sized> fmt::Debug for Record<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
