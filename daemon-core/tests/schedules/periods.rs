//! Where periods come from, conditions for ticks, and calls made once.

use super::{S, blank, interval};
use daemon_core::testing::TestHost;
use daemon_core::time::Percent;
use daemon_core::{DaemonBase, Error, IntervalState, Overlap, Period, Result, Schedule, daemon};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(serde::Deserialize)]
struct Config {
    sweep: Period,
}

#[daemon(name = "configured")]
struct Configured {
    config: Mutex<Config>,
    busy: AtomicBool,
}

impl Configured {
    fn new(sweep: &str) -> Self {
        let config = serde_json::from_value(serde_json::json!({ "sweep": sweep })).unwrap();
        Self { config: Mutex::new(config), busy: AtomicBool::new(false) }
    }

    fn sweeps(&self) -> Period {
        self.config.lock().unwrap().sweep
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }
}

#[daemon]
impl Configured {
    #[every(from = Self::sweeps, immediately)]
    fn sweep(&self) {}

    #[every("1s", skip_if = Self::is_busy)]
    async fn beat(&self) {}

    #[every("off")]
    fn by_hand(&self) {}
}

impl DaemonBase for Configured {}

#[tokio::test]
async fn a_period_is_asked_for_at_each_start() {
    let host = TestHost::start(Configured::new("30s")).await;
    host.advance("1m").await;
    host.expect_ticks("sweep", 3);
    assert_eq!((&*interval(&host, "sweep").schedule, interval(&host, "sweep").period), ("30s", Some(S(30))));

    host.daemon::<Configured>().config.lock().unwrap().sweep = Period::Every(S(10));
    host.advance("30s").await;
    host.expect_ticks("sweep", 4);
    host.handle().restart_daemon("configured").await.unwrap();
    host.advance("30s").await;
    host.expect_ticks("sweep", 4);

    host.daemon::<Configured>().config.lock().unwrap().sweep = Period::Off;
    host.handle().restart_daemon("configured").await.unwrap();
    host.advance("1h").await;
    let off = interval(&host, "sweep");
    assert_eq!((off.ticks, &*off.schedule, off.state, off.next_run), (0, "off", IntervalState::Off, None));
    assert_eq!(interval(&host, "by_hand").state, IntervalState::Off);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_tick_is_skipped_if_the_daemon_says_so() {
    let host = TestHost::start(Configured::new("off")).await;
    host.advance("10s").await;
    host.daemon::<Configured>().busy.store(true, Ordering::Relaxed);
    host.advance("5s").await;
    assert_eq!(interval(&host, "beat").last_run, Some(S(5)), "one that is skipped has not run");
    host.daemon::<Configured>().busy.store(false, Ordering::Relaxed);
    host.advance("1s").await;
    let beat = interval(&host, "beat");
    assert_eq!((beat.ticks, beat.skipped, beat.last_error), (11, 5, None));
    host.shutdown().await.assert_clean();
}

#[daemon(name = "wrong")]
struct Wrong(fn() -> Period);

#[daemon]
impl Wrong {
    #[every(from = Self::period)]
    fn tick(&self) {}
}

impl Wrong {
    fn period(&self) -> Period {
        (self.0)()
    }
}

impl DaemonBase for Wrong {}

#[tokio::test]
async fn a_period_that_is_none_is_a_failed_start() {
    let why = async |wrong: fn() -> Period| {
        TestHost::new("t").daemon(Wrong(wrong)).try_start().await.unwrap_err().to_string()
    };
    let zero = why(|| Period::Every(S(0))).await;
    assert!(zero.ends_with("`wrong`: interval `tick` has a period of zero; give it a positive one"), "{zero}");
    let panic = why(|| panic!("no configuration")).await;
    assert!(panic.ends_with("`wrong`: panicked: no configuration"), "{panic}");
}

#[tokio::test]
async fn texts_are_read_at_run_time_as_in_attributes() {
    let (host, cx) = blank().await;
    cx.register_interval("sweep", "1m 30s", || async {}).unwrap();
    cx.register_interval("never", "off", || async {}).unwrap();
    let later = Arc::new(AtomicU64::new(0));
    let (once, count) = (String::from("2h"), later.clone());
    cx.defer_initialization(&once, move || async move {
        count.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    host.advance("1h 30m").await;
    host.expect_ticks("sweep", 60);
    host.expect_ticks("never", 0);

    let fault = |error: Error| error.to_string();
    assert_eq!(
        fault(cx.register_interval("x", "5 parsecs", || async {}).unwrap_err()),
        "unknown unit \"parsecs\" in duration \"5 parsecs\"; expected one of ns, us, ms, s, m, h, d"
    );
    assert!(fault(cx.register_interval("x", "0s", || async {}).unwrap_err()).starts_with("the period is zero"));
    assert!(fault(cx.defer_initialization("2", || async {}).unwrap_err()).starts_with("no unit after 2"));

    assert_eq!(later.load(Ordering::Relaxed), 0);
    host.suspend("40m").await; // time asleep counts
    assert_eq!(later.load(Ordering::Relaxed), 1);
    drop(cx);
    host.shutdown().await.assert_clean();
}

#[daemon(name = "late")]
#[derive(Default)]
struct Late(AtomicU64);

#[daemon]
impl Late {
    #[deferred("1h")]
    async fn catch_up(&self) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl DaemonBase for Late {}

#[tokio::test]
async fn a_deferred_call_comes_once_and_counts_time_asleep() {
    let host = TestHost::start(Late::default()).await;
    let called = || host.daemon::<Late>().0.load(Ordering::Relaxed);
    host.advance("10m").await;
    host.suspend("40m").await;
    host.step_clock_forward("2h").await;
    assert_eq!(called(), 0);
    host.suspend("3h").await;
    assert_eq!(called(), 1);
    host.advance("1d").await;
    assert_eq!(called(), 1);
    host.shutdown().await.assert_clean();
}

/// A period that no timer can tell, and those that no machine will see the end of.
#[tokio::test]
async fn the_shortest_and_the_longest_period_there_are() {
    let (host, cx) = blank().await;
    let nanos = Duration::from_nanos;
    let periods = [("shortest", nanos(1)), ("long", nanos(u64::MAX)), ("longest", Duration::MAX)];
    for (name, period) in periods {
        cx.register_interval(name, Schedule::every(period).jitter(Percent::from_hundredths(5_000)), || async {})
            .unwrap();
    }
    host.advance("100ms").await;
    let shortest = interval(&host, "shortest");
    assert!((50..=101).contains(&shortest.ticks), "about one for each grain of the timers: {}", shortest.ticks);
    assert!((90_000_000..=100_000_001).contains(&(shortest.ticks + shortest.skipped)), "{}", shortest.skipped);
    cx.set_interval_period("shortest", Duration::MAX).unwrap();
    host.advance("30d").await;
    for (name, _) in periods {
        let now = interval(&host, name);
        assert!(now.next_run.unwrap() > S(500 * 365 * 86_400), "{name}: {:?}", now.next_run);
        cx.run_interval(name).unwrap();
    }
    let patient = Schedule::every(S(1)).overlap(Overlap::Concurrent(2)).timeout(Duration::MAX);
    cx.register_interval("patient", patient, tokio::task::yield_now).unwrap();
    cx.run_interval("patient").unwrap();
    host.advance("1ms").await;
    assert_eq!((interval(&host, "patient").ticks, interval(&host, "patient").failed), (1, 0));
    assert_eq!(["long", "longest"].map(|name| interval(&host, name).ticks), [1, 1], "only by hand");
    drop(cx);
    host.shutdown().await.assert_clean();
}
