//! Run-time registration: subscriptions, readiness reactions and deferred calls; intervals have a file of their own.
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
use crate::schedule::Bound;
use crate::status::TaskKind;
use crate::task::{Label, caught};

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
pub(super) fn bound<F, R>(call: impl Fn() -> F + Send + Sync + 'static) -> Bound
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
                () = async { life.ready.cancelled().await; life.timers.clock().sleep(delay).await } => {}
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
