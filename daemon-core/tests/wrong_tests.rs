//! The test host in the hands of tests that are wrong, that are odd, or that find something: each is told what is the matter.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use daemon_core::testing::{Signal, TestHost};
use daemon_core::{Context, DaemonBase, Event, Host, Result, ShutdownReport, State, daemon, daemons};
use serde_json::json;
use tokio::time::Instant;

#[derive(Event, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[event("wrong:order")]
struct Order(u32);

#[daemon(name = "clerk")]
#[derive(Default)]
struct Clerk {
    seen: AtomicU32,
}

#[daemon]
impl Clerk {
    #[on_event]
    async fn order(&self, _order: &Order) -> Result<()> {
        self.seen.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    #[every("1h")]
    async fn sweep(&self) {}
}

impl DaemonBase for Clerk {}

#[tokio::test]
async fn no_time_is_a_time() {
    let host = TestHost::start(Clerk::default()).await;
    let since = Instant::now();
    host.advance("0s").await;
    host.freeze(Duration::ZERO).await;
    host.suspend("0s").await;
    host.step_clock_back("0s").await;
    assert_eq!(since.elapsed(), Duration::ZERO);
    host.expect_ticks("sweep", 0);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn years_pass_in_full() {
    let host = TestHost::start(Clerk::default()).await;
    let (since, years) = (Instant::now(), Duration::from_secs(5 * 365 * 86_400));
    host.advance(years).await;
    assert_eq!(since.elapsed(), years);
    host.expect_ticks("sweep", 5 * 365 * 24);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "at most 100 years pass at once")]
async fn more_time_than_there_is_is_told() {
    let host = TestHost::start(Clerk::default()).await;
    host.freeze(Duration::MAX).await;
}

#[tokio::test]
async fn two_hosts_share_the_clock_of_one_test_and_nothing_else() {
    let mut one = TestHost::start(Clerk::default()).await;
    one.advance("30m").await;
    let mut two = TestHost::new("two").daemon(Clerk::default()).start().await;
    two.advance("45m").await;
    one.expect_ticks("sweep", 1);
    two.expect_ticks("sweep", 0);
    one.publish(Order(1)).await;
    assert_eq!(one.expect_event::<Order>().await.0, 1);
    assert!(two.published::<Order>().is_empty());
    one.shutdown().await.assert_clean();
    two.advance("15m").await;
    two.expect_ticks("sweep", 1);
    two.inject(Signal::Term);
    two.shutdown().await.assert_clean();
}

#[test]
fn hosts_on_several_threads_are_none_of_each_others_business() {
    let run = |number: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut host = TestHost::start(Clerk::default()).await;
            for order in 0..u32::try_from(number).unwrap() {
                host.publish(Order(order)).await;
            }
            host.advance(Duration::from_secs(number * 3_600)).await;
            host.expect_ticks("sweep", number);
            assert_eq!(host.published::<Order>().len() as u64, number);
            host.shutdown().await.assert_clean();
        });
    };
    std::thread::scope(|scope| {
        for number in 1..=8 {
            scope.spawn(move || run(number));
        }
    });
}

#[tokio::test]
async fn a_host_may_be_stopped_while_time_passes() {
    let host = TestHost::start(Clerk::default()).await;
    let stop = async {
        tokio::time::sleep(Duration::from_secs(90 * 60)).await;
        host.inject(Signal::Int);
    };
    tokio::join!(host.advance("3h"), stop);
    assert_eq!(host.status().state, State::Stopped);
    host.advance("1h").await;
    host.inject(Signal::Term);
    let report = host.shutdown().await;
    assert_eq!((report.cause.as_str(), report.exit_code), ("SIGINT", 0));
    report.assert_clean();
}

#[tokio::test]
async fn a_test_may_run_in_a_local_set() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let host = TestHost::start(Clerk::default()).await;
            host.advance("2h").await;
            host.expect_ticks("sweep", 2);
            host.shutdown().await.assert_clean();
        })
        .await;
}

#[tokio::test]
async fn a_host_that_has_stopped_takes_no_event() {
    let host = TestHost::start(Clerk::default()).await;
    host.inject(Signal::Term);
    host.settle().await;
    host.publish(Order(1)).await;
    let report = host.shutdown().await;
    assert_eq!((report.events[0].handled, report.events[0].offered - report.events[0].abandoned), (0, 0), "{report}");
    report.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "no further `wrong_tests::Order` on \"wrong:order\" within 60s")]
async fn an_event_does_not_come_after_the_end() {
    let mut host = TestHost::start(Clerk::default()).await;
    host.inject(Signal::Term);
    host.settle().await;
    host.expect_event::<Order>().await;
}

/// Takes an event at a time, and hangs in it.
#[daemon(name = "stuck")]
#[derive(Default)]
struct Stuck;

#[daemon]
impl Stuck {
    #[on_event(capacity = 1)]
    async fn order(&self, _order: &Order) -> Result<()> {
        std::future::pending().await
    }

