use super::*;
use crate::{BoxError, CheckOptions, HealthStatus, Verdict, from_fn};
use std::{
    future::{Future, pending},
    sync::atomic::AtomicUsize,
    sync::atomic::Ordering::Relaxed,
    sync::mpsc,
};
use tokio::sync::Notify;
use tokio::time::{Instant, advance, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// The default options, but for how long an answer may take.
fn within(timeout: Duration) -> CheckOptions {
    CheckOptions::default().timeout(timeout)
}

fn checker_of<const N: usize>(checks: [(&str, Result<Verdict, String>); N]) -> HealthChecker {
    let checker = HealthChecker::new();
    for (name, answer) in checks {
        let ask = move || {
            let answer = answer.clone();
            async move { answer.map_err(BoxError::from) }
        };
        checker.register(from_fn(name, ask)).unwrap();
    }
    checker
}

fn message(report: &HealthReport, name: &str) -> String {
    report.checks[name].message.as_deref().unwrap_or_default().to_owned()
}

/// A check that counts how often it is asked.
fn counting(name: &str, count: &Arc<AtomicUsize>) -> impl HealthCheck + use<> {
    let count = Arc::clone(count);
    from_fn(name, move || {
        count.fetch_add(1, Relaxed);
        async { Ok(Verdict::healthy()) }
    })
}

#[tokio::test]
async fn each_answer_is_told_and_the_worst_speaks_for_all() {
    let checker = checker_of([
        ("a", Ok(Verdict::healthy())),
        ("b", Ok(Verdict::degraded("slow"))),
        ("c", Err("refused".to_owned())),
    ]);
    let report = checker.check().await;
    assert_eq!(report.status, HealthStatus::Unhealthy);
    let told: Vec<_> = report.checks.iter().map(|(name, check)| (name, check.status)).collect();
    assert_eq!(told, [("a", HealthStatus::Healthy), ("b", HealthStatus::Degraded), ("c", HealthStatus::Unhealthy)]);
    assert_eq!((message(&report, "b"), message(&report, "c")), ("slow".to_owned(), "refused".to_owned()));
}

#[tokio::test]
async fn without_checks_all_is_well() {
    assert_eq!(HealthChecker::new().check().await.status, HealthStatus::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_check_delays_the_answer_by_its_timeout_and_no_more() {
    let checker = checker_of([("well", Ok(Verdict::healthy()))]);
    for (name, timeout) in [("first", SECOND), ("stuck", 3 * SECOND), ("third", 2 * SECOND)] {
        checker.register(from_fn(name, pending).with_options(within(timeout))).unwrap();
    }
    let asked_at = Instant::now();
    let report = timeout(60 * SECOND, checker.check()).await.expect("an answer, if a late one");
    // The timer of a paused clock has a resolution of a millisecond.
    assert!(asked_at.elapsed() <= 3 * SECOND + Duration::from_millis(1), "{:?}", asked_at.elapsed());
    assert_eq!(message(&report, "stuck"), "no answer within 3s");
    assert_eq!(report.checks["stuck"].duration.as_secs(), 3);
    assert_eq!(report.checks["first"].duration.as_secs(), 1);
    assert_eq!(report.checks["third"].duration.as_secs(), 2);
    assert!(report.checks["well"].status.is_healthy());
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_its_time_does_not_count_though_a_slower_check_is_waited_for() {
    let checker = HealthChecker::new();
    let slow = |name: &'static str| {
        from_fn(name, || async {
            sleep(2 * SECOND).await;
            Ok(Verdict::healthy())
        })
    };
    checker.register(slow("a").with_options(within(3 * SECOND))).unwrap();
    checker.register(slow("b").with_options(within(SECOND))).unwrap();
    let report = checker.check().await;
    assert_eq!(report.checks["a"].status, HealthStatus::Healthy);
    assert_eq!(message(&report, "b"), "no answer within 1s");
}

#[tokio::test(start_paused = true)]
async fn checks_run_side_by_side() {
    let checker = HealthChecker::new();
    for name in ["a", "b", "c"] {
        let ask = || async {
            sleep(SECOND / 2).await;
            Ok(Verdict::healthy())
        };
        checker.register(from_fn(name, ask)).unwrap();
    }
    let asked_at = Instant::now();
    assert!(checker.check().await.status.is_healthy());
    assert!(asked_at.elapsed() < SECOND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_is_given_up_too() {
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let checker = HealthChecker::new();
    let block = move || {
        let held = Arc::clone(&held);
        async move {
            held.lock().unwrap().recv().ok();
            Ok(Verdict::healthy())
        }
    };
    checker.register(from_fn("blocked", block).with_options(within(Duration::from_millis(50)))).unwrap();
    let report = checker.check().await;
    release.send(()).unwrap();
    assert_eq!(message(&report, "blocked"), "no answer within 50ms");
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let checker = checker_of([("well", Ok(Verdict::healthy()))]);
    checker.register(from_fn("bad", || async { panic!("no table {}", 7) })).unwrap();
    checker.register(from_fn("worse", || -> std::future::Ready<_> { panic!("before the first await") })).unwrap();
    let report = checker.check().await;
    assert_eq!(message(&report, "bad"), "panicked: no table 7");
    assert_eq!(message(&report, "worse"), "panicked: before the first await");
    assert!(report.checks["well"].status.is_healthy());
}

#[tokio::test]
async fn an_error_is_told_with_what_it_comes_from() {
    #[derive(Debug, Error)]
    #[error("store not reachable")]
    struct Unreachable(#[source] std::io::Error);

    let checker = HealthChecker::new();
    let ask = || async { Err(Unreachable(std::io::Error::other("refused")).into()) };
    checker.register(from_fn("store", ask)).unwrap();
    assert_eq!(message(&checker.check().await, "store"), "store not reachable: refused");
}

#[tokio::test]
async fn names_are_unique_and_the_first_of_two_stays() {
    let checker = checker_of([("a", Err("first".to_owned()))]);
    let refused = checker.register(from_fn("a", || async { Ok(Verdict::healthy()) })).unwrap_err();
    assert!(matches!(&refused, HealthError::DuplicateName { name } if name == "a"), "{refused}");
    assert_eq!(message(&checker.check().await, "a"), "first");

    assert!(checker.unregister("a"));
    assert!(!checker.unregister("a"));
    checker.register(from_fn("a", || async { Ok(Verdict::healthy()) })).unwrap();
    assert!(checker.check().await.status.is_healthy());
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_check_that_was_replaced_is_not_the_new_ones() {
    let checker = Arc::new(HealthChecker::new());
    checker.register(from_fn("a", pending)).unwrap();
    let asking = tokio::spawn({
        let checker = Arc::clone(&checker);
        async move { checker.check().await }
    });
    sleep(SECOND).await;
    assert!(checker.unregister("a"));
    checker.register(from_fn("a", pending)).unwrap();
    assert_eq!(asking.await.unwrap().checks["a"].status, HealthStatus::Unhealthy);
    assert_eq!(checker.last().checks["a"].status, HealthStatus::Unknown);
}

#[test]
fn a_check_needs_a_name_and_time() {
    let checker = HealthChecker::new();
    assert!(matches!(checker.register(from_fn("", pending)), Err(HealthError::NoName)));
    let refused = checker.register(from_fn("a", pending).with_options(within(Duration::ZERO)));
    assert!(matches!(refused, Err(HealthError::Options { .. })));
}

#[tokio::test(start_paused = true)]
async fn answers_are_kept_with_their_age_and_used_while_they_are_fresh() {
    let count = Arc::new(AtomicUsize::new(0));
    let checker = HealthChecker::new();
    checker.register(counting("a", &count)).unwrap();
    assert_eq!(checker.last().checks["a"].status, HealthStatus::Unknown);
    assert_eq!(checker.last().checks["a"].age, None);

    checker.check().await;
    advance(3 * SECOND).await;
    let report = checker.check_older_than(4 * SECOND).await;
    assert_eq!((count.load(Relaxed), report.checks["a"].age), (1, Some(3 * SECOND)));
    assert_eq!(checker.last(), report);

    checker.check_older_than(3 * SECOND).await;
    assert_eq!(count.load(Relaxed), 2);
    assert_eq!(checker.last().checks["a"].age, Some(Duration::ZERO));
    assert_eq!(checker.last().uptime, 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_answers_is_dropped_at_its_timeout_whoever_waits() {
    let (alive, dropped) = mpsc::channel::<()>();
    let checker = HealthChecker::new();
    let ask = move || {
        let alive = alive.clone();
        async move {
            let _held = alive;
            pending().await
        }
    };
    checker.register(from_fn("stuck", ask)).unwrap();
    assert!(timeout(SECOND / 2, checker.check()).await.is_err());
    assert!(checker.unregister("stuck"));
    assert_eq!(dropped.try_recv(), Err(mpsc::TryRecvError::Empty));
    sleep(3 * SECOND).await;
    assert_eq!(dropped.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[tokio::test]
async fn the_longest_timeout_there_is_does_not_overflow() {
    let checker = HealthChecker::new();
    checker.register(from_fn("a", || async { Ok(Verdict::healthy()) }).with_options(within(Duration::MAX))).unwrap();
    assert!(checker.check().await.status.is_healthy());
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_meanwhile_joins_the_call_under_way() {
    let count = Arc::new(AtomicUsize::new(0));
    let (checker, counted) = (Arc::new(HealthChecker::new()), count.clone());
    let slow = from_fn("slow", move || {
        counted.fetch_add(1, Relaxed);
        async {
            sleep(SECOND).await;
            Ok(Verdict::healthy())
        }
    });
    checker.register(slow).unwrap();
    let ask = || {
        let checker = checker.clone();
        tokio::spawn(async move { checker.check().await.status })
    };
    let flood: Vec<_> = (0..1000).map(|_| ask()).collect();
    for one in flood {
        assert_eq!(one.await.unwrap(), HealthStatus::Healthy);
    }
    assert_eq!(count.load(Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_blocks_one_and_no_more() {
    let (release, held) = mpsc::channel::<()>();
    let (held, count) = (Arc::new(std::sync::Mutex::new(held)), Arc::new(AtomicUsize::new(0)));
    let checker = HealthChecker::new();
    let counted = count.clone();
    let block = move || {
        let (held, counted) = (held.clone(), counted.clone());
        async move {
            counted.fetch_add(1, Relaxed);
            held.lock().unwrap().recv().ok();
            Ok(Verdict::healthy())
        }
    };
    checker.register(from_fn("blocked", block).with_options(within(SECOND / 20))).unwrap();
    for _ in 0..4 {
        assert_eq!(checker.check().await.status, HealthStatus::Unhealthy);
    }
    let told = message(&checker.last(), "blocked");
    release.send(()).unwrap();
    assert_eq!((count.load(Relaxed), &*told), (1, "its last call still blocks its thread, and was not asked again"));
}

/// A check whose answer the test sets: healthy, or not.
fn switched(
    name: &str,
    well: &Arc<std::sync::atomic::AtomicBool>,
) -> crate::FromFn<impl Fn() -> std::future::Ready<Result<Verdict, BoxError>> + use<>> {
    let well = well.clone();
    from_fn(name, move || {
        std::future::ready(if well.load(Relaxed) { Ok(Verdict::healthy()) } else { Err("ill".into()) })
    })
}

#[tokio::test(start_paused = true)]
async fn in_the_background_each_is_asked_by_its_period_and_falls_and_rises_by_its_thresholds() {
    let well = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let checker = Arc::new(HealthChecker::new());
    let options = CheckOptions::default().every(10 * SECOND).fails(3).passes(2).group("stores");
    checker.register(switched("store", &well).with_options(options)).unwrap();
    let _run = aborted_with(tokio::spawn({
        let checker = checker.clone();
        async move { checker.run().await }
    }));
    let readiness = HealthQuery::of(CheckKind::Readiness).in_group("stores");
    let status = async || checker.health(&readiness).await.unwrap().checks["store"].status;
    sleep(SECOND).await; // asked at 0, and a look does not ask again
    assert_eq!(status().await, HealthStatus::Unknown);
    sleep(10 * SECOND).await; // and at 10
    assert_eq!(status().await, HealthStatus::Healthy);
    well.store(false, Relaxed);
    sleep(20 * SECOND).await; // at 20 and 30
    let report = checker.health(&readiness).await.unwrap();
    assert_eq!((report.checks["store"].status, report.checks["store"].failures), (HealthStatus::Healthy, 2));
    assert_eq!(report.checks["store"].age, Some(SECOND));
    sleep(10 * SECOND).await;
    assert_eq!(status().await, HealthStatus::Unhealthy);
    well.store(true, Relaxed);
    sleep(10 * SECOND).await;
    assert_eq!(status().await, HealthStatus::Unhealthy);
    sleep(10 * SECOND).await;
    assert_eq!(status().await, HealthStatus::Healthy);
    let history: Vec<_> = checker.history().iter().map(|change| (change.from, change.to)).collect();
    use HealthStatus::{Healthy, Unhealthy, Unknown};
    assert_eq!(history, [(Unknown, Healthy), (Healthy, Unhealthy), (Unhealthy, Healthy)]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_know_is_asked_again_within_a_second_in_the_background_and_on_demand() {
    let starting = |count: &Arc<AtomicUsize>| {
        let count = count.clone();
        from_fn("store", move || {
            let asked = count.fetch_add(1, Relaxed);
            std::future::ready(Ok(if asked < 2 { Verdict::unknown("it starts") } else { Verdict::healthy() }))
        })
    };
    let (count, checker) = (Arc::new(AtomicUsize::new(0)), Arc::new(HealthChecker::new()));
    checker.register(starting(&count)).unwrap();
    let _run = aborted_with(tokio::spawn({
        let checker = checker.clone();
        async move { checker.run().await }
    }));
    sleep(9 * SECOND).await;
    assert_eq!(count.load(Relaxed), 3, "at 0, 1 and 2, and then at its period");

    let (count, checker) = (Arc::new(AtomicUsize::new(0)), HealthChecker::new());
    checker.register(starting(&count)).unwrap();
    let status = async || checker.health(&HealthQuery::all()).await.unwrap().status;
    assert_eq!(
        (status().await, status().await, count.load(Relaxed)),
        (HealthStatus::Unknown, HealthStatus::Unknown, 1)
    );
    advance(SECOND).await;
    status().await;
    advance(SECOND).await;
    assert_eq!((status().await, count.load(Relaxed)), (HealthStatus::Healthy, 3));
}

/// Aborts a task when dropped.
fn aborted_with(task: tokio::task::JoinHandle<()>) -> impl Drop {
    struct Aborts(tokio::task::JoinHandle<()>);
    impl Drop for Aborts {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    Aborts(task)
}

#[tokio::test(start_paused = true)]
async fn a_stuck_check_keeps_no_other_from_its_period() {
    let count = Arc::new(AtomicUsize::new(0));
    let checker = Arc::new(HealthChecker::new());
    checker.register(from_fn("stuck", pending).with_options(within(60 * SECOND))).unwrap();
    checker.register(counting("well", &count)).unwrap();
    let _run = aborted_with(tokio::spawn({
        let checker = checker.clone();
        async move { checker.run().await }
    }));
    sleep(45 * SECOND).await;
    assert_eq!(count.load(Relaxed), 5);
}

#[tokio::test]
async fn an_unknown_group_is_an_error_that_names_those_there_are() {
    let checker = HealthChecker::new();
    let told = async |group: &str| checker.health(&HealthQuery::all().in_group(group)).await.unwrap_err().to_string();
    assert_eq!(told("stores").await, "no health check is in a group `stores`; there are no groups");
    checker.register(from_fn("a", pending).with_options(CheckOptions::default().group("disks"))).unwrap();
    assert_eq!(told("stores").await, "no health check is in a group `stores`; there are: disks");
}

#[tokio::test]
async fn a_soft_check_degrades_and_a_startup_check_is_asked_until_it_passes() {
    let (well, count) = (Arc::new(std::sync::atomic::AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let checker = HealthChecker::new();
    checker.register(switched("soft", &well).with_options(CheckOptions::default().soft())).unwrap();
    assert_eq!(checker.check().await.status, HealthStatus::Degraded);
    assert!(checker.health(&HealthQuery::of(CheckKind::Readiness)).await.unwrap().is_passing());
    let (counted, started) = (count.clone(), well.clone());
    let startup = from_fn("warm", move || {
        counted.fetch_add(1, Relaxed);
        std::future::ready(if started.load(Relaxed) { Ok(Verdict::healthy()) } else { Err("cold".into()) })
    });
    let options = CheckOptions::new(CheckKind::Startup).every(None);
    checker.register(startup.with_options(options)).unwrap();
    let query = HealthQuery::of(CheckKind::Startup);
    assert!(!checker.health(&query).await.unwrap().is_passing());
    well.store(true, Relaxed);
    for _ in 0..3 {
        assert!(checker.health(&query).await.unwrap().is_passing());
    }
    assert_eq!(count.load(Relaxed), 2);
}

#[tokio::test]
async fn a_check_hears_that_it_became_unhealthy_and_may_panic_at_that() {
    struct Ill(mpsc::Sender<String>);
    #[crate::async_trait]
    impl HealthCheck for Ill {
        fn name(&self) -> &str {
            "ill"
        }
        async fn check(&self) -> Result<Verdict, BoxError> {
            Err("a cold".into())
        }
        fn became_unhealthy(&self, why: &str) {
            self.0.send(why.to_owned()).unwrap();
            panic!("and more");
        }
    }
    let (sender, told) = mpsc::channel();
    let checker = HealthChecker::new();
    checker.register(Ill(sender)).unwrap();
    for asked in 1..=4 {
        checker.check().await;
        assert_eq!(told.try_recv().ok().as_deref(), (asked == 3).then_some("a cold"), "{asked}");
    }
}

/// How many tasks the runtime has.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_thousand_checks_are_two_tasks_and_none_when_nothing_is_under_way() {
    let (open, gate) = tokio::sync::watch::channel(false);
    let checker = Arc::new(HealthChecker::new());
    for number in 0..1000 {
        let gate = gate.clone();
        let ask = move || {
            let mut gate = gate.clone();
            async move {
                gate.wait_for(|open| *open).await?;
                Ok(Verdict::healthy())
            }
        };
        checker.register(from_fn(format!("check-{number}"), ask)).unwrap();
    }
    let mut asking = std::pin::pin!(checker.check());
    for _ in 0..20 {
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(asking.as_mut().poll(cx).is_pending())).await);
        tokio::task::yield_now().await;
    }
    assert_eq!(tasks(), 2, "who polls, and who looks that it does");
    open.send(true).unwrap();
    let report = asking.await;
    assert_eq!((report.status, report.checks.len()), (HealthStatus::Healthy, 1000));
    while tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

/// A check that blocks its thread, and then waits for more, until the test lets it go on.
fn blocking(
    options: CheckOptions,
) -> (impl HealthCheck, mpsc::Receiver<std::thread::ThreadId>, mpsc::Sender<()>, Arc<Notify>) {
    let ((tell, told), (release, held), more) = (mpsc::channel(), mpsc::channel::<()>(), Arc::new(Notify::new()));
    let (held, wanted) = (Arc::new(std::sync::Mutex::new(held)), more.clone());
    let check = from_fn("blocks", move || {
        let (held, tell, wanted) = (held.clone(), tell.clone(), wanted.clone());
        async move {
            tell.send(std::thread::current().id()).unwrap();
            held.lock().unwrap().recv().ok();
            wanted.notified().await;
            Ok(Verdict::healthy())
        }
    });
    (check.with_options(options), told, release, more)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn those_behind_a_check_that_blocks_its_thread_answer_all_the_same_and_so_does_it_in_the_end() {
    let checker = Arc::new(HealthChecker::new());
    let (blocks, told, release, more) = blocking(within(3600 * SECOND));
    checker.register(blocks).unwrap();
    for number in 0..200 {
        let ask = || async {
            tokio::task::yield_now().await;
            Ok(Verdict::healthy())
        };
        checker.register(from_fn(format!("check-{number}"), ask)).unwrap();
    }
    let asking = tokio::spawn({
        let checker = checker.clone();
        async move { checker.check().await }
    });
    told.recv().unwrap();
    let well = |report: &HealthReport| report.checks.values().filter(|check| check.status.is_healthy()).count();
    while well(&checker.last()) < 200 {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    more.notify_one();
    assert_eq!(well(&asking.await.unwrap()), 201, "whoever polls it by now is told that it can go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_took_over_from_a_hand_that_was_blocked_ends_with_the_last_call() {
    for is_late in [false, true] {
        let checker = Arc::new(HealthChecker::new());
        let (blocks, told, release, more) = blocking(within(if is_late { SECOND / 5 } else { 3600 * SECOND }));
        checker.register(blocks).unwrap();
        checker.register(from_fn("other", || async { Ok(Verdict::healthy()) })).unwrap();
        more.notify_one();
        let asking = tokio::spawn({
            let checker = checker.clone();
            async move { checker.check().await }
        });
        told.recv().unwrap();
        while !checker.last().checks["other"].status.is_healthy() {
            tokio::task::yield_now().await;
        }
        if is_late {
            assert!(!asking.await.unwrap().is_healthy(), "its time is up");
            release.send(()).unwrap();
        } else {
            release.send(()).unwrap();
            assert!(asking.await.unwrap().is_healthy());
        }
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_wakes_itself_keeps_no_other_task_from_its_turn_though_the_clock_stands_still() {
    let is_there = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let checker = HealthChecker::new();
    let sees = is_there.clone();
    let look = move || {
        let sees = sees.clone();
        std::future::poll_fn(move |cx| match sees.load(Relaxed) {
            true => std::task::Poll::Ready(Ok(Verdict::healthy())),
            false => {
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            }
        })
    };
    checker.register(from_fn("looks", look)).unwrap();
    let (report, ()) = tokio::join!(checker.check(), async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        is_there.store(true, Relaxed);
    });
    assert_eq!(report.status, HealthStatus::Healthy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocked_its_thread_is_asked_again_once_it_does_not() {
    let checker = HealthChecker::new();
    let (blocks, told, release, more) = blocking(within(SECOND / 20));
    checker.register(blocks).unwrap();
    assert_eq!(message(&checker.check().await, "blocks"), "no answer within 50ms");
    told.recv().unwrap();
    release.send(()).unwrap();
    while message(&checker.check().await, "blocks").starts_with("its last call") {}
    told.recv().unwrap();
    more.notify_one();
    release.send(()).unwrap();
}

/// Tells on which thread it was dropped, and panics.
struct Loud(mpsc::Sender<std::thread::ThreadId>);
impl Drop for Loud {
    fn drop(&mut self) {
        self.0.send(std::thread::current().id()).unwrap();
        panic!("when dropped");
    }
}

#[tokio::test]
async fn what_users_wrote_runs_and_is_dropped_where_it_is_told_to_and_may_panic_at_that() {
    let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let checker = HealthChecker::new();
    checker.run_on(elsewhere.handle().clone());
    let (tell, told) = mpsc::channel();
    let ask = move || {
        let loud = Loud(tell.clone());
        async move {
            let _held = loud;
            pending().await
        }
    };
    checker.register(from_fn("stuck", ask).with_options(within(SECOND / 20))).unwrap();
    checker.register(from_fn("well", || async { Ok(Verdict::healthy()) })).unwrap();
    assert_eq!(message(&checker.check().await, "stuck"), "no answer within 50ms");
    assert_ne!(told.recv().unwrap(), std::thread::current().id());
    assert!(checker.check().await.checks["well"].status.is_healthy());
    elsewhere.shutdown_background();
}

#[tokio::test]
async fn when_the_runtime_of_the_checks_goes_down_nobody_waits_for_them() {
    let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let checker = Arc::new(HealthChecker::new());
    checker.run_on(elsewhere.handle().clone());
    let (tell, told) = mpsc::channel();
    let ask = move || {
        tell.send(()).unwrap();
        pending()
    };
    checker.register(from_fn("stuck", ask).with_options(within(3600 * SECOND))).unwrap();
    let asking = tokio::spawn({
        let checker = checker.clone();
        async move { checker.check().await }
    });
    tokio::task::yield_now().await;
    told.recv().unwrap();
    elsewhere.shutdown_background();
    assert_eq!(message(&asking.await.unwrap(), "stuck"), "the runtime is shutting down");
    assert_eq!(message(&checker.check().await, "stuck"), "the runtime is shutting down");
}

#[tokio::test(start_paused = true)]
async fn two_point_nine_seconds_of_three_are_in_time() {
    let checker = HealthChecker::new();
    let ask = || async {
        sleep(Duration::from_millis(2900)).await;
        Ok(Verdict::healthy())
    };
    checker.register(from_fn("slow", ask)).unwrap();
    let report = checker.check().await;
    assert_eq!((report.status, report.checks["slow"].duration.as_millis() / 100), (HealthStatus::Healthy, 29));
}
