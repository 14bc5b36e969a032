//! What happens to a daemon while something else already happens to it is neither lost nor counted twice, and holds nothing up.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Event, Host, HostHandle, Result, State, daemon};
use probe::{S, until};

#[derive(Event, Clone, Copy, Debug)]
#[event("meanwhile:hit", local)]
enum Hit {
    Lightly,
    Hard,
}

/// Is to be restarted for each event of one kind, and fails for good for the other.
#[daemon(name = "struck")]
struct Struck;
#[daemon]
impl Struck {
    #[on_event(on_error = restart)]
    async fn lightly(&self, hit: &Hit) -> Result<()> {
        if matches!(hit, Hit::Lightly) { Err("struck".into()) } else { Ok(()) }
    }
    #[on_event(on_error = fail)]
    async fn hard(&self, hit: &Hit) -> Result<()> {
        if matches!(hit, Hit::Hard) { Err("struck hard".into()) } else { Ok(()) }
    }
}
impl DaemonBase for Struck {}

/// Stops so slowly that what it requires runs on for a while although it is to restart.
#[daemon(name = "slow", requires(Struck), no_handlers)]
struct Slow;
impl DaemonBase for Slow {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(1)).await;
        Ok(())
    }
}

async fn restarted(handle: &HostHandle, times: u64) {
    until("it has restarted", || {
        let status = handle.status();
        status.daemon("struck").unwrap().restarts == times && status.daemon("slow").unwrap().state == State::Running
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failures_on_the_way_to_a_restart_are_charged_with_the_first() {
    let host = Host::new("t").daemon(Struck).daemon(Slow).start().await.unwrap();
    let handle = host.handle();
    for _ in 0..8 {
        handle.publish(Hit::Lightly).await.unwrap();
    }
    restarted(&handle, 1).await;
    // Four restarts are left.
    for time in 2..=5 {
        handle.publish(Hit::Lightly).await.unwrap();
        restarted(&handle, time).await;
    }
    handle.publish(Hit::Lightly).await.unwrap();
    let report = host.wait().await.unwrap();
    let reason = report.daemon("struck").unwrap().reason.as_deref();
    assert_eq!(reason, Some("`lightly` failed: struck; 5 restarts in 60s are used up"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_for_good_on_the_way_to_a_restart_is_one() {
    let host = Host::new("t").daemon(Struck).daemon(Slow).start().await.unwrap();
    let handle = host.handle();
    handle.publish(Hit::Lightly).await.unwrap();
    handle.publish(Hit::Hard).await.unwrap();
    let report = host.wait().await.unwrap();
    let struck = report.daemon("struck").unwrap();
    assert_eq!((struck.state, struck.restarts, report.exit_code), (State::Failed, 0, 1), "{report}");
    assert_eq!(struck.reason.as_deref(), Some("`hard` failed: struck hard"));
}
