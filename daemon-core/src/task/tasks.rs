//! The work of one life: every piece is registered by name from its spawn until its future is gone.
//!
//! Invariants:
//! 1. An entry is removed exactly when its future has been dropped, so an empty registry means that no code spawned
//!    through it can run any more.
//! 2. The lock is never held while user code runs: futures are dropped and polled outside it.
//! 3. After [`Tasks::seal`], no command, check or reload is spawned; after [`Tasks::close`], nothing is.
//! 4. Every piece of work that had entered when [`Tasks::abort_all`] or [`Tasks::close`] was called is aborted: either its
//!    handle was attached before that looked, or attaching finds that it is one of those, however late. None enters from then on, so that
//!    what is aborted leaves no heirs.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

use super::age::Ages;
use super::live::{Live, Member};
use super::record::{End, Record};
use super::tally::Owner;
use super::waits::Polling;
use crate::BoxFuture;
use crate::status::{TaskKind, TaskStatus};
use crate::sync::{Mutex, MutexGuard};

/// The registry of one life.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    ages: Ages,
    /// Whose work it is.
    pub(crate) owner: Owner,
    live: Mutex<Live>,
    /// Told whenever the last piece of work of a kind has gone.
    none_left: Notify,
}

/// Names a piece of work that is about to be spawned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label<'a> {
    pub(crate) kind: TaskKind,
    pub(crate) name: &'a str,
    pub(crate) at: &'static Location<'static>,
}

impl<'a> Label<'a> {
    #[track_caller]
    pub(crate) fn new(kind: TaskKind, name: &'a str) -> Self {
        Self { kind, name, at: Location::caller() }
    }
}

impl Tasks {
    pub(crate) fn new(runtime: Handle, owner: Owner) -> Arc<Self> {
        Arc::new(Self { runtime, ages: Ages::new(), owner, live: Mutex::default(), none_left: Notify::new() })
    }

    /// Nanoseconds since it was made.
    pub(super) fn now(&self) -> u64 {
        self.ages.now()
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter<E: End + 'static>(self: &Arc<Self>, label: Label<'_>, end: E) -> Option<(Arc<Record<E>>, Entry)> {
        let mut live = self.lock();
        if live.refuses(label.kind) {
            return None;
        }
        let record = live.enter(self, label, end);
        drop(live);
        Some((record.clone(), Entry(record)))
    }

