//! What can be wrong with any host and any process: the checks that a monitor has from the beginning. What they read is an edge, what
//! they make of it is pure.

use crate::{BoxError, HealthCheck, Verdict, async_trait, descriptors, millis};
use daemon_core::{CheckKind, CheckOptions, HostHandle, HostStatus, IntervalState, State, Transition};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// From where on the built-in checks of a [`HealthMonitor`](crate::HealthMonitor) complain.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// How often a daemon may have been started again in the last minute \[3\].
    pub restarts: usize,
    /// How many periods an interval may be silent for \[3\].
    pub silent_periods: u32,
    /// How full a queue may be, in percent \[90\].
    pub queue: u64,
    /// How much of a file system must be free, in percent \[5\].
    pub disk: u64,
    /// Which file system is looked at, by a path on it \[the working directory's\].
    pub disk_of: PathBuf,
    /// How many of the descriptors that the process may have it may have open, in percent \[90\].
    pub descriptors: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { restarts: 3, silent_periods: 3, queue: 90, disk: 5, disk_of: PathBuf::from("."), descriptors: 90 }
    }
}

/// How far back restarts count.
const LATELY: Duration = Duration::from_secs(60);

/// A built-in check: a name, and what it makes of a host.
pub(crate) struct BuiltIn {
    name: &'static str,
    options: CheckOptions,
    host: HostHandle,
    limits: Limits,
    look: fn(&HostHandle, &Limits) -> Verdict,
}

/// All of them.
pub(crate) fn all(host: &HostHandle, limits: &Limits) -> Vec<BuiltIn> {
    let soft = || CheckOptions::new(CheckKind::Readiness).soft().fails(1);
    let built_in = |name, options, look| BuiltIn { name, options, host: host.clone(), limits: limits.clone(), look };
    vec![
        // That it is asked on the workers, and answers, is what it is about.
        built_in("host.workers", CheckOptions::new(CheckKind::Liveness), |host, _| blocked(&host.status())),
        built_in("host.restarts", soft(), |host, limits| {
            restarts(&host.journal(), host.status().uptime, limits.restarts)
        }),
        built_in("host.ticks", soft(), |host, limits| ticks(&host.status(), limits.silent_periods)),
        built_in("host.queues", soft(), |host, limits| queues(&host.status(), limits.queue)),
        built_in("host.disk", soft(), |_, limits| disk(limits)),
        built_in("host.descriptors", soft(), |_, limits| descriptors(limits)),
    ]
}

#[async_trait]
impl HealthCheck for BuiltIn {
    fn name(&self) -> &str {
        self.name
    }

    fn options(&self) -> CheckOptions {
        self.options.clone()
    }

    async fn check(&self) -> Result<Verdict, BoxError> {
        Ok((self.look)(&self.host, &self.limits))
    }
}

/// Complains of all of these, or of nothing.
fn complaint(of: Vec<String>) -> Verdict {
    if of.is_empty() { Verdict::healthy() } else { Verdict::degraded(of.join("; ")) }
}

/// Work that blocks its thread.
fn blocked(status: &HostStatus) -> Verdict {
    let told = |work: &daemon_core::BlockedWork| {
        format!("{} of `{}` has blocked its thread for {:?}", work.work, work.daemon, work.blocked)
    };
    complaint(status.blocked.iter().map(told).collect())
}

/// Daemons that were started again too often of late.
fn restarts(journal: &[Transition], uptime: Duration, allowed: usize) -> Verdict {
    let since = millis::of(uptime.saturating_sub(LATELY));
    let mut starts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for transition in journal.iter().filter(|transition| transition.state == State::Starting) {
        let Some(daemon) = &transition.daemon else { continue };
        let (all, lately) = starts.entry(daemon).or_default();
        // The first is no restart.
        *lately += usize::from(*all > 0 && transition.at_ms >= since);
        *all += 1;
    }
    let many = starts.into_iter().filter(|(_, (_, lately))| *lately > allowed);
    complaint(
        many.map(|(daemon, (_, lately))| format!("`{daemon}` was started again {lately} times in a minute")).collect(),
    )
}

