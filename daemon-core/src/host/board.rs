//! What is known of the host at any moment, readable by anyone without waiting for user code.
//!
//! Invariants:
//! 1. No lock here is held while user code runs or is dropped.
//! 2. A slot holds a life and its value exactly while that life may still do something, so that a host that has
//!    stopped keeps nothing alive.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::phase::Input;
use super::report::{Cut, DaemonStart, DaemonStop, EventAccount, Left, ShutdownReport, StartReport, millis};
use super::unit::{Intake, Lived};
use crate::BoxFuture;
use crate::call::CallError;
use crate::context::{AnyDaemon, Context, HostLink, Life, Readiness, Tally};
use crate::status::{CheckReport, DaemonStatus, HostStatus, State, TaskKind};
use crate::task::{Failure, Label, caught};

/// One daemon on the board.
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) type_id: TypeId,
    pub(crate) wave: u32,
    pub(crate) requires: Vec<String>,
    pub(crate) wants: Vec<String>,
    pub(crate) optional: bool,
    pub(crate) commands: Vec<&'static str>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) readiness: watch::Sender<Readiness>,
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
    pub(crate) reason: Option<String>,
    /// The life under way, from before its value is made.
    pub(crate) life: Option<Arc<Life>>,
    /// Its value, once made.
    pub(crate) lived: Option<Arc<dyn Lived>>,
    pub(crate) waited: Option<(String, Duration)>,
    pub(crate) start_took: Duration,
    pub(crate) started: Option<Duration>,
    pub(crate) stopped: Option<Duration>,
    pub(crate) stop_took: Duration,
    pub(crate) cut: Vec<Cut>,
    pub(crate) problems: Vec<String>,
}

impl Slot {
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.inner().state
    }

    /// The life under way, if its value was made.
    fn alive(&self) -> Option<Alive> {
        let inner = self.inner();
        Some(Alive { life: inner.life.clone()?, lived: inner.lived.clone()? })
    }

    fn running(&self) -> Option<Alive> {
        (self.state() == State::Running).then(|| self.alive()).flatten()
    }
}

/// What a slot is made of.
pub(crate) struct NewSlot {
    pub(crate) name: Arc<str>,
    pub(crate) type_id: TypeId,
    pub(crate) wave: u32,
    pub(crate) requires: Vec<String>,
    pub(crate) wants: Vec<String>,
    pub(crate) optional: bool,
    pub(crate) commands: Vec<&'static str>,
    pub(crate) intake: Arc<dyn Intake>,
}

