//! Whoever is asked how the host is says the same.

use std::time::Duration;

use daemon_core::HostHandle;
use daemon_ipc::ControlServer;
use serde_json::Value;

use super::client::get;
use super::*;

/// What HTTP says, once it says so; and that the socket of operators says the same, which is what their command line shows.
async fn all_say(host: &HostHandle, at: SocketAddr, status: &str) {
    loop {
        let answer = get(at, "/health").await;
        let report: Value = serde_json::from_str(&answer.body).unwrap();
        if report["status"] == status {
            assert_eq!(answer.status == 200, matches!(status, "healthy" | "degraded"));
            break;
        }
    }
    let health = ControlServer::client(host).health().await.unwrap();
    assert_eq!(health.verdict.as_str(), status, "{health:?}");
    assert_eq!(get(at, "/readyz").await.status == 200, health.verdict.is_passing());
}

async fn one_truth(monitor: Option<HealthMonitor>) {
    let full = Arc::<AtomicBool>::default();
    let mut host =
        Host::new("shop").daemon(endpoint()).daemon(Store { full: full.clone() }).daemon(ControlServer::new());
    if let Some(monitor) = monitor {
        host = host.daemon(monitor);
    }
    let host = host.unready_delay(Duration::from_secs(20)).start().await.unwrap();
    let handle = host.handle();
    let at = handle.daemon::<HttpEndpoint>().unwrap().address().unwrap();
    all_say(&handle, at, "healthy").await;
    full.store(true, Ordering::SeqCst);
    all_say(&handle, at, "unhealthy").await;
    full.store(false, Ordering::SeqCst);
    all_say(&handle, at, "healthy").await;
    handle.stop_daemon("store").await.unwrap();
    all_say(&handle, at, "unhealthy").await;
    handle.start_daemon("store").await.unwrap();
    all_say(&handle, at, "healthy").await;
    handle.request_shutdown();
    all_say(&handle, at, "unhealthy").await;
    assert_eq!(handle.status().state, daemon_core::State::Running, "it is not ready, and goes on");
    drop(host);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_monitor_all_say_what_it_says() {
    one_truth(Some(HealthMonitor::new().with_limits(None))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_without_one_too() {
    one_truth(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_host_that_was_asked_without_a_monitor() {
    let full = Arc::<AtomicBool>::default();
    for _ in 0..3 {
        let host = Host::new("shop").daemon(endpoint()).daemon(Store { full: full.clone() }).start().await.unwrap();
        let at = host.handle().daemon::<HttpEndpoint>().unwrap().address().unwrap();
        assert_eq!(get(at, "/readyz").await.status, 200);
        host.shutdown().await.unwrap();
    }
    // Tasks that are over are dropped by and by.
    while Arc::strong_count(&full) > 1 {
        tokio::task::yield_now().await;
    }
}
