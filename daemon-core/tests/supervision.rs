//! Restarts: which ends lead to one, who stops and starts with it, what it costs, what survives; and steering by hand.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon_core::{
    Context, DaemonBase, Definition, Error, Event, EventHandler, Host, HostHandle, Restart, RestartPolicy, Result,
    RunningHost, State, Task, Wired, daemon, place,
};

type Log = Arc<Mutex<Vec<String>>>;

fn say(log: &Log, text: impl Into<String>) {
    log.lock().unwrap().push(text.into());
}

fn said(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

macro_rules! chain {
    ($($name:literal $ty:ident $(requires $requires:ident)? $(wants $wants:ident)?;)+) => {$(
        #[daemon(name = $name, no_handlers $(, requires($requires))? $(, wants($wants))?)]
        struct $ty(Log);
        impl DaemonBase for $ty {
            async fn initialize(&self, _cx: &Context) -> Result<()> {
                say(&self.0, concat!("+", $name));
                Ok(())
            }
            async fn cleanup(&self, _cx: &Context) -> Result<()> {
                say(&self.0, concat!("-", $name));
                Ok(())
            }
        }
    )+};
}
chain! {
    "base" Base;
    "top" Top requires Fragile;
    "tip" Tip requires Top;
    "friend" Friend wants Fragile;
    "stranger" Stranger;
}

#[derive(Event, serde::Serialize)]
#[event("fragile:work")]
struct Work(u32);

/// Breaks when it is told to.
#[daemon(name = "fragile", requires(Base))]
struct Fragile {
    log: Log,
    breaks: tokio::sync::Notify,
    /// How many further starts fail.
    bad_starts: AtomicU32,
}

impl Fragile {
    fn new(log: &Log) -> Self {
        Self { log: log.clone(), breaks: tokio::sync::Notify::new(), bad_starts: AtomicU32::new(0) }
    }
}

impl Wired for Fragile {
    fn wire(definition: &mut Definition<Self>) {
        let watch = Task::new("watch", |daemon: &Self, cx| {
            Box::pin(async move {
                tokio::select! {
                    () = cx.cancelled() => Ok(()),
                    () = daemon.breaks.notified() => Err("it broke".into()),
                }
            })
        });
        definition.task(watch.restart(RestartPolicy::new(Restart::Never)));
        definition.on_event(EventHandler::<Self>::typed::<Work>("work", |daemon, _| {
            place(move |event: Arc<Work>| async move {
                say(&daemon.log, format!("work {}", event.0));
                (event, Ok(()))
            })
        }));
    }
}

impl DaemonBase for Fragile {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.bad_starts.load(Ordering::Relaxed) > 0 {
            self.bad_starts.fetch_sub(1, Ordering::Relaxed);
            say(&self.log, "!fragile");
            return Err("a bad start".into());
        }
        say(&self.log, "+fragile");
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        say(&self.log, "-fragile");
        Ok(())
    }
}

struct Stage {
    log: Log,
    host: RunningHost,
}

impl Stage {
    async fn set() -> Self {
        let log = Log::default();
        let host = Host::new("test")
            .daemon(Base(log.clone()))
            .daemon(Fragile::new(&log))
            .daemon(Top(log.clone()))
            .daemon(Tip(log.clone()))
            .daemon(Friend(log.clone()))
            .daemon(Stranger(log.clone()));
        let host = host.start().await.unwrap();
        said(&log);
        Self { log, host }
    }

    fn handle(&self) -> HostHandle {
        self.host.handle()
    }

    fn fragile(&self) -> Arc<Fragile> {
        self.handle().daemon::<Fragile>().unwrap()
    }

