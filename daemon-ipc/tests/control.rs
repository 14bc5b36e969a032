//! What a host shows its operators, and what they can do to it; through the socket it is the same.
#![allow(clippy::unwrap_used, reason = "a test states what it expects")]

use daemon_core::{BoxError, CallError, DaemonBase, Host, Result, RunningHost, State, daemon};
use daemon_ipc::control::{
    CallByName, DaemonName, IntervalName, IntervalPeriod, Lines, LogFilter, SetLogLevel, Verdict, Which,
};
use daemon_ipc::{Connection, ControlServer, IpcServer, Memory};
use serde_json::json;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

#[daemon(name = "store")]
#[derive(Default)]
struct Store {
    is_full: Arc<AtomicBool>,
}

#[daemon]
impl Store {
    #[every("1h")]
    fn compact(&self) {}

    #[health(readiness)]
    fn has_room(&self) -> Result<()> {
        if self.is_full.load(Ordering::Relaxed) { Err("the disk is full".into()) } else { Ok(()) }
    }

    /// How many bytes a text has.
    #[command]
    async fn length(&self, text: String) -> Result<usize> {
        Ok(text.len())
    }
}

impl DaemonBase for Store {}

#[daemon(name = "index", requires(Store), no_handlers)]
struct Index;

impl DaemonBase for Index {}

/// The logs of a program, as a test sees them.
struct Logs(Mutex<String>);

