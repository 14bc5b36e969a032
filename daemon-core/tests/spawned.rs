//! Work that a daemon spawns: what its handle gives, where its result ends, and that a crowd of it is no burden.
#![allow(missing_docs, missing_debug_implementations)]
#![expect(clippy::unwrap_used, reason = "a test")]

mod probe;

use std::future::pending;
use std::sync::OnceLock;

use daemon_core::{Context, DaemonBase, Event, Host, PublishError, Result, RunningHost, TaskEnded, TaskKind, daemon};
use probe::{Log, MS, S, until};
use tokio::task::JoinHandle;

/// Keeps its context for the test, and says when its cleanup begins.
#[daemon(name = "spawner", no_handlers)]
#[derive(Default)]
struct Spawner {
    cx: OnceLock<Context>,
    log: Log,
}

impl DaemonBase for Spawner {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(self.cx.set(cx.clone()));
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        Ok(())
    }
}

async fn started() -> (RunningHost, Context, Log) {
    let host = Host::new("t").daemon(Spawner::default()).start().await.unwrap();
    let spawner = host.handle().daemon::<Spawner>().unwrap();
    (host, spawner.cx.get().unwrap().clone(), spawner.log.clone())
}

#[tokio::test(start_paused = true)]
async fn a_handle_gives_the_result_whether_it_waits_or_comes_late() {
    let (host, cx, _) = started().await;
    let early = cx.spawn("sum", async {
        tokio::time::sleep(S(1)).await;
        42
    });
    assert_eq!(early.unwrap().await.unwrap(), 42);
    let late = cx.spawn("text", async { "text".to_owned() }).unwrap();
    let handle = host.handle();
    let under_way = || handle.status().daemon("spawner").unwrap().tasks.iter().any(|task| task.name == "text");
    until("its end", || !under_way()).await;
    assert_eq!(late.await.unwrap(), "text");
    host.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handle_tells_a_panic_and_an_abort() {
    let (host, cx, _) = started().await;
    let panics = cx.spawn("panics", async { panic!("boom") }).unwrap();
    let ended: Result<(), _> = panics.await;
    assert!(matches!(&ended, Err(TaskEnded::Panicked(message)) if message == "boom"), "{ended:?}");
    let waits = tokio::spawn(cx.spawn("stuck", pending::<()>()).unwrap());
    let kept = cx.spawn("stuck", pending::<()>()).unwrap();
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.daemon("spawner").unwrap().cut.len(), 2, "{report}");
    assert!(matches!(waits.await.unwrap(), Err(TaskEnded::Aborted)));
    assert!(matches!(kept.await, Err(TaskEnded::Aborted)));
}

#[tokio::test(start_paused = true)]
async fn a_result_that_nobody_wants_is_dropped_before_cleanup() {
    let (host, cx, log) = started().await;
    let (result, ends) = (log.on_drop("result dropped"), cx.clone());
    let work = async move {
        ends.cancelled().await;
        result
    };
    drop(cx.spawn("unwanted", work).unwrap());
    let kept = {
        let (result, ends) = (log.on_drop("kept result dropped"), cx.clone());
        cx.spawn("wanted", async move {
            ends.cancelled().await;
            result
        })
    };
    assert!(host.shutdown().await.unwrap().is_clean());
    log.in_order(&["result dropped", "cleanup"]);
    assert!(!log.has("kept result dropped"), "whoever holds the handle may still want it");
    drop(kept);
    assert!(log.has("kept result dropped"));
}

#[daemon(name = "hurried", no_handlers, stop_timeout = "200ms")]
#[derive(Default)]
struct Hurried(OnceLock<Context>);

impl DaemonBase for Hurried {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(self.0.set(cx.clone()));
        Ok(())
    }
}

