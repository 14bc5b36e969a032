//! Reloading: all running daemons are asked first, then each takes the new configuration on, in the order of what they need; if one
//! cannot, those that had are given the one before again.
//!
//! It runs on the workers. Each call into a daemon is work of its life, so that a stop finds it and a destructor knows of it.
//!
//! Invariants:
//! 1. One reload at a time.
//! 2. The host's configuration changes only in `Board::commit`, and then every daemon that runs has it, or will once it sees
//!    that it changed while it started.
//! 3. A daemon of which nobody knows what it has is restarted.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::board::Board;
use super::report::millis;
use super::slot::{Alive, Slot};
use crate::configuration::Configured;
use crate::context::{Context, HostHandle, HostLink, Life};
use crate::error::Error;
use crate::reload::{DaemonReload, DaemonReloadOutcome as Outcome, ReloadOutcome, ReloadReport};
use crate::status::TaskKind;
use crate::task::{Failure, Label, aside, caught, current};

/// What is asked of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Check,
    Reload,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "check_reload",
            Self::Reload => "reload",
        }
    }
}

impl HostHandle {
    /// Loads the host's configuration anew and has every running daemon take it on, as on SIGHUP without a terminal: all are
    /// asked first ([`check_reload`](crate::DaemonBase::check_reload)), then each is [reloaded](crate::DaemonBase::reload).
    /// What comes of it is in the report, whichever it is. A reload that is under way is waited for first.
    ///
    /// # Errors
    /// [`Error::Stopping`] once the host shuts down; [`Error::Reloading`] from inside a reload.
    ///
    /// # Cancel safety
    /// Once polled, the reload goes on even if the future is dropped.
    pub async fn reload(&self) -> Result<ReloadReport, Error> {
        let stopping = || Error::Stopping { daemon: "host".to_owned() };
        let link: Arc<dyn std::any::Any + Send + Sync> = self.link();
        let Ok(board) = link.downcast::<Board>() else { return Err(stopping()) };
        if current().is_some_and(|work| work.kind() == TaskKind::Reload) {
            return Err(Error::Reloading);
        }
        if board.stopping_since().is_some() {
            return Err(stopping());
        }
        board.begin_reload("asked for by the host's handle").await.map_err(|_| stopping())
    }
}

/// What has been found out of each daemon.
#[derive(Default)]
struct Findings(BTreeMap<String, (Outcome, Option<String>)>);

impl Findings {
    fn note(&mut self, slot: &Slot, outcome: Outcome, reason: Option<String>) {
        self.0.insert(slot.name.to_string(), (outcome, reason));
    }
}

/// A daemon could not be given the new configuration.
struct Stuck;

impl Board {
    /// Begins a reload on the workers; the report comes when it is over, unless the host ends first.
    pub(crate) fn begin_reload(self: &Arc<Self>, cause: &str) -> oneshot::Receiver<ReloadReport> {
        let (sender, report) = oneshot::channel();
        let (board, cause) = (self.clone(), cause.to_owned());
        if let Some(runtime) = self.settings.runtime() {
            let work = async move { drop(sender.send(board.reload(cause).await)) }; // nobody may want to know
            drop(aside(runtime, work));
        }
        report
    }

    async fn reload(self: Arc<Self>, cause: String) -> ReloadReport {
        let _turn = self.settings.turn().lock().await;
        let began = Instant::now();
        let (mut findings, mut reason) = (Findings::default(), None);
        let outcome = tokio::select! {
            biased;
            () = self.stopping.cancelled() => ReloadOutcome::Abandoned,
            outcome = self.carry_out(&mut findings, &mut reason) => outcome,
        };
        let daemon = |slot: Arc<Slot>| {
            let (outcome, reason) = findings.0.remove(&*slot.name).unwrap_or((Outcome::Unchanged, None));
            DaemonReload { name: slot.name.to_string(), outcome, reason }
        };
        let daemons = self.by_wave().into_iter().map(daemon).collect();
        let report =
            ReloadReport { name: self.name.clone(), outcome, cause, reason, took_ms: millis(began.elapsed()), daemons };
        self.tell_of(&report);
        report
    }

