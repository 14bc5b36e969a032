//! What the host says of its health: the one place where this endpoint asks for it.
//!
//! It asks the host's [`HealthMonitor`], if it has one. If not, it asks the checks itself, when somebody wants to know; then too a
//! check is asked once, however many want to know, and again only when its answer is old.

use std::sync::Arc;

use daemon_core::{CheckKind, HostHandle};
use serde::Serialize;

use crate::{CheckReport, HealthError, HealthMonitor, HealthQuery, HealthReport, HealthStatus, HealthTransition};

/// Asks the host.
pub(super) struct Verdicts {
    host: HostHandle,
    /// Asked where the host has none.
    own: Arc<HealthMonitor>,
}

/// What one check says, as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    daemon: String,
    name: String,
    kind: CheckKind,
    group: Option<Box<str>>,
    status: HealthStatus,
    message: Option<Box<str>>,
    took_us: Option<u64>,
    /// What it came to be and when, in milliseconds after 1970.
    history: Vec<(u64, HealthStatus)>,
}

impl Verdicts {
    pub(super) fn new(host: HostHandle) -> Self {
        let own = HealthMonitor::new().with_limits(None);
        own.open();
        if let Some(workers) = host.workers() {
            own.checker().run_on(workers);
        }
        Self { host, own: Arc::new(own) }
    }

    /// Asks no checks by itself any more.
    pub(super) fn close(&self) {
        self.own.close();
    }

    fn monitor(&self) -> Arc<HealthMonitor> {
        self.host.daemon().unwrap_or_else(|| Arc::clone(&self.own))
    }

    /// What the checks come to that a query picks.
    pub(super) async fn report(&self, query: &HealthQuery) -> Result<HealthReport, HealthError> {
        self.monitor().report_on(&self.host, query).await
    }

    /// What checks said last, without asking any.
    pub(super) fn last(&self) -> HealthReport {
        self.monitor().checker().last()
    }

    /// What each probe comes to.
    pub(super) async fn probes(&self) -> Result<Vec<HealthReport>, HealthError> {
        let mut probes = Vec::new();
        for kind in [CheckKind::Liveness, CheckKind::Readiness, CheckKind::Startup] {
            probes.push(self.report(&HealthQuery::of(kind)).await?);
        }
        Ok(probes)
    }

    /// What each check says, the worst first.
    pub(super) async fn checks(&self) -> Result<Vec<Check>, HealthError> {
        let history = self.monitor().checker().history();
        let report = self.report(&HealthQuery::default()).await?;
        let mut checks: Vec<_> = report.checks.iter().map(|(name, check)| Check::new(name, check, &history)).collect();
        checks.sort_by_key(|check| std::cmp::Reverse(check.status));
        Ok(checks)
    }
}

impl Check {
    fn new(name: &str, check: &CheckReport, history: &[HealthTransition]) -> Self {
        let (daemon, short) = name.rsplit_once('.').unwrap_or((name, ""));
        let past = history.iter().filter(|transition| transition.check == name);
        Self {
            daemon: daemon.to_owned(),
            name: short.to_owned(),
            kind: check.kind,
            group: check.group.as_deref().map(Box::from),
            status: check.status,
            message: check.message.as_deref().filter(|_| !check.status.is_healthy()).map(Box::from),
            took_us: check.age.and_then(|_| u64::try_from(check.duration.as_micros()).ok()),
            history: past.map(|transition| (transition.at_ms, transition.to)).collect(),
        }
    }
}