    /// Spawns `future` on the workers. `None`: the registry is closed and the future was dropped unpolled.
    ///
    /// It is boxed, so that a program has the code of one such task and not of one for each place that spawns.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        label: Label<'_>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Option<AbortHandle> {
        self.spawn_boxed(label, Box::pin(future))
    }

    /// As [`spawn`](Self::spawn).
    pub(crate) fn spawn_boxed(
        self: &Arc<Self>,
        label: Label<'_>,
        future: BoxFuture<'static, ()>,
    ) -> Option<AbortHandle> {
        self.start(label, (), |_| future).map(|(_, abort)| abort)
    }

    /// As [`spawn`](Self::spawn), not boxed; `end` hears of the end, and is in the record that the future is made with.
    pub(crate) fn spawn_with<E: End + 'static, F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        label: Label<'_>,
        end: E,
        make: impl FnOnce(&Arc<Record<E>>) -> F,
    ) -> Option<Arc<Record<E>>> {
        self.start(label, end, make).map(|(record, _)| record)
    }

    fn start<E: End + 'static, F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        label: Label<'_>,
        end: E,
        make: impl FnOnce(&Arc<Record<E>>) -> F,
    ) -> Option<(Arc<Record<E>>, AbortHandle)> {
        let (record, entry) = self.enter(label, end)?;
        let polled: Arc<Record> = record.clone();
        let tracked = Tracked { future: Some(make(&record)), polled: Some(polled), entry };
        let abort = self.runtime.spawn(tracked).abort_handle();
        self.attach(&record, &abort);
        Some((record, abort))
    }

    /// Runs `work` on a thread where it may block. `None`: the registry is closed.
    pub(crate) fn spawn_blocking<E: End + 'static, W: FnOnce() + Send + 'static>(
        self: &Arc<Self>,
        label: Label<'_>,
        end: E,
        make: impl FnOnce(&Arc<Record<E>>) -> W,
    ) -> Option<Arc<Record<E>>> {
        let (record, entry) = self.enter(label, end)?;
        let begun = (make(&record), entry); // in this order they are dropped if it is aborted before it begins
        let handle = self.runtime.spawn_blocking(move || {
            let (work, entry) = begun;
            let _span = entry.0.owner().span.enter();
            let mut polled = Some(entry.0.clone());
            let _polling = Polling::enter(&entry.0, &mut polled);
            work();
        });
        // It keeps blocking work that has not begun from beginning.
        self.attach(&record, &handle.abort_handle());
        Some(record)
    }

    fn attach<E>(&self, record: &Record<E>, abort: &AbortHandle) {
        let is_late = self.lock().attach(record, abort);
        if is_late {
            abort.abort();
        }
    }

    /// Waits until no work of the kinds that `of` picks is left.
    ///
    /// Cancel safe.
    pub(crate) async fn idle(&self, of: &(dyn Fn(TaskKind) -> bool + Sync)) {
        loop {
            let none_left = self.none_left.notified(); // from here on it hears of that, polled or not
            if !self.lock().any(of) {
                return;
            }
            none_left.await;
        }
    }

    /// Asks the runtime to drop the work of one kind; returns it, with how it was then.
    pub(crate) fn abort(&self, kind: TaskKind) -> Vec<(Arc<Record>, TaskStatus)> {
        let picked = self.lock().pick(|record| record.kind() == kind);
        abort(picked)
    }

    /// Asks the runtime to drop all work, and refuses more until it [relents](Self::relent); returns what it was, with
    /// how it was then.
    pub(crate) fn abort_all(&self) -> Vec<(Arc<Record>, TaskStatus)> {
        let all = {
            let mut live = self.lock();
            live.aborting = true;
            live.abort()
        };
        abort(all)
    }

    /// Takes work again, for `cleanup`.
    pub(crate) fn relent(&self) {
        self.lock().aborting = false;
    }

    /// Refuses, from now on, what is asked for from outside the daemon.
    pub(crate) fn seal(&self) {
        self.lock().sealed = true;
    }

    /// Refuses and aborts everything from now on.
    pub(crate) fn close(&self) {
        let left = {
            let mut live = self.lock();
            live.closed = true;
            live.abort()
        };
        for abort in left.into_iter().filter_map(|member| member.abort) {
            abort.abort();
        }
    }

    /// Whether that piece of work is one of these.
    pub(crate) fn has(&self, work: &Arc<Record>) -> bool {
        self.lock().has(work)
    }

    /// Whether the piece of work of that number is one of these.
    pub(crate) fn has_number(&self, number: u64) -> bool {
        self.lock().has_number(number)
    }

    /// What a thread polls right now, each with its number here; what may block is not meant.
    pub(crate) fn polled(&self) -> Vec<(u64, TaskStatus)> {
        let polled = self.lock().pick(|record| record.is_polled() && record.kind() != TaskKind::Blocking);
        polled.iter().map(|member| (member.record.number, member.record.status())).collect()
    }

    /// What is under way.
    pub(crate) fn statuses(&self) -> Vec<TaskStatus> {
        self.numbered().into_iter().map(|(_, status)| status).collect()
    }

    /// As [`statuses`](Self::statuses), each with its number here.
    pub(crate) fn numbered(&self) -> Vec<(u64, TaskStatus)> {
        let work = self.lock().pick(|_| true);
        work.iter().map(|member| (member.record.number, member.record.status())).collect()
    }
}

fn abort(work: Vec<Member>) -> Vec<(Arc<Record>, TaskStatus)> {
    let (aborts, work): (Vec<_>, Vec<_>) =
        work.into_iter().map(|Member { record, abort }| (abort, (record.clone(), record.status()))).unzip();
    for abort in aborts.into_iter().flatten() {
        abort.abort();
    }
    work
}

/// A place in the registry, given back when dropped.
#[derive(Debug)]
struct Entry(Arc<Record>);

impl Drop for Entry {
    fn drop(&mut self) {
        let Self(record) = self;
        let (left, was_last) = record.tasks().lock().leave(record);
        drop(left);
        record.leave();
        if was_last {
            record.tasks().none_left.notify_waiters();
        }
        record.end.gone();
    }
}

pin_project_lite::pin_project! {
    /// Counts the polls of a future, and leaves the registry after it.
    struct Tracked<F> {
        // Until it has ended.
        #[pin]
        future: Option<F>,
        // What is polled, while it is not.
        polled: Option<Arc<Record>>,
        entry: Entry,
    }

    impl<F> PinnedDrop for Tracked<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _span = this.entry.0.owner().span.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future<Output = ()>> Future for Tracked<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Entry(record) = this.entry;
        let _span = record.owner().span.enter();
        let _polling = Polling::enter(record, this.polled);
        let poll = this.future.as_mut().as_pin_mut().map_or(Poll::Ready(()), |future| future.poll(cx));
        if poll.is_ready() {
            this.future.set(None); // as part of this poll: a destructor that blocks is seen to
        }
        poll
    }
}

