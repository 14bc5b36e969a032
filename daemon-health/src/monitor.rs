//! The health of a host, as one of its daemons: asks what its daemons declare and what can be wrong with any process, again and
//! again, and answers those who want to know.
//!
//! Invariants:
//! 1. It runs on the operations plane and calls no check there: checks run on the workers, or as work of their daemon.
//! 2. What it says of the lives of daemons is so when it says it; only checks have thresholds and an age.
//! 3. It has checks of its host, which hold the host, from its `initialize` to its `cleanup` and at no other time, whoever asks it.

use crate::{
    BoxError, CheckReport, HealthCheck, HealthChecker, HealthError, HealthQuery, HealthReport, HealthStatus,
    HealthTransition, Limits, Verdict, async_trait, builtin,
    checker::HOST,
    why::{Cause, causes},
};
use daemon_core::{
    CheckKind, CheckOptions, Context, DaemonBase, DeclaredCheck, Error, HostHandle, OnError, Result, State, daemon,
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The health of a host, as one of its daemons.
///
/// It asks the `#[health]` checks of all daemons in the background, as they declare, and those that are [registered](Self::checker)
/// at run time, and looks at what can be wrong with any host: work that blocks the workers, daemons that restart too often, intervals
/// that are silent, queues that are full, a disk that is, open descriptors. It answers commands, from inside and outside the process.
///
/// ```
/// use daemon_core::{DaemonBase, Host, Result, daemon};
/// use daemon_health::{CheckKind, HealthMonitor, HealthQuery};
///
/// #[daemon]
/// #[derive(Default)]
/// struct Store;
///
/// #[daemon]
/// impl Store {
///     #[health(readiness)]
///     async fn reachable(&self) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// impl DaemonBase for Store {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let host = Host::new("app").daemon(Store).daemon(HealthMonitor::new()).start().await?;
/// let health = HealthMonitor::client(host.handle());
/// let report = health.report(&HealthQuery::of(CheckKind::Readiness)).await?;
/// assert!(report.is_passing());
/// assert!(report.checks.contains_key("store.reachable"));
/// # host.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[daemon(name = "health", plane = operations, optional)]
#[derive(Debug)]
pub struct HealthMonitor {
    checker: Arc<HealthChecker>,
    limits: Option<Limits>,
    /// The names of the checks that are its own and its host's; `None` before and after it has some.
    known: Mutex<Option<BTreeSet<String>>>,
}

impl HealthMonitor {
    /// A monitor with the built-in checks.
    #[must_use]
    pub fn new() -> Self {
        Self { checker: Arc::default(), limits: Some(Limits::default()), known: Mutex::default() }
    }

    /// Sets from where on the built-in checks complain; `None`: there are none.
    #[must_use]
    pub fn with_limits(mut self, limits: impl Into<Option<Limits>>) -> Self {
        self.limits = limits.into();
        self
    }

    /// Its checker, to register checks that belong to no daemon, and to unregister them.
    #[must_use]
    pub fn checker(&self) -> Arc<HealthChecker> {
        self.checker.clone()
    }

    fn known(&self) -> MutexGuard<'_, Option<BTreeSet<String>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes checks of the host from now on.
    pub(crate) fn open(&self) {
        self.known().get_or_insert_default();
    }

    /// Gives up the checks of the host, and takes none any more. They hold the host, which holds this.
    pub(crate) fn close(&self) {
        for name in self.known().take().into_iter().flatten() {
            self.checker.unregister(&name);
        }
    }

    /// Registers a check of the host's, unless it is there or this is closed.
    fn know(&self, check: impl HealthCheck) -> Result<(), HealthError> {
        let mut known = self.known();
        let Some(known) = known.as_mut() else { return Ok(()) };
        if !known.contains(check.name()) {
            let name = check.name().to_owned();
            self.checker.register(check)?;
            known.insert(name);
        }
        Ok(())
    }

    /// What the checks of a host come to that the query picks, with the state of the host itself unless it asks for a group.
    pub(crate) async fn report_on(&self, host: &HostHandle, query: &HealthQuery) -> Result<HealthReport, HealthError> {
        self.sync(host)?;
        let mut report = self.checker.health(query).await?;
        if query.group.is_none() {
            report.add(HOST, of_host(host, query.kind));
        }
        Ok(report)
    }

    /// Registers the checks of the host's daemons that are not there yet.
    fn sync(&self, host: &HostHandle) -> Result<(), HealthError> {
        for declared in host.checks() {
            self.know(OfDaemon::new(host.clone(), declared))?;
        }
        Ok(())
    }
}

impl Default for HealthMonitor {
    fn default() -> Self {
        Self::new()
    }
}

#[daemon]
impl HealthMonitor {
    #[task]
    async fn evaluate(&self, cx: &Context) {
        tokio::select! {
            () = self.checker.run() => {}
            () = cx.cancelled() => {}
        }
    }

    /// Looks for daemons that were added.
    #[every("10s")]
    fn look_for_checks(&self, cx: &Context) -> Result<()> {
        Ok(self.sync(&cx.host())?)
    }

    /// What the checks come to that the query picks, with the state of the host itself unless it asks for a group.
    #[command]
    async fn report(&self, query: HealthQuery, cx: &Context) -> Result<HealthReport> {
        Ok(self.report_on(&cx.host(), &query).await?)
    }

    /// What all checks and the host come to: what operators are told of the host.
    #[command]
    async fn host_health(&self, cx: &Context) -> Result<HealthReport> {
        Ok(self.report_on(&cx.host(), &HealthQuery::all()).await?)
    }

    /// Asks all checks now, and tells what they answer, whatever their thresholds.
    #[command]
    async fn ask(&self, cx: &Context) -> Result<HealthReport> {
        self.sync(&cx.host())?;
        Ok(self.checker.check().await)
    }

    /// What keeps the host from being ready, cause by cause; nothing if it is.
    #[command]
    async fn why(&self, cx: &Context) -> Result<Vec<String>> {
        let report = self.report(HealthQuery::of(CheckKind::Readiness), cx).await?;
        Ok(report.reasons())
    }

    /// The last changes of what checks come to, oldest first.
    #[command]
    async fn history(&self) -> Result<Vec<HealthTransition>> {
        Ok(self.checker.history())
    }
}

impl DaemonBase for HealthMonitor {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let host = cx.host();
        if let Some(workers) = host.workers() {
            self.checker.run_on(workers);
        }
        self.open();
        if let Some(limits) = &self.limits {
            for check in builtin::all(&host, limits) {
                self.know(check)?;
            }
        }
        Ok(self.sync(&host)?)
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.close();
        Ok(())
    }
}

