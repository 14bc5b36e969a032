//! One driver for all: ticks that wait, compute or fail delay no other for long, and end with their daemon.

use super::{MS, S, blank, interval, log};
use daemon_core::testing::TestHost;
use daemon_core::{Context, DaemonBase, Host, Overlap, Schedule, StartError, TaskKind, daemon};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tokio::sync::Notify;

#[daemon(name = "mixed")]
#[derive(Default)]
struct Mixed(AtomicU64);

#[daemon]
impl Mixed {
    #[every("1s")]
    async fn waits(&self, cx: &Context) {
        cx.cancelled().await;
    }

    #[every("1s")]
    fn is_quick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl DaemonBase for Mixed {}

#[tokio::test]
async fn a_tick_that_waits_delays_no_other_and_is_shown_by_name() {
    let host = TestHost::start(Mixed::default()).await;
    host.advance("1h").await;
    host.expect_ticks("is_quick", 3_600);
    assert_eq!(interval(&host, "is_quick").lateness.max(), Some(S(0)));
    let status = host.status();
    let tasks = &status.daemon("mixed").unwrap().tasks;
    let tick = tasks.iter().find(|task| task.kind == TaskKind::Interval).unwrap();
    assert_eq!((&*tick.name, tick.waits_in.as_deref()), ("waits", Some("cx.cancelled")));
    let driver: Vec<_> = tasks.iter().filter(|task| task.kind == TaskKind::Schedule).collect();
    assert!(driver.len() == 1 && driver[0].waits_in.is_none(), "{driver:?}");
    let report = host.shutdown().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn ten_thousand_intervals_share_one_task() {
    let (host, cx) = blank().await;
    for n in 0..10_000 {
        cx.register_interval(&format!("n{n}"), MS(1_000 + n), || async {}).unwrap();
    }
    let tasks = || {
        let status = host.status();
        let of = |kind| status.daemon("blank").unwrap().tasks.iter().filter(|task| task.kind == kind).count();
        (of(TaskKind::Schedule), of(TaskKind::Interval))
    };
    assert_eq!(tasks(), (1, 0));
    host.advance("10s").await;
    assert_eq!(tasks(), (1, 0), "no tick has waited for anything");
    let ticks: u64 = cx.intervals().iter().map(|interval| interval.ticks).sum();
    assert_eq!(ticks, (0..10_000_u64).map(|n| 10_000 / (1_000 + n)).sum::<u64>());
    cx.cleanup_intervals().await;
    assert!(cx.intervals().is_empty());
    drop(cx);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn ticks_that_are_all_due_at_once_leave_the_worker_to_others() {
    let (host, cx) = blank().await;
    let (ticks, first) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
    for n in 0..1_000 {
        let (ticks, first) = (ticks.clone(), first.clone());
        let tick = move || {
            if ticks.fetch_add(1, Ordering::Relaxed) == 0 {
                first.notify_one();
            }
            async {}
        };
        cx.register_interval(&format!("n{n}"), S(1), tick).unwrap();
    }
    let other = tokio::spawn(async move {
        first.notified().await;
        ticks.load(Ordering::Relaxed)
    });
    host.advance("1s").await;
    let before = other.await.unwrap();
    assert!(before < 500, "{before} of them came first");
    drop(cx);
    host.shutdown().await.assert_clean();
}

#[test]
fn a_runtime_that_lacks_timers_or_io_is_refused_by_name() {
    let start = |runtime: &mut tokio::runtime::Builder| {
        let runtime = runtime.build().unwrap();
        runtime.block_on(async {
            let error = Host::new("t").daemon(Mixed::default()).start().await.unwrap_err();
            assert!(matches!(error, StartError::Runtime { .. }), "{error}");
            error.to_string()
        })
    };
    let text = |lacks| {
        format!(
            "a host needs a tokio runtime with timers and I/O, and this one has no {lacks}; build it with `enable_all()`"
        )
    };
    assert_eq!(start(&mut tokio::runtime::Builder::new_current_thread()), text("timers"));
    assert_eq!(start(tokio::runtime::Builder::new_current_thread().enable_io()), text("timers"));
    if cfg!(target_os = "linux") {
        assert_eq!(start(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time()), text("I/O"));
    }
}

fn compute(time: tokio::time::Duration) {
    let since = std::time::Instant::now();
    while since.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Waits for something in real time.
async fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + super::S(60);
    while !is() {
        assert!(tokio::time::Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(MS(1)).await;
    }
}

/// In real time.
#[tokio::test]
async fn a_tick_that_has_a_task_of_its_own_is_skipped_and_given_up_like_any_other() {
    let host = Host::new("t").daemon(super::Blank::default()).start().await.unwrap();
    let cx = host.handle().daemon::<super::Blank>().unwrap().0.lock().unwrap().clone().unwrap();
    let skips = Arc::new(AtomicBool::new(false));
    let asked = skips.clone();
    let schedule = Schedule::every(MS(20)).timeout(MS(10)).skip_if(move || asked.load(Ordering::Relaxed));
    let hangs = || {
        compute(MS(3));
        std::future::pending::<()>()
    };
    cx.register_interval("hog", schedule, hangs).unwrap();
    let hog = || cx.intervals().remove(0);
    until("its timeouts", || hog().failed >= 3).await;
    skips.store(true, Ordering::Relaxed);
    let before = hog();
    until("what it skips", || hog().skipped >= before.skipped + 3).await;
    assert!(hog().ticks <= before.ticks + u64::from(before.running) + 1);
    cx.clear_interval("hog").await;
    drop(cx);
    assert!(host.shutdown().await.unwrap().exit_code == 0);
}

/// In real time: the first tick computes for so long that the next ones get tasks of their own, whether it waits after that or not.
#[tokio::test]
async fn a_tick_that_holds_up_the_others_has_its_own_task_from_then_on() {
    for waits in [false, true] {
        holds_up(waits).await;
    }
}

async fn holds_up(waits: bool) {
    let host = Host::new("t").daemon(super::Blank::default()).start().await.unwrap();
    let cx = host.handle().daemon::<super::Blank>().unwrap().0.lock().unwrap().clone().unwrap();
    let tasks = Arc::new(Mutex::new(Vec::new()));
    let (seen, (done, mut told)) = (tasks.clone(), tokio::sync::mpsc::unbounded_channel());
    cx.register_interval("hog", Schedule::every(MS(5)), move || {
        seen.lock().unwrap().push(tokio::task::id());
        compute(MS(3));
        done.send(()).unwrap();
        async move {
            if waits {
                tokio::task::yield_now().await;
            }
        }
    })
    .unwrap();
    for _ in 0..3 {
        told.recv().await.unwrap();
    }
    cx.clear_interval("hog").await;
    let tasks = tasks.lock().unwrap().clone();
    assert!(tasks[0] != tasks[1] && tasks[1] != tasks[2], "{tasks:?}");
    drop(cx);
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn an_interval_registered_anew_waits_for_the_ticks_of_the_one_cleared() {
    let (host, cx) = blank().await;
    let (inside, overlapped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let tick = {
        let (inside, overlapped) = (inside.clone(), overlapped.clone());
        move || {
            let (inside, overlapped) = (inside.clone(), overlapped.clone());
            async move {
                overlapped.fetch_or(inside.fetch_add(1, Ordering::Relaxed) > 0, Ordering::Relaxed);
                tokio::time::sleep(S(5)).await;
                inside.fetch_sub(1, Ordering::Relaxed);
            }
        }
    };
    cx.register_interval("beat", S(1), tick.clone()).unwrap();
    host.advance("1s").await;
    // Nobody waits for the tick under way.
    let cleared = cx.clone();
    let clearing = tokio::spawn(async move { cleared.clear_interval("beat").await });
    host.settle().await;
    assert!(cx.intervals().is_empty() && !clearing.is_finished());
    cx.register_interval("beat", Schedule::every(S(1)).overlap(Overlap::CONCURRENT), tick).unwrap();
    host.advance("4s").await;
    assert_eq!(inside.load(Ordering::Relaxed), 1, "the old one ends first");
    host.advance("1s").await;
    assert!(clearing.await.unwrap());
    assert!(!overlapped.load(Ordering::Relaxed));
    host.advance("10s").await;
    assert_eq!(inside.load(Ordering::Relaxed), 5, "then they overlap, as asked for");
    drop(cx);
    drop(host.shutdown().await);
}

#[daemon(name = "broken")]
#[derive(Default)]
struct Broken;

#[daemon]
impl Broken {
    #[every("1s", skip_if = Self::panics)]
    fn never(&self) {}

    #[every("1s", immediately)]
    fn blocks_nothing(&self) {}
}

impl Broken {
    fn panics(&self) -> bool {
        panic!("no answer")
    }
}

impl DaemonBase for Broken {}

#[tokio::test]
async fn a_condition_that_panics_is_a_failed_tick() {
    let host = TestHost::start(Broken).await;
    host.advance("10s").await;
    let never = interval(&host, "never");
    assert_eq!((never.ticks, never.failed, never.last_error.as_deref()), (10, 10, Some("panicked: no answer")));
    host.expect_ticks("blocks_nothing", 11);
    assert_eq!(host.status().daemon("broken").unwrap().panics, 10);
    drop(host.shutdown().await);
}

#[tokio::test]
async fn who_ends_all_intervals_waits_for_their_ticks() {
    let (host, cx) = blank().await;
    cx.register_interval("beat", S(1), || tokio::time::sleep(S(5))).unwrap();
    host.advance("1s").await;
    let ends = cx.clone();
    let ending = tokio::spawn(async move { ends.cleanup_intervals().await });
    host.advance("4s").await;
    assert!(cx.intervals().is_empty() && !ending.is_finished());
    host.advance("1s").await;
    ending.await.unwrap();
    drop(cx);
    host.shutdown().await.assert_clean();
}

/// Nobody is to be told of a tick that has ended as of one that holds the worker.
#[tokio::test]
async fn the_driver_is_shown_as_itself_while_it_lets_others_run() {
    let (host, cx) = blank().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let handle = host.handle();
    let tick = move || {
        let (tell, handle) = (tell.clone(), handle.clone());
        tokio::spawn(async move {
            let kinds = handle.status().daemon("blank").unwrap().tasks.iter().map(|task| task.kind).collect::<Vec<_>>();
            tell.send(kinds).unwrap();
        });
        std::future::poll_fn(|cx| {
            while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
            Poll::Ready(())
        })
    };
    cx.register_interval("beat", S(1), tick).unwrap();
    host.advance("1s").await;
    let kinds = told.recv().await.unwrap();
    assert!(kinds.contains(&TaskKind::Schedule) && !kinds.contains(&TaskKind::Interval), "{kinds:?}");
    drop(cx);
    host.shutdown().await.assert_clean();
}

/// Registers another interval and panics when it is dropped.
struct Explodes(Context);

impl Drop for Explodes {
    fn drop(&mut self) {
        drop(self.0.register_interval("beside", S(1), || async {}));
        panic!("in the destructor of an interval");
    }
}

#[tokio::test]
async fn an_interval_that_explodes_when_it_is_let_go_of_harms_nobody_and_is_told_of() {
    let (log, _listening) = log::listen();
    let (host, cx) = blank().await;
    let register = || {
        let held = Explodes(cx.clone());
        let tick = move || {
            let _held = &held;
            async {}
        };
        cx.register_interval("beat", S(1), tick).unwrap();
        log.text().matches("a destructor failed").count()
    };
    assert_eq!([register(), register()], [0, 1], "another took its place");
    assert!(cx.clear_interval("beat").await);
    assert_eq!(register(), 2, "it was cleared");
    cx.cleanup_intervals().await;
    assert_eq!(log.text().matches("a destructor failed").count(), 3, "{}", log.text());
    drop(cx);
    host.shutdown().await.assert_clean();
}