impl LogFilter for Logs {
    fn current(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn set(&self, filter: &str) -> Result<(), BoxError> {
        if filter == "loud" {
            return Err("loud is no level".into());
        }
        *self.0.lock().unwrap() = filter.to_owned();
        Ok(())
    }
}

async fn host(control: ControlServer) -> RunningHost {
    Host::new("shop").daemon(Store::default()).daemon(Index).daemon(control).start().await.unwrap()
}

fn level(filter: &str, for_ms: Option<u64>) -> SetLogLevel {
    SetLogLevel { filter: filter.to_owned(), for_ms }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_log_level_comes_back_in_time() -> Result<()> {
    let logs = Arc::new(Logs(Mutex::new("info".to_owned())));
    let host = host(ControlServer::new().log_filter(logs.clone())).await;
    let control = ControlServer::client(host.handle());
    let changed = control.set_log_level(&level("debug", Some(10_000))).await?;
    assert_eq!(
        (&*changed.filter, changed.returns_to.as_deref(), changed.returns_in_ms),
        ("debug", Some("info"), Some(10_000))
    );

    // What was there before both comes back, when the time of the second is up.
    sleep(Duration::from_secs(6)).await;
    control.set_log_level(&level("trace", Some(6_000))).await?;
    assert!(control.set_log_level(&level("loud", None)).await.unwrap_err().to_string().contains("loud is no level"));
    sleep(Duration::from_millis(5_900)).await;
    let now = control.log_level().await?;
    assert_eq!((&*now.filter, now.returns_in_ms), ("trace", Some(100)));
    sleep(Duration::from_millis(200)).await;
    let now = control.log_level().await?;
    assert_eq!((&*now.filter, now.returns_to), ("info", None));

    // For good is for good.
    control.set_log_level(&level("debug", Some(1_000))).await?;
    control.set_log_level(&level("warn", None)).await?;
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(logs.current(), "warn");
    control.set_log_level(&level("debug", Some(u64::MAX))).await?;
    host.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_filter_the_log_level_is_out_of_reach() -> Result<()> {
    let host = host(ControlServer::new()).await;
    let control = ControlServer::client(host.handle());
    for error in
        [control.log_level().await.unwrap_err(), control.set_log_level(&level("info", None)).await.unwrap_err()]
    {
        assert!(error.to_string().contains("give its filter to `ControlServer::log_filter`"), "{error}");
    }
    host.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn daemons_are_steered_with_those_that_require_them() -> Result<()> {
    let host = host(ControlServer::new()).await;
    let control = ControlServer::client(host.handle());
    let named = |daemon: &str| DaemonName { daemon: daemon.to_owned() };
    assert_eq!(control.stop_daemon(&named("store")).await?.state, State::Stopped);
    let index = control.daemons(&Which { daemon: Some("index".to_owned()) }).await?;
    assert_eq!((index.len(), index[0].state), (1, State::Stopped));
    assert_eq!(control.start_daemon(&named("index")).await?.state, State::Running);
    assert_eq!(control.restart_daemon(&named("store")).await?.state, State::Running);

    for refused in [control.stop_daemon(&named("control")).await, control.restart_daemon(&named("ipc")).await] {
        assert!(refused.unwrap_err().to_string().contains("carries the calls of operators"));
    }
    let unknown = control.daemons(&Which { daemon: Some("shelf".to_owned()) }).await.unwrap_err().to_string();
    assert!(unknown.contains("shelf") && unknown.contains("store, control, index"), "{unknown}");
    let journal = control.journal(&Lines { last: Some(2) }).await?;
    assert_eq!(journal.len(), 2);
    assert!(control.journal(&Lines::default()).await?.len() > 10);
    host.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn intervals_are_steered_and_shown_as_they_are_then() -> Result<()> {
    let host = host(ControlServer::new()).await;
    let control = ControlServer::client(host.handle());
    let compact = IntervalName { daemon: "store".to_owned(), interval: "compact".to_owned() };
    assert_eq!(serde_json::to_value(control.pause_schedule(&compact).await?)?["state"], "paused");
    assert_eq!(serde_json::to_value(control.resume_schedule(&compact).await?)?["state"], "active");
    control.run_schedule(&compact).await?;
    sleep(Duration::from_millis(1)).await;
    let all = control.schedules(&Which::default()).await?;
    assert_eq!((all.len(), &*all[0].daemon, all[0].status.ticks), (1, "store", 1));
    let period = |period: &str| IntervalPeriod {
        daemon: compact.daemon.clone(),
        interval: compact.interval.clone(),
        period: period.to_owned(),
    };
    assert_eq!(control.set_period(&period("90s")).await?.status.period, Some(Duration::from_secs(90)));
    assert!(control.set_period(&period("soon")).await.is_err());
    host.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn health_is_asked_anew_each_time() -> Result<()> {
    let is_full = Arc::<AtomicBool>::default();
    let store = Store { is_full: is_full.clone() };
    let host = Host::new("shop").daemon(store).daemon(ControlServer::new()).start().await?;
    let control = ControlServer::client(host.handle());
    assert_eq!(control.health().await?.verdict, Verdict::Healthy);
    is_full.store(true, Ordering::Relaxed);
    let health = control.health().await?;
    assert_eq!(
        (health.verdict, &health.daemons[0].why),
        (Verdict::Unhealthy, &vec!["has_room: the disk is full".to_owned()])
    );
    host.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_about_to_stop_is_unhealthy_though_all_of_it_runs() -> Result<()> {
    let host = Host::new("shop").daemon(Store::default()).daemon(ControlServer::new());
    let host = host.unready_delay(Duration::from_secs(20)).start().await?;
    let control = ControlServer::client(host.handle());
    host.handle().request_shutdown();
    let health = control.health().await?;
    assert_eq!((health.state, health.verdict), (State::Running, Verdict::Unhealthy));
    assert_eq!(health.why, ["the host is shutting down"]);
    assert!(health.daemons.iter().all(|daemon| daemon.verdict == Verdict::Healthy));
    host.wait().await?;
    Ok(())
}

/// Speaks for its host's health.
#[daemon(name = "speaks")]
struct Speaks(serde_json::Value);

#[daemon]
impl Speaks {
    #[command]
    fn host_health(&self) -> Result<serde_json::Value> {
        Ok(self.0.clone())
    }
}

impl DaemonBase for Speaks {}

#[tokio::test]
async fn whoever_speaks_for_the_hosts_health_has_the_word() -> Result<()> {
    let check = |status: &str, daemon: Option<&str>| json!({"status": status, "kind": "readiness", "daemon": daemon, "message": "so", "duration_ms": 2});
    let said = json!({"status": "unknown", "checks": {
        "store.has_room": check("unknown", Some("store")), "host.disk": check("degraded", None), "host": check("healthy", None),
    }});
    let host = Host::new("shop").daemon(Store::default()).daemon(Speaks(said)).daemon(ControlServer::new());
    let host = host.start().await?;
    let health = ControlServer::client(host.handle()).health().await?;
    assert_eq!((health.verdict, health.daemons[0].verdict), (Verdict::Unknown, Verdict::Unknown));
    assert_eq!(health.daemons[0].why, ["has_room: so"]);
    assert_eq!(
        (&*health.checks[0].name, health.checks[0].verdict, health.checks[0].took_us),
        ("host.disk", Verdict::Degraded, 2000)
    );
    host.shutdown().await?;

    // What cannot be read has no word.
    let host = Host::new("shop").daemon(Store::default()).daemon(Speaks(json!("fine"))).daemon(ControlServer::new());
    let host = host.start().await?;
    assert_eq!(ControlServer::client(host.handle()).health().await?.verdict, Verdict::Healthy);
    host.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn through_a_socket_it_is_the_same() -> Result<()> {
    let place = Memory::new();
    let host =
        Host::new("shop").daemon(Store::default()).daemon(IpcServer::new().path(&place)).daemon(ControlServer::new());
    let host = host.start().await?;
    let connection = Connection::connect(&place).await?;
    let (far, near) = (ControlServer::client(&connection), ControlServer::client(host.handle()));
    let commands = far.commands().await?;
    assert_eq!(commands, near.commands().await?);
    let length = commands.iter().find(|info| info.daemon == "store").unwrap();
    assert_eq!((&*length.command, &*length.doc), ("length", "How many bytes a text has."));

    let by_name =
        |command: &str| CallByName { daemon: "store".to_owned(), command: command.to_owned(), request: json!("four") };
    assert_eq!(far.call(&by_name("length")).await?, json!(4));
    assert!(far.call(&by_name("width")).await.unwrap_err().to_string().contains("has no command `width`"));
    let (one, other) = (far.status().await?, near.status().await?);
    assert_eq!((&one.name, one.pid, one.daemons.len()), (&other.name, std::process::id(), other.daemons.len()));
    assert_eq!(far.audit().await?, near.audit().await?);
    assert!(far.reload().await?.is_reloaded());

    assert_eq!(far.shutdown().await?.pid, std::process::id(), "who asks for the end is answered before it");
    let report = host.wait().await?;
    assert_eq!((report.exit_code, &*report.cause), (0, "asked for by daemon `control`"));
    assert!(matches!(far.status().await, Err(CallError::Transport(_) | CallError::ShuttingDown { .. })));
    Ok(())
}
