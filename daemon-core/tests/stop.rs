//! Stopping: reverse order, every step whatever the one before did, and nothing left.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Error, Event, Filter, Host, PublishError, QueueOptions, Result, State, daemon};
use probe::{Bomb, Log, MS, S, Says, assert_nothing_left, until};
use std::future::pending;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

#[derive(Event, Debug)]
#[event("job:new", local)]
struct Job(u32);

/// Says when it is cleaned up, after a second.
async fn leave(log: &Log, cx: &Context) -> Result<()> {
    tokio::time::sleep(S(1)).await;
    log.say(cx.name());
    Ok(())
}

#[daemon(name = "store", no_handlers)]
struct Store(Log);
impl DaemonBase for Store {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        leave(&self.0, cx).await
    }
}
#[daemon(name = "metrics", wants(Store), no_handlers)]
struct Metrics(Log);
impl DaemonBase for Metrics {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        leave(&self.0, cx).await
    }
}
#[daemon(name = "users", requires(Store), wants(Metrics), no_handlers)]
struct Users(Log);
impl DaemonBase for Users {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let _still_there = cx.daemon::<Store>();
        assert!(cx.try_daemon::<Metrics>().is_some(), "what it wants outlives it too");
        leave(&self.0, cx).await
    }
}
#[daemon(name = "web", requires(Users), no_handlers)]
struct Web(Log);
impl DaemonBase for Web {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        leave(&self.0, cx).await
    }
}
#[daemon(name = "mail", requires(Store), no_handlers)]
struct Mail(Log);
impl DaemonBase for Mail {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        leave(&self.0, cx).await
    }
}

#[tokio::test(start_paused = true)]
async fn daemons_stop_after_both_kinds_of_their_dependents_and_beside_the_others() {
    let log = Log::default();
    let host = Host::new("t")
        .daemon(Store(log.clone()))
        .daemon(Web(log.clone()))
        .daemon(Metrics(log.clone()))
        .daemon(Mail(log.clone()))
        .daemon(Users(log.clone()));
    let report = host.start().await.unwrap().shutdown().await.unwrap();
    log.in_order(&["web", "users", "metrics", "store"]);
    log.in_order(&["mail", "store"]);
    assert_eq!(report.stop_ms, 4_000, "mail stops beside the others");
    assert!(report.is_clean(), "{report}");
    assert_nothing_left(&report);
}

#[daemon(name = "all", stop_timeout = "10s")]
struct All {
    log: Log,
    _value: probe::Says,
}
#[daemon]
impl All {
    #[on_event]
    async fn job(&self, job: &Job, cx: &Context) {
        tokio::time::sleep(MS(500)).await;
        assert!(!cx.is_cancelled());
        self.log.say(format!("job {}", job.0));
    }
    #[every("10s")]
    async fn tick(&self) {
        self.log.say("tick begins");
        tokio::time::sleep(S(2)).await;
        self.log.say("tick ends");
    }
    #[command]
    async fn ask(&self) -> Result<u32> {
        self.log.say("command begins");
        tokio::time::sleep(S(3)).await;
        self.log.say("command ends");
        Ok(7)
    }
    #[task]
    async fn pump(&self, cx: &Context) {
        cx.cancelled().await;
        self.log.say("task cancelled");
        tokio::time::sleep(MS(100)).await;
        self.log.say("task ends");
    }
}
impl DaemonBase for All {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let guard = self.log.on_drop("guard dropped");
        cx.register_subscription(move || drop(guard))?;
        let tick = self.log.on_drop("interval dropped");
        cx.register_interval("beat", S(3_600), move || {
            let _held = &tick;
            async {}
        })?;
        Ok(())
    }
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        self.log.say("cleanup begins");
        let gone = self.log.on_drop("spawned by cleanup is gone");
        drop(cx.spawn("afterthought", async move {
            let _gone = gone;
            pending::<()>().await;
        })?);
        cx.publish(Job(99)).await?;
        tokio::time::sleep(S(1)).await;
        self.log.say("cleanup ends");
        Ok(())
    }
}

fn all(log: &Log) -> Host {
    let log = log.clone();
    Host::new("t").daemon_with(move || Ok::<_, Error>(All { log: log.clone(), _value: log.on_drop("value dropped") }))
}

