//! The defects that were found in the system this framework was extracted from (a base class for daemons), each with the
//! test that shows why it cannot happen here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Event, EventHandler, Host, Result, StartError, State,
    SubscribeError, Wired, daemon, place,
};
use probe::{Log, MS, S, account, assert_balanced, assert_nothing_left, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[derive(Event, Debug)]
#[event("work:item", local)]
struct Item(u32);

/// Takes items, and takes its time to start and to handle them.
#[daemon(name = "worker")]
#[derive(Default)]
struct Worker {
    log: Log,
    starts_for: Duration,
    handles_for: Duration,
}
#[daemon]
impl Worker {
    #[on_event]
    async fn item(&self, item: &Item) {
        tokio::time::sleep(self.handles_for).await;
        self.log.say(format!("item {}", item.0));
    }
}
impl DaemonBase for Worker {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.log.say("initialize");
        tokio::time::sleep(self.starts_for).await;
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        Ok(())
    }
}

/// Reacts to two daemons, by type and by name.
#[daemon(name = "reacts")]
struct Reacts(Log);
#[daemon]
impl Reacts {
    #[on_ready(Worker)]
    async fn worker(&self) {
        self.0.say("by type");
    }
}
impl DaemonBase for Reacts {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let log = self.0.clone();
        cx.on_daemon_ready("worker", move || log.tell("by name"))?;
        let wrong = cx.on_daemon_ready("Worker", || async {}).unwrap_err().to_string();
        assert!(wrong.starts_with("no daemon named `Worker`; this host has: worker, "), "{wrong}");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn d1_readiness_is_told_of_under_the_one_name_every_daemon_has() {
    let log = Log::default();
    let host = Host::new("t").daemon(Worker::default()).daemon(Reacts(log.clone())).start().await.unwrap();
    log.said("by type").await;
    log.said("by name").await;
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn d2_whoever_looks_late_still_sees_that_a_daemon_is_ready() {
    let log = Log::default();
    let host = Host::new("t").daemon(Worker::default()).start().await.unwrap();
    tokio::time::sleep(S(3_600)).await;
    host.handle().add_daemon(Reacts(log.clone())).await.unwrap();
    log.said("by type").await;
    log.said("by name").await;
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn d3_no_new_event_overtakes_those_kept_from_the_start() {
    let log = Log::default();
    let worker = Worker { log: log.clone(), starts_for: S(5), handles_for: MS(10) };
    let starting = tokio::spawn(Host::new("t").daemon(worker).daemon(Feeds(10)).start());
    let host = starting.await.unwrap().unwrap();
    for n in 10..20 {
        host.handle().publish(Item(n)).await.unwrap();
    }
    log.said("item 19").await;
    let items: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("item")).collect();
    let expected: Vec<_> = (0..20).map(|n| format!("item {n}")).collect();
    assert_eq!(items, expected);
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Publishes some items while others still start.
#[daemon(name = "feeds", no_handlers)]
struct Feeds(u32);
impl DaemonBase for Feeds {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        for n in 0..self.0 {
            cx.publish(Item(n)).await?;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn d4_slow_handlers_of_kept_events_do_not_delay_readiness() {
    let log = Log::default();
    let worker = Worker { log: log.clone(), starts_for: S(5), handles_for: S(60) };
    let host = Host::new("t").daemon(worker).daemon(Feeds(3)).daemon(Reacts(log.clone())).start().await.unwrap();
    assert_eq!(host.start_report().took_ms, 5_000);
    log.said("by type").await;
    assert!(!log.has("item 0"));
    log.said("item 2").await;
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Fails where it is told to, with things registered.
#[daemon(name = "fails")]
struct Fails {
    log: Log,
    initialize: bool,
    cleanup: bool,
}
#[daemon]
impl Fails {
    #[every("1s")]
    fn tick(&self) {
        self.log.say("tick");
    }
    #[on_event]
    fn item(&self, _item: &Item) {
        self.log.say("item");
    }
    #[deferred("1s")]
    async fn later(&self) {
        self.log.say("deferred");
    }
}
impl DaemonBase for Fails {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let (log, tick) = (self.log.clone(), self.log.clone());
        cx.register_subscription(move || log.say("unsubscribed"))?;
        cx.register_interval("registered", S(1), move || tick.tell("registered tick"))?;
        let log = self.log.clone();
        cx.defer_initialization(S(1), move || async move { log.say("deferred") })?;
        if self.initialize { Err("no start".into()) } else { Ok(()) }
    }
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        self.log.say("deferred");
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        if self.cleanup { Err("no end".into()) } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn d5_a_cleanup_that_fails_skips_nothing() {
    let log = Log::default();
    let host = Host::new("t").daemon(Fails { log: log.clone(), initialize: false, cleanup: true });
    let host = host.start().await.unwrap();
    log.said("registered tick").await;
    let report = host.shutdown().await.unwrap();
    log.in_order(&["cleanup", "unsubscribed"]);
    assert_eq!(report.daemon("fails").unwrap().problems, ["cleanup: no end"]);
    assert_nothing_left(&report);
    let lines = log.lines().len();
    tokio::time::sleep(S(10)).await;
    assert_eq!(log.lines().len(), lines);
}

/// Has a `shutdown` of its own, as in the system of old; nobody calls it instead of the host's.
#[daemon(name = "own-shutdown", no_handlers)]
struct OwnShutdown(Log);
impl OwnShutdown {
    #[expect(dead_code, reason = "that it is not called is the point")]
    async fn shutdown(&self) {
        self.0.say("its own shutdown");
    }
}
impl DaemonBase for OwnShutdown {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let log = self.0.clone();
        cx.register_subscription(move || log.say("unsubscribed"))?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn d6_no_daemon_can_override_the_shutdown() {
    let log = Log::default();
    let host = Host::new("t").daemon(OwnShutdown(log.clone())).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert_eq!(log.lines(), ["unsubscribed"]);
    assert_eq!(report.daemon("own-shutdown").unwrap().state, State::Stopped);
    assert_nothing_left(&report);
}

#[tokio::test(start_paused = true)]
async fn d7_nothing_deferred_runs_after_the_shutdown() {
    let log = Log::default();
    let host = Host::new("t").daemon(Fails { log: log.clone(), initialize: false, cleanup: false });
    let report = host.start().await.unwrap().shutdown().await.unwrap();
    let deferred = log.count("deferred");
    tokio::time::sleep(S(60)).await;
    assert_eq!(log.count("deferred"), deferred, "the hook at most, and only before the stop");
    assert!(log.lines().last().is_some_and(|last| last == "unsubscribed"), "{:?}", log.lines());
    assert!(report.is_clean(), "{report}");
}

/// Shuts the host down while another daemon is in its `initialize`.
#[daemon(name = "impatient", no_handlers)]
struct Impatient;
impl DaemonBase for Impatient {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let host = cx.host();
        tokio::spawn(async move {
            tokio::time::sleep(S(1)).await;
            host.request_shutdown();
        });
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn d8_an_initialize_overtaken_by_the_shutdown_never_becomes_ready() {
    let log = Log::default();
    let worker = Worker { log: log.clone(), starts_for: S(2), handles_for: MS(1) };
    let host = Host::new("t").daemon(worker).daemon(Impatient).daemon(Reacts(log.clone()));
    let StartError::Stopped { shutdown, .. } = host.start().await.unwrap_err() else { panic!("it was asked to stop") };
    assert_eq!(shutdown.daemon("worker").unwrap().state, State::Stopped);
    assert_eq!(shutdown.daemon("worker").unwrap().started_ms, None);
    tokio::time::sleep(S(60)).await;
    assert_eq!(log.lines(), ["initialize", "cleanup"]);
    assert!(shutdown.is_clean(), "{shutdown}");
}

#[tokio::test(start_paused = true)]
async fn d9_a_failed_initialize_leaves_nothing_half_alive() {
    let log = Log::default();
    let fails = Fails { log: log.clone(), initialize: true, cleanup: false };
    let host = Host::new("t").daemon(Worker::default()).daemon(fails).daemon(Feeds(5));
    let StartError::Failed { shutdown, .. } = host.start().await.unwrap_err() else { panic!("it failed") };
    tokio::time::sleep(S(60)).await;
    assert_eq!(log.lines(), ["cleanup", "unsubscribed"]);
    let fails = shutdown.daemon("fails").unwrap();
    assert_eq!((fails.state, fails.reason.as_deref()), (State::Failed, Some("no start")));
    assert_eq!(shutdown.exit_code, 1);
    assert_nothing_left(&shutdown);
}

/// Slow and panicking ticks.
#[daemon(name = "ticks")]
#[derive(Default)]
struct Ticks {
    inside: AtomicU32,
    most: AtomicU32,
    log: Log,
}
#[daemon]
impl Ticks {
    #[every("1s")]
    async fn slow(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        tokio::time::sleep(MS(2_500)).await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        self.log.say("slow ends");
    }
    #[every("1s")]
    fn panics(&self) {
        panic!("a synchronous panic");
    }
}
impl DaemonBase for Ticks {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        assert_eq!(self.inside.load(Ordering::SeqCst), 0, "a tick runs beside cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn d10_ticks_never_overlap_and_a_synchronous_panic_is_caught() {
    let host = Host::new("t").daemon(Ticks::default()).start().await.unwrap();
    let handle = host.handle();
    tokio::time::sleep(S(60) + MS(500)).await;
    let ticks = handle.daemon::<Ticks>().unwrap();
    assert_eq!(ticks.most.load(Ordering::SeqCst), 1);
    let status = handle.status();
    let interval = |name| status.daemon("ticks").unwrap().intervals.iter().find(|it| it.name == name).unwrap().clone();
    assert_eq!((interval("panics").ticks, interval("panics").failed), (60, 60));
    assert_eq!((interval("slow").ticks, interval("slow").skipped), (19, 38));
    drop(ticks);
    assert_nothing_left(&host.shutdown().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn d11_clearing_an_interval_and_stopping_wait_for_the_tick_in_flight() {
    let log = Log::default();
    let host = Host::new("t").daemon(Clears(log.clone())).start().await.unwrap();
    log.said("cleared").await;
    log.in_order(&["tick begins", "tick ends", "cleared"]);
    assert!(host.shutdown().await.unwrap().is_clean());

    let host = Host::new("t").daemon(Ticks::default()).start().await.unwrap();
    let handle = host.handle();
    let ticks = handle.daemon::<Ticks>().unwrap();
    until("a tick in flight", || ticks.inside.load(Ordering::SeqCst) == 1).await;
    drop(ticks);
    let report = host.shutdown().await.unwrap();
    assert!(report.daemon("ticks").unwrap().problems.is_empty(), "{report}");
}

#[daemon(name = "clears")]
struct Clears(Log);
#[daemon]
impl Clears {
    #[task(finite)]
    async fn clear(&self, cx: &Context) -> Result<()> {
        let log = self.0.clone();
        cx.register_interval("beat", S(1), move || {
            let log = log.clone();
            async move {
                log.say("tick begins");
                tokio::time::sleep(MS(900)).await;
                log.say("tick ends");
            }
        })?;
        self.0.said("tick begins").await;
        assert!(cx.clear_interval("beat").await);
        self.0.say("cleared");
        Ok(())
    }
}
impl DaemonBase for Clears {}

#[tokio::test(start_paused = true)]
async fn d12_each_interval_shows_its_runs_failures_and_last_error_by_name() {
    let host = Host::new("t").daemon(Ticks::default()).start().await.unwrap();
    tokio::time::sleep(MS(4_500)).await;
    let status = host.handle().status();
    let intervals = &status.daemon("ticks").unwrap().intervals;
    let panics = intervals.iter().find(|interval| interval.name == "panics").unwrap();
    assert_eq!((panics.failed, panics.last_error.as_deref()), (panics.ticks, Some("panicked: a synchronous panic")));
    assert!(panics.ticks >= 3 && panics.last_duration.is_some());
    let slow = intervals.iter().find(|interval| interval.name == "slow").unwrap();
    assert_eq!((slow.ticks, slow.skipped, slow.last_duration), (1, 2, Some(MS(2_500))));
    assert_eq!(slow.running, 1, "a tick that is stuck can be seen");
    drop(host.shutdown().await.unwrap());
}

/// Does everything badly, and has no logger.
#[daemon(name = "careless")]
struct Careless;
#[daemon]
impl Careless {
    #[on_event]
    async fn item(&self, item: &Item) -> Result<()> {
        if item.0 == 0 { Err("an error".into()) } else { panic!("a panic") }
    }
    #[every("1h", immediately)]
    async fn tick(&self) -> Result<()> {
        Err("an error".into())
    }
    #[deferred("1s")]
    async fn later(&self) -> Result<()> {
        Err("an error".into())
    }
    #[on_ready(Careless)]
    async fn react(&self) -> Result<()> {
        Err("an error".into())
    }
}
impl DaemonBase for Careless {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        Ok(cx.register_subscription(|| panic!("a panic"))?)
    }
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        Err("an error".into())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        Err("an error".into())
    }
}

#[tokio::test(start_paused = true)]
async fn d13_no_error_is_swallowed_for_want_of_a_logger() {
    let host = Host::new("t").daemon(Careless).start().await.unwrap();
    let handle = host.handle();
    handle.publish(Item(0)).await.unwrap();
    handle.publish(Item(1)).await.unwrap();
    until("all that goes wrong", || {
        let status = handle.status();
        let careless = status.daemon("careless").unwrap();
        (careless.errors, careless.panics) == (5, 1)
    })
    .await;
    let report = host.shutdown().await.unwrap();
    let careless = report.daemon("careless").unwrap();
    assert_eq!((careless.errors, careless.panics), (6, 2), "{report}");
    assert_eq!(careless.problems, ["cleanup: an error", "a registered subscription panicked: a panic"]);
}

#[tokio::test(start_paused = true)]
async fn d14_a_handler_that_fails_after_an_await_is_counted_and_its_neighbour_is_served() {
    let log = Log::default();
    let host = Host::new("t").daemon(FailsLate).daemon(Worker { log: log.clone(), ..Worker::default() });
    let host = host.start().await.unwrap();
    let handle = host.handle();
    for n in 0..10 {
        handle.publish(Item(n)).await.unwrap();
    }
    log.said("item 9").await;
    until("all handled", || {
        let status = handle.status();
        account(&status.daemon("fails-late").unwrap().subscriptions, "item").failed == 10
    })
    .await;
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.daemon("fails-late").unwrap().errors, 10);
    assert_eq!(report.daemon("worker").unwrap().errors, 0);
    assert_balanced(&report);
}

struct FailsLate;
impl Declared for FailsLate {
    const DECLARATION: Declaration = Declaration::new("fails-late");
}
impl Wired for FailsLate {
    fn wire(definition: &mut Definition<Self>) {
        definition.on_event(EventHandler::<Self>::typed::<Item>("item", |_, _| {
            place(|item: Arc<Item>| async move {
                tokio::time::sleep(MS(1)).await;
                (item, Err("late".into()))
            })
        }));
    }
}
impl DaemonBase for FailsLate {}

#[derive(Event, Debug)]
#[event("work:item", local)]
struct AnotherItem;

#[daemon(name = "subscribes", no_handlers)]
struct Subscribes;
impl DaemonBase for Subscribes {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let error = cx.subscribe::<AnotherItem>().unwrap_err();
        assert!(matches!(error, SubscribeError::TypeMismatch { .. }), "{error}");
        let error = cx.subscribe_to::<Item>("work::item", Default::default()).unwrap_err();
        assert!(matches!(error, SubscribeError::InvalidPattern { .. }), "{error}");
        let mut works = cx.subscribe::<Item>()?;
        cx.publish(Item(7)).await?;
        assert_eq!(works.recv().await.map(|item| item.0), Some(7));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn d15_a_subscription_that_failed_does_not_look_like_one() {
    let host = Host::new("t").daemon(Worker::default()).daemon(Subscribes).start().await.unwrap();
    assert_nothing_left(&host.shutdown().await.unwrap());
}
