//! The end of a life: drained, cancelled, cleaned up, let go, each step in its share of the time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::{Lifecycle, Order, StopOrder, cancel, destructor_failed};
use crate::BoxFuture;
use crate::context::{Context, Life, Phase};
use crate::error::Result;
use crate::host::budget::{Steps, Timetable};
use crate::host::report::Cut;
use crate::host::slot::Slot;
use crate::status::{State, TaskKind};
use crate::task::{Label, attempt, caught};

/// Why a daemon stops that is to start again.
const RESTART: &str = "to start again";

impl Lifecycle {
    /// Takes every step of the stop, within its share of the time. The life is gone after that, and with it what it holds of the
    /// daemons it requires.
    pub(super) async fn stop(&self, life: Arc<Life>, order: Order, entered: bool) {
        let life = &life;
        let begun = Instant::now();
        let slot = &*self.slot;
        let (times, orders) = (Timetable::of(begun, order.share), self.stop.clone());
        let mut stopping = Stopping { life, slot, times, orders };
        slot.enter_for(State::Stopping, order.restarts.then(|| RESTART.to_owned()));

        life.tasks.seal();
        cancel(&life.intake);
        slot.intake.drain();
        life.close_pulled();
        let drains = |kind| {
            let ticks = matches!(kind, TaskKind::Schedule | TaskKind::Interval);
            ticks || matches!(kind, TaskKind::Handlers | TaskKind::Command | TaskKind::Reload)
        };
        stopping.idle(|steps| steps.drain, drains).await;
        cancel(&life.cancel);
        stopping.idle(|steps| steps.join, |_| true).await;
        life.cut.store(true, Ordering::Release);
        stopping.abort(|steps| steps.abort, None).await;
        life.tasks.relent();

        if entered {
            stopping.clean_up().await;
        }
        life.enter(Phase::Over);
        let (ended, told) = (life.clone(), self.slot.clone());
        let unregister = Box::pin(async move {
            for (what, failures) in [("subscription", ended.drop_guards()), ("interval", ended.forget_intervals())] {
                told.inner().problems.extend(failures.iter().map(|failure| format!("a registered {what} {failure}")));
            }
            Ok(())
        });
        let step: Step = |steps| steps.registered;
        if !stopping.apart("subscriptions and intervals", step, |steps| steps.end, unregister).await {
            drop(life.drop_guards()); // nobody else does it any more; a panic has been logged
            drop(life.forget_intervals());
        }
        if order.returns && !self.is_last() {
            slot.intake.buffer(); // what is queued is for the next life
        } else {
            slot.intake.close();
        }
        life.tasks.close();
        stopping.idle(|steps| steps.close, |_| true).await;
        stopping.book_what_is_left();
        let let_go = pin!(self.let_go());
        stopping.begun_within(|steps| steps.end, let_go).await; // late: the board shows the value
        life.bus.end_spans(&slot.name);

        {
            let mut inner = slot.inner();
            inner.stop_took = begun.elapsed();
            inner.stopped = Some(self.board.since.elapsed());
            inner.look_again();
            if !inner.overran.is_there(life.number) {
                inner.life = None;
            }
        }
        slot.enter(State::Stopped);
    }

    /// Drops the daemon's value.
    fn let_go(&self) -> impl Future<Output = ()> + Send {
        let (lived, slot) = (self.slot.inner().lived.take(), self.slot.clone());
        self.board.let_go(&self.slot, move || {
            if let Err(failure) = attempt(|| drop(lived)) {
                slot.inner().problems.push(destructor_failed(&failure));
            }
        })
    }
}

/// How long a step of the stop gets at least, however late it comes: enough to be begun.
const MOMENT: Duration = Duration::from_millis(10);

/// How much of the time a step may use, in all.
type Step = fn(&Steps) -> Duration;
/// What a step waits for.
type Work<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// A stop under way.
struct Stopping<'a> {
    life: &'a Arc<Life>,
    slot: &'a Slot,
    times: Timetable,
    /// Where an order to be quicker comes from, when a shutdown begins that has less time.
    orders: watch::Receiver<StopOrder>,
}

