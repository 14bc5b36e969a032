//! The status of a host as figures. Pure.

use std::collections::BTreeMap;

use daemon_core::{DaemonStatus, EndedSubscriptions, HostStatus, IntervalStatus, State, SubscriptionStatus, TaskKind};

use super::family::Families;
use super::names::Names;

const STATES: [State; 6] =
    [State::Stopped, State::Starting, State::Running, State::Stopping, State::Backoff, State::Failed];

/// All that a status tells.
pub(super) fn collect(status: &HostStatus, names: &mut Names, to: &mut Families) {
    let host = to.gauge("daemon_host_state", "1 for the state that the host is in, 0 for the others.");
    STATES.iter().for_each(|state| host.add(&[("state", state.as_str())], u64::from(*state == status.state)));
    to.gauge("daemon_host_uptime_seconds", "How long ago the host started.").add_real(&[], status.uptime.as_secs_f64());
    to.counter("daemon_host_reloads", "How often the configuration was reloaded.").add(&[], status.reloads);
    for daemon in &status.daemons {
        let name = names.told("daemon", "", &daemon.name);
        of_daemon(name, daemon, to);
        daemon.subscriptions.iter().for_each(|of| of_subscription(name, of, names, to));
        daemon.ended.iter().for_each(|of| of_ended(name, of, names, to));
        daemon.intervals.iter().for_each(|of| of_interval(name, of, names, to));
    }
    to.absorb(counted(&status.daemons, names));
    for work in &status.blocked {
        let labels = [("daemon", names.told("daemon", "", &work.daemon))];
        to.gauge("daemon_blocked_work", "Pieces of work that block their threads now.").add(&labels, 1);
    }
}

/// What daemons count themselves. Where a family of the framework has the name, that is shown.
fn counted(daemons: &[DaemonStatus], names: &mut Names) -> Families {
    let mut own = Families::default();
    for daemon in daemons {
        let name = names.told("daemon", "", &daemon.name);
        for counter in &daemon.counters {
            let labels = counter.labels.iter().map(|(label, value)| (label.as_str(), value.as_str()));
            let labels: Vec<_> = labels.chain([("daemon", name)]).collect();
            own.counter(&counter.name, &counter.help).add(&labels, counter.value);
        }
    }
    own
}

fn of_daemon(name: &str, daemon: &DaemonStatus, to: &mut Families) {
    let labels = [("daemon", name)];
    let states = to.gauge("daemon_state", "1 for the state that the daemon is in, 0 for the others.");
    for state in STATES {
        states.add(&[labels[0], ("state", state.as_str())], u64::from(state == daemon.state));
    }
    to.counter("daemon_restarts", "How often the daemon was started again.").add(&labels, daemon.restarts);
    to.counter("daemon_errors", "Errors returned by handlers, ticks and tasks.").add(&labels, daemon.errors);
    to.counter("daemon_panics", "Panics caught in handlers, ticks, tasks and hooks.").add(&labels, daemon.panics);
    to.gauge("daemon_degraded", "Handlers, intervals and wanted daemons that the daemon does without.")
        .add(&labels, daemon.degraded.len() as u64);
    if let Some(took) = daemon.start_took {
        to.gauge("daemon_last_start_duration_seconds", "How long the last start took.")
            .add_real(&labels, took.as_secs_f64());
    }
    if let Some(took) = daemon.stop_took {
        to.gauge("daemon_last_stop_duration_seconds", "How long the last stop took.")
            .add_real(&labels, took.as_secs_f64());
    }
    let mut tasks = BTreeMap::new();
    for task in &daemon.tasks {
        *tasks.entry(kind(task.kind)).or_insert(0) += 1;
    }
    let family = to.gauge("daemon_tasks", "Pieces of work under way, by what they are.");
    tasks.iter().for_each(|(kind, count)| family.add(&[labels[0], ("kind", kind)], *count));
}

/// A kind of work as a label.
fn kind(kind: TaskKind) -> String {
    kind.to_string().replace(' ', "_")
}

fn of_subscription(daemon: &str, of: &SubscriptionStatus, names: &mut Names, to: &mut Families) {
    let labels = [("daemon", daemon), ("subscription", names.told("subscription", daemon, &of.name))];
    account(&labels, of.offered, [of.handled, of.failed, of.dropped, of.abandoned], to);
    to.gauge("daemon_queue_depth", "Events that wait, those of waiting publishers and of the startup buffer included.")
        .add(&labels, of.queued);
    to.gauge("daemon_events_in_flight", "Events being handled now.").add(&labels, of.in_flight);
    to.gauge("daemon_queue_capacity", "How many events may wait; of a queue that is shared, for all who share it.")
        .raise(&labels, of.capacity as u64);
    to.gauge("daemon_queue_high_water", "The most events seen waiting at once; of a queue that is shared, for all.")
        .raise(&labels, of.high_water);
    if of.times.count() > 0 {
        to.histogram("daemon_event_duration_seconds", "How long calls of the handler took, of quick ones a sample.")
            .observe(&labels, &of.times);
    }
}

/// What has ended stays in the counters of its name.
fn of_ended(daemon: &str, of: &EndedSubscriptions, names: &mut Names, to: &mut Families) {
    let labels = [("daemon", daemon), ("subscription", names.told("subscription", daemon, &of.topic))];
    account(&labels, of.offered, [of.handled, of.failed, of.dropped, of.abandoned], to);
}

/// How many events there were, and how many of them were handled, failed, dropped and abandoned.
fn account(labels: &[(&str, &str); 2], offered: u64, outcomes: [u64; 4], to: &mut Families) {
    to.counter("daemon_events_offered", "Events published that the subscription should have got.").add(labels, offered);
    let family = to.counter("daemon_events", "Events by what became of them.");
    for (outcome, count) in ["handled", "failed", "dropped", "abandoned"].into_iter().zip(outcomes) {
        family.add(&[labels[0], labels[1], ("outcome", outcome)], count);
    }
}

fn of_interval(daemon: &str, of: &IntervalStatus, names: &mut Names, to: &mut Families) {
    let labels = [("daemon", daemon), ("interval", names.told("interval", daemon, &of.name))];
    to.counter("daemon_ticks", "Ticks that ended, whatever their outcome, in this life of the daemon.")
        .add(&labels, of.ticks);
    to.counter("daemon_ticks_failed", "Ticks that returned an error, panicked or timed out.").add(&labels, of.failed);
    to.counter("daemon_ticks_skipped", "Ticks that were due and did not come.").add(&labels, of.skipped);
    to.gauge("daemon_ticks_running", "Ticks under way.").add(&labels, of.running.into());
    if of.times.count() > 0 {
        to.histogram("daemon_tick_duration_seconds", "How long ticks took.").observe(&labels, &of.times);
    }
    if of.lateness.count() > 0 {
        to.histogram("daemon_tick_lateness_seconds", "How long after they were due ticks began.")
            .observe(&labels, &of.lateness);
    }
}
