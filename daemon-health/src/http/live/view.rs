//! What a page is told, as data. Pure. It is the page's own affair and changes with it; others read `/status.json`.
//!
//! Times are moments, in milliseconds after 1970, and not ages: what has not changed is then written as it was before.

use std::time::{Duration, SystemTime};

use daemon_core::{
    BlockedWork, DaemonStatus, HostStatus, IntervalStatus, State, SubscriptionStatus, TaskStatus, Transition,
};
use serde::Serialize;

use crate::http::verdict::Check;
use crate::{HealthReport, millis};

/// To how many milliseconds a moment is told that is measured from now.
const GRAIN: u64 = 100;

/// One part of what is told: its name, and what is sent for it.
pub(super) type Part = (String, String);

#[derive(Serialize)]
struct Host<'a> {
    name: &'a str,
    state: State,
    started_at: u64,
    reloads: u64,
    process: u32,
    daemons: Vec<&'a str>,
    blocked: Vec<Blocked<'a>>,
    has_logs: bool,
}

#[derive(Serialize)]
struct Blocked<'a> {
    daemon: &'a str,
    work: &'a str,
    since: u64,
}

#[derive(Serialize)]
struct Daemon<'a> {
    name: &'a str,
    state: State,
    plane: daemon_core::Plane,
    wave: u32,
    requires: &'a [String],
    wants: &'a [String],
    optional: bool,
    reason: Option<&'a str>,
    restarts: u64,
    degraded: &'a [String],
    errors: u64,
    panics: u64,
    commands: &'a [String],
    tasks: Vec<Task<'a>>,
    subscriptions: Vec<Subscription<'a>>,
    intervals: Vec<Interval<'a>>,
}

#[derive(Serialize)]
struct Task<'a> {
    name: &'a str,
    kind: String,
    waits_in: Option<&'a str>,
    since: u64,
}

#[derive(Serialize)]
struct Subscription<'a> {
    name: &'a str,
    topic: &'a str,
    queue: Option<&'a str>,
    capacity: usize,
    overflow: String,
    offered: u64,
    handled: u64,
    failed: u64,
    dropped: u64,
    abandoned: u64,
    queued: u64,
    in_flight: u64,
    high_water: u64,
    p50_us: Option<u64>,
    p99_us: Option<u64>,
}

#[derive(Serialize)]
struct Interval<'a> {
    name: &'a str,
    schedule: &'a str,
    state: daemon_core::IntervalState,
    ticks: u64,
    failed: u64,
    skipped: u64,
    running: u32,
    last_at: Option<u64>,
    next_at: Option<u64>,
    took_us: Option<u64>,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Probe {
    kind: Option<daemon_core::CheckKind>,
    failures: Vec<String>,
}

/// The parts of what is told of a host at one moment.
pub(super) fn parts(status: &HostStatus, has_logs: bool, now: SystemTime) -> Vec<Part> {
    let now = millis::after_1970(now);
    let host = Host {
        name: &status.name,
        state: status.state,
        started_at: moment(now, status.uptime),
        reloads: status.reloads,
        process: std::process::id(),
        daemons: status.daemons.iter().map(|daemon| &*daemon.name).collect(),
        blocked: status.blocked.iter().map(|work| blocked(work, now)).collect(),
        has_logs,
    };
    let mut parts = vec![part("host", &host)];
    parts.extend(status.daemons.iter().map(|one| part(&format!("daemon/{}", one.name), &daemon(one, now))));
    parts
}

/// What checks say, as a part.
pub(super) fn checks(checks: &[Check]) -> Part {
    part("checks", &checks)
}

/// What probes come to, as a part.
pub(super) fn probes(reports: &[HealthReport]) -> Part {
    let probe = |report: &HealthReport| Probe { kind: report.kind, failures: report.reasons() };
    part("probes", &reports.iter().map(probe).collect::<Vec<_>>())
}

/// The latest changes of state, as a part.
pub(super) fn journal(transitions: &[Transition]) -> Part {
    const LATEST: usize = 100;
    part("journal", &&transitions[transitions.len().saturating_sub(LATEST)..])
}

fn part(name: &str, value: &impl Serialize) -> Part {
    // What is told is plain data with text as keys, which can always be written.
    (name.to_owned(), serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
}

fn blocked(work: &BlockedWork, now: u64) -> Blocked<'_> {
    Blocked { daemon: &work.daemon, work: &work.work, since: moment(now, work.blocked) }
}

fn daemon(status: &DaemonStatus, now: u64) -> Daemon<'_> {
    Daemon {
        name: &status.name,
        state: status.state,
        plane: status.plane,
        wave: status.wave,
        requires: &status.requires,
        wants: &status.wants,
        optional: status.optional,
        reason: status.reason.as_deref(),
        restarts: status.restarts,
        degraded: &status.degraded,
        errors: status.errors,
        panics: status.panics,
        commands: &status.commands,
        tasks: status.tasks.iter().map(|task| self::task(task, now)).collect(),
        subscriptions: status.subscriptions.iter().map(subscription).collect(),
        intervals: status.intervals.iter().map(|interval| self::interval(interval, now)).collect(),
    }
}

fn task(status: &TaskStatus, now: u64) -> Task<'_> {
    let (kind, waits_in) = (status.kind.to_string(), status.waits_in.as_deref());
    Task { name: &status.name, kind, waits_in, since: moment(now, status.age) }
}

fn subscription(status: &SubscriptionStatus) -> Subscription<'_> {
    Subscription {
        name: &status.name,
        topic: &status.topic,
        queue: status.queue.as_deref(),
        capacity: status.capacity,
        overflow: status.overflow.to_string(),
        offered: status.offered,
        handled: status.handled,
        failed: status.failed,
        dropped: status.dropped,
        abandoned: status.abandoned,
        queued: status.queued,
        in_flight: status.in_flight,
        high_water: status.high_water,
        p50_us: status.times.quantile(0.5).map(micros),
        p99_us: status.times.quantile(0.99).map(micros),
    }
}

fn interval(status: &IntervalStatus, now: u64) -> Interval<'_> {
    Interval {
        name: &status.name,
        schedule: &status.schedule,
        state: status.state,
        ticks: status.ticks,
        failed: status.failed,
        skipped: status.skipped,
        running: status.running,
        last_at: status.last_run.map(|ago| moment(now, ago)),
        next_at: status.next_run.map(|ahead| grain(now.saturating_add(millis::of(ahead)))),
        took_us: status.last_duration.map(micros),
        error: status.last_error.as_deref(),
    }
}

/// When that was which is so long ago.
fn moment(now: u64, ago: Duration) -> u64 {
    grain(now.saturating_sub(millis::of(ago)))
}

/// To the nearest step: two readings of one moment differ by less, and are nearly always told alike.
fn grain(at: u64) -> u64 {
    (at.saturating_add(GRAIN / 2)) / GRAIN * GRAIN
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_alike_whenever_it_is_read() {
        let told = |now: u64, ago: u64| moment(now, Duration::from_millis(ago));
        assert_eq!(told(1_000_042, 42), 1_000_000);
        assert_eq!(told(1_000_942, 942), told(1_000_000, 0));
        assert_eq!(told(1_000_943, 942), told(1_000_000, 0), "a millisecond in between");
        assert_eq!(told(5, 10), 0);
    }
}
