//! One daemon's place on the board, through all its lives.
//!
//! Who waits for a state may wait with a waker of their own, which is then user code: the main thread books states, and has them
//! told from elsewhere.
//!
//! Invariants:
//! 1. No lock here is held while user code runs or is dropped.
//! 2. What is told is what is booked by then: it may skip states, and never goes back.
//! 3. A slot holds a life and its value exactly while that life may still do something, so that a host that has
//!    stopped keeps nothing alive.

use std::any::TypeId;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::journal::Journal;
use super::overran::Overran;
use super::references::Known;
use super::unit::{Intake, Lived, Unit};
use crate::context::{Life, Readiness};
use crate::declaration::Plane;
use crate::definition::{CheckOptions, CommandOutline};
use crate::event::SubscriptionStatus;
use crate::status::State;
use crate::sync::{Mutex, MutexGuard, watch};
use crate::task::{Tally, Tasks};
use crate::unwind::{quietly, woke_badly};

/// One daemon on the board.
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) type_id: TypeId,
    type_name: &'static str,
    pub(crate) plane: Plane,
    pub(crate) wave: u32,
    pub(crate) requires: Vec<String>,
    pub(crate) wants: Vec<String>,
    pub(crate) optional: bool,
    /// How long a start may take, where the daemon says so; and a reload.
    pub(crate) start_timeout: Option<Duration>,
    /// How long its stop may take, where the daemon says so.
    pub(super) stop_timeout: Option<Duration>,
    pub(crate) commands: Vec<CommandOutline>,
    pub(crate) checks: Vec<(&'static str, CheckOptions)>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) tally: Arc<Tally>,
    /// What those who wait have been told.
    readiness: watch::Sender<Readiness>,
    /// The number of the latest wish that it rest, as far as told.
    rested: watch::Sender<u64>,
    /// How often it was started again.
    pub(crate) restarts: AtomicU64,
    journal: Arc<Journal>,
    inner: Mutex<Inner>,
}

/// A life under way and its value.
#[derive(Clone)]
pub(crate) struct Alive {
    pub(crate) life: Arc<Life>,
    pub(crate) lived: Arc<dyn Lived>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) state: State,
    /// How many states there have been.
    changes: u64,
    /// The number of the latest wish that it rest.
    pub(crate) rested: u64,
    pub(crate) reason: Option<String>,
    /// The number of the latest life.
    pub(crate) number: u64,
    /// The life under way, from before its value is made.
    pub(crate) life: Option<Arc<Life>>,
    /// Its value, once made.
    pub(crate) lived: Option<Arc<dyn Lived>>,
    pub(crate) waited: Option<(String, Duration)>,
    pub(crate) start_took: Duration,
    pub(crate) started: Option<Duration>,
    pub(crate) stopped: Option<Duration>,
    pub(crate) stop_took: Duration,
    /// What stops had to cut.
    pub(crate) overran: Overran,
    pub(crate) problems: Vec<String>,
    /// Whose destructors were under way when its value, which outlives restarts, was to be dropped.
    pub(crate) behind: Vec<String>,
}

impl Inner {
    /// Looks what of the work that stops had to cut has ended by now.
    pub(crate) fn look_again(&mut self) {
        self.overran.look_again(self.number);
    }
}

impl Slot {
    /// The slot of a daemon whose place in the graph and whose intake are known, before its first life.
    pub(crate) fn new(
        unit: &dyn Unit,
        wave: u32,
        requires: Vec<String>,
        wants: Vec<String>,
        intake: Arc<dyn Intake>,
        journal: Arc<Journal>,
    ) -> Self {
        let outline = unit.outline();
        Self {
            name: unit.name().clone(),
            type_id: outline.type_id,
            type_name: outline.type_name,
            plane: unit.declaration().plane,
            wave,
            requires,
            wants,
            optional: unit.declaration().optional,
            start_timeout: unit.declaration().start_timeout,
            stop_timeout: unit.declaration().stop_timeout,
            commands: outline.commands,
            checks: outline.checks,
            intake,
            tally: Arc::default(),
            readiness: watch::Sender::default(),
            rested: watch::Sender::default(),
            restarts: AtomicU64::new(0),
            journal,
            inner: Mutex::default(),
        }
    }

    /// The names of its commands.
    pub(crate) fn command_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.commands.iter().map(|command| command.signature.name)
    }

    /// What others name it by.
    pub(super) fn known(&self) -> Known {
        Known { name: self.name.clone(), type_id: self.type_id, type_name: self.type_name }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.inner().state
    }

    /// Books a state, and tells those who wait for it.
    pub(crate) fn enter(&self, state: State) {
        self.enter_for(state, None);
    }

    /// As [`enter`](Self::enter), with the reason if it is none of the daemon's own.
    pub(crate) fn enter_for(&self, state: State, cause: Option<String>) {
        self.book_for(state, cause);
        self.tell();
    }

    /// Books a state. [`tell`](Self::tell) has to follow, from a thread where user code may run.
    pub(crate) fn book(&self, state: State) {
        self.book_for(state, None);
    }

    fn book_for(&self, state: State, cause: Option<String>) {
        let failure = {
            let mut inner = self.inner();
            inner.state = state;
            inner.changes += 1;
            let failed = matches!(state, State::Failed | State::Backoff);
            inner.reason.clone().filter(|_| failed)
        };
        self.journal.book(Some(&self.name), state, cause.or(failure));
    }

    /// Tells those who wait how things are, by wakers that may be the user's.
    pub(crate) fn tell(&self) {
        if !quietly(|| self.tell_all()) {
            woke_badly();
        }
    }

    fn tell_all(&self) {
        let (latest, rested) = (self.readiness(), self.inner().rested);
        self.readiness.send_if_modified(|told| {
            let news = latest.changes > told.changes;
            if news {
                *told = latest;
            }
            news
        });
        self.rested.send_if_modified(|told| rested > std::mem::replace(told, rested.max(*told)));
    }

    /// The state, and the life it is one of.
    pub(crate) fn readiness(&self) -> Readiness {
        let Inner { number, state, changes, .. } = *self.inner();
        Readiness { life: number, state, changes }
    }

    /// Where the state can be waited for.
    pub(crate) fn states(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    /// Where wishes that it rest can be waited for.
    pub(crate) fn rests(&self) -> watch::Receiver<u64> {
        self.rested.subscribe()
    }

    /// The life under way, if its value was made.
    pub(crate) fn alive(&self) -> Option<Alive> {
        let inner = self.inner();
        Some(Alive { life: inner.life.clone()?, lived: inner.lived.clone()? })
    }

    /// The lives before the latest of which work may still be there, with that work.
    pub(crate) fn earlier(&self) -> Vec<(u64, Arc<Tasks>)> {
        let inner = self.inner();
        inner.overran.earlier(inner.number)
    }

    pub(crate) fn running(&self) -> Option<Alive> {
        (self.state() == State::Running).then(|| self.alive()).flatten()
    }

    /// The event handlers that are at work.
    pub(crate) fn busy_handlers(&self) -> Vec<SubscriptionStatus> {
        self.intake.statuses().into_iter().filter(|handler| handler.in_flight > 0).collect()
    }
}