/// Spawns work that is no daemon's, and that no report names; boxed as all of a host's own.
pub(crate) fn aside(runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let work: BoxFuture<'static, ()> = Box::pin(work);
    runtime.spawn(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_spawned_so_slowly_that_all_was_aborted_meanwhile_is_aborted_after_the_registry_has_relented() {
        let tasks = Tasks::new(Handle::current(), Owner::nobody());
        let slowly = |_: &Arc<Record<()>>| {
            drop(tasks.abort_all());
            tasks.relent();
            std::future::pending()
        };
        assert!(tasks.spawn_with(Label::new(TaskKind::Task, "slow"), (), slowly).is_some());
        tasks.idle(&|_| true).await;
    }

    #[tokio::test]
    async fn a_sealed_registry_takes_no_command_and_no_check_and_one_that_is_shut_nothing() {
        let tasks = Tasks::new(Handle::current(), Owner::nobody());
        let spawn = |kind| tasks.spawn(Label::new(kind, "work"), async {}).is_some();
        assert!(spawn(TaskKind::Command) && spawn(TaskKind::Check) && spawn(TaskKind::Task));
        tasks.seal();
        assert!(!spawn(TaskKind::Command) && !spawn(TaskKind::Check) && spawn(TaskKind::Task));
        drop(tasks.abort_all());
        assert!(!spawn(TaskKind::Task));
        tasks.relent();
        assert!(spawn(TaskKind::Task));
        tasks.close();
        tasks.relent();
        assert!(!spawn(TaskKind::Task));
        tasks.idle(&|_| true).await;
        assert!(tasks.statuses().is_empty());
    }

    #[tokio::test]
    async fn work_of_one_kind_is_aborted_alone() {
        let tasks = Tasks::new(Handle::current(), Owner::nobody());
        for kind in [TaskKind::Task, TaskKind::Cleanup] {
            assert!(tasks.spawn(Label::new(kind, "work"), std::future::pending()).is_some());
        }
        assert_eq!(tasks.abort(TaskKind::Cleanup).len(), 1);
        tasks.idle(&|kind| kind == TaskKind::Cleanup).await;
        assert!(tasks.statuses().iter().map(|task| task.kind).eq([TaskKind::Task]));
    }

    /// Looks, when it is dropped, at what is being polled.
    struct Looks(Arc<Tasks>, Option<tokio::sync::oneshot::Sender<usize>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let polled = self.0.polled().len();
            self.1.take().into_iter().for_each(|tell| tell.send(polled).unwrap_or_default());
        }
    }

    #[tokio::test]
    async fn a_destructor_is_part_of_the_last_poll_of_what_has_ended() {
        struct Ends(#[expect(dead_code, reason = "it is dropped")] Looks);
        impl Future for Ends {
            type Output = ();
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                Poll::Ready(())
            }
        }
        let tasks = Tasks::new(Handle::current(), Owner::nobody());
        let (tell, told) = tokio::sync::oneshot::channel();
        let ends = Ends(Looks(tasks.clone(), Some(tell)));
        assert!(tasks.spawn_with(Label::new(TaskKind::Task, "ends"), (), |_| ends).is_some());
        assert_eq!(told.await, Ok(1));
    }

    #[test]
    fn blocking_work_is_nobody_s_trouble_and_does_not_begin_once_it_is_aborted() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), Owner::nobody());
        let (let_go, blocks) = std::sync::mpsc::channel::<()>();
        let (begins, begun) = std::sync::mpsc::channel();
        let first = move || {
            begins.send("first").unwrap();
            assert!(blocks.recv().is_err(), "it is let go by a hang-up");
            begins
        };
        let label = || Label::new(TaskKind::Blocking, "work");
        assert!(tasks.spawn_blocking(label(), (), |_| || drop(first())).is_some());
        assert_eq!(begun.recv(), Ok("first"));
        assert!(tasks.polled().is_empty(), "it may block");
        let (begins, has_begun) = std::sync::mpsc::channel();
        let second = |_: &Arc<Record<()>>| move || begins.send(()).unwrap();
        let second = tasks.spawn_blocking(label(), (), second).unwrap();
        assert_eq!(tasks.abort_all().len(), 2);
        drop(let_go);
        runtime.block_on(tasks.idle(&|_| true));
        assert!(second.is_gone() && has_begun.recv().is_err(), "it never began");
    }
}
