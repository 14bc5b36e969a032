//! The end of a life: drained, cancelled, cleaned up, let go, each step in its share of the time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Lifecycle, Order, destructor_failed};
use crate::context::{Context, Life, Phase};
use crate::error::Result;
use crate::host::budget::Steps;
use crate::host::report::Cut;
use crate::host::slot::Slot;
use crate::status::{State, TaskKind};
use crate::task::{Label, attempt, caught};

impl Lifecycle {
    /// Takes every step of the stop, within its share of the time.
    pub(super) async fn stop(&self, life: &Arc<Life>, order: Order, entered: bool) {
        let begun = Instant::now();
        let slot = &*self.slot;
        let steps = Steps::of(order.share);
        let stopping = Stopping { life, slot, begun };
        slot.enter(State::Stopping);

        life.tasks.seal();
        life.intake.cancel();
        slot.intake.drain();
        life.close_pulled();
        let drains = |kind| matches!(kind, TaskKind::Handlers | TaskKind::Interval | TaskKind::Command);
        stopping.idle(steps.drain, drains).await;
        life.cancel.cancel();
        stopping.idle(steps.join, |_| true).await;
        stopping.abort(steps.abort, |_| true).await;

        if entered {
            stopping.clean_up(steps).await;
        }
        life.enter(Phase::Over);
        let (ended, told) = (life.clone(), self.slot.clone());
        let unregister = async move {
            for (what, failures) in [("subscription", ended.drop_guards()), ("interval", ended.forget_intervals())] {
                told.inner().problems.extend(failures.iter().map(|failure| format!("a registered {what} {failure}")));
            }
            Ok(())
        };
        stopping.apart("subscriptions and intervals", steps.registered, steps.end, unregister).await;
        if order.returns && !self.is_last() {
            slot.intake.buffer(); // what is queued is for the next life
        } else {
            slot.intake.close();
        }
        life.tasks.close();
        stopping.idle(steps.close, |_| true).await;
        stopping.book_what_is_left();
        self.let_go(stopping.by(steps.end)).await;

        {
            let mut inner = slot.inner();
            inner.stop_took = begun.elapsed();
            inner.stopped = Some(self.board.since.elapsed());
            if inner.cut.iter().all(|cut| cut.gone) {
                inner.life = None;
            }
        }
        slot.enter(State::Stopped);
    }

    /// Drops the daemon's value. Where that does not end the board shows it.
    async fn let_go(&self, until: Instant) {
        let (lived, slot) = (self.slot.inner().lived.take(), self.slot.clone());
        let gone = self.board.let_go(&self.runtime, &self.slot.name, move || {
            if let Err(failure) = attempt(|| drop(lived)) {
                slot.inner().problems.push(destructor_failed(&failure));
            }
        });
        drop(timeout_at(until, gone).await);
    }
}

/// How long a step of the stop gets at least, however late it comes: enough to be begun.
const MOMENT: Duration = Duration::from_millis(10);

/// A stop under way.
struct Stopping<'a> {
    life: &'a Arc<Life>,
    slot: &'a Slot,
    begun: Instant,
}

impl Stopping<'_> {
    fn problem(&self, what: impl Into<String>) {
        self.slot.inner().problems.push(what.into());
    }

    /// When a step that should have ended `within` the stop's beginning must.
    fn by(&self, within: Duration) -> Instant {
        (self.begun + within).max(Instant::now() + MOMENT)
    }

    /// Waits until no such work is left, or the time is up.
    async fn idle(&self, within: Duration, of: impl Fn(TaskKind) -> bool) {
        drop(timeout_at(self.begun + within, self.life.tasks.idle(of)).await); // what is left is aborted later
    }

    /// Aborts such work, and books it once.
    async fn abort(&self, within: Duration, of: impl Fn(TaskKind) -> bool + Copy) {
        let busy = self.slot.busy_handlers();
        let cut = self.life.tasks.abort(of);
        if cut.is_empty() {
            return;
        }
        let gone = timeout_at(self.by(within), self.life.tasks.idle(of)).await.is_ok();
        let left = if gone { Vec::new() } else { self.life.tasks.statuses() };
        for task in cut {
            let now = left.iter().find(|left| left.name == task.name && left.kind == task.kind);
            let cut = Cut::new(now.unwrap_or(&task), now.is_none(), &busy);
            let booked = {
                let mut inner = self.slot.inner();
                let booked = inner.cut.iter().any(|other| other.work == cut.work && !other.gone);
                if !booked {
                    inner.cut.push(cut.clone());
                }
                booked
            };
            if !booked {
                tracing::warn!(parent: &self.life.span, "{cut}");
            }
        }
    }

    /// Books what could not be aborted and is not in the report yet, such as blocking work that `cleanup` began.
    fn book_what_is_left(&self) {
        let busy = self.slot.busy_handlers();
        for task in self.life.tasks.statuses() {
            let cut = Cut::new(&task, false, &busy);
            let mut inner = self.slot.inner();
            if !inner.cut.iter().any(|known| known.work == cut.work && !known.gone) {
                inner.cut.push(cut);
            }
        }
    }

    /// Runs `work` in a task of its own; what overruns `within` is aborted and booked, and has to be gone by `end`.
    async fn apart(
        &self,
        name: &str,
        within: Duration,
        end: Duration,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let (sender, outcome) = oneshot::channel();
        let label = Label::new(TaskKind::Cleanup, name);
        let run = async move {
            drop(sender.send(caught(|| work).await)); // the waiting side may have given up
        };
        if self.life.spawn(label, run).is_err() {
            return;
        }
        match timeout_at(self.by(within), outcome).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(failure))) => {
                self.life.failed(TaskKind::Cleanup, name, &failure);
                self.problem(format!("{name}: {failure}"));
            }
            Ok(Err(_)) => self.problem(format!("{name} was aborted")),
            Err(_) => self.abort(end, |kind| kind == TaskKind::Cleanup).await,
        }
    }

    async fn clean_up(&self, steps: Steps) {
        self.life.enter(Phase::Cleaning);
        let lived = self.slot.inner().lived.clone();
        let Some(lived) = lived else { return };
        let cleanup = lived.hook(TaskKind::Cleanup, Context { life: self.life.clone() });
        drop(lived);
        self.apart("cleanup", steps.cleanup, steps.abort_cleanup, cleanup).await;
    }
}