impl Stopping<'_> {
    fn problem(&self, what: impl Into<String>) {
        self.slot.inner().problems.push(what.into());
    }

    /// Awaits `work` until the time of `step` is up, which an order may bring forward; but not before `least`. Returns whether
    /// the work ended.
    ///
    /// Behind a pointer, so that a program has this code once and not for each step.
    async fn until(&mut self, step: Step, least: Option<Instant>, mut work: Work<'_>) -> bool {
        loop {
            let by = self.times.by(step);
            let by = least.map_or(by, |least| by.max(least));
            tokio::select! {
                biased;
                () = &mut work => return true,
                () = tokio::time::sleep_until(by) => return false,
                order = ordered_anew(&mut self.orders) => self.tighten(order.share),
            }
        }
    }

    /// From here on it has less time.
    fn tighten(&mut self, share: Duration) {
        self.times.tighten(Instant::now(), share);
        if self.life.cleanup_by().is_some() {
            self.life.set_cleanup_by(self.times.by(|steps| steps.cleanup));
        }
    }

    /// As [`until`](Self::until), but long enough for `work` to be begun, however late it is.
    async fn begun_within(&mut self, step: Step, work: Work<'_>) -> bool {
        self.until(step, Some(Instant::now() + MOMENT), work).await
    }

    /// Waits until no such work is left, or the time is up.
    async fn idle(&mut self, step: Step, of: fn(TaskKind) -> bool) {
        let tasks = self.life.tasks.clone();
        self.until(step, None, pin!(tasks.idle(&of))).await; // what is left is aborted later
    }

    /// Aborts all work or that of one kind, and books it once.
    async fn abort(&mut self, step: Step, only: Option<TaskKind>) {
        let busy = self.slot.busy_handlers();
        let tasks = self.life.tasks.clone();
        let aborted = only.map_or_else(|| tasks.abort_all(), |kind| tasks.abort(kind));
        if aborted.is_empty() {
            return;
        }
        let of = |kind| only.is_none_or(|only| only == kind);
        self.begun_within(step, pin!(tasks.idle(&of))).await; // what is left is told of
        let cuts = aborted.into_iter().map(|(record, then)| {
            let gone = record.is_gone();
            (record.number, Cut::new(&if gone { then } else { record.status() }, gone, &busy))
        });
        for cut in self.book(cuts) {
            tracing::warn!(parent: &self.life.span, "{cut}");
        }
    }

    /// Books what was cut, by its number; returns what was not known.
    fn book(&self, cuts: impl Iterator<Item = (u64, Cut)>) -> Vec<Cut> {
        let cuts: Vec<_> = cuts.collect();
        self.slot.inner().overran.book(self.life.number, &self.life.tasks, cuts.into_iter())
    }

    /// Books what could not be aborted and is not in the report yet, such as blocking work that `cleanup` began.
    fn book_what_is_left(&self) {
        let busy = self.slot.busy_handlers();
        let left = self.life.tasks.numbered();
        self.book(left.iter().map(|(number, task)| (*number, Cut::new(task, false, &busy))));
    }

    /// Runs `work` in a task of its own; what overruns `step` is aborted and booked, and has to be gone by `end`. False: there is no
    /// runtime for it any more.
    async fn apart(&mut self, name: &str, step: Step, end: Step, work: BoxFuture<'static, Result<()>>) -> bool {
        let (sender, mut outcome) = oneshot::channel();
        let label = Label::new(TaskKind::Cleanup, name);
        let run = async move {
            drop(sender.send(caught(|| work).await)); // the waiting side may have given up
        };
        drop(self.life.spawn(label, run)); // refused: see below
        let mut ended = None;
        self.begun_within(step, pin!(async { ended = Some((&mut outcome).await) })).await;
        match ended {
            Some(Err(_)) => return false, // or another aborted it, and nobody asks
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(failure))) => {
                self.life.failed(TaskKind::Cleanup, name, &failure);
                self.problem(format!("{name}: {failure}"));
            }
            None => self.abort(end, Some(TaskKind::Cleanup)).await,
        }
        true
    }

    async fn clean_up(&mut self) {
        self.life.enter(Phase::Cleaning);
        let lived = self.slot.inner().lived.clone();
        let Some(lived) = lived else { return };
        self.life.set_cleanup_by(self.times.by(|steps| steps.cleanup));
        let cleanup = lived.hook(TaskKind::Cleanup, Context { life: self.life.clone() });
        self.apart("cleanup", |steps| steps.cleanup, |steps| steps.abort_cleanup, cleanup).await;
    }
}

/// Waits for an order that comes after the first. Cancel safe.
async fn ordered_anew(orders: &mut watch::Receiver<StopOrder>) -> Order {
    let changed = orders.changed().await.is_ok();
    let order = changed.then(|| *orders.borrow_and_update()).flatten();
    match order {
        Some(order) => order,
        None => std::future::pending().await, // the conductor is gone, and orders nothing any more
    }
}
