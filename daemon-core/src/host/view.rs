//! What others see of the board: statuses and reports, made from it on the spot.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::blocked::Polled;
use super::board::Board;
use super::report::{Cut, DaemonStart, DaemonStop, EventAccount, Left, ShutdownReport, StartReport, millis};
use super::slot::Slot;
use crate::declaration::Plane;
use crate::event::{Slip, SubscriptionStatus, Totals};
use crate::status::{
    BlockedWork, DaemonStatus, EndedSubscriptions, EventAudit, HostStatus, State, TaskKind, TaskStatus, Undeclared,
    Unfed, Unheard,
};

/// What is noted of a host on which daemons understand more than its socket's own protocol, and none has the socket.
const UNASKED: &str = "a daemon understands a protocol of its own on the host's socket, such as HTTP, but no daemon listens there; \
    add one that does, such as `IpcServer` of `daemon-ipc`";

impl Board {
    pub(crate) fn start_report(&self, started: bool) -> StartReport {
        let took = self.start_took().unwrap_or_else(|| self.since.elapsed());
        let daemon = |slot: &Arc<Slot>| {
            let inner = slot.inner();
            DaemonStart {
                name: slot.name.to_string(),
                wave: slot.wave,
                optional: slot.optional,
                state: inner.state,
                waited_for: inner.waited.as_ref().map(|(on, _)| on.clone()),
                waited_ms: inner.waited.as_ref().map_or(0, |(_, after)| millis(*after)),
                took_ms: millis(inner.start_took),
                reason: inner.reason.clone(),
            }
        };
        let daemons = self.by_wave().iter().map(daemon).collect();
        let mut notes = self.notes.clone();
        if started && self.upgrades.is_idle() {
            notes.push(UNASKED.to_owned());
        }
        StartReport { name: self.name.clone(), started, took_ms: millis(took), daemons, notes }
    }

    /// The report as things are now; complete once the host has stopped, truthful before.
    pub(crate) fn shutdown_report(&self, exit_code: u8) -> ShutdownReport {
        let (cause, since) = self.ending();
        let leaving = self.leaving.statuses();
        let mut left = Left::default();
        let mut events = Vec::new();
        let mut daemons = Vec::new();
        for slot in self.by_wave() {
            let status = daemon_status(&slot);
            let open = status.state != State::Stopped && status.state != State::Failed;
            left.subscriptions += status.guards + if open { status.subscriptions.len() } else { 0 };
            let ticking = status.tasks.iter().filter(|task| task.kind == TaskKind::Interval).count();
            let leaving: Vec<_> = leaving.iter().filter(|value| *value.name == *slot.name).collect();
            left.intervals += status.intervals.len().max(ticking);
            left.tasks += status.tasks.len() - ticking + leaving.len();
            let handlers = slot.intake.statuses().into_iter().map(|status| ((&status).into(), status.name));
            let pulled = slot.tally.ledger.accounts().into_iter().map(|(name, totals)| (totals, name));
            events.extend(handlers.chain(pulled).map(|(totals, name)| EventAccount::new(&slot.name, &name, totals)));
            let (mut cut, before) = {
                let inner = slot.inner();
                (inner.overran.cuts(), inner.behind.clone())
            };
            let leaving = leaving.into_iter().map(|value| Cut::behind(value, &before));
            Cut::add(&mut cut, still_there(&slot, &status).chain(leaving));
            let inner = slot.inner();
            let has_failed = match inner.state {
                State::Failed | State::Starting => true,
                State::Stopping => inner.started.is_none(), // else its reason may be that of a life that ran and failed
                _ => false,
            };
            daemons.push(DaemonStop {
                name: status.name,
                wave: slot.wave,
                requires: status.requires,
                started_ms: inner.started.map(millis),
                stopped_ms: inner.stopped.map(millis),
                state: inner.state,
                stop_ms: millis(inner.stop_took),
                reason: inner.reason.clone().filter(|_| has_failed),
                restarts: status.restarts,
                cut,
                problems: inner.problems.clone(),
                errors: status.errors,
                panics: status.panics,
            });
        }
        let (own, before) = (self.settings.under_way(), self.settings.behind());
        left.tasks += own.len() + self.farewell.under_way().len();
        ShutdownReport {
            name: self.name.clone(),
            exit_code,
            cause: cause.unwrap_or_else(|| "it is still running".to_owned()),
            uptime_ms: millis(self.since.elapsed()),
            stop_ms: since.map_or(0, |since| millis(since.elapsed())),
            daemons,
            handlers: self.farewell.stops(),
            problems: Vec::new(),
            cut: own.iter().map(|task| Cut::behind(task, &before)).collect(),
            blocked_threads: 0, // known to who watches over the workers
            left,
            events,
            unheard: self.unheard(),
            journal: if exit_code == 0 { Vec::new() } else { self.journal.transitions() },
        }
    }

