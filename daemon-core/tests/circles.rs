//! Waits in a circle: ticks that wait for handlers and commands that wait for those ticks, and the like.
#![allow(missing_docs, missing_debug_implementations)]
#![expect(clippy::unwrap_used, reason = "a test")]

mod log;
mod probe;

use std::sync::{Arc, Mutex, OnceLock};

use daemon_core::{
    BoxFuture, Call, Context, DaemonBase, Event, Host, Result, RunningHost, TaskEnded, TaskHandle, daemon,
};
use probe::{Log, MS, S, assert_nothing_left, until};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

#[derive(Event)]
#[event("circle:beat", local)]
struct Beat;

#[derive(Event)]
#[event("circle:room", local)]
struct Room(u32);

type Work = Arc<dyn Fn(Context, Log) -> BoxFuture<'static, ()> + Send + Sync>;

/// Its intervals are registered by the test, with its context.
#[daemon(name = "ticks", no_handlers)]
#[derive(Default)]
struct Ticks(OnceLock<Context>);

impl DaemonBase for Ticks {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(self.0.set(cx.clone()));
        Ok(())
    }
}

/// Its handlers and its command do what the test says, with the context of the other.
#[daemon(name = "other", requires(Ticks))]
struct Other {
    log: Log,
    work: Work,
    gate: Semaphore,
}

#[daemon]
impl Other {
    #[on_event]
    async fn beat(&self, _beat: &Beat, cx: &Context) {
        self.work(cx).await;
    }

    #[on_event(capacity = 1)]
    async fn room(&self, room: &Room, cx: &Context) -> Result<()> {
        if room.0 == 0 {
            self.gate.acquire().await?.forget();
            self.work(cx).await;
        }
        self.log.say(format!("room {}", room.0));
        Ok(())
    }

    #[command]
    async fn work_for(&self, cx: &Context) -> Result<()> {
        self.work(cx).await;
        Ok(())
    }
}

impl Other {
    async fn work(&self, cx: &Context) {
        let ticks = cx.daemon::<Ticks>().0.get().unwrap().clone();
        (self.work)(ticks, self.log.clone()).await;
        self.log.say("worked");
    }
}

impl DaemonBase for Other {}

struct Stage {
    host: RunningHost,
    log: Log,
    cx: Context,
}

fn work<F: Future<Output = ()> + Send + 'static>(work: impl Fn(Context, Log) -> F + Send + Sync + 'static) -> Work {
    Arc::new(move |cx, log| Box::pin(work(cx, log)))
}

async fn stage(work: Work) -> Stage {
    let log = Log::default();
    let other = Other { log: log.clone(), work, gate: Semaphore::new(0) };
    let host = Host::new("t").daemon(Ticks::default()).daemon(other).start().await.unwrap();
    let cx = host.handle().daemon::<Ticks>().unwrap().0.get().unwrap().clone();
    Stage { host, log, cx }
}

impl Stage {
    /// Registers an interval whose ticks, one a second, do this.
    fn every_second(&self, name: &'static str, tick: Work) {
        let (cx, log) = (self.cx.clone(), self.log.clone());
        let ticks = move || {
            let (cx, log, tick) = (cx.clone(), log.clone(), tick.clone());
            async move {
                log.say(format!("{name} begins"));
                tick(cx, log.clone()).await;
                log.say(format!("{name} ends"));
            }
        };
        self.cx.register_interval(name, S(1), ticks).unwrap();
    }

    /// Lets the handler for the first room go on.
    fn open(&self) {
        self.host.handle().daemon::<Other>().unwrap().gate.add_permits(1);
    }

    /// Everything that was said, once nothing more is; the stop cuts nothing.
    async fn ended(self) -> Vec<String> {
        tokio::time::sleep(MS(500)).await;
        let report = self.host.shutdown().await.unwrap();
        assert_nothing_left(&report);
        assert!(report.is_clean(), "{report}");
        self.log.lines()
    }
}

fn clears() -> Work {
    work(|cx, log| async move { log.say(format!("cleared: {}", cx.clear_interval("beat").await)) })
}