/// What the lives of the daemons say to a question.
fn of_host(host: &HostHandle, kind: Option<CheckKind>) -> CheckReport {
    let readiness = host.readiness();
    let verdict = match kind {
        Some(CheckKind::Liveness) => Verdict::healthy(),
        Some(CheckKind::Startup) if readiness.started => Verdict::healthy(),
        Some(CheckKind::Startup) => Verdict::unhealthy("the host is starting"),
        _ if readiness.ready => works(host),
        _ => Verdict::unhealthy(why_not(host, readiness.stopping)),
    };
    CheckReport {
        status: verdict.status,
        kind: kind.unwrap_or(CheckKind::Readiness),
        daemon: None,
        group: None,
        message: verdict.message.map(Arc::from),
        duration: Duration::ZERO,
        age: Some(Duration::ZERO),
        failures: u32::from(verdict.status == HealthStatus::Unhealthy),
    }
}

/// Why a host is not ready. In a shutdown it is only told of daemons that failed: the others stop because of it.
fn why_not(host: &HostHandle, stopping: bool) -> String {
    let causes = causes(&host.status(), &host.journal());
    let tells = |cause: &&Cause| !stopping || cause.state == State::Failed;
    let told: Vec<_> = causes.iter().filter(tells).map(ToString::to_string).collect();
    match (stopping, told.join("; ")) {
        (true, told) if told.is_empty() => "the host is shutting down".to_owned(),
        (true, told) => format!("the host is shutting down: {told}"),
        // What was down may run by now: it is not ready all the same, for it was not a moment ago.
        (false, told) if told.is_empty() => "the host is starting".to_owned(),
        (false, told) => told,
    }
}