    /// What was heard by nobody, and who heard nothing.
    pub(crate) fn event_audit(&self) -> EventAudit {
        let mut unfed = Vec::new();
        for slot in self.by_wave() {
            let silent = daemon_status(&slot).subscriptions.into_iter().filter(|of| of.offered == 0);
            unfed
                .extend(silent.map(|of| Unfed { subscription: format!("{}.{}", slot.name, of.name), topic: of.topic }));
        }
        let undeclared = self.bus.undeclared().into_iter();
        let undeclared = undeclared.map(|(publisher, Slip { topic, event })| Undeclared {
            publisher,
            topic: topic.to_owned(),
            event: event.to_owned(),
        });
        EventAudit { unheard: self.unheard(), unfed, undeclared: undeclared.collect() }
    }

    fn unheard(&self) -> Vec<Unheard> {
        let unheard = self.bus.unheard().into_iter();
        unheard.map(|(topic, publisher, events)| Unheard { topic, publisher, events }).collect()
    }

    /// What can be seen of the host now.
    pub(crate) fn host_status(&self) -> HostStatus {
        let blocks = |work: &BlockedWork| work.blocked >= self.blocked_after;
        HostStatus {
            name: self.name.clone(),
            pid: std::process::id(),
            state: self.state(),
            uptime: self.since.elapsed(),
            reloads: self.settings.changes(),
            daemons: self.daemon_statuses(),
            blocked: self.polled(None).into_iter().map(|polled| polled.work).filter(blocks).collect(),
        }
    }

    /// The daemons as they are now, with what each misses of what it wants.
    fn daemon_statuses(&self) -> Vec<DaemonStatus> {
        let slots = self.by_wave();
        let states: HashMap<&str, State> = slots.iter().map(|slot| (&*slot.name, slot.state())).collect();
        let status = |slot: &Arc<Slot>| {
            let mut status = daemon_status(slot);
            if status.state == State::Running {
                let missing = |wanted: &String| {
                    let state = states.get(wanted.as_str()).filter(|state| **state != State::Running)?;
                    Some(format!("wants `{wanted}`, which is {state}"))
                };
                status.degraded.extend(slot.wants.iter().filter_map(missing));
            }
            status
        };
        slots.iter().map(status).collect()
    }

    /// What threads poll right now; of one plane, or of all.
    pub(super) fn polled(&self, only: Option<Plane>) -> Vec<Polled> {
        let mut all = Vec::new();
        for slot in self.slots().into_iter().filter(|slot| only.is_none_or(|only| only == slot.plane)) {
            let life = slot.inner().life.clone().map(|life| (life.number, life.tasks.clone()));
            for (life, tasks) in slot.earlier().into_iter().chain(life) {
                for (number, task) in tasks.polled() {
                    let busy = if task.kind == TaskKind::Handlers { slot.busy_handlers() } else { Vec::new() };
                    all.push(polled(&slot.name, life, number, &task, &busy));
                }
            }
        }
        let leaving = self.leaving.polled(only);
        all.extend(leaving.iter().map(|(number, value)| polled(&value.name, 0, *number, value, &[])));
        let own = self.settings.polled();
        all.extend(own.iter().map(|(number, task)| polled(&self.name, u64::MAX, *number, task, &[])));
        all
    }
}

fn polled(daemon: &str, life: u64, number: u64, task: &TaskStatus, busy: &[SubscriptionStatus]) -> Polled {
    let work = BlockedWork {
        daemon: daemon.to_owned(),
        work: work(task, busy),
        kind: task.kind,
        spawned_at: task.spawned_at.clone(),
        blocked: task.idle.unwrap_or_default(),
    };
    Polled { poll: (life, number, task.polls), work }
}

/// A piece of work in words. `busy` are the event handlers at work.
fn work(task: &TaskStatus, busy: &[SubscriptionStatus]) -> String {
    match task.kind {
        TaskKind::Handlers => handlers(task, busy),
        TaskKind::Destructor => task.kind.to_string(),
        TaskKind::Load => task.name.clone(),
        kind if kind.to_string() == task.name => task.name.clone(),
        TaskKind::Cleanup => task.name.clone(),
        kind => format!("{kind} `{}`", task.name),
    }
}

