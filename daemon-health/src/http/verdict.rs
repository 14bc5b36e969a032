//! What the host says of its health: the one place where this endpoint asks for it.
//!
//! Answers of checks are shared: however many ask at once, each check is asked once.

use std::sync::Arc;
use std::time::Duration;

use daemon_core::{CheckKind, CheckReport, HostHandle, HostStatus, State};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{HealthReport, HealthStatus};

/// How old an answer may be that is given to the next who asks.
const FRESH: Duration = Duration::from_secs(1);

/// One thing that a probe looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) name: String,
    /// Why it fails; `None` if it does not.
    pub(super) failure: Option<String>,
}

/// What one check says, as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub(super) daemon: String,
    pub(super) name: String,
    pub(super) kind: CheckKind,
    pub(super) status: HealthStatus,
    pub(super) message: Option<String>,
    pub(super) took_us: Option<u64>,
}

type Answers = (Instant, Arc<Vec<CheckReport>>);

/// Asks the host.
pub(super) struct Verdicts {
    host: HostHandle,
    last: Mutex<Option<Answers>>,
}

impl Verdicts {
    pub(super) fn new(host: HostHandle) -> Self {
        Self { host, last: Mutex::default() }
    }

    /// What a probe of one kind looks at.
    pub(super) async fn probe(&self, kind: CheckKind) -> Vec<Finding> {
        let mut findings = vec![self.lifecycle(kind)];
        let reports = self.reports().await;
        findings.extend(reports.iter().filter(|report| report.kind == kind).map(|report| Finding {
            name: format!("{}.{}", report.daemon, report.name),
            failure: report.failure.clone(),
        }));
        findings
    }

    /// What each probe looks at.
    pub(super) async fn probes(&self) -> Vec<(&'static str, Vec<Finding>)> {
        let mut probes = Vec::new();
        for (name, kind) in
            [("livez", CheckKind::Liveness), ("readyz", CheckKind::Readiness), ("startupz", CheckKind::Startup)]
        {
            probes.push((name, self.probe(kind).await));
        }
        probes
    }

    /// What each check says.
    pub(super) async fn checks(&self) -> Vec<Check> {
        let check = |report: &CheckReport| Check {
            daemon: report.daemon.clone(),
            name: report.name.clone(),
            kind: report.kind,
            status: status(report),
            message: report.failure.clone(),
            took_us: u64::try_from(report.duration.as_micros()).ok(),
        };
        self.reports().await.iter().map(check).collect()
    }

    fn lifecycle(&self, kind: CheckKind) -> Finding {
        let (name, failure) = match kind {
            CheckKind::Readiness => ("daemons", unready(&self.host.status())),
            CheckKind::Startup => ("start", unready(&self.host.status())),
            _ => ("ping", None),
        };
        Finding { name: name.to_owned(), failure }
    }

    /// What all checks say, or those of a group; `None` if there is no such group.
    pub(super) async fn health(&self, group: Option<&str>) -> Option<HealthReport> {
        if group.is_some() {
            return None;
        }
        let checks = self.reports().await.iter().map(told).collect();
        Some(HealthReport::new(checks, self.host.status().uptime))
    }

    /// What all checks say, at most so old.
    pub(super) async fn reports(&self) -> Arc<Vec<CheckReport>> {
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, reports)) if at.elapsed() < FRESH => Arc::clone(reports),
            _ => {
                let reports = Arc::new(self.host.run_checks().await);
                *last = Some((Instant::now(), Arc::clone(&reports)));
                reports
            }
        }
    }
}

fn told(report: &CheckReport) -> (String, crate::CheckReport) {
    let told = crate::CheckReport {
        status: status(report),
        message: report.failure.clone(),
        duration: report.duration,
        age: None,
    };
    (format!("{}.{}", report.daemon, report.name), told)
}

fn status(report: &CheckReport) -> HealthStatus {
    if report.failure.is_some() { HealthStatus::Unhealthy } else { HealthStatus::Healthy }
}

/// Why the host is not ready.
fn unready(status: &HostStatus) -> Option<String> {
    let down: Vec<_> =
        status.daemons.iter().filter(|daemon| !daemon.optional && daemon.state != State::Running).collect();
    match (status.state, &*down) {
        (State::Running, []) => None,
        (State::Running, down) => Some(
            down.iter().map(|daemon| format!("{} is {}", daemon.name, daemon.state)).collect::<Vec<_>>().join(", "),
        ),
        (state, _) => Some(format!("{} is {state}", status.name)),
    }
}
