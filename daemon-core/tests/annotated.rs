//! A host of annotated daemons.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use daemon_core::{Context, DaemonBase, Envelope, Event, Host, Result, State, daemon, daemons};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Log = Arc<Mutex<Vec<String>>>;

#[derive(Event, Debug, Serialize)]
#[event("data:users:created")]
struct UserCreated {
    id: u32,
}

#[daemon(name = "data", no_handlers)]
#[derive(Default)]
struct DataDaemon;
impl DaemonBase for DataDaemon {}

#[derive(Serialize, Deserialize, Debug)]
struct StatsRequest {
    depth: u32,
}
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Stats {
    users: u32,
}

#[daemon(name = "user", requires(DataDaemon), stop_timeout = "5s")]
#[derive(Default)]
struct UserDaemon {
    log: Log,
}

#[daemon]
impl UserDaemon {
    #[on_event]
    async fn user_created(&self, event: &UserCreated) -> Result<()> {
        self.log.lock().unwrap().push(format!("created {}", event.id));
        Ok(())
    }

    #[on_event("data:users:*", capacity = 64, overflow = drop_oldest)]
    async fn any_user_event(&self, event: &Envelope, cx: &Context) {
        let json = event.to_json().unwrap().unwrap();
        self.log.lock().unwrap().push(format!("{} saw {} {json}", cx.name(), event.topic()));
    }

    #[every("5s")]
    async fn monitor(&self, cx: &Context) -> Result<()> {
        cx.publish(UserCreated { id: 7 }).await?;
        Ok(())
    }

    #[on_ready(DataDaemon)]
    async fn ensure_personas(&self) -> Result<()> {
        self.log.lock().unwrap().push("data is ready".into());
        Ok(())
    }

    #[deferred("2s")]
    async fn catch_up(&self) -> Result<()> {
        self.log.lock().unwrap().push("catch up".into());
        Ok(())
    }

    #[task]
    async fn pump(&self, cx: &Context) -> Result<()> {
        cx.cancelled().await;
        self.log.lock().unwrap().push("pump cancelled".into());
        Ok(())
    }

    #[health(readiness, timeout = "1s")]
    async fn store_reachable(&self) -> Result<()> {
        Err("the store is away".into())
    }

    #[command]
    async fn stats(&self, request: StatsRequest) -> Result<Stats> {
        Ok(Stats { users: request.depth })
    }
}

impl DaemonBase for UserDaemon {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.lock().unwrap().push("cleanup".into());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_annotated_daemon_lives_its_life() {
    let log = Log::default();
    let host = Host::new("test").daemons(daemons![DataDaemon, UserDaemon = UserDaemon { log: log.clone() }]);
    let host = host.start().await.unwrap();
    let handle = host.handle();
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let stats = UserDaemon::client(&handle).stats(&StatsRequest { depth: 3 }).await.unwrap();
    assert_eq!(stats, Stats { users: 3 });
    let checks = handle.run_checks().await;
    assert_eq!(checks[0].failure.as_deref(), Some("the store is away"));
    let status = handle.status();
    assert_eq!(status.daemon("user").unwrap().intervals[0].ticks, 1);
    let report = host.shutdown().await.unwrap();
    println!("{report}");
    let expected = [
        "data is ready",
        "catch up",
        "created 7",
        "user saw data:users:created {\"id\":7}",
        "pump cancelled",
        "cleanup",
    ];
    let mut log = log.lock().unwrap().clone();
    log[2..4].sort(); // between two subscriptions there is no order
    assert_eq!(log, expected);
    assert!(report.is_clean(), "{report:#?}");
}

/// What was asked for is what happens: a task that runs again, and an event that restarts its daemon.
#[tokio::test(start_paused = true)]
async fn policies_do_what_they_say() {
    #[derive(Event, Serialize)]
    #[event("feed:broken")]
    struct Broken;

    #[daemon(restart(on_failure, backoff = "3s..3s"))]
    struct Feed(Log);

    #[daemon]
    impl Feed {
        #[task(restart(always, backoff = "1s..1s", limit = "2/1h"))]
        async fn session(&self) {
            self.0.lock().unwrap().push("session".into());
        }

        #[on_event(on_error = restart)]
        fn broken(&self, _: &Broken) -> Result<()> {
            Err("broken".into())
        }
    }

    impl DaemonBase for Feed {}

    let log = Log::default();
    let host = Host::new("test").daemon(Feed(log.clone())).start().await.unwrap();
    let handle = host.handle();
    let feed = || handle.status().daemon("feed").unwrap().clone();
    tokio::time::sleep(Duration::from_millis(500)).await;
    handle.publish(Broken).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(feed().state, State::Backoff);
    assert_eq!(feed().reason.as_deref(), Some("`broken` failed: broken"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((feed().state, feed().restarts), (State::Running, 1));
    assert_eq!(log.lock().unwrap().len(), 2);
    // Two sessions more, then the task may not run again, and its daemon is restarted; and so on.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((feed().state, log.lock().unwrap().len()), (State::Backoff, 4));
    assert_eq!(feed().reason.as_deref(), Some("task `session`: it keeps ending, and its restarts are used up"));
    host.shutdown().await.unwrap();
}

/// `fail` is for good, whatever the daemon's policy.
#[tokio::test(start_paused = true)]
async fn a_tick_may_fail_its_daemon_for_good() {
    #[daemon(restart(always))]
    struct Disk;

    #[daemon]
    impl Disk {
        #[every("10s", on_error = fail)]
        fn probe(&self) -> Result<()> {
            Err("gone".into())
        }
    }

    impl DaemonBase for Disk {}

    let host = Host::new("test").daemon(Disk).start().await.unwrap();
    let report = host.wait().await.unwrap();
    assert_eq!(report.exit_code, 1, "{report}");
    let disk = report.daemon("disk").unwrap();
    assert_eq!((disk.state, disk.reason.as_deref()), (State::Failed, Some("`probe` failed: gone")));
}