/// What a tick does that leads to the work of the other; what it says at the end.
fn ways() -> [(&'static str, Work); 4] {
    [
        (
            "handled: Ok(1)",
            work(|cx, log| async move {
                log.say(format!("handled: {:?}", cx.publish_and_wait(Beat).await));
            }),
        ),
        (
            "called: Ok(())",
            work(|cx, log| async move {
                log.say(format!("called: {:?}", cx.call::<_, ()>("other", "work_for", &()).await));
            }),
        ),
        (
            "joined: Ok(1)",
            work(|cx, log| async move {
                let (handled, ()) = tokio::join!(cx.publish_and_wait(Beat), tokio::time::sleep(MS(10)));
                log.say(format!("joined: {handled:?}"));
            }),
        ),
        (
            "late: Ok(1)",
            work(|cx, log| async move {
                tokio::task::yield_now().await;
                log.say(format!("late: {:?}", cx.publish_to_and_wait("circle:beat", Beat).await));
            }),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_a_tick_waits_for_ends_its_interval_and_does_not_wait_for_it() {
    for (end, way) in ways() {
        let stage = stage(clears()).await;
        stage.every_second("beat", way);
        let begun = Instant::now();
        stage.log.said("beat ends").await;
        assert!(begun.elapsed() < MS(1_100), "{end}: they waited for each other");
        assert_eq!(stage.ended().await, ["beat begins", "cleared: true", "worked", end, "beat ends"]);
    }
}

#[tokio::test(start_paused = true)]
async fn it_may_replace_the_interval_or_end_them_all() {
    for (end, way) in ways() {
        let does = work(|cx, log| async move {
            let new = log.clone();
            cx.register_interval("beat", S(1), move || new.tell("new")).unwrap();
            log.say(format!("cleared: {}", cx.clear_interval("beat").await));
            cx.register_interval("beat", S(100), || async {}).unwrap();
            cx.cleanup_intervals().await;
        });
        let stage = stage(does).await;
        stage.every_second("beat", way);
        stage.log.said("beat ends").await;
        assert!(stage.cx.intervals().is_empty());
        assert_eq!(stage.ended().await, ["beat begins", "cleared: true", "worked", end, "beat ends"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_of_the_handler_that_a_tick_waits_for_does_not_wait_for_the_tick() {
    let asked = Arc::new(Mutex::new(false));
    let does = work(move |cx, log| {
        let first = !std::mem::replace(&mut *asked.lock().unwrap(), true);
        async move {
            if first {
                log.say(format!("called: {:?}", cx.call::<_, ()>("other", "work_for", &()).await));
            } else {
                log.say(format!("cleared: {}", cx.clear_interval("beat").await));
            }
        }
    });
    let stage = stage(does).await;
    let (end, way) = ways().into_iter().next().unwrap();
    stage.every_second("beat", way);
    stage.log.said("beat ends").await;
    let said = ["beat begins", "cleared: true", "worked", "called: Ok(())", "worked", end, "beat ends"];
    assert_eq!(stage.ended().await, said);
}

/// The handler for the first room is at work, the queue is full, and a tick publishes.
async fn full(does: Work, tick: Work) -> Stage {
    let stage = stage(does).await;
    let handle = stage.host.handle();
    for number in 0..2 {
        handle.publish(Room(number)).await.unwrap();
        let queued = move |handle: &daemon_core::HostHandle| {
            let status = handle.status();
            probe::account(&status.daemon("other").unwrap().subscriptions, "room").queued == u64::from(number)
        };
        until("the place of a room", || queued(&handle)).await;
    }
    stage.every_second("beat", tick);
    stage.log.said("beat begins").await;
    stage
}

#[tokio::test(start_paused = true)]
async fn the_handler_that_a_tick_waits_for_to_make_room_does_not_wait_for_the_tick() {
    let tick = work(|cx, log| async move { log.say(format!("published: {:?}", cx.publish(Room(2)).await)) });
    let stage = full(clears(), tick).await;
    stage.open();
    stage.log.said("beat ends").await;
    let lines = stage.log.lines();
    assert_eq!(lines[..4], ["beat begins", "cleared: true", "worked", "room 0"]);
    stage.log.in_order(&["room 0", "published: Ok(())", "beat ends"]);
    stage.log.said("room 2").await;
    stage.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_a_handler_waits_for_is_refused_what_only_that_handler_could_do() {
    let tick = work(|cx, log| async move {
        tokio::time::sleep(MS(100)).await;
        assert!(cx.publish(Room(2)).await.unwrap_err().is_would_deadlock());
        let error = cx.publish_and_wait(Room(3)).await.unwrap_err();
        assert!(error.is_would_deadlock(), "{error}");
        log.say(error.to_string());
    });
    let stage = full(clears(), tick).await;
    stage.open();
    stage.log.said("room 1").await;
    let refused = "not handled by `other.room` (it would wait for this publish)";
    stage.log.in_order(&["beat begins", refused, "beat ends", "cleared: true", "worked", "room 0", "room 1"]);
    assert!(!stage.log.has("room 2"), "it was dropped");
    stage.ended().await;
}

#[tokio::test(start_paused = true)]
async fn ticks_that_end_each_others_intervals_both_get_on() {
    let stage = stage(clears()).await;
    for (name, of) in [("tick", "tock"), ("tock", "tick")] {
        let ends = work(move |cx, log| async move {
            tokio::task::yield_now().await;
            log.say(format!("{of} cleared: {}", cx.clear_interval(of).await));
        });
        stage.every_second(name, ends);
    }
    stage.log.said("tick ends").await;
    stage.log.said("tock ends").await;
    assert!(stage.log.has("tick cleared: true") && stage.log.has("tock cleared: true"));
    assert!(stage.cx.intervals().is_empty());
    stage.ended().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_not_waited_for_by_a_tick_waits_for_it() {
    let stage = stage(clears()).await;
    let tick = work(|cx, log| async move {
        // over before the handler begins that waits
        log.say(format!("handled: {:?}", cx.publish_and_wait(Room(1)).await));
        cx.publish(Beat).await.unwrap();
        tokio::time::sleep(S(5)).await;
    });
    stage.every_second("beat", tick);
    stage.log.said("worked").await;
    stage.log.in_order(&["handled: Ok(1)", "beat ends", "cleared: true", "worked"]);
    stage.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_circle_through_other_work_is_told_of_by_name_and_ends_with_the_stop() {
    let (heard, _listening) = log::listen();
    let stage = stage(clears()).await;
    let tick = work(|cx, _| async move {
        let ends = cx.clone();
        drop(cx.spawn("sweeper", async move { ends.clear_interval("beat").await }).unwrap().await);
    });
    stage.every_second("beat", tick);
    stage.log.said("beat begins").await;
    tokio::time::sleep(S(8)).await;
    let waits =
        || stage.host.handle().status().daemon("ticks").unwrap().tasks.iter().any(|task| task.name == "sweeper");
    assert!(waits(), "nobody can know that it is waited for");
    let told = |waited| heard.line(&format!("cx.clear_interval has waited for a tick to end for {waited}"));
    assert!(told("1s").is_some() && told("3s").is_some() && told("7s").is_some(), "{}", heard.text());
    assert!(
        told("3s").unwrap().ends_with("daemon=\"ticks\" interval=\"beat\" by=task sweeper of ticks"),
        "{:?}",
        told("3s")
    );
    let begun = Instant::now();
    let report = stage.host.shutdown().await.unwrap();
    assert!(begun.elapsed() <= S(5), "within the stop timeout of its daemon");
    assert_nothing_left(&report);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_its_own_end_is_told_so() {
    let stage = stage(clears()).await;
    let (give, take) = oneshot::channel::<TaskHandle<()>>();
    let log = stage.log.clone();
    let waits = async move {
        match take.await.unwrap().await {
            Err(TaskEnded::Itself) => log.say(TaskEnded::Itself.to_string()),
            ended => panic!("{ended:?}"),
        }
    };
    give.send(stage.cx.spawn("narcissus", waits).unwrap()).unwrap();
    stage.log.said("the task waits for its own end, which cannot come before").await;
    stage.ended().await;
}
