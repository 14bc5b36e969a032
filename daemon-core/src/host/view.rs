//! What others see of the board: statuses and reports, made from it on the spot.

use std::sync::atomic::{AtomicU64, Ordering};

use super::board::Board;
use super::report::{Cut, DaemonStart, DaemonStop, EventAccount, Left, ShutdownReport, StartReport, millis};
use super::slot::{Busy, Slot};
use crate::status::{DaemonStatus, HostStatus, State, TaskKind, TaskStatus};

impl Board {
    pub(crate) fn start_report(&self, started: bool) -> StartReport {
        let took = self.start_took().unwrap_or_else(|| self.since.elapsed());
        let daemon = |slot: &std::sync::Arc<Slot>| {
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
        StartReport { name: self.name.clone(), started, took_ms: millis(took), daemons, notes: self.notes.clone() }
    }

    /// The report as things are now; complete once the host has stopped, truthful before.
    pub(crate) fn shutdown_report(&self, exit_code: u8) -> ShutdownReport {
        let (cause, since) = self.ending();
        let leaving = self.leaving();
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
            events.extend(status.subscriptions.iter().map(|account| EventAccount {
                subscription: format!("{}.{}", slot.name, account.name),
                offered: account.offered,
                handled: account.handled,
                failed: account.failed,
                dropped: account.dropped,
                abandoned: account.abandoned + account.queued + account.in_flight,
            }));
            let mut cut = slot.inner().cut.clone();
            for cut_now in still_there(&slot, &status)
                .chain(leaving.into_iter().map(|value| Cut::new(value, false, &Busy::default())))
            {
                if !cut.iter().any(|cut| cut.work == cut_now.work && !cut.gone) {
                    cut.push(cut_now);
                }
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
                reason: inner.reason.clone().filter(|_| inner.state == State::Failed),
                restarts: status.restarts,
                cut,
                problems: inner.problems.clone(),
                errors: status.errors,
                panics: status.panics,
            });
        }
        ShutdownReport {
            name: self.name.clone(),
            exit_code,
            cause: cause.unwrap_or_else(|| "it is still running".to_owned()),
            uptime_ms: millis(self.since.elapsed()),
            stop_ms: since.map_or(0, |since| millis(since.elapsed())),
            daemons,
            left,
            events,
            journal: if exit_code == 0 { Vec::new() } else { self.journal.transitions() },
        }
    }

    /// What can be seen of the host now.
    pub(crate) fn host_status(&self) -> HostStatus {
        HostStatus {
            name: self.name.clone(),
            state: self.state(),
            uptime: self.since.elapsed(),
            daemons: self.by_wave().iter().map(|slot| daemon_status(slot)).collect(),
        }
    }
}

fn daemon_status(slot: &Slot) -> DaemonStatus {
    let (state, reason, life) = {
        let inner = slot.inner();
        (inner.state, inner.reason.clone(), inner.life.clone())
    };
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
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
        intervals: life.as_ref().map(|life| life.timers.statuses()).unwrap_or_default(),
        tasks: life.as_ref().map(|life| life.tasks.statuses()).unwrap_or_default(),
        commands: slot.commands.iter().map(ToString::to_string).collect(),
        errors: load(&slot.tally.errors),
        panics: load(&slot.tally.panics),
        restarts: load(&slot.restarts),
        degraded: slot.tally.degraded(),
    }
}

/// What keeps a life that is under way from ending: its work, or, where its stop could not even begin, what blocks.
fn still_there(slot: &Slot, status: &DaemonStatus) -> impl Iterator<Item = Cut> {
    let busy = slot.busy();
    let ends = matches!(status.state, State::Starting | State::Stopping);
    let runs = status.state == State::Running;
    let holds = move |task: &&TaskStatus| ends || (runs && task.polling);
    status.tasks.iter().filter(holds).map(move |task| Cut::new(task, false, &busy))
}

impl Cut {
    /// Books a task that is `gone` by now, or is still there.
    pub(crate) fn new(task: &TaskStatus, gone: bool, busy: &Busy) -> Self {
        let work = match (task.kind, &busy.interval) {
            (TaskKind::Handlers, _) if !busy.handlers.is_empty() => {
                format!("event handler `{}`", busy.handlers.join("`, `"))
            }
            (TaskKind::Schedule, Some(interval)) => format!("{} `{interval}`", TaskKind::Interval),
            _ => work(task),
        };
        Self {
            work,
            spawned_at: task.spawned_at.clone(),
            polls: task.polls,
            idle_ms: task.idle.map(millis),
            waits_in: task.waits_in.clone(),
            blocking: !gone && task.polling,
            gone,
        }
    }
}

/// A piece of work, by its kind and name.
fn work(task: &TaskStatus) -> String {
    match task.kind {
        TaskKind::Destructor => task.kind.to_string(),
        kind if kind.to_string() == task.name => task.name.clone(),
        TaskKind::Cleanup => task.name.clone(),
        kind => format!("{kind} `{}`", task.name),
    }
}