fn daemon_status(slot: &Slot) -> DaemonStatus {
    let (state, reason, life, start_took, stop_took) = {
        let inner = slot.inner();
        let started = inner.started.map(|_| inner.start_took);
        let stopped = inner.stopped.map(|_| inner.stop_took);
        (inner.state, inner.reason.clone(), inner.life.clone(), started, stopped)
    };
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    DaemonStatus {
        name: slot.name.to_string(),
        state,
        plane: slot.plane,
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
        ended: slot.tally.ledger.ended().into_iter().map(|(topic, totals)| ended(topic, totals)).collect(),
        guards: life.as_ref().map_or(0, |life| life.guards()),
        intervals: life.as_ref().map(|life| life.timers.statuses()).unwrap_or_default(),
        tasks: {
            let life = life.as_ref().map(|life| life.tasks.clone());
            let earlier = slot.earlier().into_iter().map(|(_, tasks)| tasks);
            earlier.chain(life).flat_map(|tasks| tasks.statuses()).collect()
        },
        commands: slot.command_names().map(ToOwned::to_owned).collect(),
        errors: load(&slot.tally.errors),
        panics: load(&slot.tally.panics),
        counters: slot.tally.counters.statuses(),
        restarts: load(&slot.restarts),
        start_took,
        stop_took,
        degraded: slot.tally.degraded(),
    }
}

fn ended(topic: String, totals: Totals) -> EndedSubscriptions {
    let Totals { offered, handled, failed, dropped, abandoned } = totals;
    EndedSubscriptions { topic, offered, handled, failed, dropped, abandoned }
}

/// What keeps a life that is under way from ending: its work, or, where its stop could not even begin, what blocks.
fn still_there(slot: &Slot, status: &DaemonStatus) -> impl Iterator<Item = Cut> {
    let busy = slot.busy_handlers();
    let ends = matches!(status.state, State::Starting | State::Stopping);
    let runs = status.state == State::Running;
    let holds = move |task: &&TaskStatus| ends || (runs && task.polling);
    status.tasks.iter().filter(holds).map(move |task| Cut::new(task, false, &busy))
}

impl EventAccount {
    fn new(daemon: &str, subscription: &str, totals: Totals) -> Self {
        let Totals { offered, handled, failed, dropped, abandoned } = totals;
        Self { subscription: format!("{daemon}.{subscription}"), offered, handled, failed, dropped, abandoned }
    }
}

impl Cut {
    /// Adds what is not known yet: of work of one name that is still there, one line is enough.
    pub(crate) fn add(known: &mut Vec<Self>, more: impl Iterator<Item = Self>) {
        let still_there = known.iter().filter(|cut| !cut.gone);
        let mut still_there: HashSet<String> = still_there.map(|cut| cut.work.clone()).collect();
        known.extend(more.filter(|cut| match cut.gone {
            true => !still_there.contains(&cut.work),
            false => still_there.insert(cut.work.clone()),
        }));
    }

    /// Books a task that is `gone` by now, or is still there. `busy` are the event handlers at work.
    pub(crate) fn new(task: &TaskStatus, gone: bool, busy: &[SubscriptionStatus]) -> Self {
        Self {
            work: work(task, busy),
            spawned_at: task.spawned_at.clone(),
            polls: task.polls,
            idle_ms: task.idle.map(millis),
            waits_in: task.waits_in.clone(),
            blocking: !gone && task.polling,
            gone,
            behind: Vec::new(),
        }
    }

    /// A destructor that is still there; if it has not even begun, it came behind those of `before`.
    fn behind(value: &TaskStatus, before: &[String]) -> Self {
        let behind = if value.polls == 0 { before.to_vec() } else { Vec::new() };
        Self { behind, ..Self::new(value, false, &[]) }
    }
}

/// The handlers at work on one task: on the common one those that are not isolated, on any other those it is named after.
fn handlers(task: &TaskStatus, busy: &[SubscriptionStatus]) -> String {
    let is_common = task.name == task.kind.to_string();
    let named = |handler: &SubscriptionStatus| handler.name == task.name || handler.queue.as_ref() == Some(&task.name);
    let here =
        |handler: &&SubscriptionStatus| if is_common { !handler.isolated } else { handler.isolated && named(handler) };
    let names: Vec<_> = busy.iter().filter(here).map(|handler| format!("`{}`", handler.name)).collect();
    match names.is_empty() {
        true if is_common => task.name.clone(),
        true => format!("event handler `{}`", task.name),
        false => format!("event handler {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
