//! Calls at bad moments, from bad places and with bad numbers: none may hang, panic or be lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon_core::{
    BoxFuture, Check, CheckOptions, Context, DaemonBase, Declaration, Declared, Definition, Error, Event, Host,
    HostHandle, Interval, Overlap, QueueOptions, Restart, RestartPolicy, Result, RunningHost, Schedule, StartError,
    State, Task, Transition, Wired, daemon,
};
use probe::{Bomb, Log, MS, S, assert_nothing_left, until};

/// Whatever is awaited ends, by the paused clock.
async fn ends<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(S(40), future).await.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// Keeps the context of its first life, and can be slow at either end.
#[daemon(name = "keeper", no_handlers)]
#[derive(Default)]
struct Keeper {
    cx: Mutex<Option<Context>>,
    starts_for: Duration,
    stops_for: Duration,
}
impl DaemonBase for Keeper {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        self.cx.lock().unwrap().get_or_insert_with(|| cx.clone());
        tokio::time::sleep(self.starts_for).await;
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(self.stops_for).await;
        Ok(())
    }
}

#[daemon(name = "leaf", requires(Keeper), no_handlers)]
#[derive(Default)]
struct Leaf;
impl DaemonBase for Leaf {}

async fn kept(keeper: Keeper) -> (RunningHost, Context) {
    let host = Host::new("t").daemon(keeper).daemon(Leaf).start().await.unwrap();
    let cx = host.handle().daemon::<Keeper>().unwrap().cx.lock().unwrap().clone().unwrap();
    (host, cx)
}

/// Steers daemons from a place inside one.
type Steer = fn(HostHandle) -> BoxFuture<'static, Result<(), Error>>;

#[daemon(name = "steers")]
struct Steers {
    steer: Steer,
    done: AtomicBool,
    log: Log,
}
#[daemon]
impl Steers {
    #[every("1s")]
    async fn tick(&self, cx: &Context) -> Result<()> {
        if !self.done.swap(true, Ordering::Relaxed) {
            (self.steer)(cx.host()).await?;
            self.log.say("returned");
        }
        Ok(())
    }
}
impl DaemonBase for Steers {}

#[daemon(name = "under", requires(Steers), no_handlers)]
#[derive(Default)]
struct Under;
impl DaemonBase for Under {}