    fn tell_of(&self, report: &ReloadReport) {
        let text = report.to_string();
        let first = text.lines().next().unwrap_or_default();
        self.journal.book(None, self.state(), Some(first.to_owned()));
        if report.is_reloaded() {
            tracing::info!("{first}");
        } else {
            tracing::error!("{}", text.trim_end());
        }
    }

    async fn carry_out(&self, findings: &mut Findings, reason: &mut Option<String>) -> ReloadOutcome {
        let before = self.settings.in_force();
        let configuration = match self.settings.load(&before).await {
            Ok(configuration) => configuration,
            Err(failure) => {
                *reason = Some(failure.to_string());
                return ReloadOutcome::Refused;
            }
        };
        let next = self.settings.next(configuration);
        let mut asked = BTreeSet::new();
        if self.ask_all(&next, &mut asked, findings).await.is_err() {
            return ReloadOutcome::Refused;
        }
        if self.give_all(&next, &mut asked, findings).await.is_ok() {
            return ReloadOutcome::Reloaded;
        }
        self.roll_back(&next, &before, findings).await;
        ReloadOutcome::RolledBack
    }

    /// Asks every running daemon, side by side.
    async fn ask_all(
        &self,
        next: &Configured,
        asked: &mut BTreeSet<u64>,
        findings: &mut Findings,
    ) -> Result<(), Stuck> {
        let mut answers = Vec::new();
        for (slot, life) in self.without(next) {
            asked.insert(life);
            let answer = self.step(&slot, life, Step::Check, next);
            answers.push((slot, answer));
        }
        let mut refused = Ok(());
        for (slot, answer) in answers {
            if let Some(Err(failure)) = answer.await {
                findings.note(&slot, Outcome::Refused, Some(failure.to_string()));
                refused = Err(Stuck);
            }
        }
        refused
    }

    /// Gives every running daemon the new configuration, also those that begin to run meanwhile, and commits it.
    async fn give_all(
        &self,
        next: &Configured,
        asked: &mut BTreeSet<u64>,
        findings: &mut Findings,
    ) -> Result<(), Stuck> {
        loop {
            for (slot, life) in self.without(next) {
                if asked.insert(life)
                    && let Some(Err(failure)) = self.step(&slot, life, Step::Check, next).await
                {
                    findings.note(&slot, Outcome::Refused, Some(failure.to_string()));
                    return Err(Stuck);
                }
                match self.step(&slot, life, Step::Reload, next).await {
                    Some(Ok(())) => findings.note(&slot, Outcome::Reloaded, None),
                    Some(Err(failure)) => {
                        // What returned an error has what it had. Of what did not return nobody knows.
                        let returned = matches!(failure, Failure::Error(_));
                        let outcome = if returned { Outcome::Failed } else { self.restart(&slot, life, &failure) };
                        findings.note(&slot, outcome, Some(failure.to_string()));
                        return Err(Stuck);
                    }
                    // It stops; its next life is another. It said so before it refused work, so this goes round for nobody.
                    None => {}
                }
            }
            if self.commit(next) {
                return Ok(());
            }
        }
    }

    /// Makes the configuration the host's, if every daemon that runs has it.
    fn commit(&self, next: &Configured) -> bool {
        self.settings.replace(next, || self.without(next).is_empty())
    }

    /// Gives those that had taken `next` on what they had before.
    async fn roll_back(&self, next: &Configured, before: &Configured, findings: &mut Findings) {
        for (slot, life) in self.running_with(|number| number == next.number) {
            match self.step(&slot, life, Step::Reload, before).await {
                Some(Ok(())) => findings.note(&slot, Outcome::RolledBack, None),
                Some(Err(failure)) => {
                    let outcome = self.restart(&slot, life, &failure);
                    findings.note(&slot, outcome, Some(failure.to_string()));
                }
                None => {}
            }
        }
    }