/// Whether a host that is ready works as well as it should.
fn works(host: &HostHandle) -> Verdict {
    let mut less = Vec::new();
    for daemon in host.status().daemons {
        if daemon.optional && matches!(daemon.state, State::Failed | State::Backoff) {
            let why = daemon.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            less.push(format!("`{}` is {}{why}", daemon.name, daemon.state));
        }
        less.extend(daemon.degraded.iter().map(|what| format!("`{}`: {what}", daemon.name)));
    }
    if less.is_empty() { Verdict::healthy() } else { Verdict::degraded(less.join("; ")) }
}

/// A check that a daemon declares.
struct OfDaemon {
    name: String,
    host: HostHandle,
    declared: DeclaredCheck,
    /// The life that answered last.
    life: AtomicU64,
}

impl OfDaemon {
    fn new(host: HostHandle, declared: DeclaredCheck) -> Self {
        let name = format!("{}.{}", declared.daemon, declared.name);
        Self { name, host, declared, life: AtomicU64::new(0) }
    }
}

#[async_trait]
impl HealthCheck for OfDaemon {
    fn name(&self) -> &str {
        &self.name
    }

    fn options(&self) -> CheckOptions {
        self.declared.options.clone()
    }

    fn daemon(&self) -> Option<&str> {
        Some(&self.declared.daemon)
    }

    async fn check(&self) -> Result<Verdict, BoxError> {
        let DeclaredCheck { daemon, name, optional, .. } = &self.declared;
        match self.host.run_check(daemon, name).await {
            Ok(report) => {
                self.life.store(report.life, Ordering::Relaxed);
                Ok(report.failure.map_or(Verdict::healthy(), Verdict::unhealthy))
            }
            // That it does not run is said at once by the host itself, if it matters.
            Err(error @ Error::NotRunning { .. }) if *optional => Ok(Verdict::degraded(error.to_string())),
            Err(error) => Ok(Verdict::unknown(error.to_string())),
        }
    }

    fn became_unhealthy(&self, why: &str) {
        let on_error = self.declared.options.on_error;
        if on_error == OnError::Log {
            return;
        }
        let (daemon, name) = (&self.declared.daemon, &self.declared.name);
        let reason = format!("health check `{name}` failed: {why}");
        let life = self.life.load(Ordering::Relaxed);
        if let Err(error) = self.host.fail_daemon(daemon, life, &reason, on_error == OnError::Fail) {
            tracing::warn!(%daemon, check = %name, %error, "a daemon that is unhealthy cannot be restarted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon_core::Host;

    #[daemon(name = "data")]
    #[derive(Default)]
    struct Data(Arc<()>);

    #[daemon]
    impl Data {
        #[health(readiness)]
        async fn reachable(&self) -> Result<()> {
            let _alive = self.0.clone();
            Ok(())
        }
    }

    impl DaemonBase for Data {}

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_a_monitor_that_has_stopped_makes_it_hold_its_host_no_more() {
        let alive = Arc::new(());
        let host = Host::new("t").daemon(Data(alive.clone())).daemon(HealthMonitor::new()).start().await.unwrap();
        let handle = host.handle();
        let monitor = handle.daemon::<HealthMonitor>().unwrap();
        assert!(monitor.report_on(&handle, &HealthQuery::all()).await.unwrap().checks.contains_key("data.reachable"));
        host.shutdown().await.unwrap();
        let report = monitor.report_on(&handle, &HealthQuery::all()).await.unwrap();
        assert_eq!(report.checks.keys().collect::<Vec<_>>(), [HOST]);
        drop((handle, monitor));
        assert_eq!(Arc::strong_count(&alive), 1, "nothing holds the host");
    }
}
