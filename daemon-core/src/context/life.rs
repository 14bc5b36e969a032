//! One life of a daemon, as its contexts share it: what it registered, what it runs, how far its end has come.
//!
//! Invariants:
//! 1. `phase` only goes forward: open, cleaning, over.
//! 2. What registrations hold is dropped outside the lock, each by itself, a panic in one harming no other.

use std::any::TypeId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::link::{AnyDaemon, HostLink};
use super::register::Unsubscribe;
use crate::BoxFuture;
use crate::configuration::Configured;
use crate::error::{Error, Result};
use crate::event::{Bus, Handles, Publisher, SubscriptionHandle, SubscriptionStatus};
use crate::policy::OnError;
use crate::schedule::{self, Clock, Ticker, Timers};
use crate::status::TaskKind;
use crate::task::{Failure, Owner, Tally, Tasks, attempt};

/// How far the end of a life has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Anything may be registered.
    #[default]
    Open,
    /// `cleanup` has begun: nothing more is registered.
    Cleaning,
    /// `cleanup` has ended: nothing more is published.
    Over,
}

#[derive(Default)]
pub(super) struct Registrations {
    pub(super) phase: Phase,
    pub(super) guards: Vec<Box<dyn Unsubscribe>>,
    pub(super) pulled: Handles,
    pub(super) taps: Handles,
    /// Whether the subscriptions made at run time have been closed.
    pub(super) drained: bool,
    /// Whether the intervals have their driver.
    pub(super) driven: bool,
    /// Until when `cleanup` may take, once it is under way.
    cleanup_by: Option<Instant>,
}

/// One life of a daemon.
pub(crate) struct Life {
    pub(crate) daemon: Arc<str>,
    pub(crate) number: u64,
    pub(crate) bus: Arc<Bus>,
    pub(crate) publisher: Publisher,
    pub(crate) link: Arc<dyn HostLink>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) span: Span,
    pub(crate) tally: Arc<Tally>,
    /// The daemons this one requires, held for as long as it lives.
    pub(crate) required: Vec<(TypeId, Arc<str>, AnyDaemon)>,
    /// What it was born with, or has taken on since.
    configured: Mutex<Configured>,
    /// Cancelled when the daemon runs: what waits for its readiness may begin.
    pub(crate) ready: CancellationToken,
    /// Cancelled when no new tick, command or check may begin.
    pub(crate) intake: CancellationToken,
    /// Cancelled when running work is to end.
    pub(crate) cancel: CancellationToken,
    /// Set when no event handler may begin or go on, not even in the middle of a batch.
    pub(crate) cut: AtomicBool,
    pub(super) registrations: Mutex<Registrations>,
    pub(crate) timers: Timers,
    /// Whether the phase is over, for those who ask often.
    over: AtomicBool,
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Life").field("daemon", &self.daemon).field("number", &self.number).finish_non_exhaustive()
    }
}

/// What a life is made of.
pub(crate) struct Birth {
    pub(crate) daemon: Arc<str>,
    pub(crate) number: u64,
    pub(crate) bus: Arc<Bus>,
    pub(crate) link: Arc<dyn HostLink>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) tally: Arc<Tally>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) required: Vec<(TypeId, Arc<str>, AnyDaemon)>,
    pub(crate) configured: Configured,
    /// The types of event that it says it publishes, if it says so.
    pub(crate) publishes: Option<Box<[TypeId]>>,
}

impl Life {
    pub(crate) fn new(birth: Birth) -> Self {
        // At the level of errors, so that it is there whatever is shown.
        let span = tracing::error_span!("daemon", name = &*birth.daemon);
        let owner = Owner { daemon: birth.daemon.clone(), span: span.clone(), tally: birth.tally.clone() };
        let timers = Timers::new(birth.clock, birth.bus.graph().clone());
        Self {
            tasks: Tasks::new(birth.runtime, owner),
            span,
            publisher: match birth.publishes {
                Some(types) => birth.bus.publisher_of(&birth.daemon, types),
                None => birth.bus.publisher(&birth.daemon),
            },
            daemon: birth.daemon,
            number: birth.number,
            bus: birth.bus,
            link: birth.link,
            tally: birth.tally,
            required: birth.required,
            configured: Mutex::new(birth.configured),
            ready: CancellationToken::new(),
            intake: CancellationToken::new(),
            cancel: CancellationToken::new(),
            cut: AtomicBool::new(false),
            registrations: Mutex::default(),
            timers,
            over: AtomicBool::new(false),
        }
    }

    pub(super) fn registrations(&self) -> MutexGuard<'_, Registrations> {
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when `cleanup` may take, once it is under way.
    pub(crate) fn cleanup_by(&self) -> Option<Instant> {
        self.registrations().cleanup_by
    }

    pub(crate) fn set_cleanup_by(&self, by: Instant) {
        self.registrations().cleanup_by = Some(by);
    }

    pub(super) fn stopping(&self) -> Error {
        Error::Stopping { daemon: self.daemon.to_string() }
    }

