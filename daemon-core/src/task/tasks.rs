//! The work of one life: every piece is registered by name from its spawn until its future is gone.
//!
//! Invariants:
//! 1. An entry is removed exactly when its future has been dropped, so an empty registry means that no code spawned
//!    through it can run any more.
//! 2. The lock is never held while user code runs: futures are dropped and polled outside it.
//! 3. After [`Tasks::seal`], no command or check is spawned; after [`Tasks::close`], nothing is.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::Instrument;

use super::waits::Polling;
use crate::status::{TaskKind, TaskStatus};

/// What is known of one piece of work.
#[derive(Debug)]
pub(crate) struct Record {
    name: String,
    kind: TaskKind,
    spawned_at: &'static Location<'static>,
    since: Instant,
    polls: AtomicU64,
    /// Nanoseconds after `since`.
    last_poll: AtomicU64,
    /// Whether a thread is polling it right now.
    polling: AtomicBool,
    waits_in: Mutex<Option<&'static str>>,
}

impl Record {
    pub(super) fn begin_poll(&self) {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let after = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_poll.store(after, Ordering::Relaxed);
        self.polling.store(true, Ordering::Relaxed);
    }

    pub(super) fn end_poll(&self) {
        self.polling.store(false, Ordering::Relaxed);
    }

    pub(super) fn waits_in(&self, what: Option<&'static str>) {
        *self.waits_in.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    pub(crate) fn status(&self) -> TaskStatus {
        let polls = self.polls.load(Ordering::Relaxed);
        let age = self.since.elapsed();
        let last = Duration::from_nanos(self.last_poll.load(Ordering::Relaxed));
        TaskStatus {
            name: self.name.clone(),
            kind: self.kind,
            spawned_at: format!("{}:{}", self.spawned_at.file(), self.spawned_at.line()),
            polls,
            age,
            idle: (polls > 0).then(|| age.saturating_sub(last)),
            polling: self.polling.load(Ordering::Relaxed),
            waits_in: self.waits_in.lock().unwrap_or_else(PoisonError::into_inner).map(str::to_owned),
        }
    }
}

#[derive(Debug)]
struct Entry {
    record: Arc<Record>,
    abort: Option<AbortHandle>,
}

#[derive(Debug, Default)]
struct Live {
    entries: BTreeMap<u64, Entry>,
    next: u64,
    sealed: bool,
    closed: bool,
    /// Whether every entry yet to come is aborted at once, and when.
    aborting: bool,
}

/// The registry of one life.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    live: Mutex<Live>,
    changed: Notify,
}

/// Names a piece of work that is about to be spawned.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) kind: TaskKind,
    pub(crate) name: String,
    pub(crate) at: &'static Location<'static>,
}

impl Label {
    #[track_caller]
    pub(crate) fn new(kind: TaskKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), at: Location::caller() }
    }
}

