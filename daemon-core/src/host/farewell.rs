//! What a program does last: the shutdown handlers of a host, one after the other, after the last daemon's cleanup.
//!
//! Invariants:
//! 1. Handlers run in the order in which they were registered, each at most once, all of them within one timeout.
//! 2. None runs after that: what overruns is aborted, and what has not begun does not begin. Either is in the report.
//! 3. They are called and dropped on the workers, for they are user code.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::report::{Cut, HandlerStop, millis};
use crate::BoxFuture;
use crate::error::Result;
use crate::status::{TaskKind, TaskStatus};
use crate::task::{FOREVER, Failure, Label, Owner, Record, Tasks, aside, caught, drop_quietly};

/// How long all handlers together may take, unless the host says otherwise.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what was aborted may take to be gone.
const ABORTING: Duration = Duration::from_millis(100);

/// A shutdown handler.
pub(super) struct Handler {
    at: &'static Location<'static>,
    call: Box<dyn FnOnce() -> BoxFuture<'static, Result<()>> + Send>,
}

impl Handler {
    /// A handler that was registered there.
    pub(super) fn new(
        at: &'static Location<'static>,
        call: impl FnOnce() -> BoxFuture<'static, Result<()>> + Send + 'static,
    ) -> Self {
        Self { at, call: Box::new(call) }
    }

