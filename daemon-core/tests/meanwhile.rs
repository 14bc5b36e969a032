//! What happens to a daemon while something else already happens to it is neither lost nor counted twice, and holds nothing up.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod log;
mod probe;

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context as TaskContext, Wake, Waker};

use daemon_core::{Context, DaemonBase, Event, Host, HostHandle, Result, State, daemon};
use probe::{Log, MS, S, until};
use tokio::sync::Notify;

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

/// Fails for good, and is not needed.
#[daemon(name = "doomed", optional)]
struct Doomed;
#[daemon]
impl Doomed {
    #[on_event(on_error = fail)]
    async fn hard(&self, _hit: &Hit) -> Result<()> {
        Err("struck hard".into())
    }
}
impl DaemonBase for Doomed {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(1)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_to_restart_while_it_fails_for_good_does() {
    let host = Host::new("t").daemon(Doomed).start().await.unwrap();
    let handle = host.handle();
    let state = || handle.status().daemon("doomed").unwrap().state;
    handle.publish(Hit::Hard).await.unwrap();
    until("it stops", || state() == State::Stopping).await;
    handle.restart_daemon("doomed").await.unwrap();
    assert_eq!(state(), State::Running);
    let report = host.shutdown().await.unwrap();
    assert_eq!((report.daemon("doomed").unwrap().restarts, report.exit_code), (1, 0), "{report}");
}

/// Starts when it is let.
#[daemon(name = "let", optional, no_handlers, restart(on_failure, backoff = "1s..1s"))]
struct Let(Arc<Notify>);
impl DaemonBase for Let {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.0.notified().await;
        Ok(())
    }
}

/// Fails that daemon as soon as it is seen to run, before the life that runs can tell of that.
struct Fails {
    handle: HostHandle,
    for_good: bool,
}
impl Wake for Fails {
    fn wake(self: Arc<Self>) {
        let second_life = 2;
        self.handle.fail_daemon("let", second_life, "at once", self.for_good).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_told_before_the_start_counts() {
    for for_good in [false, true] {
        let starts = Arc::new(Notify::new());
        starts.notify_one();
        let host = Host::new("t").daemon(Let(starts.clone())).start().await.unwrap();
        let handle = host.handle();
        let state = || handle.status().daemon("let").unwrap().state;
        handle.stop_daemon("let").await.unwrap();
        let mut begins = Box::pin(handle.start_daemon("let"));
        until("it starts", || {
            assert!(begins.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
            state() == State::Starting
        })
        .await;
        let waker = Arc::new(Fails { handle: handle.clone(), for_good }).into();
        assert!(begins.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
        starts.notify_one();
        let then = if for_good { State::Failed } else { State::Backoff };
        until("it has failed", || state() == then).await;
        starts.notify_one();
        if !for_good {
            until("it runs again", || state() == State::Running).await;
        }
        let report = host.shutdown().await.unwrap();
        let (told, restarts) = (report.daemon("let").unwrap(), if for_good { 1 } else { 2 });
        assert_eq!((told.restarts, report.exit_code), (restarts, 0), "{report}");
        drop(begins);
    }
}

/// Fails its second start, and cleans up for longer than that may take.
#[daemon(name = "tidy", start_timeout = "2s", stop_timeout = "10s", no_handlers)]
#[derive(Default)]
struct Tidy {
    starts: AtomicU32,
    hangs: bool,
}
impl DaemonBase for Tidy {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        match self.starts.fetch_add(1, Ordering::Relaxed) {
            1 if self.hangs => std::future::pending().await,
            1 => Err("not this time".into()),
            _ => Ok(()),
        }
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(8)).await;
        Ok(())
    }
}

/// As that, but does without a limit of its own, and its host without it.
#[daemon(name = "spare", optional, stop_timeout = "10s", no_handlers)]
struct Spare(Tidy);
impl DaemonBase for Spare {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        self.0.initialize(cx).await
    }
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        self.0.cleanup(cx).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_failed_may_clean_up_beyond_its_deadline() {
    for hangs in [true, false] {
        let host = Host::new("t").daemon(Tidy { hangs, ..Tidy::default() }).start().await.unwrap();
        host.handle().restart_daemon("tidy").await.unwrap();
        let report = host.shutdown().await.unwrap();
        assert!(report.is_clean() && report.daemon("tidy").unwrap().restarts == 2, "{report}");
    }
    // The start of a host waits for it, too, and not for more than that.
    let spare = Spare(Tidy { starts: AtomicU32::new(1), hangs: true });
    let host = Host::new("t").start_budget(S(1)).daemon(spare).start().await.unwrap();
    assert_eq!(host.start_report().took_ms, 9_000, "{}", host.start_report());
    assert_eq!(host.handle().status().daemon("spare").unwrap().state, State::Failed);
    assert_eq!(host.shutdown().await.unwrap().exit_code, 0);
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

/// Is struck, and fails its second start a moment after that has begun.
#[daemon(name = "frail", restart(on_failure, backoff = "1s..1s", limit = "1/1h"))]
#[derive(Default)]
struct Frail {
    starts: AtomicU32,
}
#[daemon]
impl Frail {
    #[on_event(on_error = restart)]
    async fn struck(&self, _hit: &Hit) -> Result<()> {
        Err("struck".into())
    }
}
impl DaemonBase for Frail {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.starts.fetch_add(1, Ordering::Relaxed) == 1 {
            tokio::time::sleep(MS(500)).await;
            return Err("not again".into());
        }
        Ok(())
    }
}

/// Stops before it, for longer than that.
#[daemon(name = "admires", wants(Frail), no_handlers)]
struct Admires;
impl DaemonBase for Admires {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(1)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_in_a_shutdown_is_not_charged() {
    let host = Host::new("t").daemon(Frail::default()).daemon(Admires).start().await.unwrap();
    let handle = host.handle();
    handle.publish(Hit::Lightly).await.unwrap();
    until("it starts again", || {
        let status = handle.status();
        let frail = status.daemon("frail").unwrap();
        frail.restarts == 1 && frail.state == State::Starting
    })
    .await;
    let report = host.shutdown().await.unwrap();
    let frail = report.daemon("frail").unwrap();
    assert_eq!((frail.state, frail.reason.as_deref()), (State::Failed, Some("not again")), "{report}");
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

#[test]
fn events_wait_for_the_end_of_a_handler_that_blocks_since_an_earlier_life_and_that_is_told_of() {
    let (told, runtime) = log::overheard(3);
    runtime.block_on(events_wait(told));
}

async fn events_wait(told: log::Log) {
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
    assert!(told.line("was aborted").is_none(), "who waits does not hold its stop up: {}", told.text());
    let waits = "events wait until a handler of an earlier life no longer blocks its thread";
    until("it is told of", || told.line(waits).is_some()).await;
    let line = told.line(waits).unwrap();
    assert!(line.contains("ERROR") && line.contains("daemon=\"stuck\""), "{line}");
    drop(release);
    for at in ["heard 0", "heard 1"] {
        log.said(at).await;
    }
    handle.publish(Word).await.unwrap();
    until("both hear on", || log.count("heard 0") == 2 && log.count("heard 1") == 2).await;
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "what blocked has ended since: {report}");
}
