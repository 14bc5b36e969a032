//! What happens to a daemon while something else already happens to it is neither lost nor counted twice, and holds nothing up.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use std::sync::{Mutex, mpsc};

use daemon_core::{Context, DaemonBase, Event, Host, HostHandle, Result, State, daemon};
use probe::{Log, MS, S, until};

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

/// Stops what it wants, in a tick or at its end.
#[daemon(name = "wants", wants(Struck))]
struct Wants {
    at_the_end: bool,
}
#[daemon]
impl Wants {
    #[every("1s")]
    async fn tick(&self, cx: &Context) -> Result<()> {
        Ok(cx.host().stop_daemon("struck").await?)
    }
}
impl DaemonBase for Wants {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        if self.at_the_end {
            cx.host().stop_daemon("struck").await?;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_nobody_who_waits_for_the_stop_of_what_it_wants() {
    for at_the_end in [true, false] {
        let host = Host::new("t").daemon(Struck).daemon(Slow).daemon(Wants { at_the_end }).start().await.unwrap();
        if !at_the_end {
            // The tick waits for what waits for the slow one.
            tokio::time::sleep(MS(1_100)).await;
        }
        let report = host.shutdown().await.unwrap();
        assert!(report.is_clean() && report.stop_ms <= 1_000, "{report}");
    }
}

#[derive(Event, Debug)]
#[event("meanwhile:word", local)]
struct Word;

/// Blocks its thread with the first event, in two handlers that are called apart.
#[daemon(name = "stuck", stop_timeout = "50ms")]
struct Stuck {
    log: Log,
    blocked: mpsc::Sender<()>,
    releases: [Mutex<Option<mpsc::Receiver<()>>>; 2],
}
impl Stuck {
    fn hear(&self, at: usize) {
        let release = self.releases[at].lock().unwrap().take();
        let Some(release) = release else { return self.log.say(format!("heard {at}")) };
        self.blocked.send(()).unwrap();
        assert!(release.recv().is_err(), "it is let go by a hang-up");
        self.log.say("let go");
    }
}
#[daemon]
impl Stuck {
    #[on_event]
    fn word(&self, _word: &Word) {
        self.hear(0);
    }
    #[on_event(isolated)]
    fn apart(&self, _word: &Word) {
        self.hear(1);
    }
}
impl DaemonBase for Stuck {}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn events_wait_for_the_end_of_a_handler_that_blocks_since_an_earlier_life() {
    let (log, (blocked, is_blocked)) = (Log::default(), mpsc::channel());
    let (release, released): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel::<()>()).unzip();
    let mut releases = released.into_iter().map(|released| Mutex::new(Some(released)));
    let releases = [releases.next().unwrap(), releases.next().unwrap()];
    let host = Host::new("t").daemon(Stuck { log: log.clone(), blocked, releases }).start().await.unwrap();
    let handle = host.handle();
    handle.publish(Word).await.unwrap();
    tokio::task::spawn_blocking(move || [is_blocked.recv().unwrap(), is_blocked.recv().unwrap()]).await.unwrap();
    for _ in 0..10 {
        handle.restart_daemon("stuck").await.unwrap();
    }
    handle.publish(Word).await.unwrap();
    assert!(log.lines().is_empty(), "{:?}", log.lines());
    drop(release);
    for at in ["heard 0", "heard 1"] {
        log.said(at).await;
    }
    handle.publish(Word).await.unwrap();
    until("both hear on", || log.count("heard 0") == 2 && log.count("heard 1") == 2).await;
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "what blocked has ended since: {report}");
}
