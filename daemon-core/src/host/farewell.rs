//! What a program does last: the shutdown handlers of a host, one after the other, after the last daemon's cleanup.
//!
//! Invariants:
//! 1. Handlers run in the order in which they were registered, each at most once, all of them within one timeout.
//! 2. None runs after that: what overruns is aborted, and what has not begun does not begin. Either is in the report.
//! 3. They are called and dropped on the workers, for they are user code.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::report::{Cut, HandlerStop, millis};
use crate::BoxFuture;
use crate::error::Result;
use crate::status::{TaskKind, TaskStatus};
use crate::task::{FOREVER, Failure, Label, Tasks, caught, drop_quietly};

/// How long all handlers together may take, unless the host says otherwise.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what was aborted may take to be gone.
const ABORTING: Duration = Duration::from_millis(100);

type Call = Box<dyn FnOnce() -> BoxFuture<'static, Result<()>> + Send>;

/// A shutdown handler.
pub(crate) struct Handler {
    at: &'static Location<'static>,
    call: Call,
}

impl Handler {
    pub(crate) fn new(at: &'static Location<'static>, call: Call) -> Self {
        Self { at, call }
    }

    fn name(&self) -> String {
        format!("{}:{}", self.at.file(), self.at.line())
    }
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Handler>,
    ended: Vec<HandlerStop>,
    over: bool,
}

/// The shutdown handlers of one host.
pub(crate) struct Farewell {
    timeout: Duration,
    inner: Mutex<Inner>,
    /// The one under way.
    tasks: OnceLock<Arc<Tasks>>,
}

impl Farewell {
    pub(super) fn new(handlers: Vec<Handler>, timeout: Option<Duration>) -> Self {
        let inner = Inner { waiting: handlers.into(), ..Inner::default() };
        let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT).min(FOREVER);
        Self { timeout, inner: Mutex::new(inner), tasks: OnceLock::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a handler behind the others; gives it back if they are over.
    pub(crate) fn add(&self, handler: Handler) -> Result<(), Handler> {
        let mut inner = self.inner();
        if inner.over {
            return Err(handler);
        }
        inner.waiting.push_back(handler);
        Ok(())
    }

    /// What is to be kept for the handlers of the time that a stop has.
    pub(super) fn ceiling(&self) -> Duration {
        if self.inner().waiting.is_empty() { Duration::ZERO } else { self.timeout }
    }

    /// Runs them on `runtime`, until their time or that of the whole stop is up.
    pub(super) async fn say(self: &Arc<Self>, runtime: &Handle, budget_ends: Instant) {
        if self.inner().waiting.is_empty() {
            self.inner().over = true;
            return;
        }
        let deadline = budget_ends.min(Instant::now() + self.timeout);
        let farewell = self.clone();
        let spoken = runtime.spawn(async move { farewell.run(deadline).await });
        drop(tokio::time::timeout_at(deadline + ABORTING * 2, spoken).await); // late: no worker is free, as the report shows
    }

    async fn run(&self, deadline: Instant) {
        let tasks = self.tasks.get_or_init(|| Tasks::new(Handle::current(), tracing::Span::none()));
        while let Some(handler) = self.next() {
            let name = handler.name();
            let stop = if Instant::now() < deadline {
                call(tasks, handler, deadline).await
            } else {
                drop_quietly(handler);
                HandlerStop { name: name.clone(), problem: Some("its time was up before it began".to_owned()), cut: true, ..HandlerStop::default() }
            };
            if let Some(problem) = &stop.problem {
                tracing::warn!(handler = name, problem, "a shutdown handler failed");
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
}
