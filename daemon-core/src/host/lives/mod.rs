//! The life of a daemon, step by step: made, initialised, running, drained, cancelled, cleaned up, gone.
//!
//! Every piece of user code runs in a task of its own, so that what hangs or blocks can be waited for, aborted or left
//! behind, and the next step is taken all the same.
//!
//! Invariants:
//! 1. `cleanup` runs exactly once for every life whose `initialize` was entered, and for no other.
//! 2. Each step of a stop runs whatever the one before did.
//! 3. After [`Lifecycle::run`] has told the conductor of the end, the slot holds nothing of the life, unless work of it is not gone.

mod start;
mod stop;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::start::Threshold;
pub(crate) use self::start::{Deadline, StartLimits};
use super::board::{Board, Happening};
use super::slot::Slot;
use super::unit::Unit;
use crate::context::{Birth, HostLink, Life};
use crate::declaration::Published;
use crate::event::Bus;
use crate::status::{State, TaskKind};
use crate::task::{FOREVER, Failure};
use crate::unwind::{quietly, woke_badly};

/// The order to stop, once there is one.
pub(crate) type StopOrder = Option<Order>;

/// How a life is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// How long the stop may take.
    pub(crate) share: Duration,
    /// Whether another life follows, for which events are kept.
    pub(crate) returns: bool,
    /// Whether it was given so that another life follows, whatever was decided since.
    pub(crate) restarts: bool,
}

/// Everything one life needs.
pub(crate) struct Lifecycle {
    pub(crate) at: usize,
    pub(crate) board: Arc<Board>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) unit: Arc<dyn Unit>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) number: u64,
    pub(crate) limits: StartLimits,
    pub(crate) stop: watch::Receiver<StopOrder>,
    pub(crate) runtime: tokio::runtime::Handle,
    /// What abandons the events that were kept before, which must not meet those of this life.
    pub(crate) closing: Option<tokio::task::JoinHandle<()>>,
    /// Whether it has told the conductor of its end.
    pub(crate) ended: bool,
}

/// Dropped before its end, it has panicked or has no runtime any more.
impl Drop for Lifecycle {
    fn drop(&mut self) {
        if !self.ended {
            self.slot.bereave();
            if std::thread::panicking() {
                self.board.tell(Happening::Died(self.at)); // without a runtime there is nothing to be done about it
            }
        }
    }
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
            // What was wrong with the end of the life before is over; whoever asks looks whether it still blocks a thread.
            inner.problems.clear();
            inner.life = Some(life.clone());
        }
        self.slot.tally.renew();
        self.slot.enter(State::Starting);
        let threshold = Arc::new(Threshold::default());
        let started = self.start(&life, &threshold, begun).await;
        let entered = threshold.close();
        match started {
            Ok(()) => {
                tracing::info!(parent: &life.span, took = ?begun.elapsed(), "running");
                let order = self.ordered().await;
                tracing::info!(parent: &life.span, "stopping");
                let span = life.span.clone();
                self.stop(life, order, entered).await;
                tracing::info!(parent: &span, "stopped");
                self.board.tell(Happening::Stopped(self.at));
            }
            Err(why) => {
                self.slot.inner().start_took = begun.elapsed();
                let cancelled = matches!(why, NotStarted::Cancelled);
                if let NotStarted::Failed(failure) = why {
                    let kind = if entered { TaskKind::Initialize } else { TaskKind::Make };
                    life.failed(kind, "start", &failure);
                    self.slot.inner().reason = Some(failure.to_string());
                }
                let ordered = *self.stop.borrow();
                let order = match ordered {
                    Some(order) => order,
                    None if self.is_last() => self.ordered().await, // it comes in its turn
                    None => Order { share: stop_ceiling(&*self.unit), returns: true, restarts: false },
                };
                self.stop(life, order, entered).await;
                self.board.tell(Happening::StartFailed { at: self.at, cancelled });
            }
        }
        self.ended = true;
    }

    fn birth(&self) -> Arc<Life> {
        let required = self.unit.declaration().requires.iter().filter_map(|dependency| {
            let type_id = dependency.type_id();
            let daemon = self.board.running(type_id, Some(dependency.name()))?;
            Some((type_id, Arc::from(dependency.name()), daemon))
        });
        let publishes = self.unit.declaration().publishes;
        Arc::new(Life::new(Birth {
            daemon: self.unit.name().clone(),
            number: self.number,
            bus: self.bus.clone(),
            link: self.board.clone(),
            runtime: self.runtime.clone(),
            tally: self.slot.tally.clone(),
            clock: self.board.clock.clone(),
            required: required.collect(),
            configured: self.board.settings.in_force(),
            publishes: publishes.map(|events| events.iter().map(Published::type_id).collect()),
        }))
    }

    /// Waits for the order to stop.
    async fn ordered(&mut self) -> Order {
        let order = self.stop.wait_for(Option::is_some).await.ok().and_then(|order| *order);
        order.unwrap_or(Order { share: Duration::ZERO, returns: false, restarts: false }) // the conductor is gone: stop at once
    }

    /// Whether the host shuts down, so that no life follows.
    fn is_last(&self) -> bool {
        self.board.stopping_since().is_some()
    }
}

/// Cancels, and so wakes those who wait for it, by wakers that may be the user's.
fn cancel(token: &CancellationToken) {
    if !quietly(|| token.cancel()) {
        woke_badly();
    }
}

/// What the report says of a daemon's value whose destructor panicked.
pub(crate) fn destructor_failed(failure: &Failure) -> String {
    format!("the daemon's destructor {failure}")
}

/// How long a daemon's stop may take at most.
pub(crate) fn stop_ceiling(unit: &dyn Unit) -> Duration {
    unit.declaration().stop_timeout.unwrap_or(super::DEFAULT_STOP_TIMEOUT).min(FOREVER)
}