    /// The configuration it has.
    pub(crate) fn configured(&self) -> Configured {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes on another configuration; returns the one before, to be dropped where user code may run.
    pub(crate) fn configure(&self, next: Configured) -> Configured {
        std::mem::replace(&mut *self.configured.lock().unwrap_or_else(PoisonError::into_inner), next)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.registrations().phase
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let mut registrations = self.registrations();
        registrations.phase = registrations.phase.max(phase);
        self.over.store(registrations.phase == Phase::Over, Ordering::Release);
    }

    /// Whether `cleanup` has ended.
    pub(crate) fn over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Logs and counts what went wrong with a piece of the daemon's work.
    pub(crate) fn failed(&self, kind: TaskKind, name: &str, failure: &Failure) {
        self.tasks.owner.failed(kind, name, failure);
    }

    /// Makes one call of user code, or what a test asked for in its place.
    #[cfg(feature = "testing")]
    pub(crate) fn call(
        &self,
        name: &str,
        make: impl FnOnce() -> BoxFuture<'static, Result<()>>,
    ) -> BoxFuture<'static, Result<()>> {
        match self.link.fault(&self.daemon, name) {
            Some(fault) => Box::pin(async move { fault() }),
            None => make(),
        }
    }

    /// Makes one call of user code.
    #[cfg(not(feature = "testing"))]
    #[inline]
    pub(crate) fn call(
        &self,
        _name: &str,
        make: impl FnOnce() -> BoxFuture<'static, Result<()>>,
    ) -> BoxFuture<'static, Result<()>> {
        make()
    }

    /// Stops the intake of the subscriptions made at run time; what they hold can still be received.
    pub(crate) fn close_pulled(&self) {
        let pulled = {
            let mut registrations = self.registrations();
            registrations.drained = true;
            [registrations.pulled.clone(), registrations.taps.clone()]
        };
        pulled.iter().flat_map(Handles::iter).for_each(SubscriptionHandle::close);
    }

    /// The accounts of the open subscriptions made at run time.
    pub(crate) fn pulled(&self) -> Vec<SubscriptionStatus> {
        let pulled = self.registrations().pulled.clone();
        pulled.iter().filter_map(SubscriptionHandle::status).collect()
    }

    /// Books that a handler or interval has failed `times` times in a row; 0: it has succeeded.
    pub(crate) fn streak(&self, name: &str, times: u32) {
        self.tasks.owner.streak(name, times);
    }

    /// Does what a handler or tick asks for when it fails.
    pub(crate) fn on_error(&self, on_error: OnError, name: &str, failure: &Failure) {
        let for_good = match on_error {
            OnError::Log => return,
            OnError::Restart => false,
            OnError::Fail => true,
        };
        self.link.daemon_failed(&self.daemon, self.number, format!("`{name}` failed: {failure}"), for_good);
    }

    /// Ends every subscription the daemon registered; returns what went wrong.
    pub(crate) fn drop_guards(&self) -> Vec<Failure> {
        let guards = std::mem::take(&mut self.registrations().guards);
        guards.into_iter().filter_map(|guard| self.unsubscribe(guard).err()).collect()
    }

    pub(super) fn unsubscribe(&self, guard: Box<dyn Unsubscribe>) -> Result<(), Failure> {
        attempt(|| guard.unsubscribe())
            .inspect_err(|failure| self.failed(TaskKind::Cleanup, "a registered subscription", failure))
    }

    /// Drops the intervals, which have ended; returns what went wrong.
    pub(crate) fn forget_intervals(&self) -> Vec<Failure> {
        let forget = |cleared| {
            attempt(|| drop(cleared))
                .inspect_err(|failure| self.failed(TaskKind::Cleanup, "a registered interval", failure))
        };
        self.timers.clear_all().into_iter().filter_map(|cleared| forget(cleared).err()).collect()
    }

    pub(crate) fn guards(&self) -> usize {
        self.registrations().guards.len()
    }
}

impl schedule::Owner for Life {
    fn timers(&self) -> &Timers {
        &self.timers
    }

    fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    fn intake(&self) -> &CancellationToken {
        &self.intake
    }

    fn call(&self, ticker: &Ticker) -> BoxFuture<'static, Result<()>> {
        let call = || self.call(&ticker.name, || (ticker.tick)());
        match ticker.span(&self.daemon) {
            None => call(),
            Some(span) => traced(span, call),
        }
    }

    fn booked(&self, ticker: &Ticker, failure: Option<&Failure>, in_a_row: u32) {
        self.streak(&ticker.name, in_a_row);
        if let Some(failure) = failure {
            self.failed(TaskKind::Interval, &ticker.name, failure);
            self.on_error(ticker.schedule.on_error, &ticker.name, failure);
        }
    }
}

/// A tick in its span.
#[cold]
fn traced(span: Span, call: impl FnOnce() -> BoxFuture<'static, Result<()>>) -> BoxFuture<'static, Result<()>> {
    let (made, of) = (span.in_scope(call), span.clone());
    let work = async move {
        let result = made.await;
        if result.is_err() {
            of.record("otel.status_code", "ERROR");
            of.record("error.type", "error");
        }
        result
    };
    Box::pin(work.instrument(span))
}
