//! Run-time registration: subscriptions, intervals, readiness reactions and deferred calls, each by name.
//!
//! These are the run-time twins of the markers. What waits for the daemon's readiness begins when the daemon runs;
//! everything ends with its life.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::life::{Life, Phase};
use super::link::Readiness;
use crate::BoxFuture;
use crate::duration::IntoDuration;
use crate::error::{Error, IntoOutcome, Result};
use crate::event::Subscription;
use crate::schedule::{Bound, Order, Period, Schedule, Ticker, drive};
use crate::status::{IntervalStatus, TaskKind};
use crate::task::{Label, caught, drop_quietly, waits};

/// What [`Context::register_subscription`] keeps until the end of a life: a function, which is called then, or a
/// [`Subscription`], which is dropped.
///
/// Whatever else unsubscribes when it is dropped is moved into a function: `move || drop(guard)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be registered as a subscription",
    label = "neither a function that unsubscribes nor a `Subscription`",
    note = "if its drop unsubscribes, register a function that drops it: `move || drop(guard)`"
)]
pub trait Unsubscribe: Send + 'static {
    /// Ends the subscription.
    fn unsubscribe(self: Box<Self>);
}

impl<F: FnOnce() + Send + 'static> Unsubscribe for F {
    fn unsubscribe(self: Box<Self>) {
        self();
    }
}

impl<E: Send + Sync + 'static> Unsubscribe for Subscription<E> {
    fn unsubscribe(self: Box<Self>) {}
}

