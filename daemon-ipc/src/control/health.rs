//! How a host is, in three words. What comes out is a pure function of its status and of what its checks said.

use daemon_core::{CheckReport, DaemonStatus, HostStatus, State};
use serde::{Deserialize, Serialize};

use super::CheckKind;

/// How something is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Healthy,
    /// It does its work, but not all of it, or not well.
    Degraded,
    /// It does not do its work.
    Unhealthy,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// How a host is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The host's name.
    pub name: String,
    /// That of its worst daemon; a daemon that the host can do without makes it degraded at most.
    pub verdict: Verdict,
    /// The host's state.
    pub state: State,
    /// Its daemons.
    pub daemons: Vec<DaemonHealth>,
}

/// How a daemon is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonHealth {
    /// Its name.
    pub name: String,
    /// How it is: unhealthy if it does not run or a check failed, degraded if it runs without something or a soft check failed.
    pub verdict: Verdict,
    /// Its state.
    pub state: State,
    /// Whether the host goes on without it.
    pub optional: bool,
    /// Why it is not healthy.
    pub why: Vec<String>,
    /// What its checks found; none are run while it does not run.
    pub checks: Vec<CheckHealth>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckHealth {
    /// The check's name.
    pub name: String,
    /// What it speaks of.
    pub kind: CheckKind,
    /// Whether a failure only degrades.
    pub soft: bool,
    /// Why it failed; `None` if it passed.
    pub failure: Option<String>,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

impl Health {
    /// How the host is, by its status and what its checks said.
    #[must_use]
    pub fn of(status: &HostStatus, checks: &[CheckReport]) -> Self {
        let daemons: Vec<_> = status.daemons.iter().map(|daemon| DaemonHealth::of(daemon, status, checks)).collect();
        let weight = |daemon: &DaemonHealth| match daemon.optional {
            true => daemon.verdict.min(Verdict::Degraded),
            false => daemon.verdict,
        };
        let worst = daemons.iter().map(weight).max().unwrap_or(Verdict::Healthy);
        let own = if status.state == State::Running { Verdict::Healthy } else { Verdict::Unhealthy };
        Self { name: status.name.clone(), verdict: worst.max(own), state: status.state, daemons }
    }
}

impl DaemonHealth {
    fn of(daemon: &DaemonStatus, status: &HostStatus, checks: &[CheckReport]) -> Self {
        let checks: Vec<_> = checks.iter().filter(|check| check.daemon == daemon.name).map(CheckHealth::of).collect();
        let mut why = Vec::new();
        if daemon.state != State::Running {
            let reason = daemon.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            why.push(format!("{}{reason}", daemon.state));
        }
        let failures = |soft: bool| {
            let failed = checks.iter().filter(move |check| check.soft == soft);
            failed.filter_map(|check| Some(format!("{}: {}", check.name, check.failure.as_ref()?)))
        };
        why.extend(failures(false));
        let is_unhealthy = !why.is_empty();
        why.extend(failures(true));
        why.extend(daemon.degraded.iter().cloned());
        let blocks = status.blocked.iter().filter(|work| work.daemon == daemon.name);
        why.extend(blocks.map(|work| format!("{} has blocked a thread for {:.1?}", work.work, work.blocked)));
        let verdict = match (is_unhealthy, why.is_empty()) {
            (true, _) => Verdict::Unhealthy,
            (false, false) => Verdict::Degraded,
            (false, true) => Verdict::Healthy,
        };
        Self { name: daemon.name.clone(), verdict, state: daemon.state, optional: daemon.optional, why, checks }
    }
}

impl CheckHealth {
    fn of(check: &CheckReport) -> Self {
        Self {
            name: check.name.clone(),
            kind: check.kind,
            soft: check.soft,
            failure: check.failure.clone(),
            took_us: u64::try_from(check.duration.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn daemon(name: &str, state: &str, optional: bool, degraded: &[&str]) -> Value {
        json!({
            "name": name, "state": state, "plane": "workers", "wave": 1, "requires": [], "wants": [], "optional": optional,
            "reason": if state == "failed" { Some("the disk is full") } else { None }, "restarts": 0, "start_took_us": null, "stop_took_us": null,
            "degraded": degraded, "ended": [],
            "subscriptions": [], "guards": 0, "intervals": [], "tasks": [], "commands": [], "errors": 0, "panics": 0,
        })
    }

    fn health(state: &str, daemons: Vec<Value>, checks: Value) -> Health {
        let status = json!({
            "name": "app", "pid": 1, "state": state, "uptime_ms": 1, "reloads": 0, "daemons": daemons,
            "blocked": [{"daemon": "busy", "work": "task `spin`", "kind": "task", "spawned_at": "x:1", "blocked_ms": 2_000}],
        });
        let checks: Vec<CheckReport> = serde_json::from_value(checks).unwrap();
        Health::of(&serde_json::from_value(status).unwrap(), &checks)
    }

    #[test]
    fn a_host_is_as_its_worst_daemon_is() {
        let well = || daemon("well", "running", false, &[]);
        assert_eq!(health("running", vec![well()], json!([])).verdict, Verdict::Healthy);
        assert_eq!(health("starting", vec![well()], json!([])).verdict, Verdict::Unhealthy);
        let degraded = health("running", vec![well(), daemon("lame", "running", false, &["wants `x`"])], json!([]));
        assert_eq!((degraded.verdict, &*degraded.daemons[1].why[0]), (Verdict::Degraded, "wants `x`"));
        let failed = health("running", vec![daemon("dead", "failed", false, &[]), well()], json!([]));
        assert_eq!((failed.verdict, &*failed.daemons[0].why[0]), (Verdict::Unhealthy, "failed: the disk is full"));
    }

    #[test]
    fn what_the_host_can_do_without_makes_it_degraded_at_most() {
        let health = health("running", vec![daemon("extra", "failed", true, &[])], json!([]));
        assert_eq!((health.verdict, health.daemons[0].verdict), (Verdict::Degraded, Verdict::Unhealthy));
    }

    #[test]
    fn failed_checks_and_a_blocked_thread_count() {
        let check = json!([
            {"daemon": "well", "life": 1, "name": "disk", "kind": "readiness", "soft": false, "failure": null, "duration_us": 5},
            {"daemon": "well", "life": 1, "name": "peer", "kind": "liveness", "soft": false, "failure": "no answer", "duration_us": 7},
            {"daemon": "idle", "life": 1, "name": "cache", "kind": "readiness", "soft": true, "failure": "cold", "duration_us": 1},
        ]);
        let health =
            health("running", ["well", "busy", "idle"].map(|name| daemon(name, "running", false, &[])).to_vec(), check);
        let told: Vec<_> = health.daemons.iter().map(|daemon| (daemon.verdict, &*daemon.why[0])).collect();
        assert_eq!(
            told,
            [
                (Verdict::Unhealthy, "peer: no answer"),
                (Verdict::Degraded, "task `spin` has blocked a thread for 2.0s"),
                (Verdict::Degraded, "cache: cold")
            ]
        );
        assert_eq!(health.daemons[0].checks[0].took_us, 5);
    }
}
