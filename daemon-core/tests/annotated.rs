//! A host of annotated daemons.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use daemon_core::{Context, DaemonBase, Envelope, Event, Host, Result, daemon, daemons};
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