/// Intervals that have not ticked for several periods.
fn ticks(status: &HostStatus, periods: u32) -> Verdict {
    let mut silent = Vec::new();
    for daemon in status.daemons.iter().filter(|daemon| daemon.state == State::Running) {
        for interval in daemon.intervals.iter().filter(|interval| interval.state == IntervalState::Active) {
            let (Some(period), Some(last)) = (interval.period, interval.last_run) else { continue };
            if last > period.saturating_mul(periods).max(Duration::from_secs(1)) {
                let why = if interval.running > 0 { "its tick is still running" } else { "nothing runs it" };
                silent.push(format!("`{}.{}` last ticked {last:?} ago, and {why}", daemon.name, interval.name));
            }
        }
    }
    complaint(silent)
}

/// Queues that are nearly full.
fn queues(status: &HostStatus, percent: u64) -> Verdict {
    let mut full = Vec::new();
    for daemon in status.daemons.iter().filter(|daemon| daemon.state == State::Running) {
        for queue in &daemon.subscriptions {
            let capacity = u64::try_from(queue.capacity).unwrap_or(u64::MAX);
            // A queue of one is full whenever it is used.
            if capacity > 1 && is_above(queue.queued, capacity, percent) {
                full.push(format!("{} of {capacity} wait for `{}.{}`", queue.queued, daemon.name, queue.name));
            }
        }
    }
    complaint(full)
}

/// Whether a part is so many percent of the whole, or more.
fn is_above(part: u64, whole: u64, percent: u64) -> bool {
    u128::from(part) * 100 >= u128::from(whole) * u128::from(percent)
}

#[cfg(unix)]
fn disk(limits: &Limits) -> Verdict {
    match rustix::fs::statvfs(&limits.disk_of) {
        Ok(found) if found.f_blocks > 0 && !is_above(found.f_bavail, found.f_blocks, limits.disk) => {
            let percent = found.f_bavail.saturating_mul(100) / found.f_blocks;
            Verdict::degraded(format!("{percent} % of the file system of `{}` is free", limits.disk_of.display()))
        }
        Ok(_) => Verdict::healthy(),
        Err(error) => {
            Verdict::unknown(format!("cannot look at the file system of `{}`: {error}", limits.disk_of.display()))
        }
    }
}

#[cfg(not(unix))]
fn disk(_: &Limits) -> Verdict {
    Verdict::healthy()
}

