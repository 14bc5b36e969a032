//! Work that a daemon starts itself: named, tracked, joined at stop.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use super::Context;
use crate::error::{Error, Result};
use crate::status::TaskKind;
use crate::task::{Answer, Caught, Failure, Label, Record, is_current, panicked};

/// The result of spawned work, to be awaited or dropped; dropping it lets the work go on.
#[must_use = "drop it on purpose if nobody needs the result: `drop(handle)`"]
pub struct TaskHandle<T> {
    record: Arc<Record<Answer<Ended<T>>>>,
}

/// How spawned work ended.
type Ended<T> = Result<T, TaskEnded>;

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
    /// It was the task itself that waited for its end.
    #[error("the task waits for its own end, which cannot come before")]
    Itself,
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskEnded>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match self.record.end.poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ended.unwrap_or(Err(TaskEnded::Aborted))),
            Poll::Pending if is_current(&self.record) => Poll::Ready(Err(TaskEnded::Itself)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        self.record.end.abandon();
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
    /// [`Error::Stopping`] once the daemon's life is over, and while work that did not heed its end is aborted.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<TaskHandle<T>, Error> {
        let record = self.life.tasks.spawn_with(Label::new(TaskKind::Task, name), Answer::default(), |record| Work {
            future: Caught::new(work),
            record: record.clone(),
        });
        Ok(TaskHandle { record: record.ok_or_else(|| self.life.stopping())? })
    }

    /// Runs `work` on a thread where it may block. Such work cannot be aborted once it runs: if it outlives the stop,
    /// the report names it.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<TaskHandle<T>, Error> {
        let label = Label::new(TaskKind::Blocking, name);
        let record = self.life.tasks.spawn_blocking(label, Answer::default(), |record| {
            let record = record.clone();
            move || {
                let ended = catch_unwind(AssertUnwindSafe(work)).map_err(panicked);
                conclude(&record, ended);
            }
        });
        Ok(TaskHandle { record: record.ok_or_else(|| self.life.stopping())? })
    }
}

pin_project_lite::pin_project! {
    /// Spawned work that runs, and gives its result to its record.
    struct Work<F: Future> {
        #[pin]
        future: Caught<F>,
        record: Arc<Record<Answer<Ended<F::Output>>>>,
    }
}

impl<F: Future> Future for Work<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = self.project();
        let ended = ready!(this.future.poll(cx));
        conclude(this.record, ended);
        Poll::Ready(())
    }
}

/// Logs and counts a panic, and hands the result over; dropped here if nobody wants it.
fn conclude<T>(record: &Record<Answer<Ended<T>>>, ended: Result<T, Failure>) {
    let ended = ended.map_err(|failure| {
        record.owner().failed(record.kind(), record.name(), &failure);
        match failure {
            Failure::Panic(message) => TaskEnded::Panicked(message),
            other => TaskEnded::Panicked(other.to_string()),
        }
    });
    drop(record.end.give(ended));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Tasks;

    /// What is left between two tasks, which the runtime aligns to 128 bytes; see docs/design/021.
    #[test]
    fn a_record_is_small() {
        let shared = size_of::<Record<Answer<Ended<()>>>>() + 2 * size_of::<usize>();
        assert!(shared <= 104, "{shared}");
    }

    /// Says, when it is dropped, how much work is under way.
    struct Counts(Arc<Tasks>, tokio::sync::mpsc::UnboundedSender<usize>);

    impl Drop for Counts {
        fn drop(&mut self) {
            self.1.send(self.0.statuses().len()).unwrap();
        }
    }

    #[tokio::test]
    async fn a_result_that_nobody_wants_is_dropped_by_the_work_that_gives_it() {
        let tasks = Tasks::new(tokio::runtime::Handle::current(), crate::task::Owner::nobody());
        let (counts, mut counted) = tokio::sync::mpsc::unbounded_channel();
        let result = Counts(tasks.clone(), counts);
        let work = |record: &Arc<Record<Answer<Ended<Counts>>>>| Work {
            future: Caught::new(async { result }),
            record: record.clone(),
        };
        let record = tasks.spawn_with(Label::new(TaskKind::Task, "work"), Answer::default(), work).unwrap();
        drop(TaskHandle { record });
        assert_eq!(counted.recv().await, Some(1), "a destructor that blocks is seen to");
    }
}
