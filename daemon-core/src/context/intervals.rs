//! The intervals of a daemon: registered, ended, listed and steered by name.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use super::Context;
use super::life::{Life, Phase};
use super::register::bound;
use crate::error::{Error, IntoOutcome};
use crate::event::Patience;
use crate::schedule::{Cleared, Order, Period, Schedule, Ticker, drive};
use crate::status::{IntervalStatus, TaskKind};
use crate::task::{End, Label, Stand, Wait, current, drop_quietly, waits};

impl Context {
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

    /// Ends the interval of that name; returns whether there was one. Waits for a tick under way, unless that tick waits for the
    /// caller: called from inside it, from a handler of what it publishes and waits for, or from a command that it calls. Then the
    /// interval ends with that tick. Of a handler with `concurrency` this is known only while all its calls wait.
    ///
    /// # Cancel safety
    /// The interval ends even if the future is dropped; only the waiting is given up.
    pub async fn clear_interval(&self, name: &str) -> bool {
        let Some(cleared) = self.life.timers.clear(name) else { return false };
        self.life.rest(&cleared, Wait::ClearInterval).await;
        drop_quietly(cleared);
        true
    }

    /// Ends all intervals, and waits for their ticks under way, but for those that wait for the caller.
    ///
    /// # Cancel safety
    /// As [`clear_interval`](Self::clear_interval).
    pub async fn cleanup_intervals(&self) {
        for cleared in self.life.timers.clear_all() {
            self.life.rest(&cleared, Wait::CleanupIntervals).await;
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

    /// Gives an interval another period, counted from now: a [`Duration`](std::time::Duration), or text such as `"30s"` or `"off"`. It takes the
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
}

impl Life {
    /// Waits for the ticks of an interval that are under way, as `call`. If that takes long, it is told of.
    async fn rest(&self, cleared: &Cleared, call: Wait) {
        let mut rest = pin!(waits(call, self.timers.rest(cleared)));
        let mut patience = None;
        poll_fn(|cx| {
            if rest.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let patience = patience.get_or_insert_with(Patience::begin);
            if let Some(waited) = patience.as_mut().and_then(|patience| patience.poll(cx)) {
                self.warn(cleared, call, waited);
            }
            Poll::Pending
        })
        .await;
    }

    fn warn(&self, cleared: &Cleared, call: Wait, waited: Duration) {
        let (daemon, interval, call) = (&*self.daemon, cleared.name(), call.name());
        match current() {
            Some(by) => {
                let by = format_args!("{} {} of {}", by.kind(), by.name(), by.owner().daemon);
                tracing::warn!(daemon, interval, %by, "{call} has waited for a tick to end for {waited:?}");
            }
            None => tracing::warn!(daemon, interval, "{call} has waited for a tick to end for {waited:?}"),
        }
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
        let ticker = Arc::new(ticker); // if it is refused it is dropped after the lock: that is user code
        let mut registrations = self.registrations();
        if registrations.phase != Phase::Open {
            return Err(self.stopping());
        }
        let replaced = self.timers.register(&ticker)?;
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
            let label = Label::new(TaskKind::Schedule, "schedule");
            let ends = Busy(Arc::downgrade(self));
            self.tasks.spawn_with(label, ends, |_| driver).ok_or_else(|| self.stopping())?;
        }
        drop(registrations);
        drop_quietly(replaced);
        Ok(())
    }
}

/// Tells which interval the driver of a life is busy with.
struct Busy(Weak<Life>);

impl End for Busy {
    fn stands_for(&self) -> Option<Stand> {
        self.0.upgrade()?.timers.inline()
    }
}
