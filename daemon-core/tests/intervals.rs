//! Intervals: exact counts over virtual hours, no overlap, nothing that ends one silently.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Host, HostHandle, IntervalStatus, Overlap, Result, Schedule, daemon};
use probe::{Bomb, Log, MS, S, assert_nothing_left, until};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Default)]
struct Times {
    ticks: Mutex<Vec<Instant>>,
    inside: AtomicU64,
    overlapped: AtomicBool,
}

impl Times {
    async fn tick(&self, takes: Duration) {
        self.ticks.lock().unwrap().push(Instant::now());
        if self.inside.fetch_add(1, Ordering::SeqCst) > 0 {
            self.overlapped.store(true, Ordering::SeqCst);
        }
        tokio::time::sleep(takes).await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn seconds_after(&self, origin: Instant) -> Vec<u64> {
        self.ticks.lock().unwrap().iter().map(|at| at.duration_since(origin).as_secs()).collect()
    }
}

fn interval(handle: &HostHandle, name: &str) -> IntervalStatus {
    let status = handle.status();
    status.daemons.iter().flat_map(|daemon| &daemon.intervals).find(|interval| interval.name == name).unwrap().clone()
}

#[daemon(name = "clock")]
#[derive(Default)]
struct Clock {
    quick: Times,
    slow: Times,
    eager: Times,
    jittery: Times,
    ready: Mutex<Option<Instant>>,
}
#[daemon]
impl Clock {
    #[every("1s")]
    async fn quick(&self) {
        self.quick.tick(MS(1)).await;
    }
    #[every("10s")]
    async fn slow(&self) {
        self.slow.tick(S(25)).await;
    }
    #[every("1m", immediately)]
    async fn eager(&self) {
        self.eager.tick(Duration::ZERO).await;
    }
    #[every("10s", jitter = "50%")]
    async fn jittery(&self) {
        self.jittery.tick(Duration::ZERO).await;
    }
}
impl DaemonBase for Clock {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(30)).await;
        *self.ready.lock().unwrap() = Some(Instant::now());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_has_exactly_the_ticks_it_should() {
    let host = Host::new("t").daemon(Clock::default()).start().await.unwrap();
    let handle = host.handle();
    let clock = handle.daemon::<Clock>().unwrap();
    let origin = clock.ready.lock().unwrap().unwrap();
    tokio::time::sleep_until(origin + S(3_600) + MS(500)).await;

    let all: Vec<u64> = (1..=3_600).collect();
    assert_eq!(clock.quick.seconds_after(origin), all, "first after one period, none before ready, no drift");
    assert_eq!(interval(&handle, "quick").ticks, 3_600);
    assert_eq!(interval(&handle, "quick").skipped, 0);

    // a tick of 25 s lets two multiples of 10 s pass
    let slow: Vec<u64> = (0..120).map(|n| 10 + 30 * n).collect();
    assert_eq!(clock.slow.seconds_after(origin), slow);
    let status = interval(&handle, "slow");
    assert_eq!((status.ticks, status.skipped, status.running), (119, 2 * 119, 1));
    assert_eq!(status.last_duration, Some(S(25)));

    let eager: Vec<u64> = (0..=60).map(|n| 60 * n).collect();
    assert_eq!(clock.eager.seconds_after(origin), eager);

    for (n, at) in (1..).zip(clock.jittery.ticks.lock().unwrap().iter()) {
        let late = at.duration_since(origin).checked_sub(S(10) * n).expect("never early");
        assert!(late <= S(5) + MS(1), "tick {n} is {late:?} late");
    }
    assert!(clock.jittery.ticks.lock().unwrap().windows(2).any(|two| two[1] - two[0] != S(10)), "no jitter");
    for times in [&clock.quick, &clock.slow, &clock.eager, &clock.jittery] {
        assert!(!times.overlapped.load(Ordering::SeqCst));
    }
    drop(clock);
    // the slow tick ends after 20 s more: cut at half of the share
    let report = host.shutdown().await.unwrap();
    assert!(report.left.is_nothing(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_leap_of_the_clock_is_counted_and_not_made_up() {
    let host = Host::new("t").daemon(Clock::default()).start().await.unwrap();
    let handle = host.handle();
    let clock = handle.daemon::<Clock>().unwrap();
    let origin = clock.ready.lock().unwrap().unwrap();
    tokio::time::sleep_until(origin + S(10) + MS(500)).await;
    tokio::time::advance(S(1_000)).await;
    tokio::time::sleep(S(10)).await;
    let mut expected: Vec<u64> = (1..=10).collect();
    expected.extend(1_011..=1_020);
    let mut ticks = clock.quick.seconds_after(origin);
    ticks.retain(|at| *at != 1_010); // half a period late: it may still come
    assert_eq!(ticks, expected);
    let status = interval(&handle, "quick");
    assert_eq!(status.ticks + status.skipped, 1_020);
    drop(clock);
    drop(host.shutdown().await.unwrap());
}

#[daemon(name = "moody")]
#[derive(Default)]
struct Moody(AtomicU64);
#[daemon]
impl Moody {
    #[every("1s")]
    async fn errs(&self) -> Result<()> {
        if self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { Err("odd".into()) } else { Ok(()) }
    }
    #[every("1s")]
    fn panics(&self) {
        panic!("always");
    }
    #[every("1s", timeout = "500ms")]
    async fn hangs(&self) {
        std::future::pending::<()>().await;
    }
    #[every("1s", timeout = "500ms")]
    async fn hangs_and_panics(&self) {
        let _bomb = Bomb("a destructor in a tick that was given up");
        std::future::pending::<()>().await;
    }
}
impl DaemonBase for Moody {}

#[tokio::test(start_paused = true)]
async fn errors_panics_and_timeouts_are_counted_and_the_interval_goes_on() {
    let host = Host::new("t").daemon(Moody::default()).start().await.unwrap();
    let handle = host.handle();
    tokio::time::sleep(S(100) + MS(700)).await;
    let ticks = |name| {
        let status = interval(&handle, name);
        (status.ticks, status.failed, status.skipped, status.last_error)
    };
    assert_eq!(ticks("errs"), (100, 50, 0, None));
    assert_eq!(ticks("panics"), (100, 100, 0, Some("panicked: always".to_owned())));
    assert_eq!(ticks("hangs"), (100, 100, 0, Some("did not end within 500ms".to_owned())));
    assert_eq!(ticks("hangs_and_panics").0, 100);
    let report = host.shutdown().await.unwrap();
    let moody = report.daemon("moody").unwrap();
    assert_eq!((moody.errors, moody.panics), (250, 100));
    assert!(report.is_clean(), "{report}");
}

/// An error whose own text panics.
#[derive(Debug)]
struct Mute;
impl std::fmt::Display for Mute {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words")
    }
}
impl std::error::Error for Mute {}

#[daemon(name = "mute")]
struct Muted(Log);
#[daemon]
impl Muted {
    #[every("1s")]
    async fn errs(&self) -> Result<(), Mute> {
        self.0.say("tick");
        Err(Mute)
    }
}
impl DaemonBase for Muted {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Err(Mute.into())
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_text_panics_ends_nothing() {
    let log = Log::default();
    let host = Host::new("t").daemon(Muted(log.clone())).start().await.unwrap();
    tokio::time::sleep(S(10) + MS(500)).await;
    let report = host.shutdown().await.unwrap();
    assert_eq!((log.count("tick"), log.count("cleanup")), (10, 1));
    assert_eq!(report.daemon("mute").unwrap().errors, 11);
    assert_eq!(report.daemon("mute").unwrap().problems, ["cleanup: its text panicked: no words"]);
    assert_nothing_left(&report);
}

#[daemon(name = "blank", no_handlers)]
#[derive(Default)]
struct Blank(Mutex<Option<Context>>);
impl DaemonBase for Blank {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        *self.0.lock().unwrap() = Some(cx.clone());
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.lock().unwrap().take();
        Ok(())
    }
}

async fn blank() -> (daemon_core::RunningHost, Context) {
    let host = Host::new("t").daemon(Blank::default()).start().await.unwrap();
    let cx = host.handle().daemon::<Blank>().unwrap().0.lock().unwrap().clone().unwrap();
    (host, cx)
}

/// A tick that says when it begins and ends.
fn saying(log: &Log, what: &str, takes: Duration) -> impl Fn() -> daemon_core::BoxFuture<'static, ()> + use<> {
    let (log, what) = (log.clone(), what.to_owned());
    move || {
        let (log, what) = (log.clone(), what.clone());
        Box::pin(async move {
            log.say(format!("{what} begins"));
            tokio::time::sleep(takes).await;
            log.say(format!("{what} ends"));
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_an_interval_is_refused() {
    let (host, cx) = blank().await;
    let zero = cx.register_interval("beat", Duration::ZERO, || async {}).unwrap_err();
    assert_eq!(zero.to_string(), "interval `beat` has a period of zero; give it a positive one");
    assert!(cx.register_interval("Not A Name", S(1), || async {}).is_err());
    let at_once = Schedule::every(S(1)).timeout(Duration::ZERO);
    assert!(cx.register_interval("beat", at_once, || async {}).is_err());
    assert!(!cx.clear_interval("beat").await);
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn clear_interval_waits_for_the_tick_in_flight() {
    let log = Log::default();
    let (host, cx) = blank().await;
    cx.register_interval("beat", S(1), saying(&log, "tick", MS(800))).unwrap();
    log.said("tick begins").await;
    assert!(cx.clear_interval("beat").await);
    assert!(log.has("tick ends"));
    assert!(!cx.clear_interval("beat").await);
    tokio::time::sleep(S(10)).await;
    assert_eq!(log.lines().len(), 2);
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn clear_interval_waits_for_all_ticks_in_flight() {
    let log = Log::default();
    let (host, cx) = blank().await;
    let schedule = Schedule::every(S(1)).overlap(Overlap::Concurrent(2));
    cx.register_interval("beat", schedule, saying(&log, "tick", MS(1_800))).unwrap();
    tokio::time::sleep(MS(2_100)).await;
    assert_eq!(log.lines().len(), 2, "two have begun");
    assert!(cx.clear_interval("beat").await);
    assert_eq!(log.lines(), ["tick begins", "tick begins", "tick ends", "tick ends"]);
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// What an interval had is free for the next ones, whether a tick of it was under way or not.
#[tokio::test(start_paused = true)]
async fn after_one_is_cleared_its_name_and_its_place_are_two() {
    let (host, cx) = blank().await;
    for takes in [MS(0), MS(500)] {
        let log = Log::default();
        cx.register_interval("first", S(1), saying(&log, "old", takes)).unwrap();
        log.said("old begins").await;
        assert!(cx.clear_interval("first").await);
        cx.register_interval("first", S(1), saying(&log, "first", MS(0))).unwrap();
        cx.register_interval("second", S(1), saying(&log, "second", MS(0))).unwrap();
        tokio::time::sleep(MS(1_100)).await;
        assert!(log.has("first ends") && log.has("second ends"), "{:?}", log.lines());
        assert_eq!(cx.intervals().len(), 2);
        cx.cleanup_intervals().await;
    }
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_passes_while_a_tick_runs_is_counted_when_the_interval_is_paused() {
    let log = Log::default();
    let (host, cx) = blank().await;
    cx.register_interval("beat", S(1), saying(&log, "tick", S(5))).unwrap();
    tokio::time::sleep(MS(3_500)).await;
    cx.pause_interval("beat").unwrap();
    let beat = interval(&host.handle(), "beat");
    assert_eq!((beat.ticks, beat.running, beat.skipped), (0, 1, 2));
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_the_same_name_replaces_and_never_overlaps() {
    let log = Log::default();
    let (host, cx) = blank().await;
    cx.register_interval("beat", S(1), saying(&log, "old", S(5))).unwrap();
    log.said("old begins").await;
    cx.register_interval("beat", S(1), saying(&log, "between", S(5))).unwrap();
    cx.register_interval("beat", S(1), saying(&log, "new", S(5))).unwrap();
    assert_eq!(host.handle().status().daemon("blank").unwrap().intervals.len(), 1);
    log.said("new begins").await;
    assert_eq!(log.lines(), ["old begins", "old ends", "new begins"]);
    assert!(cx.clear_interval("beat").await);
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn clearing_an_interval_that_replaced_another_waits_for_the_tick_of_that_one() {
    let log = Log::default();
    let (host, cx) = blank().await;
    cx.register_interval("beat", S(1), saying(&log, "old", S(5))).unwrap();
    log.said("old begins").await;
    cx.register_interval("beat", S(1), saying(&log, "between", S(5))).unwrap();
    cx.register_interval("beat", S(1), saying(&log, "new", S(5))).unwrap();
    assert!(cx.clear_interval("beat").await);
    assert_eq!(log.lines(), ["old begins", "old ends"]);
    tokio::time::sleep(S(10)).await;
    assert_eq!(log.lines().len(), 2);
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_interval_can_end_or_replace_itself_from_inside() {
    let (host, cx) = blank().await;
    let log = Log::default();
    for name in ["clears", "replaces", "replaces-and-clears", "cleans-up"] {
        let (inner, said) = (cx.clone(), log.clone());
        let tick = move || {
            let (cx, log) = (inner.clone(), said.clone());
            async move {
                log.say(format!("{name} begins"));
                if name.starts_with("replaces") {
                    let new = log.clone();
                    let told = move || new.tell(&format!("new {name}"));
                    cx.register_interval(name, S(1), told).unwrap();
                }
                match name {
                    "clears" | "replaces-and-clears" => assert!(cx.clear_interval(name).await),
                    "cleans-up" => cx.cleanup_intervals().await,
                    _ => {}
                }
                log.say(format!("{name} ends"));
            }
        };
        cx.register_interval(name, S(1), tick).unwrap();
        let begun = Instant::now();
        log.said(&format!("{name} ends")).await;
        assert!(begun.elapsed() < MS(1_010), "it waited for itself");
        tokio::time::sleep(S(5) + MS(500)).await;
        assert_eq!(log.count(&format!("{name} begins")), 1);
        let replaced = if name == "replaces" { 5 } else { 0 };
        assert_eq!(log.count(&format!("new {name}")), replaced, "{name}");
        cx.clear_interval(name).await;
    }
    assert!(host.handle().status().daemon("blank").unwrap().intervals.is_empty());
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[daemon(name = "early", no_handlers)]
struct Early(Log);
impl DaemonBase for Early {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.register_interval("beat", S(1), saying(&self.0, "tick", Duration::ZERO))?;
        tokio::time::sleep(S(20)).await;
        self.0.say("initialised");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_ticks_before_its_daemon_is_ready() {
    let log = Log::default();
    let host = Host::new("t").daemon(Early(log.clone())).start().await.unwrap();
    let begun = Instant::now();
    until("a tick", || log.has("tick begins")).await;
    assert_eq!(log.at("initialised"), 0);
    assert!(begun.elapsed() >= S(1), "the first comes one period after ready");
    let report = host.shutdown().await.unwrap();
    assert_nothing_left(&report);
}

#[daemon(name = "draining", stop_timeout = "10s")]
struct Draining(Log);
#[daemon]
impl Draining {
    #[every("10s")]
    async fn tick(&self, cx: &Context) {
        self.0.say("begins");
        tokio::time::sleep(S(3)).await;
        assert!(!cx.is_cancelled(), "there was time left to drain");
        self.0.say("ends");
    }
}
impl DaemonBase for Draining {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_tick_in_flight_and_begins_no_other() {
    let log = Log::default();
    let host = Host::new("t").daemon(Draining(log.clone())).start().await.unwrap();
    log.said("begins").await;
    let report = host.shutdown().await.unwrap();
    assert_eq!(log.lines(), ["begins", "ends", "cleanup"]);
    assert!(report.is_clean(), "{report}");
}

/// Registers with its daemon when it is dropped.
struct Registers(Context);
impl Drop for Registers {
    fn drop(&mut self) {
        self.0.register_subscription(|| {}).unwrap();
    }
}

#[daemon(name = "refused", no_handlers)]
struct Refused;
impl DaemonBase for Refused {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let registers = Registers(cx.clone());
        let refused = cx.register_interval("zero", Duration::ZERO, move || {
            let _held = &registers;
            async {}
        });
        assert!(refused.is_err());
        Ok(())
    }
}

#[test]
fn what_an_interval_holds_that_is_refused_may_register_when_it_is_dropped() {
    let (ended, has_ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let host = Host::new("t").daemon(Refused).start().await.unwrap();
            assert_eq!(host.handle().status().daemons[0].guards, 1);
            assert_nothing_left(&host.shutdown().await.unwrap());
        });
        ended.send(()).unwrap();
    });
    has_ended.recv_timeout(S(60)).expect("it waits for a lock that its own thread has");
}
