//! The test host: time, ticks, events, signals, faults, and what it says when a test is wrong.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use daemon_core::testing::{Signal, TestHost};
use daemon_core::{Context, DaemonBase, Event, Result, StartError, State, daemon, daemons};
use tokio::time::Instant;

#[derive(Event, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[event("feed:order")]
struct Order(u32);

#[derive(Event, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[event("feed:done")]
struct Done {
    order: u32,
    at_ms: u128,
}

#[daemon(name = "store", no_handlers)]
#[derive(Default)]
struct Store {
    began: AtomicU32,
    cleaned: AtomicU32,
}

impl DaemonBase for Store {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.began.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.cleaned.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Works off orders, sweeps, and pumps.
#[daemon(name = "shop", requires(Store))]
#[derive(Default)]
struct Shop {
    since: OnceLock<Instant>,
    swept: Mutex<Vec<Duration>>,
    slept: AtomicU32,
}

impl Shop {
    fn since_start(&self) -> Duration {
        self.since.get().unwrap().elapsed()
    }
}

#[daemon]
impl Shop {
    #[on_event]
    async fn order(&self, order: &Order, cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(cx.publish(Done { order: order.0, at_ms: self.since_start().as_millis() }).await?)
    }

    #[every("5s")]
    async fn sweep(&self) {
        self.swept.lock().unwrap().push(self.since_start());
    }

    #[task]
    async fn pump(&self, cx: &Context) -> Result<()> {
        loop {
            tokio::select! {
                () = cx.cancelled() => return Ok(()),
                () = tokio::time::sleep(Duration::from_secs(1)) => self.slept.fetch_add(1, Ordering::Relaxed),
            };
        }
    }
}

impl DaemonBase for Shop {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.since.get_or_init(Instant::now);
        Ok(())
    }
}

async fn shop() -> TestHost {
    TestHost::new("test").daemons(daemons![Store, Shop]).start().await
}

#[tokio::test]
async fn an_hour_has_every_tick_and_every_second() {
    let host = shop().await;
    let since = Instant::now();
    host.advance("1h").await;
    assert_eq!(since.elapsed(), Duration::from_secs(3600));
    host.expect_ticks("sweep", 720);
    host.expect_ticks("shop.sweep", 720);
    let shop = host.daemon::<Shop>();
    // a clock that is not on a full millisecond would lose a millisecond with each sleep
    assert_eq!(shop.slept.load(Ordering::Relaxed), 3600);
    host.advance(Duration::from_millis(4_999)).await;
    host.expect_ticks("sweep", 720);
    host.advance("1ms").await;
    host.expect_ticks("sweep", 721);
    let swept = shop.swept.lock().unwrap().clone();
    assert!(swept.windows(2).all(|pair| pair[1] - pair[0] == Duration::from_secs(5)), "{swept:?}");
    drop(shop);
    host.shutdown().await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_paused_already_will_do() {
    let host = shop().await;
    host.advance("10s").await;
    host.expect_ticks("sweep", 2);
    host.shutdown().await.assert_clean();
}

#[test]
fn two_runs_are_the_same() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut host = shop().await;
            for order in 0..20 {
                host.publish(Order(order)).await;
                host.advance(Duration::from_millis(u64::from(order) * 7)).await;
            }
            host.advance("30s").await;
            let done: Vec<_> = host.published::<Done>().iter().map(|done| (done.order, done.at_ms)).collect();
            let journal: Vec<_> = host.handle().journal().iter().map(|line| (line.at_ms, line.state)).collect();
            host.shutdown().await.assert_clean();
            (done, journal)
        })
    };
    let first = run();
    assert_eq!(first.0.len(), 20);
    for _ in 0..5 {
        assert_eq!(run(), first);
    }
}

