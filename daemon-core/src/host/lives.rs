//! The life of a daemon, step by step: made, initialised, running, drained, cancelled, cleaned up, gone.
//!
//! Every piece of user code runs in a task of its own, so that what hangs or blocks can be waited for, aborted or left
//! behind, and the next step is taken all the same.
//!
//! Invariants:
//! 1. `cleanup` runs exactly once for every life whose `initialize` was entered.
//! 2. Each step of a stop runs whatever the one before did.
//! 3. After [`Lifecycle::run`] has told the conductor of the end, the slot holds nothing of the life.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::board::{Board, Happening};
use super::budget::Steps;
use super::report::Cut;
use super::slot::Slot;
use super::unit::{Lived, Unit};
use crate::context::{Birth, Context, HostLink, Life, Phase};
use crate::error::Result;
use crate::event::Bus;
use crate::status::{State, TaskKind};
use crate::task::{FOREVER, Failure, Label, attempt, caught};

/// The order to stop, once there is one.
pub(crate) type StopOrder = Option<Order>;

/// How a life is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// How long the stop may take.
    pub(crate) share: Duration,
    /// Whether another life follows, for which events are kept.
    pub(crate) returns: bool,
}

/// Everything one life needs.
pub(crate) struct Lifecycle {
    pub(crate) at: usize,
    pub(crate) board: Arc<Board>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) unit: Arc<dyn Unit>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) number: u64,
    pub(crate) start_timeout: Duration,
    pub(crate) stop: watch::Receiver<StopOrder>,
    pub(crate) runtime: tokio::runtime::Handle,
}

/// Why a start did not lead to a running daemon.
enum NotStarted {
    Failed(Failure),
    Cancelled,
}

impl Lifecycle {
    /// Lives one life, from start to stop.
    pub(crate) async fn run(mut self) {
        let begun = Instant::now();
        let life = self.birth();
        {
            let mut inner = self.slot.inner();
            inner.number = self.number;
            // What was wrong with the end of the life before is over, unless it still blocks a thread.
            inner.problems.clear();
            inner.cut.retain(|cut| !cut.gone);
            inner.life = Some(life.clone());
        }
        self.slot.tally.renew();
        self.slot.enter(State::Starting);
        let mut entered = false;
        let started = self.start(&life, &mut entered).await;
        self.slot.inner().start_took = begun.elapsed();
        match started {
            Ok(()) => {
                tracing::info!(parent: &life.span, took = ?begun.elapsed(), "running");
                let order = self.ordered().await;
                tracing::info!(parent: &life.span, "stopping");
                self.stop(&life, order, true).await;
                tracing::info!(parent: &life.span, "stopped");
                drop(life); // with it goes what it holds of the daemons it requires
                self.board.tell(Happening::Stopped(self.at));
            }
            Err(why) => {
                let cancelled = matches!(why, NotStarted::Cancelled);
                if let NotStarted::Failed(failure) = why {
                    let kind = if entered { TaskKind::Initialize } else { TaskKind::Make };
                    life.failed(kind, "start", &failure);
                    self.slot.inner().reason = Some(failure.to_string());
                }
                let ordered = *self.stop.borrow();
                let order = match ordered {
                    Some(order) => order,
                    None if cancelled && self.is_last() => self.ordered().await, // it comes in its turn
                    None => Order { share: stop_ceiling(&*self.unit), returns: true },
                };
                self.stop(&life, order, entered).await;
                drop(life);
                self.board.tell(Happening::StartFailed { at: self.at, cancelled });
            }
        }
    }

    fn birth(&self) -> Arc<Life> {
        let required = self.unit.declaration().requires.iter().filter_map(|dependency| {
            let type_id = dependency.type_id();
            let daemon = self.board.running(type_id, Some(dependency.name()))?;
            Some((type_id, Arc::from(dependency.name()), daemon))
        });
        Arc::new(Life::new(Birth {
            daemon: self.unit.name().clone(),
            number: self.number,
            bus: self.bus.clone(),
            link: self.board.clone(),
            runtime: self.runtime.clone(),
            tally: self.slot.tally.clone(),
            required: required.collect(),
        }))
    }