    #[every("1s")]
    async fn beat(&self) {}
}

impl DaemonBase for Stuck {}

#[tokio::test]
#[should_panic(
    expected = "the test could not publish `wrong_tests::Order`: no room within 60s of the paused clock in \
                           `stuck.order` (1 waiting)"
)]
async fn a_queue_that_stays_full_is_told() {
    let host = TestHost::start(Stuck).await;
    for order in 0..10 {
        host.publish(Order(order)).await;
    }
}

/// Never comes to rest once it is told to.
#[daemon(name = "spinner", no_handlers)]
struct Spinner(Arc<AtomicBool>);

impl DaemonBase for Spinner {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let stop = self.0.clone();
        let spin = async move {
            while !stop.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
        };
        drop(cx.spawn("spin", spin)?);
        Ok(())
    }
}

/// Blocks a thread of its own until it is told not to.
#[daemon(name = "digger")]
struct Digger(Arc<AtomicBool>);

#[daemon]
impl Digger {
    #[on_event]
    async fn dig(&self, _order: &Order, cx: &Context) -> Result<()> {
        let stop = self.0.clone();
        let dig = move || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        drop(cx.spawn_blocking("dig", dig)?);
        Ok(())
    }
}

impl DaemonBase for Digger {}

/// Lets threads go, however the test ends.
struct LetGo(Arc<AtomicBool>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn digging() -> (TestHost, LetGo) {
    let stop = Arc::<AtomicBool>::default();
    let host = TestHost::start(Digger(stop.clone())).await;
    host.publish(Order(1)).await;
    (host, LetGo(stop))
}

/// What a test says that fails, run on a thread of its own.
fn said<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failed = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test()))).unwrap_err();
        failed.downcast_ref::<String>().unwrap().clone()
    })
}

#[test]
fn what_holds_up_time_for_ever_does_not_hang_a_test() {
    let spins = said(|| async { drop(TestHost::start(Spinner(Arc::default())).await) });
    let ends = said(|| async {
        let (host, _let_go) = digging().await;
        host.shutdown().await;
    });
    let passes = said(|| async {
        let (host, _let_go) = digging().await;
        host.advance("1s").await;
    });
    let expects = said(|| async {
        let (mut host, _let_go) = digging().await;
        host.expect_event::<Order>().await;
        host.expect_event::<Order>().await;
    });
    let spin = "after 10s of real time something is still ready to run: does a daemon spin? Under way: task `spin` of `spinner`";
    let said = spins.join().unwrap();
    assert!(said.starts_with(spin), "{said}");
    let blocks = "no time passed for 10s of real time: it waits for work that blocks a thread, or that is always ready to \
                  run. Under way: blocking work `dig` of `digger`";
    for said in [ends, passes, expects].map(|said| said.join().unwrap()) {
        assert!(said.starts_with(blocks), "{said}");
    }
}

#[tokio::test]
#[should_panic(expected = "no interval named `sweep`; no daemon has one")]
async fn intervals_are_asked_for_where_there_are_none() {
    TestHost::start(Spinner(Arc::new(AtomicBool::new(true)))).await.expect_ticks("sweep", 1);
}

#[tokio::test]
async fn a_daemon_of_several_names_is_found_by_its_name() {
    let host = TestHost::new("app").daemon_as("left", Clerk::default()).daemon_as("right", Clerk::default());
    let host = host.fail_next("right.sweep").start().await;
    host.advance("1h").await;
    host.expect_ticks("left.sweep", 1);
    let errors = |name| host.status().daemon(name).unwrap().errors;
    assert_eq!((errors("left"), errors("right")), (0, 1));
    host.shutdown().await.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "`sweep` is ambiguous: left.sweep, right.sweep")]
async fn an_interval_of_several_daemons_is_told_with_their_names() {
    let host = TestHost::new("app").daemon_as("left", Clerk::default()).daemon_as("right", Clerk::default());
    host.start().await.expect_ticks("sweep", 0);
}

#[tokio::test]
#[should_panic(expected = "asked for, but never happened: a fault of `clerk.cleanupp`, `init`")]
async fn every_fault_that_did_not_come_is_told() {
    let host = TestHost::start(Clerk::default()).await;
    host.fail_next("clerk.cleanupp");
    host.panic_next("init");
    host.shutdown().await;
}

#[tokio::test]
#[should_panic(expected = "asked for, but never happened: a fault of `swep`")]
async fn a_fault_that_did_not_come_is_told_though_the_end_was_bad() {
    let host = TestHost::start(Clerk::default()).await;
    host.fail_next("swep");
    host.handle().fail_daemon("clerk", 1, "it is broken", true).unwrap();
    host.settle().await;
    host.shutdown().await;
}