/// Turns a closure of the user into a bound call.
fn bound<F, R>(call: impl Fn() -> F + Send + Sync + 'static) -> Bound
where
    F: Future<Output = R> + Send + 'static,
    R: IntoOutcome,
{
    Arc::new(move || {
        let called = call();
        Box::pin(async move { called.await.into_outcome() })
    })
}

impl Context {
    /// Keeps a subscription until the end of this life, and ends it then: a function that unsubscribes, or a
    /// [`Subscription`].
    ///
    /// # Errors
    /// [`Error::Stopping`] from the start of `cleanup` on; the subscription is ended at once then.
    pub fn register_subscription(&self, subscription: impl Unsubscribe) -> Result<(), Error> {
        let guard: Box<dyn Unsubscribe> = Box::new(subscription);
        let refused = {
            let mut registrations = self.life.registrations();
            if registrations.phase == Phase::Open {
                registrations.guards.push(guard);
                return Ok(());
            }
            guard
        };
        drop(self.life.unsubscribe(refused)); // a panic has been logged and counted
        Err(self.life.stopping())
    }

    /// Ends every subscription registered so far, one by one; a panic in one is logged and counted, and harms no
    /// other.
    pub fn cleanup_subscriptions(&self) {
        drop(self.life.drop_guards());
    }

    /// Calls `tick` as `schedule` says: a period, such as `Duration::from_secs(5)` or `"5s"`, or a whole [`Schedule`]. Its times
    /// count from the moment the daemon is ready. An interval of the same name is replaced; its tick under way ends first.
    ///
    /// ```
    /// # use daemon_core::{Context, Missed, Result, Schedule};
    /// # use std::time::Duration;
    /// # fn initialize(cx: &Context, every: &str) -> Result<()> {
    /// cx.register_interval("sweep", Duration::from_secs(5), || async {})?;
    /// cx.register_interval("report", every, || async {})?; // "1h", from a file
    /// let schedule = Schedule::every(Duration::from_secs(60)).missed(Missed::CatchUpOnce);
    /// cx.register_interval("renew", schedule, || async {})?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Stopping`] from the start of `cleanup` on; [`Error::ZeroPeriod`]; [`Error::Timeout`]; [`Error::Grammar`] if
    /// the name or the text is not one.
    #[track_caller]
    pub fn register_interval<S, F, R>(
        &self,
        name: &str,
        schedule: S,
        tick: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<(), Error>
    where
        S: TryInto<Schedule>,
        Error: From<S::Error>,
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome,
    {
        daemon_grammar::name::check(name)?;
        Life::tick(&self.life, Ticker::new(name, schedule.try_into()?, bound(tick)))
    }

    /// Calls `tick` whenever a cron expression says so, by the clock on the wall in that time zone: short for
    /// [`register_interval`](Self::register_interval) with [`Schedule::cron`], which takes options as well.
    ///
    /// ```
    /// # use daemon_core::{Context, Result};
    /// # fn initialize(cx: &Context) -> Result<()> {
    /// cx.register_cron("backup", "0 3 * * *", "Europe/Berlin", || async {})?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Stopping`] from the start of `cleanup` on; [`Error::Grammar`] if the name, the expression or the zone is not
    /// one.
    #[cfg(feature = "cron")]
    #[track_caller]
    pub fn register_cron<F, R>(
        &self,
        name: &str,
        expression: &str,
        zone: &str,
        tick: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<(), Error>
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome,
    {
        self.register_interval(name, Schedule::cron(expression.to_owned(), zone.to_owned()), tick)
    }

    /// Ends the interval of that name; returns whether there was one. Waits for a tick under way, unless called from
    /// inside it: then the interval ends with that tick.
    ///
    /// # Cancel safety
    /// The interval ends even if the future is dropped; only the waiting is given up.
    pub async fn clear_interval(&self, name: &str) -> bool {
        let timers = &self.life.timers;
        let Some(cleared) = timers.clear(name) else { return false };
        if !timers.is_inside(&cleared) {
            waits("cx.clear_interval", timers.rest(&cleared)).await;
        }
        drop_quietly(cleared);
        true
    }

    /// Ends all intervals, and waits for their ticks under way.
    ///
    /// # Cancel safety
    /// As [`clear_interval`](Self::clear_interval).
    pub async fn cleanup_intervals(&self) {
        let timers = &self.life.timers;
        for cleared in timers.clear_all() {
            if !timers.is_inside(&cleared) {
                waits("cx.cleanup_intervals", timers.rest(&cleared)).await;
            }
            drop_quietly(cleared);
        }
    }

    /// The intervals of this daemon as they are now, by name.
    #[must_use]
    pub fn intervals(&self) -> Vec<IntervalStatus> {
        self.life.timers.statuses()
    }

    /// Keeps an interval from ticking until it is resumed. A tick under way goes on.
    ///
    /// # Errors
    /// [`Error::UnknownInterval`].
    pub fn pause_interval(&self, name: &str) -> Result<(), Error> {
        self.life.order(name, Order::Pause)
    }

    /// Lets a paused interval tick again, at the times that are its own.
    ///
    /// # Errors
    /// [`Error::UnknownInterval`].
    pub fn resume_interval(&self, name: &str) -> Result<(), Error> {
        self.life.order(name, Order::Resume)
    }

    /// Makes an interval tick now, paused or not, and returns at once. If it may not, since a tick of it is under way, it
    /// ticks when that has ended, once, however often it is asked meanwhile. Its own times stay as they are.
    ///
    /// # Errors
    /// [`Error::UnknownInterval`].
    pub fn run_interval(&self, name: &str) -> Result<(), Error> {
        self.life.order(name, Order::Run)
    }

    /// Gives an interval another period, counted from now: a [`Duration`], or text such as `"30s"` or `"off"`. It takes the
    /// place of a cron expression, too.
    ///
    /// # Errors
    /// [`Error::UnknownInterval`]; [`Error::ZeroPeriod`]; [`Error::Timeout`]; [`Error::Grammar`].
    pub fn set_interval_period<P: TryInto<Period>>(&self, name: &str, period: P) -> Result<(), Error>
    where
        Error: From<P::Error>,
    {
        self.life.order(name, Order::Period(period.try_into()?))
    }

    /// Calls `react` once for each life of the daemon `name` that becomes ready while this one lives, also when it has
    /// been ready for long. It begins once this daemon is ready itself.
    ///
    /// # Errors
    /// [`Error::UnknownDaemon`]; [`Error::Stopping`] from the start of `cleanup` on.
    pub fn on_daemon_ready<F, R>(&self, name: &str, react: impl Fn() -> F + Send + Sync + 'static) -> Result<(), Error>
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome,
    {
        Life::react(&self.life, name, name, bound(react))
    }

    /// Calls `late` once, `delay` after this daemon is ready: a [`Duration`](std::time::Duration), or text such as `"2s"`. Time
    /// that the machine is asleep counts.
    ///
    /// # Errors
    /// [`Error::Stopping`] from the start of `cleanup` on; [`Error::Grammar`] if the text is no duration.
    pub fn defer_initialization<F, R>(
        &self,
        delay: impl IntoDuration,
        late: impl FnOnce() -> F + Send + 'static,
    ) -> Result<(), Error>
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome,
    {
        let delay = delay.into_duration()?;
        let late = move || -> BoxFuture<'static, Result<()>> { Box::pin(async move { late().await.into_outcome() }) };
        Life::defer(&self.life, TaskKind::Deferred, "deferred initialization", delay, late)
    }
}

impl Life {
    fn open(&self) -> Result<(), Error> {
        if self.phase() == Phase::Open { Ok(()) } else { Err(self.stopping()) }
    }

    /// Does what somebody wants of an interval.
    pub(crate) fn order(&self, interval: &str, order: Order) -> Result<(), Error> {
        self.timers.order(interval, order).unwrap_or_else(|| {
            let (daemon, known) = (self.daemon.to_string(), self.timers.names().join(", "));
            Err(Error::UnknownInterval { daemon, name: interval.to_owned(), known })
        })
    }

    /// Starts an interval, in the place of one of the same name, and with the first one the driver of all.
    pub(crate) fn tick(self: &Arc<Self>, ticker: Ticker) -> Result<(), Error> {
        let mut registrations = self.registrations();
        if registrations.phase != Phase::Open {
            return Err(self.stopping());
        }
        let replaced = self.timers.register(ticker)?;
        if !std::mem::replace(&mut registrations.driven, true) {
            let life = self.clone();
            let driver = async move {
                tokio::select! {
                    biased;
                    () = life.intake.cancelled() => return,
                    () = life.ready.cancelled() => {}
                }
                drive(life).await;
            };
            self.spawn(Label::new(TaskKind::Schedule, "schedule"), driver)?;
        }
        drop(registrations);
        drop_quietly(replaced);
        Ok(())
    }

    /// Starts a reaction to the readiness of the daemon `of`.
    #[track_caller]
    pub(crate) fn react(self: &Arc<Self>, name: &str, of: &str, react: Bound) -> Result<(), Error> {
        self.open()?;
        let Some(mut readiness) = self.link.readiness(of) else {
            return Err(Error::UnknownDaemon { name: of.to_owned(), known: self.link.names().join(", ") });
        };
        let (life, name) = (self.clone(), name.to_owned());
        self.spawn(Label::new(TaskKind::OnReady, name.clone()), async move {
            tokio::select! {
                biased;
                () = life.cancel.cancelled() => return, // it never became ready
                () = life.ready.cancelled() => {}
            }
            let mut seen = Readiness::default();
            loop {
                let next = readiness.wait_for(|now| now.is_news(seen));
                tokio::select! {
                    biased;
                    () = life.cancel.cancelled() => return,
                    next = next => match next {
                        Ok(now) => seen = *now,
                        Err(_) => return, // the host is gone
                    },
                }
                if let Err(failure) = caught(|| life.call(&name, || react())).await {
                    life.failed(TaskKind::OnReady, &name, &failure);
                }
            }
        })
    }

    /// Starts a call that is made `delay` after the daemon is ready.
    #[track_caller]
    pub(crate) fn defer(
        self: &Arc<Self>,
        kind: TaskKind,
        name: &str,
        delay: Duration,
        late: impl FnOnce() -> BoxFuture<'static, Result<()>> + Send + 'static,
    ) -> Result<(), Error> {
        self.open()?;
        let (life, name) = (self.clone(), name.to_owned());
        self.spawn(Label::new(kind, name.clone()), async move {
            tokio::select! {
                biased;
                () = life.intake.cancelled() => return,
                () = async { life.ready.cancelled().await; life.timers.clock().sleep(delay).await } => {}
            }
            if let Err(failure) = caught(|| life.call(&name, late)).await {
                life.failed(kind, &name, &failure);
            }
        })
    }

    /// Spawns tracked work of this life.
    pub(crate) fn spawn(&self, label: Label, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        self.tasks.spawn(label, &self.span, work).map(|_| ()).ok_or_else(|| self.stopping())
    }
}
