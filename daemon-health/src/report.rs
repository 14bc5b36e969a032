//! What is told. Owns the shape of a report and how it is written; no clock.
//!
//! The JSON holds the keys of `@outfitter/daemon` 0.2 (`healthy`, `checks` by name with `healthy` and `message`, `uptime` in
//! whole seconds) and adds more, so that whoever reads the former reads this.

use crate::{Checks, HealthStatus, millis};
use daemon_core::CheckKind;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// The answers of checks, or what they come to, and the verdict on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenReport", into = "WrittenReport")]
#[non_exhaustive]
pub struct HealthReport {
    /// The worst status of all checks.
    pub status: HealthStatus,
    /// The kind of check that was asked for; `None`: all.
    pub kind: Option<CheckKind>,
    /// Each check by name.
    pub checks: Checks,
    /// How long the checker has existed.
    pub uptime: Duration,
}

/// One check in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenCheck", into = "WrittenCheck")]
#[non_exhaustive]
pub struct CheckReport {
    /// Its status.
    pub status: HealthStatus,
    /// What it speaks of.
    pub kind: CheckKind,
    /// The daemon it speaks of; `None` if it is no daemon's, or that of the host itself.
    pub daemon: Option<Arc<str>>,
    /// The group it belongs to.
    pub group: Option<Arc<str>>,
    /// Why, in words: what its last answer said.
    pub message: Option<Arc<str>>,
    /// How long it took until the last answer was there, what ran on the same thread meanwhile included; nothing if it was never asked.
    pub duration: Duration,
    /// How long ago it answered; `None` if it was never asked.
    pub age: Option<Duration>,
    /// How many of the last answers were failures in a row.
    pub failures: u32,
}

impl HealthReport {
    pub(crate) fn new(kind: Option<CheckKind>, checks: Checks, uptime: Duration) -> Self {
        Self { status: HealthStatus::of_all(checks.values().map(|check| check.status)), kind, checks, uptime }
    }

    /// Adds a check, and what it does to the verdict.
    pub(crate) fn add(&mut self, name: &str, check: CheckReport) {
        self.checks.insert(name, check);
        self.status = HealthStatus::of_all(self.checks.values().map(|check| check.status));
    }

    /// Whether all is well, and nothing less.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.status.is_healthy()
    }

    /// Whether it says yes to what was asked: alive unless it is unhealthy, ready and started if it works, well or less well. Of all
    /// kinds together it says yes as for readiness.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        self.status.passes(self.kind)
    }

    /// The checks that keep it from saying yes, with why; in words, one each.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let failing = self.checks.iter().filter(|(_, check)| !check.status.passes(self.kind));
        failing
            .map(|(name, check)| format!("{name}: {}", check.message.as_deref().unwrap_or(check.status.as_str())))
            .collect()
    }
}

impl CheckReport {
    /// Whether it is well, and nothing less.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.status.is_healthy()
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenReport {
    healthy: bool,
    status: HealthStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<CheckKind>,
    checks: Checks,
    uptime: u64,
}

#[derive(Serialize, Deserialize)]
struct WrittenCheck {
    healthy: bool,
    status: HealthStatus,
    kind: CheckKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    daemon: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Box<str>>,
    duration_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over by reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl From<HealthReport> for WrittenReport {
    fn from(report: HealthReport) -> Self {
        let HealthReport { status, kind, checks, uptime } = report;
        Self { healthy: status.is_healthy(), status, kind, checks, uptime: uptime.as_secs() }
    }
}

impl From<WrittenReport> for HealthReport {
    fn from(written: WrittenReport) -> Self {
        let WrittenReport { status, kind, checks, uptime, .. } = written;
        Self { status, kind, checks, uptime: Duration::from_secs(uptime) }
    }
}

impl From<CheckReport> for WrittenCheck {
    fn from(report: CheckReport) -> Self {
        let CheckReport { status, kind, daemon, group, message, duration, age, failures } = report;
        let (healthy, duration_ms, age_ms) = (status.is_healthy(), millis::of(duration), age.map(millis::of));
        let [daemon, group, message] = [daemon, group, message].map(|text| text.as_deref().map(Box::from));
        Self { healthy, status, kind, daemon, group, message, duration_ms, age_ms, failures }
    }
}

impl From<WrittenCheck> for CheckReport {
    fn from(written: WrittenCheck) -> Self {
        let WrittenCheck { status, kind, daemon, group, message, duration_ms, age_ms, failures, .. } = written;
        let (duration, age) = (Duration::from_millis(duration_ms), age_ms.map(Duration::from_millis));
        let [daemon, group, message] = [daemon, group, message].map(|text| text.map(Arc::from));
        Self { status, kind, daemon, group, message, duration, age, failures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_written_with_the_keys_peers_know_and_more_and_read_back() {
        let check = |status, kind| CheckReport {
            status,
            kind,
            daemon: None,
            group: None,
            message: None,
            duration: Duration::ZERO,
            age: None,
            failures: 0,
        };
        let cache = CheckReport {
            message: Some("connection refused".into()),
            daemon: Some("store".into()),
            group: Some("stores".into()),
            duration: Duration::from_millis(3),
            age: Some(Duration::from_millis(40)),
            failures: 3,
            ..check(HealthStatus::Unhealthy, CheckKind::Readiness)
        };
        let checks = [("cache", cache), ("__proto__", check(HealthStatus::Unknown, CheckKind::Liveness))];
        let checks = checks.into_iter().collect();
        let report = HealthReport::new(None, checks, Duration::from_secs(2));
        let written = serde_json::to_value(&report).unwrap();
        assert_eq!(
            written,
            json!({
                "healthy": false,
                "status": "unhealthy",
                "checks": {
                    "cache": {
                        "healthy": false, "status": "unhealthy", "kind": "readiness", "daemon": "store", "group": "stores",
                        "message": "connection refused", "duration_ms": 3, "age_ms": 40, "failures": 3
                    },
                    "__proto__": { "healthy": false, "status": "unknown", "kind": "liveness", "duration_ms": 0 }
                },
                "uptime": 2
            })
        );
        assert_eq!(serde_json::from_value::<HealthReport>(written).unwrap(), report);
        assert_eq!(report.reasons(), ["__proto__: unknown", "cache: connection refused"]);
    }

    #[test]
    fn what_passes_depends_on_what_was_asked() {
        use HealthStatus::{Degraded, Healthy, Unhealthy, Unknown};
        let passing = |kind| [Healthy, Degraded, Unknown, Unhealthy].map(|status| status.passes(kind));
        assert_eq!(passing(Some(CheckKind::Liveness)), [true, true, true, false]);
        for kind in [Some(CheckKind::Readiness), Some(CheckKind::Startup), None] {
            assert_eq!(passing(kind), [true, true, false, false]);
        }
    }
}