#[tokio::test]
async fn the_clock_on_the_wall_goes_anywhere() {
    let host = TestHost::new("app").daemon(Clerk::default()).clock_at(SystemTime::UNIX_EPOCH).start().await;
    host.step_clock_back("100d").await;
    host.step_clock_forward("1000d").await;
    host.advance("1h").await;
    host.expect_ticks("sweep", 1);
    host.suspend("2h").await;
    host.shutdown().await.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "`reader` requires `clerk`")]
async fn a_daemon_that_needs_another_is_told() {
    #[daemon(name = "reader", requires(Clerk), no_handlers)]
    #[derive(Default)]
    struct Reader;
    impl DaemonBase for Reader {}
    let host = TestHost::new("app").daemons(daemons![Clerk, Reader]).start().await;
    host.shutdown().await.assert_clean();
    TestHost::start(Reader).await;
}

/// A clean report, with something changed in it.
async fn report_with(change: impl FnOnce(&mut serde_json::Value)) -> ShutdownReport {
    let host = Host::new("app").daemon(Clerk::default()).on_shutdown(async || {}).quiet();
    let report = host.start().await.unwrap().shutdown().await.unwrap();
    report.assert_clean();
    let mut json = serde_json::to_value(report).unwrap();
    change(&mut json);
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn each_clause_of_clean_is_asserted_and_shown() {
    let cut = json!({
        "work": "the culprit", "spawned_at": "here.rs:1", "polls": 3, "idle_ms": 5, "waits_in": null, "blocking": false,
        "gone": true,
    });
    let dirt = [
        ("/exit_code", json!(75), "exit code 75"),
        ("/problems", json!(["the culprit"]), "the culprit"),
        ("/cut", json!([cut]), "the culprit"),
        ("/blocked_threads", json!(1), "1 worker thread blocked"),
        ("/left/subscriptions", json!(1), "left: 1 subscription,"),
        ("/left/intervals", json!(2), "2 intervals"),
        ("/left/tasks", json!(1), "1 task"),
        ("/daemons/0/cut", json!([cut]), "the culprit"),
        ("/daemons/0/problems", json!(["the culprit"]), "the culprit"),
        ("/handlers/0/cut", cut.clone(), "the culprit"),
        ("/handlers/0/problem", json!("the culprit"), "the culprit"),
    ];
    for (at, value, shown) in dirt {
        let report = report_with(|report| match report.pointer_mut(at) {
            Some(place) => *place = value,
            None => drop(report.as_object_mut().unwrap().insert(at[1..].to_owned(), value)), // not written where empty
        });
        let report = report.await;
        assert!(!report.is_clean(), "{at} is overlooked");
        let failed = catch_unwind(|| report.assert_clean()).unwrap_err();
        let said = failed.downcast_ref::<String>().unwrap();
        assert!(said.starts_with("the shutdown was not clean:\napp ") && said.contains(shown), "{at}: {said}");
    }
}

/// Fails now and then, and says so.
#[daemon(name = "shaky", optional)]
#[derive(Default)]
struct Shaky;

#[daemon]
impl Shaky {
    #[on_event(capacity = 1, overflow = drop_oldest)]
    async fn order(&self, order: &Order) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if order.0 == 0 { Err("no order".into()) } else { Ok(()) }
    }
}

impl DaemonBase for Shaky {}

#[tokio::test]
async fn clean_is_about_the_end_and_not_about_the_way_there() {
    let host = TestHost::start(Shaky).await;
    for order in [0, 1, 2, 3, 4] {
        host.publish(Order(order)).await;
    }
    host.advance("10s").await;
    host.fail_next("cleanup"); // of a life that is not the last
    host.handle().restart_daemon("shaky").await.unwrap();
    host.handle().fail_daemon("shaky", 2, "it is broken", true).unwrap();
    host.settle().await;
    let report = host.shutdown().await;
    let daemon = report.daemon("shaky").unwrap();
    assert_eq!((daemon.state, daemon.errors, daemon.restarts), (State::Failed, 2, 1), "{report}");
    assert_eq!((report.events[0].failed, report.events[0].dropped), (1, 3), "{report}");
    report.assert_clean();
}

#[tokio::test]
async fn what_a_required_daemon_and_a_shutdown_handler_come_to_is_dirt() {
    let host = TestHost::start(Clerk::default()).await;
    host.handle().fail_daemon("clerk", 1, "it is broken", true).unwrap();
    host.settle().await;
    let report = host.shutdown().await;
    assert_eq!((report.exit_code, report.is_clean()), (1, false), "{report}");

    let host = TestHost::new("app").daemon(Clerk::default()).on_shutdown(async || Err::<(), _>("not flushed"));
    let report = host.start().await.shutdown().await;
    assert_eq!((report.exit_code, report.is_clean()), (1, false), "{report}");

    let host = TestHost::new("app").daemon(Clerk::default()).on_shutdown(std::future::pending::<()>);
    let (host, since) = (host.shutdown_timeout("3s").start().await, Instant::now());
    let report = host.shutdown().await;
    assert_eq!((report.exit_code, report.is_clean(), since.elapsed().as_secs()), (75, false, 3), "{report}");
}