impl Tasks {
    pub(crate) fn new(runtime: Handle) -> Arc<Self> {
        Arc::new(Self { runtime, live: Mutex::default(), changed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, label: Label) -> Option<(Arc<Record>, Gone)> {
        let mut live = self.lock();
        let from_outside = matches!(label.kind, TaskKind::Command | TaskKind::Check);
        if live.closed || (live.sealed && from_outside) {
            return None;
        }
        let id = live.next;
        live.next += 1;
        let record = Arc::new(Record {
            name: label.name,
            kind: label.kind,
            spawned_at: label.at,
            since: Instant::now(),
            polls: AtomicU64::new(0),
            last_poll: AtomicU64::new(0),
            polling: AtomicBool::new(false),
            waits_in: Mutex::new(None),
        });
        live.entries.insert(id, Entry { record: record.clone(), abort: None });
        Some((record, Gone { tasks: self.clone(), id }))
    }

    /// Spawns `future` on the workers. `None`: the registry is closed and the future was dropped unpolled.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        label: Label,
        span: &tracing::Span,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Option<AbortHandle> {
        let (record, gone) = self.enter(label)?;
        let id = gone.id;
        let tracked = Tracked { future, record, _gone: gone };
        let abort = self.runtime.spawn(tracked.instrument(span.clone())).abort_handle();
        self.attach(id, &abort);
        Some(abort)
    }

    /// Runs `work` on a thread where it may block. `None`: the registry is closed.
    pub(crate) fn spawn_blocking(
        self: &Arc<Self>,
        label: Label,
        span: &tracing::Span,
        work: impl FnOnce() + Send + 'static,
    ) -> Option<()> {
        let (record, gone) = self.enter(label)?;
        let span = span.clone();
        let id = gone.id;
        let handle = self.runtime.spawn_blocking(move || {
            let _gone = gone;
            let _span = span.enter();
            let _polling = Polling::enter(&record);
            work();
        });
        // An abort keeps blocking work that has not begun from beginning.
        self.attach(id, &handle.abort_handle());
        Some(())
    }

    fn attach(&self, id: u64, abort: &AbortHandle) {
        let mut live = self.lock();
        let aborting = live.aborting;
        if let Some(entry) = live.entries.get_mut(&id) {
            entry.abort = Some(abort.clone());
        }
        drop(live);
        if aborting {
            abort.abort();
        }
    }

    /// Waits until no work of the kinds that `of` picks is left.
    ///
    /// Cancel safe.
    pub(crate) async fn idle(&self, of: impl Fn(TaskKind) -> bool) {
        self.gone(|record| of(record.kind)).await;
    }

    /// Waits until no work of that name is left.
    ///
    /// Cancel safe.
    pub(crate) async fn idle_of(&self, name: &str) {
        self.gone(|record| record.name == name).await;
    }

    async fn gone(&self, of: impl Fn(&Record) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !self.lock().entries.values().any(|entry| of(&entry.record)) {
                return;
            }
            changed.await;
        }
    }

    /// Asks the runtime to drop all work of the kinds that `of` picks; returns what it was.
    pub(crate) fn abort(&self, of: impl Fn(TaskKind) -> bool) -> Vec<TaskStatus> {
        let (aborts, statuses): (Vec<_>, Vec<_>) = {
            let live = self.lock();
            let picked = live.entries.values().filter(|entry| of(entry.record.kind));
            picked.map(|entry| (entry.abort.clone(), entry.record.status())).unzip()
        };
        for abort in aborts.into_iter().flatten() {
            abort.abort();
        }
        statuses
    }

    /// Refuses, from now on, what is asked for from outside the daemon.
    pub(crate) fn seal(&self) {
        self.lock().sealed = true;
    }

    /// Refuses and aborts everything from now on.
    pub(crate) fn close(&self) -> Vec<TaskStatus> {
        {
            let mut live = self.lock();
            live.closed = true;
            live.aborting = true;
        }
        self.abort(|_| true)
    }

    /// Whether that piece of work is one of these.
    pub(crate) fn has(&self, work: &Arc<Record>) -> bool {
        self.lock().entries.values().any(|entry| Arc::ptr_eq(&entry.record, work))
    }

    /// What a thread polls right now, each with its number here; what may block is not meant.
    pub(crate) fn polled(&self) -> Vec<(u64, TaskStatus)> {
        let is_polled = |record: &Record| record.polling.load(Ordering::Relaxed) && record.kind != TaskKind::Blocking;
        let live = self.lock();
        let polled = live.entries.iter().filter(|(_, entry)| is_polled(&entry.record));
        polled.map(|(number, entry)| (*number, entry.record.status())).collect()
    }

    /// What is under way.
    pub(crate) fn statuses(&self) -> Vec<TaskStatus> {
        let records: Vec<_> = self.lock().entries.values().map(|entry| entry.record.clone()).collect();
        records.iter().map(|record| record.status()).collect()
    }
}

/// Takes an entry out of the registry when dropped.
#[derive(Debug)]
struct Gone {
    tasks: Arc<Tasks>,
    id: u64,
}

impl Drop for Gone {
    fn drop(&mut self) {
        let entry = self.tasks.lock().entries.remove(&self.id);
        drop(entry);
        self.tasks.changed.notify_waiters();
    }
}

pin_project_lite::pin_project! {
    /// Counts the polls of a future, and leaves the registry after it: fields are dropped in their order.
    struct Tracked<F> {
        #[pin]
        future: F,
        record: Arc<Record>,
        _gone: Gone,
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _polling = Polling::enter(this.record);
        this.future.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sealed_registry_takes_no_command_and_no_check_and_a_closed_one_nothing() {
        let tasks = Tasks::new(Handle::current());
        let spawn = |kind| tasks.spawn(Label::new(kind, "work"), &tracing::Span::none(), async {}).is_some();
        assert!(spawn(TaskKind::Command) && spawn(TaskKind::Check) && spawn(TaskKind::Task));
        tasks.seal();
        assert!(!spawn(TaskKind::Command) && !spawn(TaskKind::Check) && spawn(TaskKind::Task));
        tasks.close();
        assert!(!spawn(TaskKind::Task));
        tasks.idle(|_| true).await;
        assert!(tasks.statuses().is_empty());
    }
}
