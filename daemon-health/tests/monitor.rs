//! The health of a host, through the commands of its monitor.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

use daemon_core::testing::TestHost;
use daemon_core::{Context, DaemonBase, Host, Result, State, daemon};
use daemon_health::{
    CheckKind, CheckOptions, HealthMonitor, HealthQuery, HealthReport, HealthStatus, Verdict, from_fn,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// What the test turns on and off.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);
impl Switch {
    fn set(&self, on: bool) {
        self.0.store(on, Ordering::SeqCst);
    }
    fn unless_on(&self, error: &str) -> Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(error.into()) } else { Ok(()) }
    }
}

#[daemon(name = "data", restart(on_failure, backoff = "10s..10s"))]
#[derive(Default)]
struct Data {
    locked: Switch,
    ill: Switch,
    dead: Switch,
}
#[daemon]
impl Data {
    #[health(readiness, every = "10s", fails = 2, group = "stores")]
    async fn reachable(&self) -> Result<()> {
        self.ill.unless_on("the disk is gone")
    }
    #[health(liveness, every = "10s", fails = 3, on_error = restart)]
    async fn answers(&self) -> Result<()> {
        self.dead.unless_on("no answer from the engine")
    }
}
impl DaemonBase for Data {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.dead.set(false);
        self.locked.unless_on("database is locked")
    }
}

#[daemon(name = "user", requires(Data), no_handlers)]
struct User;
impl DaemonBase for User {}

fn host(data: Data, monitor: HealthMonitor) -> daemon_core::testing::TestHostBuilder {
    TestHost::new("t").daemon(data).daemon(User).daemon(monitor)
}

async fn report(host: &TestHost, query: HealthQuery) -> HealthReport {
    HealthMonitor::client(host.handle()).report(&query).await.unwrap()
}

async fn is_ready(host: &TestHost) -> bool {
    report(host, HealthQuery::of(CheckKind::Readiness)).await.is_passing()
}

#[tokio::test]
async fn readiness_follows_the_checks_by_their_thresholds_and_names_what_fails() {
    let ill = Switch::default();
    let data = Data { ill: ill.clone(), ..Data::default() };
    let host = host(data, HealthMonitor::new()).start().await;
    host.advance("1s").await;
    assert!(is_ready(&host).await);
    ill.set(true);
    host.advance("10s").await;
    assert!(is_ready(&host).await, "one failure of two");
    host.advance("10s").await;
    let now = report(&host, HealthQuery::of(CheckKind::Readiness)).await;
    assert_eq!((now.is_passing(), now.reasons()), (false, vec!["data.reachable: the disk is gone".to_owned()]));
    assert!(report(&host, HealthQuery::of(CheckKind::Liveness)).await.is_passing());
    let group = report(&host, HealthQuery::all().in_group("stores")).await;
    assert_eq!(group.checks.keys().collect::<Vec<_>>(), ["data.reachable"]);
    ill.set(false);
    host.advance("10s").await;
    assert!(is_ready(&host).await);
    let health = HealthMonitor::client(host.handle());
    let changes: Vec<_> = health.history().await.unwrap();
    let of_check: Vec<_> =
        changes.iter().filter(|change| change.check == "data.reachable").map(|change| change.to).collect();
    assert_eq!(of_check, [HealthStatus::Healthy, HealthStatus::Unhealthy, HealthStatus::Healthy]);
    let unknown = health.report(&HealthQuery::all().in_group("disks")).await.unwrap_err();
    assert!(unknown.to_string().contains("there are: stores"), "{unknown:?}");
    assert!(host.shutdown().await.is_clean());
}

#[tokio::test]
async fn lifecycle_is_told_at_once_and_why_is_the_chain_of_causes() {
    let locked = Switch::default();
    let host = host(Data { locked: locked.clone(), ..Data::default() }, HealthMonitor::new()).start().await;
    host.advance("1s").await;
    assert!(is_ready(&host).await);
    locked.set(true);
    let handle = host.handle();
    let life = handle.run_check("data", "reachable").await.unwrap().life;
    handle.fail_daemon("data", life, "lost its lock", false).unwrap();
    host.advance("1ms").await;
    assert_eq!(handle.status().daemon("data").unwrap().state, State::Backoff);
    let health = HealthMonitor::client(host.handle());
    assert!(!is_ready(&host).await);
    let why = health.why().await.unwrap();
    assert!(why.contains(&"host: user <- data: backoff: lost its lock".to_owned()), "{why:?}");
    // Being away kills nobody.
    assert!(report(&host, HealthQuery::of(CheckKind::Liveness)).await.is_passing());
    assert!(report(&host, HealthQuery::of(CheckKind::Startup)).await.is_passing());
    host.advance("11s").await;
    let why = health.why().await.unwrap();
    assert!(why.contains(&"host: user <- data: backoff: database is locked".to_owned()), "{why:?}");
    locked.set(false);
    host.advance("20s").await;
    assert!(is_ready(&host).await);
    assert_eq!(health.why().await.unwrap(), [""; 0]);
    drop(host.shutdown().await);
}

/// Asks why in its cleanup.
#[daemon(name = "asks", no_handlers)]
struct Asks(std::sync::Mutex<Option<tokio::sync::oneshot::Sender<Vec<String>>>>);
impl DaemonBase for Asks {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let why = HealthMonitor::client(cx.host()).why().await?;
        let sender = self.0.lock().unwrap().take().unwrap();
        sender.send(why).map_err(|_| "nobody listens")?;
        Ok(())
    }
}