#[tokio::test(start_paused = true)]
async fn the_steps_of_a_stop_come_in_order() {
    let log = Log::default();
    let host = all(&log).start().await.unwrap();
    let handle = host.handle();
    log.said("tick begins").await;
    let asked = tokio::spawn({
        let handle = handle.clone();
        async move { All::client(&handle).ask().await }
    });
    log.said("command begins").await;
    for n in 1..=3 {
        handle.publish(Job(n)).await.unwrap();
    }
    let report = host.shutdown().await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), 7, "a command under way is answered");
    log.in_order(&["job 1", "job 2", "job 3", "tick ends", "command ends", "task cancelled", "task ends"]);
    log.in_order(&["task ends", "cleanup begins", "cleanup ends", "guard dropped", "spawned by cleanup is gone"]);
    log.in_order(&["spawned by cleanup is gone", "value dropped"]);
    log.in_order(&["guard dropped", "interval dropped", "value dropped"]);
    assert!(!log.has("job 99"), "intake has ended");
    assert_eq!(log.count("tick begins"), 1);
    assert!(report.is_clean(), "{report}");
    assert_nothing_left(&report);
    assert_eq!(report.events[0].abandoned, 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_with_nothing_to_drain_stops_at_once() {
    let log = Log::default();
    let host = Host::new("t").daemon(Quick).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    drop(log);
    assert_eq!((report.stop_ms, report.exit_code), (0, 0));
}

#[daemon(name = "quick")]
struct Quick;
#[daemon]
impl Quick {
    #[on_event]
    async fn job(&self, _job: &Job) {}
    #[every("1s")]
    async fn tick(&self) {}
    #[task]
    async fn pump(&self, cx: &Context) {
        cx.cancelled().await;
    }
}
impl DaemonBase for Quick {}

/// Every step of its stop goes wrong.
#[daemon(name = "wreck", no_handlers)]
struct Wreck {
    log: Log,
    how: &'static str,
    _value: Bomb,
}
impl DaemonBase for Wreck {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let guard = self.log.on_drop("first guard");
        cx.register_subscription(move || drop(guard))?;
        cx.register_subscription(|| panic!("a guard"))?;
        let log = self.log.clone();
        cx.register_subscription(move || log.say("last guard"))?;
        let gone = self.log.on_drop("task dropped");
        drop(cx.spawn("stubborn", async move {
            let _gone = gone;
            let _bomb = Bomb("a task's destructor");
            pending::<()>().await;
        })?);
        let log = self.log.clone();
        cx.register_interval("beat", S(1), move || log.tell("tick"))?;
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        match self.how {
            "error" => Err("no flush".into()),
            "panic" => panic!("no flush"),
            "hang" => pending().await,
            _ => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_step_runs_whatever_the_one_before_did() {
    for (how, problem) in [
        ("well", None),
        ("error", Some("cleanup: no flush")),
        ("panic", Some("cleanup: panicked: no flush")),
        ("hang", None),
    ] {
        let log = Log::default();
        let (said, below) = (log.clone(), log.clone());
        let host = Host::new("t")
            .daemon_as("below", Store(below))
            .daemon_with(move || Ok::<_, Error>(Wreck { log: said.clone(), how, _value: Bomb("the value") }));
        let host = host.start().await.unwrap();
        log.said("tick").await;
        let report = host.shutdown().await.unwrap();
        let ticks = log.count("tick");
        log.in_order(&["task dropped", "cleanup", "first guard", "last guard"]);
        log.at("below");
        let wreck = report.daemon("wreck").unwrap();
        let mut problems: Vec<_> = problem.into_iter().map(str::to_owned).collect();
        problems.push("a registered subscription panicked: a guard".to_owned());
        problems.push("the daemon's destructor panicked: the value".to_owned());
        assert_eq!(wreck.problems, problems, "{how}");
        let cut: Vec<_> = wreck.cut.iter().map(|cut| (&*cut.work, cut.gone)).collect();
        let mut expected = vec![("task `stubborn`", true)];
        expected.extend((how == "hang").then_some(("cleanup", true)));
        assert_eq!(cut, expected);
        assert!(wreck.cut[0].spawned_at.contains("stop.rs:"), "{}", wreck.cut[0].spawned_at);
        assert_eq!(wreck.state, State::Stopped);
        assert_eq!(report.exit_code, 75);
        assert!(report.stop_ms <= 5_000, "{report}");
        assert_nothing_left(&report);
        tokio::time::sleep(S(10)).await;
        assert_eq!(log.count("tick"), ticks);
    }
}

#[daemon(name = "value", no_handlers)]
struct Value(#[expect(dead_code, reason = "held for its destructor")] Bomb);
impl DaemonBase for Value {}

#[tokio::test(start_paused = true)]
async fn a_value_whose_destructor_panics_is_told_of_and_the_others_are_let_go() {
    let log = Log::default();
    let host = Host::new("t").daemon(Value(Bomb("the value"))).daemon(Holds { _says: log.on_drop("held") });
    let report = host.start().await.unwrap().shutdown().await.unwrap();
    assert_eq!(report.daemon("value").unwrap().problems, ["the daemon's destructor panicked: the value"]);
    log.at("held");
    assert_eq!(report.exit_code, 1);
}

#[daemon(name = "holds", no_handlers)]
struct Holds {
    _says: probe::Says,
}
impl DaemonBase for Holds {}

/// Hangs where it is told to.
#[daemon(name = "hangs", stop_timeout = "4s")]
struct Hangs(Log, &'static str);
impl Hangs {
    async fn here(&self, place: &str) {
        if self.1 == place {
            let _gone = self.0.on_drop("gone");
            self.0.say("hangs");
            pending::<()>().await;
        }
    }
}
#[daemon]
impl Hangs {
    #[on_event]
    async fn handler(&self, _job: &Job) {
        self.here("event handler `handler`").await;
    }
    #[every("1s")]
    async fn tick(&self) {
        self.here("interval `tick`").await;
    }
    #[task]
    async fn pump(&self) {
        self.here("task `pump`").await;
    }
    #[on_ready(Hangs)]
    async fn react(&self) {
        self.here("on_ready `react`").await;
    }
    #[deferred("1s")]
    async fn late(&self) {
        self.here("deferred call `late`").await;
    }
    #[command]
    async fn ask(&self) -> Result<()> {
        self.here("command `ask`").await;
        Ok(())
    }
    #[health(readiness, timeout = "1h")]
    async fn well(&self) -> Result<()> {
        self.here("check `well`").await;
        Ok(())
    }
}
impl DaemonBase for Hangs {
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        self.here("initialize_deferred").await;
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        self.here("cleanup").await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_aborted_and_named() {
    for place in [
        "event handler `handler`",
        "interval `tick`",
        "task `pump`",
        "on_ready `react`",
        "deferred call `late`",
        "initialize_deferred",
        "command `ask`",
        "check `well`",
        "cleanup",
    ] {
        let log = Log::default();
        let host = Host::new("t").daemon(Hangs(log.clone(), place)).start().await.unwrap();
        let handle = host.handle();
        handle.publish(Job(1)).await.unwrap();
        let asks = tokio::spawn({
            let handle = handle.clone();
            async move { Hangs::client(&handle).ask().await }
        });
        let checks = tokio::spawn({
            let handle = handle.clone();
            async move { handle.run_checks().await }
        });
        if place != "cleanup" {
            log.said("hangs").await;
        }
        let report = host.shutdown().await.unwrap();
        let hangs = report.daemon("hangs").unwrap();
        let cut: Vec<_> = hangs.cut.iter().map(|cut| (&*cut.work, cut.gone)).collect();
        assert_eq!(cut, [(place, true)], "{report}");
        assert_eq!(report.exit_code, 75);
        assert!(report.stop_ms <= 4_000, "{place}: {report}");
        log.at("gone");
        log.at("cleanup");
        if place != "cleanup" {
            log.in_order(&["gone", "cleanup"]);
        }
        assert_nothing_left(&report);
        let answered = asks.await.unwrap();
        assert_eq!(answered.is_err(), place == "command `ask`");
        let failure = checks.await.unwrap()[0].failure.clone();
        assert_eq!(failure.as_deref(), (place == "check `well`").then_some("its daemon is shutting down"));
    }
}

#[daemon(name = "late", no_handlers)]
#[derive(Default)]
struct Late(Mutex<Option<Context>>, Log);
impl DaemonBase for Late {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        *self.0.lock().unwrap() = Some(cx.clone());
        Ok(())
    }
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        refuses_registrations(cx, &self.1);
        cx.publish(Job(1)).await?;
        drop(cx.spawn("allowed", async {})?);
        self.1.say("cleanup");
        Ok(())
    }
}

#[track_caller]
fn refuses_registrations(cx: &Context, log: &Log) {
    let guard = log.on_drop("refused guard");
    let guard = cx.register_subscription(move || drop(guard));
    assert_eq!(guard.unwrap_err().to_string(), "daemon `late` is stopping");
    let refused = [
        cx.register_interval("beat", S(1), || async {}),
        cx.on_daemon_ready("late", || async {}),
        cx.defer_initialization(Duration::ZERO, || async {}),
    ];
    for refused in refused {
        assert!(refused.unwrap_err().is_stopping());
    }
    assert!(cx.subscribe::<Job>().unwrap_err().is_stopping());
    assert!(cx.subscribe_all("**", Default::default()).unwrap_err().is_stopping());
    assert!(
        cx.subscribe_to::<Job>("no topic", Default::default()).unwrap_err().is_stopping(),
        "before it is looked at"
    );
}

#[tokio::test(start_paused = true)]
async fn from_cleanup_on_nothing_is_registered_and_after_it_nothing_published() {
    let log = Log::default();
    let host = Host::new("t").daemon(Late(Mutex::default(), log.clone())).start().await.unwrap();
    let cx = host.handle().daemon::<Late>().unwrap().0.lock().unwrap().clone().unwrap();
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean() && report.daemon("late").unwrap().problems.is_empty(), "{report}");
    log.in_order(&["refused guard", "cleanup"]);
    let after = Log::default();
    refuses_registrations(&cx, &after);
    after.at("refused guard");
    assert!(matches!(cx.publish(Job(2)).await, Err(PublishError::Stopping { .. })));
    assert!(matches!(cx.try_publish(Job(2)), Err(PublishError::Stopping { .. })));
    assert!(cx.publish_to("job:new", Job(2)).await.unwrap_err().is_stopping());
    assert!(cx.publish_to_and_wait("job:new", Job(2)).await.unwrap_err().is_stopping());
    assert!(cx.try_publish_to("job:new", Job(2)).unwrap_err().is_stopping());
    assert!(cx.spawn("never", async {}).unwrap_err().is_stopping());
    assert!(cx.spawn_blocking("never", || {}).unwrap_err().is_stopping());
    assert!(cx.is_cancelled());
    cx.cancelled().await;
    assert!(!cx.clear_interval("beat").await);
    cx.cleanup_subscriptions();
    cx.cleanup_intervals().await;
    cx.request_shutdown();
}

#[derive(Event)]
#[event("job:kept", local, retain)]
struct Kept;

/// Its filter is asked about the event that is kept, and takes its time.
#[tokio::test]
async fn a_subscription_that_is_still_being_made_when_the_life_ends_is_refused() {
    let host = Host::new("t").daemon(Late(Mutex::default(), Log::default())).start().await.unwrap();
    let handle = host.handle();
    let cx = handle.daemon::<Late>().unwrap().0.lock().unwrap().clone().unwrap();
    handle.publish(Kept).await.unwrap();
    let (tell, told) = mpsc::channel();
    let (let_go, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let filter = Filter::of(move |_: &Kept| {
        tell.send(()).unwrap();
        waits.lock().unwrap().recv().is_err()
    });
    let makes = std::thread::spawn(move || {
        cx.subscribe_to::<Kept>("job:kept", QueueOptions::default().when(filter)).map(drop).unwrap_err()
    });
    told.recv().unwrap();
    let report = host.shutdown().await.unwrap();
    drop(let_go);
    assert!(makes.join().unwrap().is_stopping());
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_can_be_ended_before_the_stop() {
    let log = Log::default();
    let host = Host::new("t").daemon(Late(Mutex::default(), Log::default())).start().await.unwrap();
    let cx = host.handle().daemon::<Late>().unwrap().0.lock().unwrap().clone().unwrap();
    let guard = log.on_drop("ended");
    cx.register_subscription(move || drop(guard)).unwrap();
    cx.cleanup_subscriptions();
    log.at("ended");
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_changes_nothing() {
    let log = Log::default();
    let host = Host::new("t").daemon(Store(log.clone())).start().await.unwrap();
    let handle = host.handle();
    handle.request_shutdown();
    handle.request_shutdown();
    let stopping = tokio::spawn(host.shutdown());
    until("stopping", || handle.status().state == State::Stopping).await;
    handle.request_shutdown();
    let report = stopping.await.unwrap().unwrap();
    handle.request_shutdown();
    assert_eq!((log.count("store"), report.exit_code), (1, 0));
    assert_eq!(report.cause, "asked for by the host's handle");
    assert_eq!(handle.status().state, State::Stopped);
}

#[daemon(name = "asks")]
struct Asks;
#[daemon]
impl Asks {
    #[every("1s")]
    fn tick(&self, cx: &Context) {
        cx.request_shutdown();
    }
}
impl DaemonBase for Asks {}

#[tokio::test(start_paused = true)]
async fn a_daemon_can_ask_for_the_shutdown_and_is_named() {
    let report = Host::new("t").daemon(Asks).start().await.unwrap().wait().await.unwrap();
    assert_eq!(report.cause, "asked for by daemon `asks`");
    assert!(report.is_clean(), "{report}");
}

#[daemon(name = "blocks", stop_timeout = "1s", no_handlers)]
struct Blocks(std::sync::Arc<Mutex<Option<std::sync::mpsc::Sender<()>>>>);
impl DaemonBase for Blocks {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let (sender, wait) = std::sync::mpsc::channel();
        let (begun, begins) = tokio::sync::oneshot::channel();
        *self.0.lock().unwrap() = Some(sender);
        let copies = cx.spawn_blocking("copies", move || {
            begun.send(()).ok();
            wait.recv().ok()
        });
        drop(copies?);
        Ok(begins.await?)
    }
}

#[tokio::test]
async fn blocking_work_that_outlives_the_stop_is_named_as_left() {
    let release = std::sync::Arc::new(Mutex::new(None));
    let host = Host::new("t").daemon(Blocks(release.clone())).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    drop(release.lock().unwrap().take());
    let cut = &report.daemon("blocks").unwrap().cut;
    assert_eq!(cut.len(), 1, "{report}");
    assert_eq!((&*cut[0].work, cut[0].gone), ("blocking work `copies`", false));
    assert_eq!((report.left.tasks, report.exit_code), (1, 75));
}

/// Its task fails, and would be run again while an event is still being handled.
#[daemon(name = "again")]
struct Again(Log);
#[daemon]
impl Again {
    #[on_event]
    async fn slow(&self, _: &Nothing) {
        tokio::time::sleep(S(1)).await;
    }
    #[task(restart(on_failure, backoff = "300ms..300ms"))]
    async fn fails(&self) -> Result<()> {
        self.0.say("run");
        Err("broken".into())
    }
}
impl DaemonBase for Again {}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_to_be_run_again_is_not_while_its_daemon_drains() {
    let log = Log::default();
    let host = Host::new("t").daemon(Again(log.clone())).start().await.unwrap();
    host.handle().publish(Nothing).await.unwrap();
    log.said("run").await;
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean() && report.stop_ms > 900, "{report}");
    assert_eq!(log.count("run"), 1);
}

#[daemon(name = "low", no_handlers)]
struct Low(#[expect(dead_code, reason = "held for its destructor")] Says);
impl DaemonBase for Low {}
#[daemon(name = "high", requires(Low), no_handlers)]
struct High(#[expect(dead_code, reason = "held for its destructor")] Says);
impl DaemonBase for High {}

#[tokio::test(start_paused = true)]
async fn values_are_dropped_in_the_order_of_the_stop() {
    let log = Log::default();
    let (low, high) = (Low(log.on_drop("low")), High(log.on_drop("high")));
    let host = Host::new("t").daemon(low).daemon(high).start().await.unwrap();
    assert!(host.shutdown().await.unwrap().is_clean());
    log.in_order(&["high", "low"]);
}

/// Subscribes only once its daemon is being drained.
#[daemon(name = "late")]
struct LateSubscriber;
#[daemon]
impl LateSubscriber {
    #[every("1s")]
    async fn tick(&self, cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut nothing = cx.subscribe::<Nothing>()?;
        while nothing.recv().await.is_some() {}
        Ok(())
    }
}
impl DaemonBase for LateSubscriber {}

#[derive(Event)]
#[event("nothing:happens", local)]
struct Nothing;

#[tokio::test(start_paused = true)]
async fn who_subscribes_while_the_queues_drain_is_not_left_waiting() {
    let host = Host::new("t").daemon(LateSubscriber).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.stop_ms < 100, "{report}");
}

#[daemon(name = "needless", optional, no_handlers)]
struct Needless;
impl DaemonBase for Needless {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        Err("it could not save".into())
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_in_the_stop_of_an_optional_daemon_is_told_and_is_no_failure_of_the_host() {
    let report = Host::new("t").daemon(Needless).start().await.unwrap().shutdown().await.unwrap();
    assert_eq!(report.daemon("needless").unwrap().problems, ["cleanup: it could not save"]);
    assert!(report.exit_code == 0 && !report.is_clean(), "{report}");
}