fn descriptors(limits: &Limits) -> Verdict {
    match (descriptors::open(), descriptors::allowed()) {
        (Some(open), Some(allowed)) if is_above(open, allowed, limits.descriptors) => {
            Verdict::degraded(format!("{open} of {allowed} descriptors are open"))
        }
        _ => Verdict::healthy(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(at_ms: u64) -> Transition {
        serde_json::from_value(
            serde_json::json!({"at_ms": at_ms, "daemon": "data", "state": "starting", "cause": null}),
        )
        .unwrap()
    }

    #[test]
    fn restarts_count_for_a_minute_and_the_first_start_does_not() {
        let journal: Vec<_> = [0, 100_000, 110_000, 120_000].map(started).to_vec();
        let now = Duration::from_secs(130);
        assert_eq!(restarts(&journal, now, 3), Verdict::healthy());
        let complains = Verdict::degraded("`data` was started again 3 times in a minute");
        assert_eq!(restarts(&journal, now, 2), complains);
        assert_eq!(restarts(&journal, Duration::from_secs(165), 2), Verdict::healthy());
        assert_eq!(restarts(&journal[..1], Duration::from_secs(1), 0), Verdict::healthy());
    }

    /// A host with one daemon, of which something is so and so.
    fn status(of_daemon: serde_json::Value, blocked: serde_json::Value) -> HostStatus {
        let mut daemon = serde_json::json!({
            "name": "data", "state": "running", "plane": "workers", "wave": 1, "requires": [], "wants": [], "optional": false,
            "reason": null, "restarts": 0, "start_took_us": null, "stop_took_us": null, "degraded": [], "subscriptions": [], "ended": [],
            "guards": 0, "intervals": [], "tasks": [], "commands": [], "errors": 0, "panics": 0, "counters": [],
        });
        for (key, value) in of_daemon.as_object().unwrap() {
            daemon[key] = value.clone();
        }
        let host = serde_json::json!({
            "name": "t", "pid": 1, "state": "running", "uptime_ms": 9, "reloads": 0, "blocked": blocked, "daemons": [daemon],
        });
        serde_json::from_value(host).unwrap()
    }

    fn none() -> serde_json::Value {
        serde_json::json!({"max_ns": 0, "total_ns": 0, "buckets": []})
    }

    #[test]
    fn an_interval_may_be_silent_for_so_many_periods_and_a_second() {
        let ticked = |last_run_ms: u64, period_ms: u64, running: u32, state: &str| {
            let interval = serde_json::json!({
                "name": "sweep", "schedule": "-", "period_ms": period_ms, "state": state, "ticks": 3, "failed": 0, "skipped": 0,
                "running": running, "last_run_ms": last_run_ms, "next_run_ms": null, "last_duration_us": 15, "last_error": null,
                "lateness": none(), "times": none(),
            });
            ticks(&status(serde_json::json!({"intervals": [interval]}), serde_json::json!([])), 3)
        };
        assert_eq!(ticked(15_000, 5_000, 0, "active"), Verdict::healthy());
        assert_eq!(
            ticked(15_001, 5_000, 0, "active"),
            Verdict::degraded("`data.sweep` last ticked 15.001s ago, and nothing runs it")
        );
        assert_eq!(
            ticked(16_000, 5_000, 1, "active"),
            Verdict::degraded("`data.sweep` last ticked 16s ago, and its tick is still running")
        );
        assert_eq!(ticked(16_000, 5_000, 0, "paused"), Verdict::healthy());
        assert_eq!(ticked(999, 10, 0, "active"), Verdict::healthy(), "a short period is no reason to be nervous");
    }

    #[test]
    fn a_queue_that_is_nearly_full_is_named() {
        let waits = |queued: u64, capacity: u64, state: &str| {
            let queue = serde_json::json!({
                "name": "created", "topic": "a:b", "queue": null, "capacity": capacity, "overflow": "block", "concurrency": 1,
                "isolated": false, "offered": queued, "handled": 0, "failed": 0, "dropped": 0, "abandoned": 0, "queued": queued,
                "in_flight": 0, "high_water": queued, "times": none(),
            });
            queues(&status(serde_json::json!({"subscriptions": [queue], "state": state}), serde_json::json!([])), 90)
        };
        assert_eq!(waits(89, 100, "running"), Verdict::healthy());
        assert_eq!(waits(90, 100, "running"), Verdict::degraded("90 of 100 wait for `data.created`"));
        assert_eq!(waits(90, 100, "starting"), Verdict::healthy(), "it has a larger one while it starts");
        assert_eq!(waits(1, 1, "running"), Verdict::healthy(), "one of one is no queue");
    }

    #[test]
    fn what_blocks_its_thread_is_named() {
        let work = serde_json::json!({"daemon": "data", "work": "task `spin`", "kind": "task", "spawned_at": "x:1", "blocked_ms": 2000});
        let said = blocked(&status(serde_json::json!({}), serde_json::json!([work])));
        assert_eq!(said, Verdict::degraded("task `spin` of `data` has blocked its thread for 2s"));
        assert_eq!(blocked(&status(serde_json::json!({}), serde_json::json!([]))), Verdict::healthy());
    }

    #[test]
    fn shares_do_not_overflow() {
        assert!(is_above(u64::MAX, u64::MAX, 100));
        assert!(!is_above(89, 100, 90) && is_above(90, 100, 90));
    }

    #[test]
    fn a_file_system_that_is_not_there_is_not_known() {
        let limits = Limits { disk_of: PathBuf::from("/nowhere/at/all"), ..Limits::default() };
        if cfg!(unix) {
            assert_eq!(disk(&limits).status, crate::HealthStatus::Unknown);
            assert_eq!(disk(&Limits { disk: 101, ..Limits::default() }).status, crate::HealthStatus::Degraded);
        }
        assert_eq!(descriptors(&Limits { descriptors: 101, ..Limits::default() }), Verdict::healthy());
        if cfg!(target_os = "linux") && descriptors::allowed().is_some() {
            let said = descriptors(&Limits { descriptors: 0, ..Limits::default() });
            assert!(said.message.is_some_and(|said| said.ends_with(" descriptors are open")));
        }
    }
}