    async fn start(&mut self, life: &Arc<Life>, entered: &mut bool) -> Result<(), NotStarted> {
        let deadline = Instant::now() + self.start_timeout;
        let cx = Context { life: life.clone() };
        let (sender, mut made) = oneshot::channel();
        let value = self.unit.value();
        let make = self.step(life, TaskKind::Make, deadline, async move {
            drop(sender.send(value.await?)); // the receiver is closed only once this task has been given up
            Ok(())
        });
        let ended = make.await;
        made.close();
        // Kept even if the start ends here: the stop drops it where a destructor may block or panic.
        let lived: Option<Arc<dyn Lived>> = made.try_recv().ok().map(Into::into);
        let slot = self.slot.clone();
        slot.inner().lived = lived.clone();
        ended?;
        let Some(lived) = lived else { return Err(NotStarted::Cancelled) };
        slot.intake.buffer();
        *entered = true;
        let initialize = lived.hook(TaskKind::Initialize, cx.clone());
        self.step(life, TaskKind::Initialize, deadline, initialize).await?;
        if let Err(error) = lived.begin(life) {
            return Err(NotStarted::Failed(Failure::Error(error.into())));
        }
        slot.inner().started = Some(self.board.since.elapsed());
        slot.enter(State::Running);
        // Before anything of it runs that might break it: the conductor hears of its start first.
        self.board.tell(Happening::Started(self.at));
        for (isolated, dispatch) in lived.dispatch(cx) {
            let name = isolated.map_or_else(|| TaskKind::Handlers.to_string(), str::to_owned);
            let label = Label::new(TaskKind::Handlers, &name);
            drop(life.spawn(label, dispatch)); // open: it cannot be refused
        }
        life.ready.cancel();
        Ok(())
    }

    /// Runs one step of the start as a task of its own, to its end, its deadline or the order to stop.
    async fn step(
        &mut self,
        life: &Arc<Life>,
        kind: TaskKind,
        deadline: Instant,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<(), NotStarted> {
        let ordered = |stop: &watch::Receiver<StopOrder>| stop.borrow().is_some();
        if ordered(&self.stop) {
            return Err(NotStarted::Cancelled);
        }
        let (sender, outcome) = oneshot::channel();
        let name = kind.to_string();
        let task = life.tasks.spawn(Label::new(kind, &name), async move {
            drop(sender.send(caught(|| work).await)); // the receiver is dropped once this step is given up
        });
        let ended = tokio::select! {
            biased; // a failure is told of also when the order to stop comes with it
            outcome = timeout_at(deadline, outcome) => match outcome {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(failure))) => Err(NotStarted::Failed(failure)),
                Ok(Err(_)) => Err(NotStarted::Cancelled), // aborted: the runtime is going down
                Err(_) => Err(NotStarted::Failed(Failure::Timeout(self.start_timeout))),
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

    /// Waits for the order to stop.
    async fn ordered(&mut self) -> Order {
        let order = self.stop.wait_for(Option::is_some).await.ok().and_then(|order| *order);
        order.unwrap_or(Order { share: Duration::ZERO, returns: false }) // the conductor is gone: stop at once
    }

    /// Takes every step of the stop, within its share of the time.
    async fn stop(&self, life: &Arc<Life>, order: Order, entered: bool) {
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
        slot.intake.cut();
        stopping.abort(steps.abort, None).await;
        life.tasks.relent();

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

    /// Whether the host shuts down, so that no life follows.
    fn is_last(&self) -> bool {
        self.board.stopping.borrow().is_some()
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

/// What the report says of a daemon's value whose destructor panicked.
pub(crate) fn destructor_failed(failure: &Failure) -> String {
    format!("the daemon's destructor {failure}")
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

    /// Aborts all work or that of one kind, and books it once.
    async fn abort(&self, within: Duration, only: Option<TaskKind>) {
        let busy = self.slot.busy_handlers();
        let tasks = &self.life.tasks;
        let aborted = only.map_or_else(|| tasks.abort_all(), |kind| tasks.abort(kind));
        if aborted.is_empty() {
            return;
        }
        let of = |kind| only.is_none_or(|only| only == kind);
        drop(timeout_at(self.by(within), tasks.idle(of)).await); // what is left is told of
        let cuts = aborted.into_iter().map(|(record, then)| {
            let gone = record.is_gone();
            Cut::new(&if gone { then } else { record.status() }, gone, &busy)
        });
        for cut in self.book(cuts) {
            tracing::warn!(parent: &self.life.span, "{cut}");
        }
    }

    /// Books what was cut; returns what was not known.
    fn book(&self, cuts: impl Iterator<Item = Cut>) -> Vec<Cut> {
        let mut inner = self.slot.inner();
        let known = inner.cut.len();
        Cut::add(&mut inner.cut, cuts);
        inner.cut[known..].to_vec()
    }

    /// Books what could not be aborted and is not in the report yet, such as blocking work that `cleanup` began.
    fn book_what_is_left(&self) {
        let busy = self.slot.busy_handlers();
        let left = self.life.tasks.statuses();
        self.book(left.iter().map(|task| Cut::new(task, false, &busy)));
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
            Err(_) => self.abort(end, Some(TaskKind::Cleanup)).await,
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

/// How long a daemon's stop may take at most.
pub(crate) fn stop_ceiling(unit: &dyn Unit) -> Duration {
    unit.declaration().stop_timeout.unwrap_or(super::DEFAULT_STOP_TIMEOUT).min(FOREVER)
}