impl From<NewSlot> for Slot {
    fn from(new: NewSlot) -> Self {
        Self {
            name: new.name,
            type_id: new.type_id,
            wave: new.wave,
            requires: new.requires,
            wants: new.wants,
            optional: new.optional,
            commands: new.commands,
            intake: new.intake,
            tally: Arc::default(),
            readiness: watch::Sender::default(),
            inner: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Whole {
    state: State,
    cause: Option<String>,
    start_took: Option<Duration>,
    stopping_since: Option<Instant>,
}

/// The board of one host.
pub(crate) struct Board {
    pub(crate) name: String,
    pub(crate) since: Instant,
    pub(crate) slots: Vec<Slot>,
    pub(crate) notes: Vec<String>,
    by_name: HashMap<Arc<str>, usize>,
    inputs: mpsc::UnboundedSender<Input>,
    whole: Mutex<Whole>,
    /// When the shutdown began.
    pub(crate) stopping: watch::Sender<Option<Instant>>,
}

impl Board {
    pub(crate) fn new(
        name: String,
        slots: Vec<Slot>,
        notes: Vec<String>,
        inputs: mpsc::UnboundedSender<Input>,
    ) -> Arc<Self> {
        let by_name = slots.iter().enumerate().map(|(at, slot)| (slot.name.clone(), at)).collect();
        let (since, whole, stopping) = (Instant::now(), Mutex::default(), watch::Sender::default());
        Arc::new(Self { name, since, slots, notes, by_name, inputs, whole, stopping })
    }

    fn whole(&self) -> MutexGuard<'_, Whole> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, name: &str) -> Option<&Slot> {
        self.by_name.get(name).map(|&at| &self.slots[at])
    }

    pub(crate) fn tell(&self, input: Input) {
        drop(self.inputs.send(input)); // once the conductor is gone nobody needs to know
    }

    pub(crate) fn set_state(&self, state: State) {
        let mut whole = self.whole();
        whole.state = state;
        if whole.start_took.is_none() && !matches!(state, State::Stopped | State::Starting) {
            whole.start_took = Some(self.since.elapsed());
        }
    }

    /// Books the cause of the shutdown; only the first one counts. Returns whether this was it.
    pub(crate) fn set_cause(&self, cause: &str) -> bool {
        let mut whole = self.whole();
        let first = whole.cause.is_none();
        if first {
            let now = Instant::now();
            whole.cause = Some(cause.to_owned());
            whole.stopping_since = Some(now);
            drop(whole);
            self.stopping.send_replace(Some(now));
        }
        first
    }

    pub(crate) fn shut_down(&self, cause: &str) {
        if self.set_cause(cause) {
            self.tell(Input::Shutdown);
        }
    }

    pub(crate) fn start_report(&self, started: bool) -> StartReport {
        let took = self.whole().start_took.unwrap_or_else(|| self.since.elapsed());
        let daemon = |slot: &Slot| {
            let inner = slot.inner();
            DaemonStart {
                name: slot.name.to_string(),
                wave: slot.wave,
                state: inner.state,
                waited_for: inner.waited.as_ref().map(|(on, _)| on.clone()),
                waited_ms: inner.waited.as_ref().map_or(0, |(_, after)| millis(*after)),
                took_ms: millis(inner.start_took),
                reason: inner.reason.clone(),
            }
        };
        let daemons = self.by_wave().map(daemon).collect();
        StartReport { name: self.name.clone(), started, took_ms: millis(took), daemons, notes: self.notes.clone() }
    }

    fn by_wave(&self) -> impl Iterator<Item = &Slot> {
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_by_key(|slot| slot.wave);
        slots.into_iter()
    }

    /// The report as things are now; complete once the host has stopped, truthful before.
    pub(crate) fn shutdown_report(&self, exit_code: u8) -> ShutdownReport {
        let (cause, since) = {
            let whole = self.whole();
            (whole.cause.clone().unwrap_or_else(|| "it is still running".to_owned()), whole.stopping_since)
        };
        let mut left = Left::default();
        let mut events = Vec::new();
        let mut daemons = Vec::new();
        for slot in self.by_wave() {
            let status = self.daemon_status(slot);
            let open = status.state != State::Stopped && status.state != State::Failed;
            left.subscriptions += status.guards + if open { status.subscriptions.len() } else { 0 };
            left.intervals += status.intervals.len();
            left.tasks += status.tasks.iter().filter(|task| task.kind != TaskKind::Interval).count();
            events.extend(status.subscriptions.into_iter().map(|account| EventAccount {
                subscription: format!("{}.{}", slot.name, account.name),
                offered: account.offered,
                handled: account.handled,
                failed: account.failed,
                dropped: account.dropped,
                abandoned: account.abandoned,
            }));
            let mut cut = slot.inner().cut.clone();
            if status.state == State::Stopping || status.state == State::Starting {
                cut.extend(status.tasks.iter().map(|task| Cut::new(task, false)));
            }
            let inner = slot.inner();
            daemons.push(DaemonStop {
                name: status.name,
                wave: slot.wave,
                requires: status.requires,
                started_ms: inner.started.map(millis),
                stopped_ms: inner.stopped.map(millis),
                state: inner.state,
                stop_ms: millis(inner.stop_took),
                reason: inner.reason.clone(),
                cut,
                problems: inner.problems.clone(),
                errors: status.errors,
                panics: status.panics,
            });
        }
        ShutdownReport {
            name: self.name.clone(),
            exit_code,
            cause,
            uptime_ms: millis(self.since.elapsed()),
            stop_ms: since.map_or(0, |since| millis(since.elapsed())),
            daemons,
            left,
            events,
        }
    }

    /// Whether any step of any stop was cut.
    pub(crate) fn was_cut(&self) -> bool {
        self.slots.iter().any(|slot| !slot.inner().cut.is_empty())
    }

    fn daemon_status(&self, slot: &Slot) -> DaemonStatus {
        let (state, reason, life) = {
            let inner = slot.inner();
            (inner.state, inner.reason.clone(), inner.life.clone())
        };
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
        DaemonStatus {
            name: slot.name.to_string(),
            state,
            wave: slot.wave,
            requires: slot.requires.clone(),
            wants: slot.wants.clone(),
            optional: slot.optional,
            reason,
            subscriptions: {
                let mut all = slot.intake.statuses();
                all.extend(life.as_ref().map(|life| life.pulled()).unwrap_or_default());
                all
            },
            guards: life.as_ref().map_or(0, |life| life.guards()),
            intervals: life.as_ref().map(|life| life.intervals()).unwrap_or_default(),
            tasks: life.as_ref().map(|life| life.tasks.statuses()).unwrap_or_default(),
            commands: slot.commands.iter().map(ToString::to_string).collect(),
            errors: load(&slot.tally.errors),
            panics: load(&slot.tally.panics),
        }
    }
}

impl Cut {
    pub(crate) fn new(task: &crate::status::TaskStatus, gone: bool) -> Self {
        let work = if task.kind.to_string() == task.name {
            task.name.clone()
        } else {
            format!("{} `{}`", task.kind, task.name)
        };
        Self { work, spawned_at: task.spawned_at.clone(), polls: task.polls, idle_ms: task.idle.map(millis), gone }
    }
}

impl HostLink for Board {
    fn readiness(&self, daemon: &str) -> Option<watch::Receiver<Readiness>> {
        self.slot(daemon).map(|slot| slot.readiness.subscribe())
    }

    fn names(&self) -> Vec<String> {
        self.slots.iter().map(|slot| slot.name.to_string()).collect()
    }

    fn running(&self, type_id: TypeId, name: Option<&str>) -> Option<AnyDaemon> {
        let wanted = |slot: &&Slot| slot.type_id == type_id && name.is_none_or(|name| *slot.name == *name);
        self.slots.iter().filter(wanted).find_map(Slot::running).map(|alive| alive.lived.any())
    }

    fn request_shutdown(&self, by: &str) {
        self.shut_down(&format!("asked for by {by}"));
    }

    fn daemon_failed(&self, daemon: &str, life: u64, reason: String) {
        let Some(&at) = self.by_name.get(daemon) else { return };
        {
            let mut inner = self.slots[at].inner();
            if inner.life.as_ref().is_none_or(|now| now.number != life) {
                return;
            }
            inner.reason.get_or_insert(reason);
        }
        self.tell(Input::Broke(at));
    }

    fn call(&self, daemon: &str, command: &str, request: Value) -> BoxFuture<'_, Result<Value, CallError>> {
        let (daemon, command) = (daemon.to_owned(), command.to_owned());
        Box::pin(async move {
            let Some(slot) = self.slot(&daemon) else { return Err(CallError::UnknownDaemon { daemon }) };
            let Some(alive) = slot.running() else {
                return Err(CallError::Unavailable { daemon, state: slot.state().to_string() });
            };
            let cx = Context { life: alive.life.clone() };
            let Some(work) = alive.lived.command(&command, request, cx) else {
                return Err(CallError::UnknownCommand { daemon, command, known: slot.commands.join(", ") });
            };
            let (sender, reply) = oneshot::channel();
            let life = alive.life;
            let watch = life.clone();
            let run = async move {
                let mut answer = None;
                let ended = caught(|| async {
                    answer = Some(work.await);
                    Ok(())
                });
                let outcome = match (ended.await, answer) {
                    (Ok(()), Some(answer)) => answer,
                    (Ok(()), None) => return,
                    (Err(failure), _) => {
                        watch.failed(TaskKind::Command, &command, &failure);
                        Err(CallError::Panicked(failure.to_string()))
                    }
                };
                drop(sender.send(outcome)); // the caller may have gone
            };
            if life.intake.is_cancelled() {
                return Err(CallError::ShuttingDown { daemon });
            }
            let label = Label::new(TaskKind::Command, "command");
            life.spawn(label, run).map_err(|_| CallError::ShuttingDown { daemon: daemon.clone() })?;
            reply.await.unwrap_or(Err(CallError::ShuttingDown { daemon }))
        })
    }

    fn run_checks(&self) -> BoxFuture<'_, Vec<CheckReport>> {
        Box::pin(async move {
            let mut under_way = Vec::new();
            for slot in &self.slots {
                let Some(alive) = slot.running() else { continue };
                let cx = Context { life: alive.life.clone() };
                for check in alive.lived.checks(&cx) {
                    let (sender, outcome) = oneshot::channel();
                    let life = alive.life.clone();
                    let (name, kind, limit, since) = (check.name, check.kind, check.timeout, Instant::now());
                    let run = async move {
                        let ended = tokio::time::timeout(limit, caught(|| check.run)).await;
                        let ended = ended.unwrap_or(Err(Failure::Timeout(limit)));
                        if let Err(failure @ Failure::Panic(_)) = &ended {
                            life.failed(TaskKind::Check, name, failure);
                        }
                        drop(sender.send((ended, since.elapsed()))); // the asker may have gone
                    };
                    drop(alive.life.spawn(Label::new(TaskKind::Check, name), run)); // refused: no outcome arrives
                    under_way.push((slot.name.to_string(), name, kind, limit, since, outcome));
                }
            }
            let mut reports = Vec::with_capacity(under_way.len());
            for (daemon, name, kind, limit, since, outcome) in under_way {
                let (failure, duration) = match tokio::time::timeout_at(since + limit, outcome).await {
                    Ok(Ok((outcome, took))) => (outcome.err().map(|failure| failure.to_string()), took),
                    Ok(Err(_)) => (Some("its daemon is shutting down".to_owned()), since.elapsed()),
                    Err(_) => (Some(Failure::Timeout(limit).to_string()), limit),
                };
                reports.push(CheckReport { daemon, name: name.to_owned(), kind, failure, duration });
            }
            reports
        })
    }

    fn status(&self) -> HostStatus {
        HostStatus {
            name: self.name.clone(),
            state: self.whole().state,
            uptime: self.since.elapsed(),
            daemons: self.by_wave().map(|slot| self.daemon_status(slot)).collect(),
        }
    }
}
