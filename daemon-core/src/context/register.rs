//! Run-time registration: subscriptions, intervals, readiness reactions and deferred calls, each by name.
//!
//! These are the run-time twins of the markers. What waits for the daemon's readiness begins when the daemon runs;
//! everything ends with its life.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Context;
use super::life::{Life, Phase, Run, Ticking};
use super::link::Readiness;
use crate::BoxFuture;
use crate::error::{Error, IntoOutcome, Result};
use crate::event::Subscription;
use crate::policy::OnError;
use crate::status::TaskKind;
use crate::task::{Failure, Label, Periodic, Schedule, Wait, caught, drop_quietly, waits};

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

/// A registered call, bound to whatever it works on.
pub(crate) type Bound = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

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

    /// Calls `tick` at every multiple of `period`, from one period after the daemon is ready. An interval of the same
    /// name is replaced; its tick under way ends first.
    ///
    /// # Errors
    /// [`Error::Stopping`] from the start of `cleanup` on; [`Error::ZeroPeriod`]; [`Error::Grammar`] if the name is
    /// not one.
    pub fn register_interval<F, R>(
        &self,
        name: &str,
        period: Duration,
        tick: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<(), Error>
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome,
    {
        daemon_grammar::name::check(name)?;
        if period.is_zero() {
            return Err(Error::ZeroPeriod { name: name.to_owned() });
        }
        let schedule = Schedule {
            name: name.to_owned(),
            period,
            immediately: false,
            jitter: None,
            timeout: None,
            on_error: OnError::Log,
        };
        Life::tick(&self.life, schedule, bound(tick))
    }

    /// Ends the interval of that name; returns whether there was one. Waits for a tick under way, unless called from
    /// inside it: then the interval ends with that tick.
    ///
    /// # Cancel safety
    /// The interval ends even if the future is dropped; only the waiting is given up.
    pub async fn clear_interval(&self, name: &str) -> bool {
        let Some(ticking) = self.life.registrations().intervals.remove(name) else { return false };
        ticking.stop.cancel();
        waits(Wait::ClearInterval, ticking.ended()).await;
        drop_quietly(ticking);
        true
    }

    /// Ends all intervals, and waits for their ticks under way.
    ///
    /// # Cancel safety
    /// As [`clear_interval`](Self::clear_interval).
    pub async fn cleanup_intervals(&self) {
        for ticking in self.life.drop_intervals() {
            waits(Wait::CleanupIntervals, ticking.ended()).await;
            drop_quietly(ticking);
        }
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

    /// Calls `late` once, `delay` after this daemon is ready.
    ///
    /// # Errors
    /// [`Error::Stopping`] from the start of `cleanup` on.
    pub fn defer_initialization<F, R>(
        &self,
        delay: Duration,
        late: impl FnOnce() -> F + Send + 'static,
    ) -> Result<(), Error>
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome,
    {
        let late = move || -> BoxFuture<'static, Result<()>> { Box::pin(async move { late().await.into_outcome() }) };
        Life::defer(&self.life, TaskKind::Deferred, "deferred initialization", delay, late)
    }
}

impl Ticking {
    /// Every future of that name that may still tick.
    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.before.iter().chain([&self.run]).filter(|run| !run.done.is_cancelled())
    }

    /// Waits until its future, and those of the intervals it replaced, are gone; returns at once from inside one.
    async fn ended(&self) {
        let here = tokio::task::try_id();
        if here.is_some() && self.runs().any(|run| run.task.as_ref().map(AbortHandle::id) == here) {
            return; // the others wait for this one, and tick no more
        }
        for run in self.runs() {
            run.done.cancelled().await;
        }
    }
}

impl Life {
    fn open(&self) -> Result<(), Error> {
        if self.phase() == Phase::Open { Ok(()) } else { Err(self.stopping()) }
    }

    /// Starts an interval, in the place of one of the same name.
    #[track_caller]
    pub(crate) fn tick(self: &Arc<Self>, schedule: Schedule, tick: Bound) -> Result<(), Error> {
        let (name, key, on_error) = (schedule.name.clone(), schedule.name.clone(), schedule.on_error);
        let periodic = Arc::new(Periodic::new(schedule));
        let (stop, done) = (self.intake.child_token(), CancellationToken::new());
        let mut registrations = self.registrations();
        if registrations.phase != Phase::Open {
            return Err(self.stopping());
        }
        let replaced = registrations.intervals.remove(&key);
        let before: Vec<Run> = replaced.as_ref().map_or_else(Vec::new, |replaced| {
            replaced.stop.cancel();
            replaced.runs().cloned().collect()
        });
        let (wait, call) = (before.clone(), tick.clone());
        let (life, work, until, gone) = (self.clone(), periodic.clone(), stop.clone(), done.clone().drop_guard());
        let task = self.tasks.spawn(Label::new(TaskKind::Interval, &key), async move {
            let _gone: DropGuard = gone;
            let begin = async {
                for run in wait {
                    run.done.cancelled().await;
                }
                life.ready.cancelled().await;
            };
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = begin => {}
            }
            let book = |outcome: &Result<(), Failure>, in_a_row| {
                life.streak(&name, in_a_row);
                if let Err(failure) = outcome {
                    life.failed(TaskKind::Interval, &name, failure);
                    life.on_error(on_error, &name, failure);
                }
            };
            work.run(until, || life.call(&name, || call()), book).await;
        });
        let run = Run { task, done };
        registrations.intervals.insert(key, Ticking { _tick: tick, periodic, stop, run, before });
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
        let label = Label::new(TaskKind::OnReady, name);
        let (life, name) = (self.clone(), name.to_owned());
        self.spawn(label, async move {
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
        let label = Label::new(kind, name);
        let (life, name) = (self.clone(), name.to_owned());
        self.spawn(label, async move {
            tokio::select! {
                biased;
                () = life.intake.cancelled() => return,
                () = async { life.ready.cancelled().await; tokio::time::sleep(delay).await } => {}
            }
            if let Err(failure) = caught(|| life.call(&name, late)).await {
                life.failed(kind, &name, &failure);
            }
        })
    }

    /// Spawns tracked work of this life.
    pub(crate) fn spawn(&self, label: Label<'_>, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        self.tasks.spawn(label, work).map(|_| ()).ok_or_else(|| self.stopping())
    }
}
