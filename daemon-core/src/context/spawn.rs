//! Work that a daemon starts itself: named, tracked, joined at stop.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};

use tokio::sync::oneshot;

use super::Context;
use crate::error::{Error, Result};
use crate::status::TaskKind;
use crate::task::{Failure, Label, caught};

/// The result of spawned work, to be awaited or dropped; dropping it lets the work go on.
#[must_use = "drop it on purpose if nobody needs the result: `drop(handle)`"]
pub struct TaskHandle<T> {
    result: oneshot::Receiver<Result<T, TaskEnded>>,
}

/// Why spawned work brought no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskEnded {
    /// It panicked.
    #[error("the task panicked: {0}")]
    Panicked(String),
    /// It was dropped before it ended, because its daemon stopped.
    #[error("the task was aborted")]
    Aborted,
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskEnded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(cx).map(|ended| ended.unwrap_or(Err(TaskEnded::Aborted)))
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").finish_non_exhaustive()
    }
}

impl Context {
    /// Runs `work` beside everything else. It is cancelled through [`cancelled`](Context::cancelled) at stop, aborted
    /// if it does not heed that, and gone before `cleanup` begins. A panic is caught, logged and counted.
    ///
    /// # Errors
    /// [`Error::Stopping`] once the daemon's life is over.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<TaskHandle<T>, Error> {
        let (sender, result) = oneshot::channel();
        let (life, name) = (self.life.clone(), name.to_owned());
        self.life.spawn(Label::new(TaskKind::Task, name.clone()), async move {
            let mut value = None;
            let ended = caught(|| async {
                value = Some(work.await);
                Ok(())
            });
            let ended = ended.await;
            let outcome = match (ended, value) {
                (Ok(()), Some(value)) => Ok(value),
                (Err(failure), _) => {
                    life.failed(TaskKind::Task, &name, &failure);
                    Err(TaskEnded::Panicked(failure.to_string()))
                }
                (Ok(()), None) => Err(TaskEnded::Aborted),
            };
            drop(sender.send(outcome)); // nobody may be waiting
        })?;
        Ok(TaskHandle { result })
    }

    /// Runs `work` on a thread where it may block. Such work cannot be aborted once it runs: if it outlives the stop,
    /// the report names it.
    ///
    /// # Errors
    /// [`Error::Stopping`] once the daemon's life is over.
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<TaskHandle<T>, Error> {
        let (sender, result) = oneshot::channel();
        let (life, label) = (self.life.clone(), name.to_owned());
        let run = move || {
            let outcome = catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
                let failure = Failure::panic(&*payload);
                life.failed(TaskKind::Blocking, &label, &failure);
                TaskEnded::Panicked(failure.to_string())
            });
            drop(sender.send(outcome)); // nobody may be waiting
        };
        let label = Label::new(TaskKind::Blocking, name);
        self.life.tasks.spawn_blocking(label, &self.life.span, run).ok_or_else(|| self.life.stopping())?;
        Ok(TaskHandle { result })
    }
}