#[tokio::test]
async fn settling_takes_no_time_and_comes_to_the_end() {
    #[derive(Event, serde::Serialize)]
    #[event("chain:link")]
    struct Link(u32);

    #[daemon(name = "chain")]
    #[derive(Default)]
    struct Chain(AtomicU32);

    #[daemon]
    impl Chain {
        #[on_event]
        async fn link(&self, link: &Link, cx: &Context) -> Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if link.0 > 0 {
                cx.publish(Link(link.0 - 1)).await?;
            }
            Ok(())
        }
    }

    impl DaemonBase for Chain {}

    let host = TestHost::start(Chain::default()).await;
    let since = Instant::now();
    host.handle().publish(Link(2_000)).await.unwrap();
    host.settle().await;
    assert_eq!(host.daemon::<Chain>().0.load(Ordering::Relaxed), 2_001);
    assert_eq!(since.elapsed(), Duration::ZERO);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn time_waits_for_blocking_work() {
    #[daemon(name = "digger")]
    #[derive(Default)]
    struct Digger(AtomicU32);

    #[daemon]
    impl Digger {
        #[every("1s")]
        async fn dig(&self, cx: &Context) -> Result<()> {
            cx.spawn_blocking("dig", || std::thread::sleep(Duration::from_millis(5)))?.await?;
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    impl DaemonBase for Digger {}

    let host = TestHost::start(Digger::default()).await;
    host.advance("10500ms").await;
    assert_eq!(host.daemon::<Digger>().0.load(Ordering::Relaxed), 10);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn events_are_expected_in_their_order_each_once() {
    let mut host = shop().await;
    for order in 1..=3 {
        host.publish(Order(order)).await;
    }
    for order in 1..=3 {
        assert_eq!(*host.expect_event::<Order>().await, Order(order));
    }
    for order in 1..=3 {
        let done = host.expect_event::<Done>().await;
        assert_eq!((done.order, done.at_ms), (order, u128::from(order) * 50));
    }
    assert_eq!(host.published::<Done>().len(), 3);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn what_is_published_while_starting_is_seen_too() {
    #[daemon(name = "early", no_handlers)]
    struct Early;

    impl DaemonBase for Early {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            Ok(cx.publish(Order(9)).await?)
        }
    }

    let mut host = TestHost::start(Early).await;
    assert_eq!(host.expect_event::<Order>().await.0, 9);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "published, in order:\n  1. feed:order by `host`: 1")]
async fn an_event_that_does_not_come_is_told_with_those_that_did() {
    let mut host = TestHost::start(Store::default()).await;
    host.publish(Order(1)).await;
    host.expect_event::<Done>().await;
}

#[tokio::test]
async fn the_first_signal_stops() {
    for (signal, cause) in [(Signal::Int, "SIGINT"), (Signal::Term, "SIGTERM"), (Signal::Hup, "SIGHUP")] {
        let host = shop().await;
        host.inject(signal);
        host.settle().await;
        assert_eq!(host.status().state, State::Stopped);
        let report = host.shutdown().await;
        assert_eq!(report.cause, cause);
        report.assert_clean();
    }
}

/// Takes two seconds to clean up.
#[daemon(name = "slow", no_handlers)]
struct Slow(Arc<AtomicBool>);

impl DaemonBase for Slow {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn a_second_signal_forces_only_after_half_a_second_and_a_hang_up_never() {
    for (second, after, code) in
        [(Signal::Term, "499ms", 0), (Signal::Term, "500ms", 143), (Signal::Int, "1s", 130), (Signal::Hup, "1s", 0)]
    {
        let cleaned = Arc::<AtomicBool>::default();
        let host = TestHost::start(Slow(cleaned.clone())).await;
        host.inject(Signal::Term);
        host.advance(after).await;
        host.inject(second);
        let report = host.shutdown().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(report.exit_code, code, "{second:?} after {after}: {report}");
        if code != 0 {
            assert_eq!(report.daemon("slow").unwrap().cut[0].work, "cleanup", "{report}");
            assert!(!cleaned.load(Ordering::Relaxed), "nothing runs after a forced exit");
        }
    }
}

#[tokio::test]
async fn a_stop_that_overruns_is_in_the_report() {
    let host = TestHost::new("test").daemon(Slow(Arc::default())).stop_budget("1s").start().await;
    let since = Instant::now();
    let report = host.shutdown().await;
    assert_eq!(report.exit_code, 75, "{report}");
    assert!(since.elapsed() <= Duration::from_millis(1_250), "{:?}", since.elapsed());
}

#[tokio::test]
#[should_panic(expected = "the shutdown was not clean:\ntest ended badly")]
async fn an_unclean_report_is_printed() {
    let host = TestHost::new("test").daemon(Slow(Arc::default())).stop_budget("1s").start().await;
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn every_life_that_entered_initialize_is_cleaned_up_once() {
    // refused at its first start: entered, failed, cleaned up
    for panics in [false, true] {
        let store = Arc::new(Mutex::new(None));
        let kept = store.clone();

        #[daemon(name = "kept", no_handlers)]
        struct Kept(Arc<Mutex<Option<u32>>>);
        impl DaemonBase for Kept {
            async fn cleanup(&self, _cx: &Context) -> Result<()> {
                *self.0.lock().unwrap().get_or_insert(0) += 1;
                Ok(())
            }
        }

        let host = TestHost::new("test").daemon(Kept(kept));
        let host = if panics { host.panic_next("init") } else { host.fail_next("kept.init") };
        let StartError::Failed { start, shutdown } = host.try_start().await.unwrap_err() else { panic!("it started") };
        let reason = if panics { "panicked: injected by the test" } else { "injected by the test" };
        assert_eq!(start.daemons[0].reason.as_deref(), Some(reason));
        assert_eq!(shutdown.exit_code, 1);
        assert_eq!(*store.lock().unwrap(), Some(1));
    }

    // and in each of its further lives
    let host = shop().await;
    for _ in 0..3 {
        host.handle().restart_daemon("store").await.unwrap();
    }
    let store = host.daemon::<Store>();
    host.shutdown().await.assert_clean();
    assert_eq!((store.began.load(Ordering::Relaxed), store.cleaned.load(Ordering::Relaxed)), (4, 4));
}

#[tokio::test]
async fn a_cleanup_that_fails_is_told_of_and_the_stop_goes_on() {
    let host = shop().await;
    host.fail_next("shop.cleanup");
    host.panic_next("store.cleanup");
    let report = host.shutdown().await;
    assert_eq!(report.daemon("shop").unwrap().problems, ["cleanup: injected by the test"]);
    assert_eq!(report.daemon("store").unwrap().problems, ["cleanup: panicked: injected by the test"]);
    assert!(report.left.is_nothing(), "{report}");
}

#[tokio::test]
async fn handlers_and_ticks_fail_once_for_each_time_asked() {
    let mut host = shop().await;
    host.fail_next("sweep");
    host.panic_next("shop.sweep");
    host.advance("15s").await;
    host.expect_ticks("sweep", 3);
    let shop = host.daemon::<Shop>();
    assert_eq!(shop.swept.lock().unwrap().len(), 1);
    drop(shop);

    host.fail_next("order");
    host.panic_next("order");
    for order in 1..=3 {
        host.publish(Order(order)).await;
    }
    assert_eq!(host.expect_event::<Done>().await.order, 3);
    let status = host.status();
    let shop = status.daemon("shop").unwrap();
    assert_eq!((shop.errors, shop.panics), (2, 2));
    let report = host.shutdown().await;
    let account = &report.events[0];
    assert_eq!((account.offered, account.handled, account.failed), (3, 1, 2), "{report}");
    report.assert_clean();
}

#[tokio::test]
async fn a_task_that_fails_is_run_again() {
    let host = shop().await;
    host.panic_next("pump");
    host.handle().restart_daemon("shop").await.unwrap();
    host.settle().await;
    assert_eq!(host.status().daemon("shop").unwrap().panics, 1);
    host.advance("10s").await;
    assert!(host.daemon::<Shop>().slept.load(Ordering::Relaxed) >= 9);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_restart_that_fails_is_tried_again_by_its_policy() {
    let host = shop().await;
    host.fail_next("shop.init");
    host.handle().restart_daemon("shop").await.unwrap_or_default();
    host.advance("5s").await;
    let status = host.status();
    assert_eq!(status.daemon("shop").unwrap().state, State::Running);
    assert_eq!(status.daemon("shop").unwrap().restarts, 2);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn intervals_registered_at_run_time_count_and_fail_like_others() {
    #[daemon(name = "late", no_handlers)]
    struct Late;

    impl DaemonBase for Late {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            Ok(cx.register_interval("beat", Duration::from_secs(1), || async {})?)
        }
    }

    let host = TestHost::start(Late).await;
    host.fail_next("beat");
    host.advance("3s").await;
    host.expect_ticks("late.beat", 3);
    assert_eq!(host.status().daemon("late").unwrap().errors, 1);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "never happened: a fault of `swep`; calls made: shop.cleanup, shop.initialize, \
                           shop.initialize_deferred, shop.pump, shop.sweep (2 times), store.cleanup, store.init")]
async fn a_fault_that_never_happens_is_told_with_the_calls_there_were() {
    let host = shop().await;
    host.fail_next("swep");
    host.advance("10s").await;
    host.shutdown().await;
}

#[tokio::test]
#[should_panic(expected = "expected 3 ticks of `shop.sweep`, saw 2 (1 failed, 0 skipped) 10s after the start")]
async fn a_wrong_number_of_ticks_is_told_with_the_right_one() {
    let host = shop().await;
    host.fail_next("sweep");
    host.advance("10s").await;
    host.expect_ticks("sweep", 3);
}

#[tokio::test]
#[should_panic(expected = "no interval named `swep`; there are: shop.sweep")]
async fn an_unknown_interval_is_told_with_those_there_are() {
    shop().await.expect_ticks("swep", 0);
}

#[tokio::test]
#[should_panic(expected = "unknown unit \"parsecs\"")]
async fn time_that_is_none_is_told() {
    shop().await.advance("5parsecs").await;
}

#[tokio::test]
#[should_panic(expected = "daemon `slow` does not run")]
async fn a_daemon_that_is_not_there_is_told() {
    let _: Arc<Slow> = shop().await.daemon();
}

#[tokio::test]
#[should_panic(
    expected = "the test host `test` did not start: this host cannot start, for 1 fault\n  - `shop` requires `store`"
)]
async fn a_host_that_is_not_sound_is_told() {
    TestHost::new("test").daemon(Shop::default()).start().await;
}

#[tokio::test]
#[should_panic(expected = "the test host `test` was dropped while running")]
async fn a_forgotten_shutdown_is_told() {
    shop().await;
}

#[tokio::test]
#[should_panic(expected = "the test's own")]
async fn a_failed_test_is_not_hidden_by_a_forgotten_shutdown() {
    let _host = shop().await;
    panic!("the test's own");
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "a test host needs a current-thread runtime")]
async fn another_runtime_is_refused() {
    shop().await;
}

#[test]
#[should_panic(expected = "a test host needs a tokio runtime")]
fn no_runtime_is_refused() {
    let mut start = std::pin::pin!(shop());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = start.as_mut().poll(&mut cx);
}
