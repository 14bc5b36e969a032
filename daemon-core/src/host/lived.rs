//! A daemon's value in one life: its hooks, handlers and rows, bound to that life.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::futures::Notified;

use super::reload::Step;
use super::unit::{BoundCheck, Lived};
use super::watched::Watched;
use crate::BoxFuture;
use crate::call::{CallError, Carried};
use crate::configuration::Configuration;
use crate::context::{AnyDaemon, Context, Life};
use crate::daemon::DaemonBase;
use crate::definition::{Check, Definition, RowCall};
use crate::error::{Error, Result};
use crate::policy::OnError;
use crate::schedule::{Period, Ticker};
use crate::status::TaskKind;
use crate::task::{Failure, Label, Observer, Wiring};

/// The value of a daemon of type `D` in one life.
pub(super) struct LivedOf<D> {
    daemon: Arc<D>,
    definition: Arc<Definition<D>>,
    wiring: Arc<OnceLock<Arc<Wiring<D, Context>>>>,
    /// What a failure of each event handler leads to.
    on_error: Arc<HashMap<&'static str, OnError>>,
    /// What the daemon said the period of each interval is, where it is asked.
    periods: OnceLock<Vec<Option<Period>>>,
}

/// Books what goes wrong in event handlers.
struct Booked<'a> {
    life: &'a Life,
    on_error: &'a HashMap<&'static str, OnError>,
}

impl Observer for Booked<'_> {
    fn failed(&self, subscription: &str, failure: Failure, in_a_row: u32) {
        self.life.streak(subscription, in_a_row);
        self.life.failed(TaskKind::Handlers, subscription, &failure);
        let on_error = self.on_error.get(subscription).copied().unwrap_or_default();
        self.life.on_error(on_error, subscription, &failure);
    }

    fn recovered(&self, subscription: &str) {
        self.life.streak(subscription, 0);
    }

    #[expect(
        clippy::misnamed_getters,
        reason = "for its handlers a life is over once it is cut, not once its phase is"
    )]
    fn over(&self) -> &AtomicBool {
        &self.life.cut
    }

    #[cfg(feature = "testing")]
    fn fault(&self, subscription: &str) -> Option<crate::task::Fault> {
        self.life.link.fault(&self.life.daemon, subscription)
    }
}

/// Waits until the handlers of an earlier life have ended; returns whether they have, and not this life.
async fn has_left(life: &Life, left: Notified<'_>) -> bool {
    let what = "events wait until a handler of an earlier life no longer blocks its thread";
    tracing::error!(daemon = &*life.daemon, "{what}");
    tokio::select! {
        biased;
        () = life.intake.cancelled() => false,
        () = left => true,
    }
}

impl<D: DaemonBase> LivedOf<D> {
    pub(super) fn new(
        daemon: Arc<D>,
        definition: Arc<Definition<D>>,
        wiring: Arc<OnceLock<Arc<Wiring<D, Context>>>>,
        on_error: Arc<HashMap<&'static str, OnError>>,
    ) -> Self {
        Self { daemon, definition, wiring, on_error, periods: OnceLock::new() }
    }

    /// Binds a row's function to this daemon and a context.
    fn bind(
        &self,
        cx: &Context,
        call: RowCall<D>,
    ) -> impl Fn() -> BoxFuture<'static, Result<()>> + Send + Sync + use<D> {
        let (daemon, cx) = (self.daemon.clone(), cx.clone());
        move || {
            let (daemon, cx) = (daemon.clone(), cx.clone());
            Box::pin(async move { call(&daemon, &cx).await })
        }
    }
}

impl<D: DaemonBase> Lived for LivedOf<D> {
    fn any(&self) -> AnyDaemon {
        self.daemon.clone()
    }

    fn hook(&self, which: TaskKind, cx: Context) -> BoxFuture<'static, Result<()>> {
        let (daemon, life) = (self.daemon.clone(), cx.life.clone());
        match which {
            TaskKind::Initialize => life.call("initialize", || Box::pin(async move { daemon.initialize(&cx).await })),
            TaskKind::InitializeDeferred => Box::pin(async move { daemon.initialize_deferred(&cx).await }),
            TaskKind::Cleanup => life.call("cleanup", || Box::pin(async move { daemon.cleanup(&cx).await })),
            _ => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn reload(&self, step: Step, next: Configuration, cx: Context) -> BoxFuture<'static, Result<()>> {
        let (daemon, life) = (self.daemon.clone(), cx.life.clone());
        life.call(step.name(), || {
            Box::pin(async move {
                match step {
                    Step::Check => daemon.check_reload(&next, &cx).await,
                    Step::Reload => daemon.reload(&next, &cx).await,
                }
            })
        })
    }