/// The only thread there is for such work is taken until the host has stopped.
#[test]
fn blocking_work_that_has_not_begun_when_its_daemon_stops_never_does() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).max_blocking_threads(1).enable_all().build().unwrap();
    let (log, (free, taken)) = (Log::default(), std::sync::mpsc::channel::<()>());
    runtime.block_on(async {
        let first = tokio::task::spawn_blocking(move || taken.recv());
        let host = Host::new("t").daemon(Hurried::default()).start().await.unwrap();
        let cx = host.handle().daemon::<Hurried>().unwrap().0.get().unwrap().clone();
        let (says, dropped) = (log.clone(), log.on_drop("dropped"));
        let work = move || {
            drop(dropped);
            says.say("began");
        };
        let late = cx.spawn_blocking("late", work).unwrap();
        let report = host.shutdown().await.unwrap();
        assert!(matches!(late.await, Err(TaskEnded::Aborted)));
        let cut = &report.daemon("hurried").unwrap().cut;
        assert!(cut.len() == 1 && cut[0].gone, "{report}");
        drop(free);
        assert!(first.await.unwrap().is_err(), "it went on only now");
        tokio::task::spawn_blocking(|| ()).await.unwrap(); // after all that waited for the thread
    });
    assert_eq!(log.lines(), ["dropped"]);
}

/// No step of a stop looks at all of the work for each piece of it: a crowd costs what its pieces do.
#[tokio::test(start_paused = true)]
async fn a_crowd_that_heeds_no_cancellation_is_aborted_and_named() {
    const CROWD: usize = 20_000;
    let (host, cx, _) = started().await;
    for number in 0..CROWD {
        drop(cx.spawn(&format!("unit-{number}"), pending::<()>()).unwrap());
    }
    let tasks = host.handle().status().daemon("spawner").unwrap().tasks.clone();
    let units: Vec<_> = tasks.iter().filter(|task| task.kind == TaskKind::Task).collect();
    assert_eq!(units.len(), CROWD);
    assert!(units.iter().enumerate().all(|(number, unit)| unit.name == format!("unit-{number}")), "in their order");
    let report = host.shutdown().await.unwrap();
    let spawner = report.daemon("spawner").unwrap();
    assert_eq!(spawner.cut.len(), CROWD);
    assert!(spawner.cut.iter().all(|cut| cut.gone));
    assert_eq!((report.left.tasks, report.exit_code), (0, 75));
}

#[tokio::test(start_paused = true)]
async fn what_ends_by_itself_is_shown_no_more() {
    let (host, cx, _) = started().await;
    for number in 0..1_000 {
        drop(cx.spawn("brief", tokio::time::sleep(MS(number % 7))).unwrap());
    }
    let handle = host.handle();
    let under_way = || handle.status().daemon("spawner").unwrap().tasks.len();
    assert!(under_way() >= 1_000);
    until("only the event handlers are left", || under_way() == 1).await;
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[derive(Event, Default)]
#[event("spawner:beat", local)]
struct Beat;

/// On one thread nothing else would ever run: neither who hears the events, nor the shutdown.
#[tokio::test]
async fn a_loop_that_publishes_what_makes_nobody_wait_leaves_others_their_turns() {
    const FOR_EVER: u32 = 300_000;
    let (host, cx, _) = started().await;
    let beats = [false, true].map(|by_name| {
        let publisher = cx.clone();
        let beats = cx.spawn("beats", async move {
            let mut beats = 0;
            while beats < FOR_EVER && !publisher.is_cancelled() {
                let published = async {
                    if by_name {
                        publisher.publish_to("spawner:beat", Beat).await
                    } else {
                        publisher.publish(Beat).await
                    }
                };
                published.await.unwrap();
                beats += 1;
            }
            beats
        });
        beats.unwrap()
    });
    assert!(host.shutdown().await.unwrap().is_clean());
    for beats in beats {
        assert!(beats.await.unwrap() < FOR_EVER, "it heard of the shutdown");
    }
}

/// It is no task of the daemon's, and so nobody ends it.
#[tokio::test]
async fn a_loop_that_publishes_after_its_life_leaves_others_their_turns() {
    const FOR_EVER: u32 = 300_000;
    let (host, cx, _) = started().await;
    assert!(host.shutdown().await.unwrap().is_clean());
    let loops: [JoinHandle<()>; 2] = [false, true].map(|waits| {
        let cx = cx.clone();
        tokio::spawn(async move {
            for _ in 0..FOR_EVER {
                let refused = if waits { cx.publish_and_wait(Beat).await.map(drop) } else { cx.publish(Beat).await };
                assert!(matches!(refused, Err(PublishError::Stopping { .. })));
            }
        })
    });
    tokio::task::yield_now().await;
    for task in loops {
        assert!(!task.is_finished(), "it would hold its worker for ever");
        task.abort();
    }
}
