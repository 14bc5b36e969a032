//! How a host is, in a word. What comes out is a pure function of its status, its readiness, and what its checks said or what whoever
//! speaks for its health says.

use std::collections::BTreeMap;

use daemon_core::{CheckReport, DaemonStatus, DeclaredCheck, HostReadiness, HostStatus, State};
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
    /// Nobody knows: a check was not asked yet, or its daemon does not run.
    Unknown,
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
            Self::Unknown => "unknown",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Whether it does its work, well or less well.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

/// How a host is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The host's name.
    pub name: String,
    /// What the health monitor and the HTTP endpoint say at the same moment. In a host without either, that of its worst daemon; a daemon
    /// that the host can do without makes it degraded at most.
    pub verdict: Verdict,
    /// The host's state.
    pub state: State,
    /// Why the host itself is not healthy: its daemons aside, it may be about to shut down.
    #[serde(default)]
    pub why: Vec<String>,
    /// What checks of no daemon found.
    #[serde(default)]
    pub checks: Vec<CheckHealth>,
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
    /// What it comes to.
    pub verdict: Verdict,
    /// Why it is not healthy; `None` if it is.
    pub failure: Option<String>,
    /// How long its last answer took, in microseconds.
    pub took_us: u64,
}

/// As much of the report of whoever speaks for a host's health as is told here.
#[derive(Deserialize)]
pub(super) struct Spoken {
    status: Verdict,
    checks: BTreeMap<String, SpokenCheck>,
}

#[derive(Deserialize)]
struct SpokenCheck {
    status: Verdict,
    kind: CheckKind,
    #[serde(default)]
    daemon: Option<String>,
    #[serde(default)]
    message: Option<String>,
    duration_ms: u64,
}

/// The check under which whoever speaks for a host's health tells of the host itself.
const HOST: &str = "host";

impl Health {
    /// How the host is, by its status and what its checks said just now.
    pub(super) fn of(status: &HostStatus, readiness: &HostReadiness, checks: &[CheckReport]) -> Self {
        let of = |daemon: &DaemonStatus| {
            checks.iter().filter(|check| check.daemon == daemon.name).map(CheckHealth::of).collect()
        };
        let daemons: Vec<_> =
            status.daemons.iter().map(|daemon| DaemonHealth::of(daemon, status, of(daemon))).collect();
        let weight = |daemon: &DaemonHealth| match daemon.optional {
            true => daemon.verdict.min(Verdict::Degraded),
            false => daemon.verdict,
        };
        let worst = daemons.iter().map(weight).max().unwrap_or(Verdict::Healthy);
        let why: Vec<_> = not_ready(readiness).into_iter().collect();
        let own = if why.is_empty() { Verdict::Healthy } else { Verdict::Unhealthy };
        let (name, state) = (status.name.clone(), status.state);
        Self { name, verdict: worst.max(own), state, why, checks: Vec::new(), daemons }
    }

    /// How the host is, as whoever speaks for its health says.
    pub(super) fn spoken(status: &HostStatus, spoken: Spoken, declared: &[DeclaredCheck]) -> Self {
        let Spoken { status: verdict, mut checks } = spoken;
        let why = checks.remove(HOST).and_then(|host| host.message).into_iter().collect();
        let mut of: BTreeMap<String, Vec<CheckHealth>> = BTreeMap::new();
        let mut others = Vec::new();
        for (name, check) in checks {
            let daemon = check.daemon.clone();
            let found = daemon.as_deref().and_then(|daemon| {
                declared.iter().find(|known| {
                    known.daemon == daemon && name.strip_prefix(daemon) == Some(&format!(".{}", known.name))
                })
            });
            let soft = found.is_some_and(|found| found.options.soft);
            let name = found.map_or(name, |found| found.name.clone());
            match daemon {
                Some(daemon) => of.entry(daemon).or_default().push(CheckHealth::spoken(name, soft, check)),
                None => others.push(CheckHealth::spoken(name, soft, check)),
            }
        }
        let daemons = status.daemons.iter();
        let daemons =
            daemons.map(|daemon| DaemonHealth::of(daemon, status, of.remove(&daemon.name).unwrap_or_default()));
        let (name, state) = (status.name.clone(), status.state);
        Self { name, verdict, state, why, checks: others, daemons: daemons.collect() }
    }
}

/// Why a host is not ready.
fn not_ready(readiness: &HostReadiness) -> Option<String> {
    match readiness {
        HostReadiness { stopping: true, .. } => Some("the host is shutting down".to_owned()),
        HostReadiness { started: false, .. } => Some("the host is starting".to_owned()),
        HostReadiness { ready: false, down, .. } => Some(format!("not running: {}", down.join(", "))),
        _ => None,
    }
}

impl DaemonHealth {
    fn of(daemon: &DaemonStatus, status: &HostStatus, checks: Vec<CheckHealth>) -> Self {
        let mut why = Vec::new();
        let mut verdict = Verdict::Healthy;
        if daemon.state != State::Running {
            let reason = daemon.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            why.push(format!("{}{reason}", daemon.state));
            verdict = Verdict::Unhealthy;
        }
        let mut failed: Vec<_> = checks.iter().filter(|check| check.verdict != Verdict::Healthy).collect();
        failed.sort_by_key(|check| std::cmp::Reverse(check.verdict));
        for check in failed {
            why.push(format!("{}: {}", check.name, check.failure.as_deref().unwrap_or(check.verdict.as_str())));
            verdict = verdict.max(check.verdict);
        }
        let before = why.len();
        why.extend(daemon.degraded.iter().cloned());
        let blocks = status.blocked.iter().filter(|work| work.daemon == daemon.name);
        why.extend(blocks.map(|work| format!("{} has blocked a thread for {:.1?}", work.work, work.blocked)));
        if why.len() > before {
            verdict = verdict.max(Verdict::Degraded);
        }
        Self { name: daemon.name.clone(), verdict, state: daemon.state, optional: daemon.optional, why, checks }
    }
}

impl CheckHealth {
    fn of(check: &CheckReport) -> Self {
        let verdict = match (&check.failure, check.soft) {
            (None, _) => Verdict::Healthy,
            (Some(_), true) => Verdict::Degraded,
            (Some(_), false) => Verdict::Unhealthy,
        };
        Self {
            name: check.name.clone(),
            kind: check.kind,
            soft: check.soft,
            verdict,
            failure: check.failure.clone(),
            took_us: u64::try_from(check.duration.as_micros()).unwrap_or(u64::MAX),
        }
    }

    fn spoken(name: String, soft: bool, check: SpokenCheck) -> Self {
        let SpokenCheck { status: verdict, kind, message, duration_ms, .. } = check;
        let failure = message.filter(|_| verdict != Verdict::Healthy);
        Self { name, kind, soft, verdict, failure, took_us: duration_ms.saturating_mul(1000) }
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
        let readiness = json!({"ready": state == "running", "started": state != "starting", "stopping": state == "stopping", "down": []});
        Health::of(&serde_json::from_value(status).unwrap(), &serde_json::from_value(readiness).unwrap(), &checks)
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