#[daemon(name = "database", wants(Asks), no_handlers)]
struct Database;
impl DaemonBase for Database {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("database is locked".into())
    }
}

#[daemon(name = "needs", requires(Database), no_handlers)]
struct Needs;
impl DaemonBase for Needs {}

#[daemon(name = "needs-too", requires(Needs), no_handlers)]
struct NeedsToo;
impl DaemonBase for NeedsToo {}

#[tokio::test(start_paused = true)]
async fn a_start_that_failed_is_named_for_as_long_as_anybody_can_ask() {
    let (sender, told) = tokio::sync::oneshot::channel();
    let asks = Asks(std::sync::Mutex::new(Some(sender)));
    let host = Host::new("t").daemon(HealthMonitor::new()).daemon(asks).daemon(Database).daemon(Needs).daemon(NeedsToo);
    host.start().await.unwrap_err();
    let why = told.await.unwrap();
    let told = "host: the host is shutting down: needs-too <- needs <- database: start failed: database is locked";
    assert!(why.contains(&told.to_owned()), "{why:?}");
}

#[tokio::test]
async fn a_liveness_check_that_fails_for_good_restarts_its_daemon_once() {
    let dead = Switch::default();
    let host = host(Data { dead: dead.clone(), ..Data::default() }, HealthMonitor::new()).start().await;
    host.advance("1s").await;
    dead.set(true);
    host.advance("20s").await;
    assert_eq!(host.handle().status().daemon("data").unwrap().restarts, 0, "two failures of three");
    host.advance("10s").await;
    let data = host.handle().status().daemon("data").unwrap().clone();
    assert_eq!(data.reason.as_deref(), Some("health check `answers` failed: no answer from the engine"));
    host.advance("60s").await;
    assert_eq!(host.handle().status().daemon("data").unwrap().restarts, 1);
    assert!(is_ready(&host).await);
    drop(host.shutdown().await);
}

#[tokio::test]
async fn readiness_fails_first_at_a_shutdown_while_liveness_stays_good() {
    let host = host(Data::default(), HealthMonitor::new()).unready_delay("10s").start().await;
    host.advance("1s").await;
    assert!(is_ready(&host).await);
    host.handle().request_shutdown();
    let now = report(&host, HealthQuery::of(CheckKind::Readiness)).await;
    assert_eq!((now.is_passing(), now.reasons()), (false, vec!["host: the host is shutting down".to_owned()]));
    assert!(report(&host, HealthQuery::of(CheckKind::Liveness)).await.is_passing());
    assert!(host.shutdown().await.is_clean());
}

#[tokio::test]
async fn checks_of_nobody_come_and_go_at_run_time_and_those_of_added_daemons_are_found() {
    let monitor = HealthMonitor::new().with_limits(None);
    let checker = monitor.checker();
    let host = TestHost::new("t").daemon(monitor).start().await;
    assert!(is_ready(&host).await);
    let options = CheckOptions::default().fails(1);
    checker
        .register(from_fn("license", || async { Ok(Verdict::unhealthy("it has run out")) }).with_options(options))
        .unwrap();
    assert!(!is_ready(&host).await);
    assert!(checker.unregister("license"));
    assert!(is_ready(&host).await);
    assert!(checker.register(from_fn("host", || async { Ok(Verdict::healthy()) })).is_err(), "that is the host itself");
    host.handle().add_daemon(Data::default()).await.unwrap();
    assert!(report(&host, HealthQuery::all()).await.checks.contains_key("data.reachable"));
    drop(host.shutdown().await);
    assert!(checker.last().checks.is_empty(), "they hold the host no longer");
}

/// Blocks the thread of a worker until it is let go.
#[daemon(name = "rude")]
struct Rude(Arc<(AtomicU32, AtomicBool)>);
#[daemon]
impl Rude {
    #[health(readiness, timeout = "200ms", fails = 1, every = "off", cache = "0s")]
    async fn blocks(&self) -> Result<()> {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        while !self.0.1.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Ok(())
    }
    #[health(readiness, timeout = "2900ms")]
    async fn fine(&self) -> Result<()> {
        Ok(())
    }
}
impl DaemonBase for Rude {}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_check_that_blocks_its_thread_is_named_in_time_and_harms_no_other() {
    let state = Arc::<(AtomicU32, AtomicBool)>::default();
    let host = Host::new("t").daemon(Rude(state.clone())).daemon(HealthMonitor::new()).start().await.unwrap();
    let asked = std::time::Instant::now();
    let now = HealthMonitor::client(host.handle()).report(&HealthQuery::of(CheckKind::Readiness)).await.unwrap();
    let took = asked.elapsed();
    let health = HealthMonitor::client(host.handle());
    let again = health.ask().await.unwrap();
    assert_eq!(
        again.checks["rude.blocks"].message.as_deref(),
        Some("its last call still blocks its thread, and was not asked again")
    );
    assert_eq!(state.0.load(Ordering::SeqCst), 1, "it was called once");
    state.1.store(true, Ordering::SeqCst);
    assert_eq!(now.checks["rude.blocks"].message.as_deref(), Some("no answer within 200ms"));
    assert!(now.checks["rude.fine"].status.is_healthy());
    assert!(took < Duration::from_millis(1200), "{took:?}");
    assert!(host.shutdown().await.unwrap().is_clean());
}