    async fn until(&self, daemon: &str, state: State) {
        while self.handle().status().daemon(daemon).unwrap().state != state {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_those_that_require_it_along_and_nobody_else() {
    let stage = Stage::set().await;
    stage.fragile().breaks.notify_one();
    stage.until("fragile", State::Backoff).await;
    assert_eq!(said(&stage.log), ["-tip", "-top", "-fragile"]);
    let status = stage.handle().status();
    let state = |name| status.daemon(name).unwrap().state;
    assert_eq!([state("base"), state("friend"), state("stranger")], [State::Running; 3]);
    assert_eq!([state("top"), state("tip")], [State::Stopped; 2]);
    assert_eq!(status.daemon("fragile").unwrap().reason.as_deref(), Some("task `watch`: it broke"));

    stage.until("tip", State::Running).await;
    assert_eq!(said(&stage.log), ["+fragile", "+top", "+tip"]);
    let status = stage.handle().status();
    let restarts = |name| status.daemon(name).unwrap().restarts;
    assert_eq!(["base", "fragile", "top", "tip", "friend"].map(restarts), [0, 1, 1, 1, 0]);

    let report = stage.host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn delays_double_and_the_limit_ends_in_failure_by_name() {
    let stage = Stage::set().await;
    stage.fragile().bad_starts.store(u32::MAX, Ordering::Relaxed);
    stage.fragile().breaks.notify_one();
    let since = tokio::time::Instant::now();
    let report = stage.host.wait().await.unwrap();
    assert_eq!(report.exit_code, 1, "{report}");
    // 100 + 200 + 400 + 800 + 1600 ms, each less up to a quarter
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(2325) && took <= Duration::from_millis(3150), "{took:?}");
    assert_eq!(said(&stage.log).iter().filter(|line| *line == "!fragile").count(), 5);
    let fragile = report.daemon("fragile").unwrap();
    assert_eq!(fragile.state, State::Failed);
    assert_eq!(fragile.reason.as_deref(), Some("a bad start; 5 restarts in 60s are used up"));
    let tip = report.daemon("tip").unwrap();
    assert_eq!((tip.state, tip.reason.as_deref()), (State::Failed, Some("requires `top`, which failed")));
    assert_eq!(report.daemon("friend").unwrap().state, State::Stopped);
    assert!(report.left.is_nothing());
}

#[tokio::test(start_paused = true)]
async fn queued_events_survive_a_restart() {
    let stage = Stage::set().await;
    stage.fragile().breaks.notify_one();
    stage.until("fragile", State::Backoff).await;
    for at in 0..3 {
        stage.handle().publish(Work(at)).await.unwrap();
    }
    stage.until("fragile", State::Running).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let said = said(&stage.log);
    let work: Vec<_> = said.iter().filter(|line| line.starts_with("work")).collect();
    assert_eq!(work, ["work 0", "work 1", "work 2"]);
    let report = stage.host.shutdown().await.unwrap();
    let account = &report.events[0];
    assert_eq!((account.offered, account.handled), (3, 3), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_is_stopped_started_and_restarted_by_hand() {
    let stage = Stage::set().await;
    let handle = stage.handle();
    handle.stop_daemon("fragile").await.unwrap();
    assert_eq!(said(&stage.log), ["-tip", "-top", "-fragile"]);
    handle.stop_daemon("fragile").await.unwrap();
    assert_eq!(said(&stage.log), [""; 0]);
    handle.start_daemon("tip").await.unwrap();
    assert_eq!(said(&stage.log), ["+fragile", "+top", "+tip"]);
    handle.restart_daemon("top").await.unwrap();
    stage.until("tip", State::Running).await;
    assert_eq!(said(&stage.log), ["-tip", "-top", "+top", "+tip"]);
    let stops: Vec<_> = handle.journal().into_iter().filter(|line| line.state == State::Stopping).collect();
    let restarts: Vec<_> = stops.iter().filter_map(|line| line.cause.as_deref().zip(line.daemon.as_deref())).collect();
    assert_eq!(restarts, [("to start again", "tip"), ("to start again", "top")], "and not of those that were to rest");
    let unknown = handle.restart_daemon("nobody").await.unwrap_err();
    assert!(matches!(unknown, Error::UnknownDaemon { .. }), "{unknown}");
    let report = stage.host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_daemon_that_nobody_needs_can_be_started_again() {
    #[daemon(name = "extra", optional)]
    struct Extra(tokio::sync::Notify);
    impl Wired for Extra {
        fn wire(definition: &mut Definition<Self>) {
            let work = Task::new("work", |daemon: &Self, cx| {
                Box::pin(async move {
                    tokio::select! {
                        () = cx.cancelled() => Ok(()),
                        () = daemon.0.notified() => Err("no more".into()),
                    }
                })
            });
            definition.task(work.restart(RestartPolicy::new(Restart::Never).limit(0, Duration::from_secs(1))));
        }
    }
    impl DaemonBase for Extra {}

    let stage = Stage::set().await;
    let handle = stage.handle();
    handle.add_daemon(Extra(tokio::sync::Notify::new())).await.unwrap();
    for restart in 1..=5 {
        handle.daemon::<Extra>().unwrap().0.notify_one();
        stage.until("extra", State::Backoff).await;
        stage.until("extra", State::Running).await;
        assert_eq!(handle.status().daemon("extra").unwrap().restarts, restart);
    }
    handle.daemon::<Extra>().unwrap().0.notify_one();
    stage.until("extra", State::Failed).await;
    assert_eq!(handle.status().state, State::Running);
    handle.stop_daemon("extra").await.expect("it does not run");
    handle.start_daemon("extra").await.unwrap();
    let report = stage.host.shutdown().await.unwrap();
    assert_eq!(report.exit_code, 0, "{report}");
}

#[tokio::test(start_paused = true)]
async fn one_that_wants_another_is_degraded_without_it() {
    let stage = Stage::set().await;
    let handle = stage.handle();
    let degraded = |of: &str| handle.status().daemon(of).unwrap().degraded.clone();
    assert!(degraded("friend").is_empty());
    stage.fragile().breaks.notify_one();
    stage.until("fragile", State::Backoff).await;
    assert_eq!(degraded("friend"), ["wants `fragile`, which is backoff"]);
    stage.until("fragile", State::Running).await;
    assert!(degraded("friend").is_empty());
    handle.stop_daemon("fragile").await.unwrap();
    assert_eq!(degraded("friend"), ["wants `fragile`, which is stopped"]);
    assert!(degraded("stranger").is_empty());
    handle.stop_daemon("friend").await.unwrap();
    assert!(degraded("friend").is_empty(), "it does not run itself");
    assert_eq!(stage.host.shutdown().await.unwrap().exit_code, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_daemon_requires_that_is_added_is_started_before_it() {
    #[daemon(name = "late", requires(Fragile), no_handlers)]
    struct Late;
    impl DaemonBase for Late {}

    let stage = Stage::set().await;
    let handle = stage.handle();
    handle.stop_daemon("fragile").await.unwrap();
    handle.add_daemon(Late).await.unwrap();
    let state = |of: &str| handle.status().daemon(of).unwrap().state;
    assert_eq!(["fragile", "late", "top"].map(state), [State::Running, State::Running, State::Stopped]);
    assert!(stage.host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_daemon_added_late_is_one_like_any_other() {
    #[daemon(name = "late", requires(Fragile), no_handlers)]
    struct Late(Log);
    impl DaemonBase for Late {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            assert_eq!(cx.daemon::<Fragile>().bad_starts.load(Ordering::Relaxed), 0);
            say(&self.0, "+late");
            Ok(())
        }
        async fn cleanup(&self, _cx: &Context) -> Result<()> {
            say(&self.0, "-late");
            Ok(())
        }
    }

    let stage = Stage::set().await;
    let handle = stage.handle();
    handle.add_daemon(Late(stage.log.clone())).await.unwrap();
    assert_eq!(said(&stage.log), ["+late"]);
    let taken = handle.add_daemon(Late(stage.log.clone())).await.unwrap_err();
    assert!(matches!(taken, Error::NameTaken { .. }), "{taken}");
    handle.restart_daemon("fragile").await.unwrap();
    stage.until("late", State::Running).await;
    let lines = said(&stage.log);
    assert_eq!(lines.iter().filter(|line| line.ends_with("late")).count(), 2, "{lines:?}");
    let report = stage.host.shutdown().await.unwrap();
    let lines = said(&stage.log);
    let place = |line: &str| lines.iter().position(|other| other == line).unwrap();
    assert!(place("-late") < place("-fragile"));
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_a_backoff() {
    let stage = Stage::set().await;
    stage.fragile().breaks.notify_one();
    stage.until("fragile", State::Backoff).await;
    let since = tokio::time::Instant::now();
    let report = stage.host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(since.elapsed() < Duration::from_millis(50));
    assert_eq!(said(&stage.log).iter().filter(|line| *line == "+fragile").count(), 0);
}

#[tokio::test(start_paused = true)]
async fn events_for_a_daemon_at_rest_are_abandoned_at_once() {
    let stage = Stage::set().await;
    let handle = stage.handle();
    handle.stop_daemon("fragile").await.unwrap();
    handle.publish(Work(1)).await.unwrap();
    let account = handle.status().daemon("fragile").unwrap().subscriptions[0].clone();
    assert_eq!((account.offered, account.abandoned, account.queued), (1, 1, 0));
    handle.start_daemon("fragile").await.unwrap();
    handle.publish(Work(2)).await.unwrap();
    let report = stage.host.shutdown().await.unwrap();
    let account = &report.events[0];
    assert_eq!((account.offered, account.abandoned, account.handled), (2, 1, 1));
}

#[derive(Event)]
#[event("brittle:poke", local)]
struct Poke;

/// Breaks at every poke.
#[daemon(name = "brittle", restart(on_failure, limit = "2/1h"))]
struct Brittle;
#[daemon]
impl Brittle {
    #[on_event(on_error = restart)]
    fn poke(&self, _poke: &Poke) -> Result<()> {
        Err("poked".into())
    }
}
impl DaemonBase for Brittle {}

/// Takes a second to stop, in which what it requires still runs. It may be started again once, by itself.
#[daemon(name = "leaning", requires(Brittle), no_handlers, restart(on_failure, limit = "1/1h"))]
struct Leaning;
impl DaemonBase for Leaning {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_charged_to_who_broke_and_not_to_those_it_takes_along() {
    let host = Host::new("t").daemon(Brittle).daemon(Leaning).start().await.unwrap();
    let handle = host.handle();
    let seen = |name: &str| {
        let status = handle.status();
        let daemon = status.daemon(name).unwrap();
        (daemon.state, daemon.restarts)
    };
    for restart in 1..=2 {
        handle.publish(Poke).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await; // the delay is 200 ms at most
        assert_eq!([seen("brittle"), seen("leaning")], [(State::Running, restart); 2]);
    }
    handle.publish(Poke).await.unwrap();
    let report = host.wait().await.unwrap();
    let brittle = report.daemon("brittle").unwrap();
    assert_eq!(brittle.reason.as_deref(), Some("`poke` failed: poked; 2 restarts in 3600s are used up"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn who_is_to_restart_while_what_it_requires_stops_has_that_start_again() {
    let host = Host::new("t").daemon(Brittle).daemon(Leaning).start().await.unwrap();
    let handle = host.handle();
    let stops = tokio::spawn(async move { handle.stop_daemon("brittle").await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let handle = host.handle();
    let restarts = tokio::time::timeout(Duration::from_secs(60), handle.restart_daemon("leaning")).await;
    restarts.expect("an answer").unwrap();
    stops.await.unwrap().unwrap();
    let status = handle.status();
    assert!(status.daemons.iter().all(|daemon| daemon.state == State::Running), "{status:?}");
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Breaks at every poke, and then waits for longer and longer.
#[daemon(name = "sulking", restart(on_failure, backoff = "10s..1h"))]
struct Sulking;
#[daemon]
impl Sulking {
    #[on_event(on_error = restart)]
    fn poke(&self, _poke: &Poke) -> Result<()> {
        Err("poked".into())
    }
}
impl DaemonBase for Sulking {}

#[tokio::test(start_paused = true)]
async fn a_delay_that_was_cut_short_by_hand_does_not_end_the_next_one() {
    let host = Host::new("t").daemon(Sulking).start().await.unwrap();
    let handle = host.handle();
    let state = || handle.status().daemon("sulking").unwrap().state;
    handle.publish(Poke).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(state(), State::Backoff);
    handle.start_daemon("sulking").await.unwrap();
    handle.publish(Poke).await.unwrap();
    tokio::time::sleep(Duration::from_secs(12)).await; // beyond the first delay, and short of the second of 15 s at least
    assert_eq!(state(), State::Backoff);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(state(), State::Running);
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Takes long to start, but the first time.
#[daemon(name = "ponderous", no_handlers, start_timeout = "10s")]
#[derive(Default)]
struct Ponderous(AtomicU32);
impl DaemonBase for Ponderous {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        let lasts = if self.0.fetch_add(1, Ordering::Relaxed) == 0 { 0 } else { 9 };
        tokio::time::sleep(Duration::from_secs(lasts)).await;
        Ok(())
    }
}

/// Its start is over before its deadline, which comes before all others.
#[daemon(name = "leisurely", no_handlers, start_timeout = "8s")]
struct Leisurely;
impl DaemonBase for Leisurely {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn each_start_has_a_deadline_of_its_own() {
    let stage = Stage::set().await;
    let handle = stage.handle();
    let slow = tokio::spawn(async move { handle.add_daemon(Leisurely).await });
    tokio::task::yield_now().await;
    let handle = stage.handle();
    handle.add_daemon(Ponderous::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // It is under way when the start before would have had to be over for a second.
    handle.restart_daemon("ponderous").await.unwrap();
    slow.await.unwrap().unwrap();
    assert!(stage.host.shutdown().await.unwrap().is_clean());
}

#[derive(Event)]
#[event("teller:told", local)]
struct Told;

/// Tells, at its end, and waits until all have heard.
#[daemon(name = "teller", no_handlers)]
struct Teller(Log);
impl DaemonBase for Teller {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        say(&self.0, if cx.publish_and_wait(Told).await.is_ok() { "heard" } else { "unheard" });
        Ok(())
    }
}

#[daemon(name = "hearer", requires(Teller))]
struct Hearer(Log);
#[daemon]
impl Hearer {
    #[on_event]
    fn told(&self, _told: &Told) {
        say(&self.0, "hears");
    }
}
impl DaemonBase for Hearer {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        say(&self.0, "leaves");
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_for_a_life_that_a_shutdown_keeps_from_following() {
    let log = Log::default();
    let host = Host::new("t").daemon(Teller(log.clone())).daemon(Hearer(log.clone())).start().await.unwrap();
    let handle = host.handle();
    let restarts = tokio::spawn(async move { handle.restart_daemon("hearer").await });
    while log.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let report = host.shutdown().await.unwrap();
    assert!(matches!(restarts.await.unwrap(), Err(Error::Stopping { .. })));
    assert_eq!(said(&log), ["leaves", "unheard"]);
    assert!(report.is_clean(), "nobody waited for who does not come: {report}");
}

/// Takes its time to start, but the first time.
#[daemon(name = "hesitant", no_handlers, start_timeout = "1s")]
#[derive(Default)]
struct Hesitant(AtomicU32);
impl DaemonBase for Hesitant {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}

#[daemon(name = "lingering", no_handlers, wants(Hesitant), stop_timeout = "20s")]
struct Lingering;
impl DaemonBase for Lingering {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(())
    }
}

/// On a thread of its own: a host that went round in circles would keep everything else on it from running.
#[test]
fn a_start_that_a_shutdown_overtook_waits_for_its_turn_beyond_its_deadline() {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let report = runtime.block_on(async {
            let host = Host::new("t").daemon(Hesitant::default()).daemon(Lingering).start().await.unwrap();
            let handle = host.handle().clone();
            tokio::spawn(async move { handle.restart_daemon("hesitant").await });
            while host.handle().status().daemon("hesitant").unwrap().state != State::Starting {
                tokio::task::yield_now().await;
            }
            host.shutdown().await.unwrap()
        });
        sender.send(report).unwrap();
    });
    let report = receiver.recv_timeout(Duration::from_secs(60)).expect("the host stops");
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.daemon("hesitant").unwrap().state, State::Stopped, "{report}");
    let [wanted, wants] = ["hesitant", "lingering"].map(|name| report.daemon(name).unwrap().stopped_ms);
    assert!(wants.is_some() && wanted >= wants, "in its turn: {report}");
}

/// Takes its time to stop.
#[daemon(name = "lingers", requires(Base), no_handlers)]
struct Lingers;

impl DaemonBase for Lingers {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_keeps_from_its_restart_does_not_say_that_it_stops_for_one() {
    let host = Host::new("test").daemon(Base(Log::default())).daemon(Lingers).start().await.unwrap();
    let handle = host.handle();
    let restart = tokio::spawn(async move { handle.restart_daemon("base").await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let handle = host.handle();
    host.shutdown().await.unwrap();
    assert!(matches!(restart.await.unwrap(), Err(Error::Stopping { .. })));
    let stops: Vec<_> = handle.journal().into_iter().filter(|line| line.state == State::Stopping).collect();
    let cause = |name| stops.iter().find(|line| line.daemon.as_deref() == Some(name)).unwrap().cause.as_deref();
    assert_eq!((cause("lingers"), cause("base")), (Some("to start again"), None), "{stops:?}");
}

#[tokio::test(start_paused = true)]
async fn who_breaks_once_the_shutdown_is_asked_for_ends_badly_and_is_not_restarted() {
    let log = Log::default();
    let host = Host::new("test").daemon(Base(log.clone())).daemon(Fragile::new(&log));
    let stage = Stage { log, host: host.unready_delay(Duration::from_secs(5)).start().await.unwrap() };
    stage.handle().request_shutdown();
    stage.fragile().breaks.notify_one();
    let report = stage.host.wait().await.unwrap();
    assert_eq!(said(&stage.log), ["+base", "+fragile", "-fragile", "-base"]);
    let fragile = report.daemon("fragile").unwrap();
    assert_eq!((report.exit_code, fragile.restarts, fragile.state), (1, 0, State::Stopped), "{report}");
    assert_eq!(fragile.problems, ["task `watch`: it broke"], "{report}");
}