    /// The daemons that run without this configuration.
    fn without(&self, next: &Configured) -> Vec<(Arc<Slot>, u64)> {
        self.running_with(|number| number != next.number)
    }

    /// The daemons that run with such a configuration, each after those it depends on, and their lives. Nothing of a life is
    /// held here, so that it can end meanwhile.
    fn running_with(&self, is: impl Fn(u64) -> bool) -> Vec<(Arc<Slot>, u64)> {
        let life = |slot: Arc<Slot>| {
            let life = slot.running()?.life;
            is(life.configured().number).then_some((slot, life.number))
        };
        self.by_wave().into_iter().filter_map(life).collect()
    }

    /// Makes one call into a life of a daemon, which begins at once. `None`: that life ends, or did meanwhile.
    fn step(
        &self,
        slot: &Slot,
        life: u64,
        step: Step,
        next: &Configured,
    ) -> impl Future<Output = Option<Result<(), Failure>>> + Send + use<> {
        let limit = slot.start_timeout.unwrap_or(self.settings.limit());
        let begun =
            slot.running().filter(|alive| alive.life.number == life).and_then(|alive| begin(&alive, step, next));
        async move {
            let (spawned, of, outcome) = begun?;
            match timeout(limit, outcome).await {
                Ok(ended) => ended.ok(),
                Err(_) => {
                    spawned.abort();
                    let failure = Failure::Timeout(limit);
                    if let Some(life) = of.upgrade() {
                        life.failed(TaskKind::Reload, step.name(), &failure);
                    }
                    Some(Err(failure))
                }
            }
        }
    }

    /// Has a daemon restarted of which nobody knows what it has.
    fn restart(&self, slot: &Slot, life: u64, failure: &Failure) -> Outcome {
        self.daemon_failed(&slot.name, life, format!("{}: {failure}", Step::Reload.name()), false);
        Outcome::Restarting
    }

    /// Gives a daemon that has just begun to run what the host's configuration has become since its life began.
    pub(super) fn catch_up(self: &Arc<Self>, slot: &Arc<Slot>, life: &Life) {
        let (number, has) = (life.number, life.configured().number);
        let Some(runtime) = self.settings.runtime().filter(|_| has != self.settings.in_force().number) else { return };
        let (board, slot) = (self.clone(), slot.clone());
        drop(aside(runtime, async move {
            let _turn = board.settings.turn().lock().await;
            if board.stopping.is_cancelled() {
                return; // the turn may come from a reload that was left where it was, in the midst of this daemon
            }
            let current = board.settings.in_force();
            // A reload that had its turn first may have reached the daemon.
            let has = slot.running().map(|alive| alive.life.configured().number);
            if has == Some(current.number) {
                return;
            }
            if let Some(Err(failure)) = board.step(&slot, number, Step::Reload, &current).await {
                board.restart(&slot, number, &failure);
            }
        }));
    }
}

type Begun = (AbortHandle, Weak<Life>, oneshot::Receiver<Result<(), Failure>>);

/// Calls into a life, as work of its own there. `None`: it takes no more.
fn begin(alive: &Alive, step: Step, next: &Configured) -> Option<Begun> {
    let (sender, outcome) = oneshot::channel();
    let (life, next) = (alive.life.clone(), next.clone());
    let call = alive.lived.reload(step, next.configuration.clone(), Context { life: life.clone() });
    let work = async move {
        let ended = caught(|| call).await;
        match &ended {
            Ok(()) if step == Step::Reload => drop(life.configure(next)),
            Ok(()) => {}
            Err(failure) => life.failed(TaskKind::Reload, step.name(), failure),
        }
        drop(sender.send(ended)); // given up
    };
    let spawned = alive.life.tasks.spawn(Label::new(TaskKind::Reload, step.name()), work)?;
    Some((spawned, Arc::downgrade(&alive.life), outcome))
}