    fn dispatch(&self, cx: Context) -> Vec<(Option<&'static str>, BoxFuture<'static, ()>)> {
        let isolated = self.wiring.get().into_iter().flat_map(|wiring| wiring.isolated()).map(Some);
        let dispatcher = |(at, name): (usize, Option<&'static str>)| {
            let (daemon, wiring, on_error) = (self.daemon.clone(), self.wiring.clone(), self.on_error.clone());
            let cx = cx.clone();
            let run: BoxFuture<'static, ()> = Box::pin(async move {
                let (Some(wiring), booked) = (wiring.get(), Booked { life: &cx.life, on_error: &on_error }) else {
                    return;
                };
                loop {
                    // From here on it hears of that end, polled or not.
                    let Some(left) = wiring.left(at) else { return };
                    let ran = match at.checked_sub(1) {
                        None => wiring.run(&daemon, &cx, &booked).await,
                        Some(isolated) => wiring.run_isolated(isolated, &daemon, &cx, &booked).await,
                    };
                    if ran.is_ok() || !has_left(&cx.life, left).await {
                        return;
                    }
                }
            });
            (name, run)
        };
        std::iter::once(None).chain(isolated).enumerate().map(dispatcher).collect()
    }

    fn ask(&self) {
        let asked = self.definition.intervals.iter().map(|row| Some(row.from?(&self.daemon)));
        let _: &Vec<_> = self.periods.get_or_init(|| asked.collect());
    }

    fn begin(&self, life: &Arc<Life>) -> Result<(), Error> {
        let cx = Context { life: life.clone() };
        let late = self.hook(TaskKind::InitializeDeferred, cx.clone());
        life.defer(TaskKind::InitializeDeferred, "initialize_deferred", Duration::ZERO, move || late)?;
        let mut periods = self.periods.get().into_iter().flatten().copied();
        for row in &self.definition.intervals {
            let mut schedule = row.schedule.clone();
            if let Some(period) = periods.next().flatten() {
                schedule = schedule.with_period(period);
            }
            if let Some(skip) = row.skip_if {
                let daemon = self.daemon.clone();
                schedule = schedule.skip_if(move || skip(&daemon));
            }
            life.tick(Ticker::new(row.name, schedule, Arc::new(self.bind(&cx, row.call))))?;
        }
        for row in &self.definition.ready {
            life.react(row.name, row.of.name(), Arc::new(self.bind(&cx, row.call)))?;
        }
        for row in &self.definition.deferred {
            life.defer(TaskKind::Deferred, row.name, row.delay, self.bind(&cx, row.call))?;
        }
        for row in &self.definition.tasks {
            let (life, work) = (life.clone(), self.bind(&cx, row.call));
            let (name, finite, policy) = (row.name, row.finite, row.restart);
            let label = Label::new(TaskKind::Task, name);
            cx.life.spawn(label, async move { Watched { life: &life, name, finite, policy, work }.run().await })?;
        }
        Ok(())
    }

    fn command(
        &self,
        name: &str,
        request: Carried,
        cx: Context,
    ) -> Option<BoxFuture<'static, Result<Carried, CallError>>> {
        let at = self.definition.commands.iter().position(|command| command.outline.signature.name == name)?;
        let (daemon, definition) = (self.daemon.clone(), self.definition.clone());
        Some(Box::pin(async move { definition.commands[at].run(&daemon, request, &cx).await }))
    }

    fn checks(&self, cx: &Context, of: &dyn Fn(&str) -> bool) -> Vec<BoundCheck> {
        let check = |row: &Check<D>| BoundCheck {
            name: row.name,
            kind: row.options.kind,
            soft: row.options.soft,
            timeout: row.options.timeout,
            run: self.bind(cx, row.call)(),
        };
        self.definition.checks.iter().filter(|row| of(row.name)).map(check).collect()
    }
}