    fn name(&self) -> String {
        format!("{}:{}", self.at.file(), self.at.line())
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("at", self.at).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Handler>,
    ended: Vec<HandlerStop>,
    over: bool,
}

/// The shutdown handlers of one host.
pub(super) struct Farewell {
    timeout: Duration,
    inner: Mutex<Inner>,
    /// The one under way.
    tasks: OnceLock<Arc<Tasks>>,
}

impl Farewell {
    pub(super) fn new(handlers: Vec<Handler>, timeout: Option<Duration>) -> Arc<Self> {
        let inner = Inner { waiting: handlers.into(), ..Inner::default() };
        let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT).min(FOREVER);
        Arc::new(Self { timeout, inner: Mutex::new(inner), tasks: OnceLock::new() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a handler behind the others; gives it back if they are over.
    pub(super) fn add(&self, handler: Handler) -> Result<(), Handler> {
        let mut inner = self.inner();
        if inner.over {
            return Err(handler);
        }
        inner.waiting.push_back(handler);
        Ok(())
    }

    /// What is to be kept for them of the time that a stop has.
    pub(super) fn ceiling(&self) -> Duration {
        if self.inner().waiting.is_empty() { Duration::ZERO } else { self.timeout }
    }

    /// Runs them on `runtime`, until their time is up or `by`, by when the host is to have stopped.
    pub(super) async fn say(self: &Arc<Self>, runtime: &Handle, by: Instant) {
        if self.close_if_empty() {
            return;
        }
        let now = Instant::now();
        let left = by.saturating_duration_since(now);
        let deadline = now + self.timeout.min(left.saturating_sub(ABORTING.min(left / 4)));
        let farewell = self.clone();
        let said = aside(runtime, async move { farewell.run(deadline).await });
        drop(tokio::time::timeout_at(deadline + ABORTING * 2, said).await); // late: no worker is free, as the report shows
    }

    async fn run(&self, deadline: Instant) {
        let tasks = self.tasks.get_or_init(|| Tasks::new(Handle::current(), Owner::nobody()));
        while let Some(handler) = self.next() {
            let stop = call(tasks, handler, deadline).await;
            if let Some(problem) = &stop.problem {
                tracing::warn!(handler = stop.name, problem, "a shutdown handler failed");
            }
            if stop.cut.is_some() {
                tracing::warn!(handler = stop.name, timeout = ?self.timeout, "the shutdown handlers took too long");
            }
            self.inner().ended.push(stop);
        }
    }

    fn next(&self) -> Option<Handler> {
        let mut inner = self.inner();
        let next = inner.waiting.pop_front();
        inner.over |= next.is_none();
        next
    }

    fn close_if_empty(&self) -> bool {
        let mut inner = self.inner();
        inner.over |= inner.waiting.is_empty();
        inner.over
    }

    /// How each of them ended, with the one that has not.
    pub(super) fn stops(&self) -> Vec<HandlerStop> {
        let under_way = self.under_way();
        let mut stops = self.inner().ended.clone();
        // None begins once one was cut, so that what is still there is that one.
        if stops.iter().all(|stop| stop.cut.is_none()) {
            stops.extend(under_way.iter().map(|task| cut(task, false)));
        }
        stops
    }

    /// Whether that piece of work is the one that is under way.
    pub(super) fn has(&self, work: &Arc<Record>) -> bool {
        self.tasks.get().is_some_and(|tasks| tasks.has(work))
    }

    /// The one that is under way.
    pub(super) fn under_way(&self) -> Vec<TaskStatus> {
        self.tasks.get().map(|tasks| tasks.statuses()).unwrap_or_default()
    }

    pub(super) fn was_cut(&self) -> bool {
        self.inner().ended.iter().any(|stop| stop.cut.is_some()) || !self.under_way().is_empty()
    }

    pub(super) fn ended_badly(&self) -> bool {
        self.inner().ended.iter().any(|stop| stop.problem.is_some())
    }
}

impl HandlerStop {
    fn new(name: String) -> Self {
        Self { name, stop_ms: 0, problem: None, cut: None }
    }
}

/// Calls a handler and waits for its end, until `deadline`.
async fn call(tasks: &Arc<Tasks>, handler: Handler, deadline: Instant) -> HandlerStop {
    let (begun, name) = (Instant::now(), handler.name());
    if begun >= deadline {
        drop_quietly(handler);
        return unbegun(name);
    }
    let (sender, mut ended) = oneshot::channel();
    let call = handler.call;
    // Never closed: it cannot be refused.
    drop(tasks.spawn(Label::new(TaskKind::Shutdown, &name), async move {
        drop(sender.send(caught(call).await)); // or nobody waits any more
    }));
    // Not for what it sends: it is over once nothing is left of it.
    let stop = if tokio::time::timeout_at(deadline, tasks.idle(&|_| true)).await.is_ok() {
        let outcome = ended.try_recv();
        let problem = outcome.ok().and_then(Result::err).map(|failure: Failure| failure.to_string());
        HandlerStop { problem, ..HandlerStop::new(name) }
    } else {
        abort(tasks).await.unwrap_or_else(|| HandlerStop::new(name))
    };
    HandlerStop { stop_ms: millis(begun.elapsed()), ..stop }
}

/// Aborts the handler under way, if there still is one, and books it.
async fn abort(tasks: &Tasks) -> Option<HandlerStop> {
    let aborted = tasks.abort(TaskKind::Shutdown);
    drop(tokio::time::timeout(ABORTING, tasks.idle(&|_| true)).await); // what is left is told of
    let (record, then) = aborted.into_iter().next()?;
    let gone = record.is_gone();
    Some(cut(&if gone { then } else { record.status() }, gone))
}

/// A handler for which there was no time left.
fn unbegun(name: String) -> HandlerStop {
    let cut = Cut {
        work: format!("{} `{name}`", TaskKind::Shutdown),
        spawned_at: format!("{}:{}", file!(), line!()),
        polls: 0,
        idle_ms: None,
        waits_in: None,
        blocking: false,
        gone: true,
        behind: Vec::new(),
    };
    HandlerStop { cut: Some(cut), ..HandlerStop::new(name) }
}

/// A handler that had to be cut.
fn cut(task: &TaskStatus, gone: bool) -> HandlerStop {
    HandlerStop {
        stop_ms: millis(task.age),
        cut: Some(Cut::new(task, gone, &[])),
        ..HandlerStop::new(task.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn none_is_taken_once_the_last_has_been_called() {
        let handler = || Handler::new(Location::caller(), || Box::pin(std::future::ready(Ok(()))));
        let farewell = Farewell::new(vec![handler()], None);
        assert!(farewell.add(handler()).is_ok());
        farewell.say(&Handle::current(), Instant::now() + FOREVER).await;
        assert!(farewell.add(handler()).is_err());
        assert_eq!(farewell.stops().len(), 2);
    }

    /// A handler that does this.
    fn handler<F: Future<Output = ()> + Send + 'static>(call: impl FnOnce() -> F + Send + 'static) -> Handler {
        Handler::new(Location::caller(), move || {
            let called = call();
            Box::pin(async move {
                called.await;
                Ok(())
            })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn without_handlers_nobody_is_waited_for_and_none_is_taken_any_more() {
        let farewell = Farewell::new(Vec::new(), None);
        let here = Handle::current();
        let mut said = std::pin::pin!(farewell.say(&here, Instant::now() + FOREVER));
        std::future::poll_fn(|cx| {
            assert!(said.as_mut().poll(cx).is_ready());
            std::task::Poll::Ready(())
        })
        .await;
        assert!(farewell.add(handler(|| async {})).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_short_time_a_part_is_kept_for_what_overruns() {
        for (left, kept) in [(1_000, 100), (40, 10)] {
            let (begun, left) = (Instant::now(), Duration::from_millis(left));
            let (told, cut) = oneshot::channel();
            let hangs = handler(move || async move {
                let _told = drop_with(move || told.send(begun.elapsed()).unwrap_or_default());
                std::future::pending().await
            });
            let farewell = Farewell::new(vec![hangs], None);
            farewell.say(&Handle::current(), begun + left).await;
            assert_eq!(cut.await.unwrap(), left - Duration::from_millis(kept));
        }
    }

    /// Does that when it is dropped.
    fn drop_with(does: impl FnOnce() + Send) -> impl Drop + Send {
        struct Does<F: FnOnce()>(Option<F>);
        impl<F: FnOnce()> Drop for Does<F> {
            fn drop(&mut self) {
                if let Some(does) = self.0.take() {
                    does();
                }
            }
        }
        Does(Some(does))
    }

    #[tokio::test(start_paused = true)]
    async fn for_one_that_comes_when_the_time_is_up_nothing_begins() {
        let tasks = Tasks::new(Handle::current(), Owner::nobody());
        let late = handler(|| async { panic!("it is not called") });
        let mut called = std::pin::pin!(call(&tasks, late, Instant::now()));
        let stop = std::future::poll_fn(|cx| match called.as_mut().poll(cx) {
            std::task::Poll::Ready(stop) => std::task::Poll::Ready(stop),
            std::task::Poll::Pending => panic!("there is nothing to wait for"),
        })
        .await;
        assert!(stop.cut.is_some_and(|cut| cut.gone && cut.polls == 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_that_blocks_is_told_of_once_and_those_behind_it_whatever_their_destructors_do() {
        let (let_go, blocks) = std::sync::mpsc::channel::<()>();
        let blocks = handler(move || async move { assert!(blocks.recv().is_err(), "it is let go by a hang-up") });
        let bomb = drop_with(|| panic!("a destructor"));
        let behind = handler(move || async move { drop(bomb) });
        let farewell = Farewell::new(vec![blocks, behind, handler(|| async {})], None);
        // Time enough to begin on a busy machine; and run itself, since whoever has them said does not wait for ever.
        farewell.run(Instant::now() + Duration::from_secs(1)).await;
        let stops = farewell.stops();
        let gone: Vec<_> = stops.iter().map(|stop| stop.cut.as_ref().is_some_and(|cut| cut.gone)).collect();
        assert_eq!(gone, [false, true, true], "{stops:?}");
        assert!(farewell.was_cut() && stops.iter().all(|stop| stop.cut.is_some()));
        drop(let_go);
    }

    #[test]
    fn one_that_blocks_the_only_worker_is_told_of_as_cut_though_nobody_could_abort_it() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ((let_go, blocks), (begins, begun)) = (std::sync::mpsc::channel::<()>(), oneshot::channel());
        let blocks = handler(move || async move {
            begins.send(()).unwrap();
            assert!(blocks.recv().is_err(), "it is let go by a hang-up");
        });
        let farewell = Farewell::new(vec![blocks], None);
        let said = farewell.clone();
        runtime.spawn(async move { said.run(Instant::now() + FOREVER).await });
        control.block_on(begun).unwrap();
        let stops = farewell.stops();
        assert!(farewell.was_cut() && matches!(&stops[..], [stop] if stop.cut.as_ref().is_some_and(|cut| !cut.gone)));
        drop(let_go);
    }

    #[test]
    fn nobody_waits_for_ever_for_a_worker_that_is_blocked() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (let_go, blocks) = std::sync::mpsc::channel::<()>();
        let (begins, begun) = oneshot::channel();
        runtime.spawn(async move {
            begins.send(()).unwrap();
            assert!(blocks.recv().is_err(), "it is let go by a hang-up");
        });
        control.block_on(async {
            begun.await.unwrap();
            let farewell = Farewell::new(vec![handler(|| async {})], Some(Duration::from_millis(10)));
            let said = farewell.say(runtime.handle(), Instant::now() + FOREVER);
            assert!(tokio::time::timeout(Duration::from_secs(60), said).await.is_ok());
        });
        drop(let_go);
    }
}
