//! How lives end that something overtakes: a deadline, a failure, a shutdown; and what becomes of what they were given.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{
    BoxError, Context, DaemonBase, DaemonStart, Event, Host, HostHandle, PublishError, Result, RunningHost,
    ShutdownReport, StartError, StartReport, State, daemon,
};
use probe::{Log, S, Says, account, assert_nothing_left, until};
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::Instant;

#[derive(Event)]
#[event("lives:said", local)]
struct Said(#[expect(dead_code, reason = "it is dropped")] Option<Says>);

fn failed(error: StartError) -> (StartReport, ShutdownReport) {
    match error {
        StartError::Failed { start, shutdown } | StartError::Stopped { start, shutdown } => (*start, *shutdown),
        other => panic!("{other}"),
    }
}

#[daemon(name = "hangs", no_handlers, start_timeout = "1s")]
struct Hangs;
impl DaemonBase for Hangs {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_has_no_more_than_its_own_time_though_its_host_has_more() {
    let begun = Instant::now();
    let (start, _) = failed(Host::new("t").start_budget(S(60)).daemon(Hangs).start().await.unwrap_err());
    assert_eq!(begun.elapsed().as_secs(), 1);
    let [DaemonStart { state: State::Failed, took_ms: 1_000, reason: Some(why), .. }] = &start.daemons[..] else {
        panic!("{start}");
    };
    assert!(!why.contains("budget"), "{why}");
}

/// Is asked to stop while it starts, or fails with that, and does not clean up in time.
#[daemon(name = "overtaken", no_handlers)]
struct Overtaken {
    fails: bool,
}
impl DaemonBase for Overtaken {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        if self.fails { Err("refused".into()) } else { pending().await }
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_a_shutdown_overtakes_has_what_the_shutdown_has() {
    for fails in [false, true] {
        let host = Host::new("t").stop_budget(S(1)).daemon(Overtaken { fails });
        let (_, shutdown) = failed(host.start().await.unwrap_err());
        assert!(shutdown.stop_ms <= 1_000, "{shutdown}");
        assert_eq!((shutdown.exit_code, shutdown.daemon("overtaken").unwrap().cut.len()), (75, 1), "{shutdown}");
    }
}

/// Runs until it is told to break; its second start fails.
#[daemon(name = "second", restart(on_failure, backoff = "1s..1s"))]
struct Second {
    log: Log,
    failed: AtomicBool,
}
#[daemon]
impl Second {
    #[on_event(on_error = restart)]
    async fn said(&self, _said: &Said) -> Result<()> {
        self.log.say("said");
        if self.log.count("said") == 1 { Err("broken".into()) } else { Ok(()) }
    }
}
impl DaemonBase for Second {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.log.has("said") && !self.failed.swap(true, Ordering::Relaxed) {
            self.log.say("fails");
            return Err("not yet".into());
        }
        Ok(())
    }
}

/// A host whose daemon has broken, and waits for its second start.
async fn backing_off() -> (RunningHost, Log) {
    let log = Log::default();
    let host = Host::new("t").daemon(Second { log: log.clone(), failed: AtomicBool::new(false) });
    let host = host.start().await.unwrap();
    let handle = host.handle();
    handle.publish(Said(None)).await.unwrap();
    until("it backs off", || handle.status().daemon("second").unwrap().state == State::Backoff).await;
    (host, log)
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_the_next_life_outlives_one_that_does_not_start() {
    let (host, log) = backing_off().await;
    let handle = host.handle();
    handle.publish(Said(None)).await.unwrap();
    log.said("fails").await;
    until("it has heard the other one", || log.count("said") == 2).await;
    let status = handle.status();
    let account = account(&status.daemon("second").unwrap().subscriptions, "said");
    assert_eq!((account.offered, account.handled, account.failed, account.abandoned), (2, 1, 1, 0));
    assert_nothing_left(&host.shutdown().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_a_life_that_does_not_come_is_let_go_with_the_host() {
    let (host, log) = backing_off().await;
    let handle = host.handle();
    handle.publish(Said(Some(log.on_drop("gone")))).await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert!(log.has("gone"), "{report}");
    assert_nothing_left(&report);
    drop(handle); // the host's board was there all the while
}

#[daemon(name = "refuses", no_handlers)]
struct Refuses;
impl DaemonBase for Refuses {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("refused".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_failed_counts_as_one_error() {
    let (_, shutdown) = failed(Host::new("t").daemon(Refuses).start().await.unwrap_err());
    assert_eq!(shutdown.daemon("refuses").unwrap().errors, 1, "{shutdown}");

    let host = Host::new("t").daemon_with(|| Err::<Refuses, BoxError>("nothing to make it of".into()));
    let (_, shutdown) = failed(host.start().await.unwrap_err());
    assert_eq!(shutdown.daemon("refuses").unwrap().errors, 1, "{shutdown}");
}

/// Never ends the handling of an event.
#[daemon(name = "slow", requires(Asks), stop_timeout = "1s")]
struct Slow;
#[daemon]
impl Slow {
    #[on_event]
    async fn said(&self, _said: &Said) {
        pending().await
    }
}
impl DaemonBase for Slow {}

/// Waits, at its end, for what others do with what it said.
#[daemon(name = "asks", no_handlers)]
#[derive(Default)]
struct Asks(Mutex<Vec<tokio::task::JoinHandle<Result<usize, PublishError>>>>);
impl DaemonBase for Asks {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        let asked = std::mem::take(&mut *self.0.lock().unwrap());
        for asked in asked {
            assert!(matches!(asked.await?, Err(PublishError::Unhandled { .. })));
        }
        Ok(())
    }
}

/// Has its daemon publish, and wait for that.
async fn asks(host: &HostHandle) {
    let asks = host.daemon::<Asks>().unwrap();
    for _ in 0..2 {
        let host = host.clone();
        let asked = tokio::spawn(async move { host.publish_and_wait(Said(None)).await });
        asks.0.lock().unwrap().push(asked);
    }
    until("both are offered", || account(&host.status().daemon("slow").unwrap().subscriptions, "said").offered == 2)
        .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_a_daemon_had_queued_hears_when_that_has_stopped() {
    let host = Host::new("t").daemon(Asks::default()).daemon(Slow).start().await.unwrap();
    asks(&host.handle()).await;
    let report = host.shutdown().await.unwrap();
    let asks = report.daemon("asks").unwrap();
    assert!(asks.cut.is_empty() && asks.problems.is_empty(), "{report}");
    assert_nothing_left(&report);
}

/// Heeds at once that it is cancelled, wherever it is at work; in one place that is longer than in the others.
#[daemon(name = "heeds")]
struct Heeds(Log, &'static str);
impl Heeds {
    async fn work(&self, what: &str, cx: &Context) {
        self.0.say(format!("{what} begins"));
        tokio::select! {
            biased;
            () = cx.cancelled() => self.0.say(format!("{what} is cut")),
            () = tokio::time::sleep(S(1 + u64::from(what == self.1))) => self.0.say(format!("{what} ends")),
        }
    }
}
#[daemon]
impl Heeds {
    #[on_event]
    async fn said(&self, _said: &Said, cx: &Context) {
        self.work("handler", cx).await;
    }
    #[every("1h", immediately)]
    async fn tick(&self, cx: &Context) {
        self.work("tick", cx).await;
    }
}
impl DaemonBase for Heeds {
    async fn reload(&self, _next: &daemon_core::Configuration, cx: &Context) -> Result<()> {
        self.work("reload", cx).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_drained_is_not_cancelled_while_there_is_time() {
    let all = ["handler", "tick", "reload"];
    for longest in all {
        let log = Log::default();
        let host = Host::new("t").daemon(Heeds(log.clone(), longest)).configuration((), || Ok::<(), BoxError>(()));
        let host = host.start().await.unwrap();
        let handle = host.handle();
        handle.publish(Said(None)).await.unwrap();
        let reloads = handle.clone();
        tokio::spawn(async move { reloads.reload().await });
        until("all are at work", || all.iter().all(|what| log.has(&format!("{what} begins")))).await;
        handle.stop_daemon("heeds").await.unwrap();
        for what in all {
            assert!(log.has(&format!("{what} ends")), "{longest}: {:?}", log.lines());
        }
        assert_nothing_left(&host.shutdown().await.unwrap());
    }
}

/// Looks, when it goes, at what has become of the events for it.
#[daemon(name = "looks", stop_timeout = "1s")]
struct Looks(Log, Mutex<Option<HostHandle>>);
#[daemon]
impl Looks {
    #[on_event]
    async fn said(&self, _said: &Said) {
        pending().await
    }
}
impl DaemonBase for Looks {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        *self.1.lock().unwrap() = Some(cx.host());
        Ok(())
    }
}
impl Drop for Looks {
    fn drop(&mut self) {
        if let Some(host) = self.1.lock().unwrap().take() {
            let status = host.status();
            let account = account(&status.daemon("looks").unwrap().subscriptions, "said");
            self.0.say(format!("{} abandoned, {} queued", account.abandoned, account.queued));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_abandoned_with_its_life_unless_another_follows() {
    let log = Log::default();
    let looks = log.clone();
    let make = move || Ok::<_, BoxError>(Looks(looks.clone(), Mutex::default()));
    let host = Host::new("t").daemon_with(make).start().await.unwrap();
    let handle = host.handle();
    for _ in 0..3 {
        handle.publish(Said(None)).await.unwrap();
    }
    handle.restart_daemon("looks").await.unwrap();
    handle.stop_daemon("looks").await.unwrap();
    assert_eq!(log.lines(), ["1 abandoned, 2 queued", "3 abandoned, 0 queued"]);
    let states: Vec<_> =
        handle.journal().into_iter().filter(|line| line.daemon.is_some()).map(|line| line.state).collect();
    let life = [State::Starting, State::Running, State::Stopping, State::Stopped];
    assert_eq!(states, [life, life].concat());
    assert_nothing_left(&host.shutdown().await.unwrap());
}

/// Tells while it is drained how long its cleanup may take.
#[daemon(name = "drained", stop_timeout = "10s")]
struct Drained(Log);
#[daemon]
impl Drained {
    #[on_event]
    async fn said(&self, _said: &Said, cx: &Context) {
        tokio::time::sleep(S(3)).await;
        self.0.say(format!("{:?}", cx.cleanup_time_left()));
    }
}
impl DaemonBase for Drained {}

#[tokio::test(start_paused = true)]
async fn what_is_drained_is_told_of_no_cleanup_though_a_shutdown_leaves_less_time_for_it() {
    let log = Log::default();
    let host = Host::new("t").daemon(Drained(log.clone())).start().await.unwrap();
    let handle = host.handle();
    handle.publish(Said(None)).await.unwrap();
    tokio::time::sleep(S(1)).await;
    let restarts = handle.restart_daemon("drained");
    let shuts_down = async {
        tokio::time::sleep(S(1)).await;
        host.shutdown().await.unwrap()
    };
    let (restarted, report) = tokio::join!(restarts, shuts_down);
    assert!(restarted.unwrap_err().is_stopping());
    assert_eq!((log.lines(), report.exit_code), (vec!["None".to_owned()], 0), "{report}");
}

#[daemon(name = "keyed", no_handlers)]
struct Keyed(&'static str);
impl DaemonBase for Keyed {}

/// Requires one of two.
#[daemon(name = "uses", requires(Keyed as "second"), no_handlers)]
struct Uses(Log);
impl DaemonBase for Uses {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        self.0.say(cx.daemon::<Keyed>().0);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_requires_an_instance_by_name_is_given_that_one() {
    let log = Log::default();
    let host = Host::new("t").daemon_as("first", Keyed("the first")).daemon_as("second", Keyed("the second"));
    let host = host.daemon(Uses(log.clone())).start().await.unwrap();
    assert_eq!(log.lines(), ["the second"]);
    host.shutdown().await.unwrap();
}