fn stopped(handle: &HostHandle) -> bool {
    let of_steers = |change: &Transition| change.daemon.as_deref() == Some("steers") && change.state == State::Stopped;
    handle.journal().iter().any(of_steers)
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_stops_or_restarts_its_own_daemon_does_not_wait_for_itself() {
    let steers: [Steer; 2] = [
        |host| Box::pin(async move { host.stop_daemon("steers").await }),
        |host| Box::pin(async move { host.restart_daemon("steers").await }),
    ];
    for steer in steers {
        let log = Log::default();
        let steers = Steers { steer, done: AtomicBool::new(false), log: log.clone() };
        let host = Host::new("t").daemon(steers).daemon(Under).start().await.unwrap();
        log.said("returned").await;
        let since = tokio::time::Instant::now();
        let handle = host.handle();
        until("it has stopped once", || stopped(&handle)).await;
        assert!(since.elapsed() < MS(50), "{:?}", since.elapsed());
        let report = ends("shutdown", host.shutdown()).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

/// Requires what its tick restarts.
#[daemon(name = "above", requires(Keeper))]
#[derive(Default)]
struct Above(AtomicU32);
#[daemon]
impl Above {
    #[every("1s")]
    async fn tick(&self, cx: &Context) -> Result<()> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            cx.host().restart_daemon("keeper").await?;
        }
        Ok(())
    }
}
impl DaemonBase for Above {}

#[tokio::test(start_paused = true)]
async fn a_tick_that_restarts_what_its_daemon_requires_does_not_wait_for_itself() {
    let host = Host::new("t").daemon(Keeper::default()).daemon(Above::default()).start().await.unwrap();
    let handle = host.handle();
    until("it restarts", || handle.status().daemon("above").unwrap().restarts == 1).await;
    assert!(handle.status().uptime < MS(1_500), "{:?}", handle.status().uptime);
    let report = ends("shutdown", host.shutdown()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[daemon(name = "parent", no_handlers, start_timeout = "5s")]
#[derive(Default)]
struct Parent;
impl DaemonBase for Parent {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.host().start_daemon("parent").await?;
        cx.host().add_daemon(Child).await?;
        cx.host().add_daemon(Friend).await?;
        assert!(cx.host().daemon::<Self>().is_none(), "it does not run yet");
        cx.host().fail_daemon("parent", 1, "it fails while it starts", false)?;
        Ok(())
    }
}
#[daemon(name = "child", requires(Parent), no_handlers)]
#[derive(Default)]
struct Child;
impl DaemonBase for Child {}
#[daemon(name = "friend", wants(Parent), no_handlers)]
struct Friend;
impl DaemonBase for Friend {}

#[tokio::test(start_paused = true)]
async fn an_initialize_that_starts_its_own_daemon_or_adds_one_that_depends_on_it_does_not_wait_for_itself() {
    let host = Host::new("t").daemon(Parent).start().await.unwrap();
    let handle = host.handle();
    until("the child runs", || handle.daemon::<Child>().is_some() && handle.daemon::<Friend>().is_some()).await;
    assert_eq!(handle.status().daemon("parent").unwrap().restarts, 0, "what starts is not failed from outside");
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.daemon("parent").unwrap().problems, ["it fails while it starts"]);
}

/// Starts one that requires it, and looks whether that runs then.
#[daemon(name = "waker", optional)]
struct Rouser(Log);
#[daemon]
impl Rouser {
    #[every("1s")]
    async fn rouse(&self, cx: &Context) -> Result<()> {
        cx.host().start_daemon("roused").await?;
        self.0.say(if cx.host().daemon::<Roused>().is_some() { "it runs" } else { "it does not run yet" });
        Ok(())
    }
}
impl DaemonBase for Rouser {}
#[daemon(name = "roused", requires(Rouser), optional, no_handlers)]
struct Roused;
impl DaemonBase for Roused {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(MS(100)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_starts_one_that_requires_its_daemon_waits_until_that_runs() {
    let log = Log::default();
    let host = Host::new("t").daemon(Rouser(log.clone())).daemon(Roused).start().await.unwrap();
    host.handle().stop_daemon("roused").await.unwrap();
    until("it is roused", || !log.lines().is_empty()).await;
    assert_eq!(log.lines()[0], "it runs");
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn wishes_that_cross_are_all_answered() {
    let slow = || Keeper { starts_for: S(2), stops_for: S(2), ..Keeper::default() };
    let (host, _) = kept(slow()).await;
    let handle = host.handle();
    // A stop while it starts.
    handle.stop_daemon("keeper").await.unwrap();
    let (started, stopped) = ends("start, stop", async {
        tokio::join!(handle.start_daemon("keeper"), async {
            tokio::time::sleep(S(1)).await;
            handle.stop_daemon("keeper").await
        })
    })
    .await;
    assert!(matches!(started, Err(Error::Overruled { .. })), "{started:?}");
    stopped.unwrap();
    // A stop of what it requires overrules it too, at once or later.
    let (started, stopped) =
        ends("start, stop below", async { tokio::join!(handle.start_daemon("leaf"), handle.stop_daemon("keeper")) })
            .await;
    assert!(matches!(started, Err(Error::Overruled { .. })), "{started:?}");
    stopped.unwrap();
    // A start right after a stop, and a restart in a restart.
    handle.start_daemon("keeper").await.unwrap();
    let (stopped, started) =
        ends("stop, start", async { tokio::join!(handle.stop_daemon("keeper"), handle.start_daemon("keeper")) }).await;
    stopped.unwrap();
    started.unwrap();
    let (one, two) = ends("restarts", async {
        tokio::join!(handle.restart_daemon("keeper"), async {
            tokio::time::sleep(S(1)).await;
            handle.restart_daemon("keeper").await
        })
    })
    .await;
    one.unwrap();
    two.unwrap();
    let report = ends("shutdown", host.shutdown()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Every limit is as long as can be.
#[derive(Default)]
struct Endless(AtomicU32);
impl Declared for Endless {
    const NAME: &'static str = "endless";
    const DECLARATION: Declaration = Declaration::new("endless")
        .start_timeout(Duration::MAX)
        .stop_timeout(Duration::MAX)
        .restart(RestartPolicy::new(Restart::OnFailure).backoff(Duration::MAX, Duration::MAX))
        .optional();
}
impl Wired for Endless {
    fn wire(definition: &mut Definition<Self>) {
        let all = "100%".parse().unwrap();
        let forever = || Schedule::every(Duration::MAX).immediately().overlap(Overlap::CONCURRENT);
        definition
            .every(Interval::new("never", Duration::MAX, |_, _| Box::pin(async { Ok(()) })))
            .every(Interval::new("once", forever().timeout(Duration::MAX), |daemon: &Self, _| {
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    daemon.0.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
            }))
            .every(Interval::new("some-day", forever().jitter(all), |_, _| Box::pin(async { Ok(()) })))
            .check(Check::new("fine", CheckOptions::default().timeout(Duration::MAX), |_, _| {
                Box::pin(async { Ok(()) })
            }))
            .task(
                Task::new("fails", |_, cx| {
                    Box::pin(async move { tokio::time::timeout(S(5), cx.cancelled()).await.map_err(Into::into) })
                })
                .restart(RestartPolicy::new(Restart::OnFailure).limit(1, Duration::MAX)),
            );
    }
}
impl DaemonBase for Endless {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.register_interval("late", Duration::MAX, || async {})?;
        cx.defer_initialization(Duration::MAX, || async {})?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn limits_without_end_overflow_nothing() {
    let host = || {
        let host = Host::new("t").stop_budget(Duration::MAX).start_timeout(Duration::MAX);
        host.shutdown_timeout(Duration::MAX).daemon(Endless::default()).on_shutdown(|| async {})
    };
    let running = ends("start", host().start()).await.unwrap();
    assert!(ends("shutdown of what runs", running.shutdown()).await.unwrap().is_clean());

    let host = ends("start", host().start()).await.unwrap();
    let handle = host.handle();
    assert!(handle.run_checks().await.iter().all(|check| check.failure.is_none()));
    let daemon = handle.daemon::<Endless>().unwrap();
    until("an immediate tick", || daemon.0.load(Ordering::Relaxed) == 1).await;
    drop(daemon);
    ends("restart", handle.restart_daemon("endless")).await.unwrap();
    until("it waits for ever to start again", || handle.status().daemon("endless").unwrap().state == State::Backoff)
        .await;
    let report = ends("shutdown", host.shutdown()).await.unwrap();
    assert_nothing_left(&report);
    assert_eq!(report.exit_code, 0, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_host_can_go_on_for_ever_after_its_shutdown_was_asked_for() {
    let host = Host::new("t").stop_budget(Duration::MAX).unready_delay(Duration::MAX - S(1)).daemon(Stateless);
    let host = host.start().await.unwrap();
    let handle = host.handle();
    handle.request_shutdown();
    assert!(tokio::time::timeout(S(86_400), host.wait()).await.is_err());
    assert_eq!((handle.status().state, handle.readiness().ready), (State::Running, false));
}

#[test]
fn a_run_with_limits_without_end_ends_and_so_does_one_with_a_moment_and_a_second_run() {
    for budget in [Duration::MAX, MS(1), S(5)] {
        let host = Host::new("t").without_lock().quiet().workers(1).stop_budget(budget).daemon(Stops);
        let _code = host.run();
    }
}

/// Asks for the shutdown as soon as it is asked anything.
#[daemon(name = "stops", no_handlers)]
struct Stops;
impl DaemonBase for Stops {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        cx.request_shutdown();
        Ok(())
    }
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        assert!(!cx.clear_interval("none").await);
        assert!(cx.register_interval("late", S(1), || async {}).is_err());
        cx.cleanup_subscriptions();
        cx.cleanup_intervals().await;
        drop(cx.spawn("pending", std::future::pending::<()>())?);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_context_and_a_handle_outlive_their_host_and_say_so() {
    let (host, cx) = kept(Keeper::default()).await;
    let handle = host.handle();
    let mut pulled = cx.subscribe_all("**", QueueOptions::default()).unwrap();
    ends("shutdown", host.shutdown()).await.unwrap();
    assert!(cx.register_interval("late", S(1), || async {}).is_err());
    assert!(cx.register_subscription(|| {}).is_err());
    assert!(cx.on_daemon_ready("keeper", || async {}).is_err());
    assert!(cx.defer_initialization(S(1), || async {}).is_err());
    assert!(cx.subscribe_all("**", QueueOptions::default()).is_err());
    assert!(cx.spawn("late", async {}).is_err());
    assert!(cx.spawn_blocking("late", || {}).is_err());
    assert!(cx.is_cancelled());
    assert!(!ends("clear", cx.clear_interval("none")).await);
    assert!(ends("recv", pulled.recv()).await.is_none());
    cx.request_shutdown();
    handle.request_shutdown();
    ends("stop", handle.stop_daemon("keeper")).await.unwrap();
    assert!(ends("start", handle.start_daemon("keeper")).await.unwrap_err().is_stopping());
    assert!(ends("restart", handle.restart_daemon("keeper")).await.unwrap_err().is_stopping());
    assert!(ends("add", handle.add_daemon(Stops)).await.unwrap_err().is_stopping());
    assert!(handle.status().daemon("stops").is_none(), "what is refused leaves no trace");
    assert!(ends("checks", handle.run_checks()).await.is_empty());
}

#[daemon(name = "dropped", no_handlers)]
struct Dropped {
    _held: Arc<()>,
}
impl DaemonBase for Dropped {}

#[tokio::test(start_paused = true)]
async fn daemons_added_while_the_host_stops_are_refused_or_stopped_and_dropped() {
    for delay in [0, 1_000, 1_999, 2_000, 2_001, 2_050, 2_100] {
        let (host, _) = kept(Keeper { stops_for: S(2), ..Keeper::default() }).await;
        let (handle, held) = (host.handle(), Arc::new(()));
        let value = Dropped { _held: held.clone() };
        let (report, added) = ends("both", async {
            tokio::join!(host.shutdown(), async {
                tokio::time::sleep(MS(delay)).await;
                handle.add_daemon(value).await
            })
        })
        .await;
        assert!(added.unwrap_err().is_stopping());
        assert_nothing_left(&report.unwrap());
        assert_eq!(Arc::strong_count(&held), 1, "after {delay} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_daemons_and_a_host_inside_a_host() {
    let mut host = Host::new("t");
    for at in 0..500 {
        host = host.daemon_as(&format!("d{at}"), Stateless);
    }
    let host = host.daemon(Outer).start().await.unwrap();
    let report = ends("shutdown", host.shutdown()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.daemons.len(), 501);
}

#[daemon(name = "stateless", no_handlers)]
struct Stateless;
impl DaemonBase for Stateless {}

#[daemon(name = "outer", no_handlers)]
struct Outer;
impl DaemonBase for Outer {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let inner = Host::new("inner").daemon(Stateless).start().await?;
        let outer = cx.clone();
        let inner = cx.spawn("inner host", async move {
            outer.cancelled().await;
            inner.shutdown().await.map(drop)
        })?;
        drop(inner);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn queues_of_every_size_take_what_they_can() {
    let (host, cx) = kept(Keeper::default()).await;
    for capacity in [0, 1, usize::MAX] {
        drop(cx.subscribe_all("**", QueueOptions::default().capacity(capacity)));
    }
    ends("shutdown", host.shutdown()).await.unwrap();
}

/// Asks for the shutdown while it starts, and would work at once.
#[daemon(name = "quits")]
struct Quits(Log);
#[daemon]
impl Quits {
    #[every("1s", immediately)]
    async fn tick(&self) {
        self.0.say("tick");
    }
    #[task]
    async fn work(&self, cx: &Context) {
        self.0.say("task");
        cx.cancelled().await;
    }
}
impl DaemonBase for Quits {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_initialize_that_asks_for_the_shutdown_never_runs() {
    for _ in 0..100 {
        let log = Log::default();
        let error = ends("start", Host::new("t").daemon(Quits(log.clone())).start()).await.unwrap_err();
        let StartError::Stopped { shutdown, .. } = error else { panic!("{error}") };
        assert!(shutdown.is_clean(), "{shutdown}");
        assert_eq!(log.lines(), ["cleanup"]);
    }
}

#[derive(Event)]
#[event("attack:bomb", local)]
struct Bombs {
    _bomb: Bomb,
}

/// Never gets beyond its first event.
#[daemon(name = "stuck", stop_timeout = "1s")]
struct Stuck(Log);
#[daemon]
impl Stuck {
    #[on_event]
    async fn bomb(&self, _event: &Bombs, cx: &Context) {
        cx.cancelled().await;
    }
}
impl DaemonBase for Stuck {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Ok(())
    }
}
impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.say("dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_destructor_panics_does_not_keep_its_daemon_from_stopping() {
    let log = Log::default();
    let host = Host::new("t").daemon(Stuck(log.clone())).start().await.unwrap();
    for _ in 0..3 {
        host.handle().publish(Bombs { _bomb: Bomb("boom") }).await.unwrap();
    }
    tokio::time::sleep(S(1)).await;
    let report = ends("shutdown", host.shutdown()).await.unwrap();
    log.in_order(&["cleanup", "dropped"]);
    assert!(report.left.is_nothing(), "{report}");
    assert!(report.daemons.iter().all(|daemon| daemon.state == State::Stopped), "{report}");
}

/// Calls itself from everywhere.
#[daemon(name = "echo")]
#[derive(Default)]
struct Echo(Log);
#[derive(Event)]
#[event("attack:ping", local)]
struct Ping;
#[daemon]
impl Echo {
    #[on_event]
    async fn ping(&self, _event: &Ping, cx: &Context) -> Result<()> {
        self.0.say("ping");
        Echo::client(cx).echo().await?;
        Ok(())
    }
    #[command]
    async fn echo(&self, cx: &Context) -> Result<u32> {
        self.0.say("echo");
        cx.register_interval("self-clearing", S(1), {
            let (cx, log) = (cx.clone(), self.0.clone());
            move || {
                let (cx, log) = (cx.clone(), log.clone());
                async move {
                    assert!(cx.clear_interval("self-clearing").await);
                    cx.cleanup_intervals().await;
                    log.say("cleared");
                }
            }
        })?;
        Ok(1)
    }
}
impl DaemonBase for Echo {}

#[tokio::test(start_paused = true)]
async fn a_handler_calls_its_own_command_which_registers_a_tick_that_clears_itself() {
    let log = Log::default();
    let host = Host::new("t").daemon(Echo(log.clone())).start().await.unwrap();
    host.handle().publish(Ping).await.unwrap();
    log.said("cleared").await;
    assert!(host.handle().status().daemon("echo").unwrap().intervals.is_empty());
    host.handle().publish(Ping).await.unwrap();
    let report = ends("shutdown", host.shutdown()).await.unwrap();
    assert_nothing_left(&report);
}

/// Does this in its `initialize` from the second time on, and says where the keeper is then.
#[daemon(name = "idol", no_handlers)]
struct Idol(AtomicU32, Steer, Log);
impl DaemonBase for Idol {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
            self.1(cx.host()).await?;
            let status = cx.host().status();
            let keeper = status.daemon("keeper").unwrap();
            self.2.say(format!("{} after {} restarts", keeper.state, keeper.restarts));
        }
        Ok(())
    }
}

#[daemon(name = "keeper", wants(Idol), no_handlers)]
struct Fan;
impl DaemonBase for Fan {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(1)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_initialize_that_steers_what_does_not_wait_for_it_waits_until_that_is_done() {
    let (stop, restart): (Steer, Steer) = (
        |host| Box::pin(async move { host.stop_daemon("keeper").await }),
        |host| Box::pin(async move { host.restart_daemon("keeper").await }),
    );
    // One that wants it runs on while it restarts.
    let (log, other) = (Log::default(), Log::default());
    let host = Host::new("t").daemon(Fan).daemon(Idol(AtomicU32::new(0), stop, log.clone())).start().await.unwrap();
    ends("the stop", host.handle().restart_daemon("idol")).await.unwrap();
    assert_eq!(log.lines(), ["stopped after 0 restarts"]);
    host.shutdown().await.unwrap();
    let keeper = Keeper { starts_for: S(1), stops_for: S(1), ..Keeper::default() };
    let (host, _) = kept(keeper).await;
    ends("the restart", host.handle().add_daemon(Idol(AtomicU32::new(1), restart, other.clone()))).await.unwrap();
    assert_eq!(other.lines(), ["running after 1 restarts"]);
    host.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_stops_a_daemon_from_outside_waits_for_its_end_though_a_shutdown_begins() {
    let (host, _) = kept(Keeper { stops_for: S(2), ..Keeper::default() }).await;
    let handle = host.handle();
    let stops = async {
        handle.stop_daemon("keeper").await.unwrap();
        handle.status().daemon("keeper").unwrap().state
    };
    let shuts_down = async {
        tokio::time::sleep(S(1)).await;
        host.shutdown().await.unwrap()
    };
    let (state, report) = ends("the stop", async { tokio::join!(stops, shuts_down) }).await;
    assert_eq!((state, report.exit_code), (State::Stopped, 0), "{report}");
}
