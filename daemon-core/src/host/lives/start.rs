//! The start of a life: its value made, initialised, its work begun.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::{Lifecycle, NotStarted, StopOrder, cancel};
use crate::BoxFuture;
use crate::context::{Context, Life};
use crate::error::Result;
use crate::host::board::Happening;
use crate::host::unit::Lived;
use crate::status::{State, TaskKind};
use crate::task::{Failure, Label, caught};

/// How long a start may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartLimits {
    /// The daemon's own.
    pub(crate) timeout: Duration,
    /// When the start of the whole host must have ended, and how long it could take; `None` later, or without a limit.
    pub(crate) whole: Option<(Instant, Duration)>,
}

/// When a start must have ended, and whose limit that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    limit: Limit,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Own(Duration),
    Whole(Duration),
}

/// A daemon that did not run in the time that its host has to start.
#[derive(Debug, thiserror::Error)]
#[error("did not run within the host's start budget of {0:?}")]
struct BudgetUsedUp(Duration);

impl StartLimits {
    /// When a start that begins `now` must have ended.
    pub(crate) fn deadline(&self, now: Instant) -> Deadline {
        let own = Deadline { at: now + self.timeout, limit: Limit::Own(self.timeout) };
        match self.whole {
            Some((at, budget)) if at < own.at => Deadline { at, limit: Limit::Whole(budget) },
            _ => own,
        }
    }
}

impl Deadline {
    /// What is wrong with a start that has not ended by then.
    pub(crate) fn missed(&self) -> Failure {
        match self.limit {
            Limit::Own(timeout) => Failure::Timeout(timeout),
            Limit::Whole(budget) => Failure::Error(BudgetUsedUp(budget).into()),
        }
    }
}

/// Whether `initialize` is entered: decided once, by the work that gets there or by the stop that no longer lets it.
#[derive(Debug, Default)]
pub(super) struct Threshold(OnceLock<bool>);

impl Threshold {
    /// Enters, unless it is closed.
    fn enter(&self) -> bool {
        *self.0.get_or_init(|| true)
    }

    /// Lets nobody enter any more; whether somebody has.
    pub(super) fn close(&self) -> bool {
        *self.0.get_or_init(|| false)
    }
}

/// What has been sent; from then on nothing can be, and its destructor is the sender's concern.
pub(super) fn last<T>(sent: &mut oneshot::Receiver<T>) -> Option<T> {
    sent.close();
    sent.try_recv().ok()
}

impl Lifecycle {
    /// Starts the life, which has `begun`, or says why it did not; `threshold` tells whether `initialize` was entered.
    pub(super) async fn start(
        &mut self,
        life: &Arc<Life>,
        threshold: &Arc<Threshold>,
        begun: Instant,
    ) -> Result<(), NotStarted> {
        let deadline = self.limits.deadline(Instant::now());
        let cx = Context { life: life.clone() };
        let (sender, mut made) = oneshot::channel();
        let value = self.unit.value();
        let make = async move {
            drop(sender.send(value.await?)); // the receiver is closed only once this task has been given up
            Ok(())
        };
        let ended = self.step(life, TaskKind::Make, deadline, Box::pin(make)).await;
        // Kept even if the start ends here: the stop drops it where a destructor may block or panic.
        let lived: Option<Arc<dyn Lived>> = last(&mut made).map(Into::into);
        let slot = self.slot.clone();
        slot.inner().lived = lived.clone();
        ended?;
        let Some(lived) = lived else { return Err(NotStarted::Cancelled) };
        let (intake, initialize) = (slot.intake.clone(), lived.hook(TaskKind::Initialize, cx.clone()));
        // What there was for the first value was found when its daemon was added, and is not offered again.
        let anew = self.unit.is_made_anew() && slot.restarts.load(Ordering::Relaxed) > 0;
        let (asked, threshold) = (lived.clone(), threshold.clone());
        let closing = self.closing.take();
        let begin = async move {
            if let Some(closing) = closing {
                closing.await.ok(); // a waker that panicked
            }
            intake.begin(anew); // asks filters, which are user code
            if !threshold.enter() {
                return Ok(()); // too late: this step has been given up
            }
            initialize.await?;
            asked.ask(); // for periods: user code, too
            Ok(())
        };
        self.step(life, TaskKind::Initialize, deadline, Box::pin(begin)).await?;
        if let Err(error) = lived.begin(life) {
            return Err(NotStarted::Failed(Failure::Error(error.into())));
        }
        {
            let mut inner = slot.inner();
            inner.start_took = begun.elapsed();
            inner.started = Some(self.board.since.elapsed());
        }
        slot.enter(State::Running);
        // Before anything of it runs that might break it: the conductor hears of its start first.
        self.board.tell(Happening::Started(self.at));
        for (isolated, dispatch) in lived.dispatch(cx) {
            let name = isolated.map_or_else(|| TaskKind::Handlers.to_string(), str::to_owned);
            let label = Label::new(TaskKind::Handlers, &name);
            drop(life.tasks.spawn_boxed(label, dispatch)); // open: it cannot be refused
        }
        cancel(&life.ready);
        self.board.catch_up(&slot, life);
        Ok(())
    }

    /// Runs one step of the start as a task of its own, to its end, its deadline or the order to stop.
    ///
    /// It is boxed, so that a program has this code once and not for each step.
    pub(super) async fn step(
        &mut self,
        life: &Arc<Life>,
        kind: TaskKind,
        deadline: Deadline,
        work: BoxFuture<'static, Result<()>>,
    ) -> Result<(), NotStarted> {
        let ordered = |stop: &watch::Receiver<StopOrder>| stop.borrow().is_some();
        if ordered(&self.stop) {
            return Err(NotStarted::Cancelled);
        }
        if deadline.at <= Instant::now() {
            return Err(NotStarted::Failed(deadline.missed()));
        }
        let (sender, outcome) = oneshot::channel();
        let name = kind.to_string();
        let task = life.tasks.spawn(Label::new(kind, &name), async move {
            drop(sender.send(caught(|| work).await)); // the receiver is dropped once this step is given up
        });
        let ended = tokio::select! {
            biased; // a failure is told of also when the order to stop comes with it
            outcome = timeout_at(deadline.at, outcome) => match outcome {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(failure))) => Err(NotStarted::Failed(failure)),
                Ok(Err(_)) => Err(NotStarted::Cancelled), // aborted: the runtime is going down
                Err(_) => Err(NotStarted::Failed(deadline.missed())),
            },
            _ = self.stop.wait_for(Option::is_some) => Err(NotStarted::Cancelled),
        };
        if let (Err(_), Some(task)) = (&ended, task) {
            task.abort();
        }
        // The order to stop follows the beginning of a shutdown, which this step may have asked for.
        let overtaken = ordered(&self.stop) || self.is_last();
        if ended.is_ok() && overtaken { Err(NotStarted::Cancelled) } else { ended }
    }
}
