//! Handlers that share a queue, have several calls under way, keep the latest, or run by themselves: in a host, through its
//! starts, restarts and stops.
#![allow(clippy::unwrap_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{
    Context, DaemonBase, Event, EventHandler, Filter, Host, HostHandle, Key, Result, State, TaskKind, Wired, daemon,
    place,
};
use probe::{Log, MS, S, account, assert_nothing_left, until};
use std::sync::Arc;

#[derive(Event)]
#[event("user:created", local)]
struct Created(u32);

#[derive(Event)]
#[event("user:deleted", local)]
struct Deleted(u32);

#[derive(Event)]
#[event("user:seen", local)]
struct Seen {
    user: u32,
    at: u32,
}

/// Handlers of every kind, which say what they handle once they have had a second.
#[daemon(name = "users", stop_timeout = "20s")]
struct Users(Log);

impl Users {
    async fn slowly(&self, line: String) {
        tokio::time::sleep(S(1)).await;
        self.0.say(line);
    }
}

#[daemon]
impl Users {
    #[on_event(queue = "users", capacity = 8)]
    async fn created(&self, event: &Created) {
        self.slowly(format!("created {}", event.0)).await;
    }

    #[on_event(queue = "users")]
    fn deleted(&self, event: &Deleted) {
        self.0.say(format!("deleted {}", event.0));
    }

    #[on_event(concurrency = 2)]
    async fn welcomed(&self, event: &Created) {
        self.slowly(format!("welcomed {}", event.0)).await;
    }

    #[on_event(overflow = latest(key = user), isolated)]
    async fn seen(&self, event: &Seen) {
        self.slowly(format!("seen {} at {}", event.user, event.at)).await;
    }
}

impl DaemonBase for Users {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Ok(())
    }
}

async fn users(log: &Log) -> (daemon_core::RunningHost, HostHandle) {
    let host = Host::new("t").daemon(Users(log.clone())).start().await.unwrap();
    let handle = host.handle();
    (host, handle)
}

#[tokio::test(start_paused = true)]
async fn handlers_that_share_a_queue_take_turns_and_the_others_go_on() {
    let log = Log::default();
    let (host, handle) = users(&log).await;
    for user in 1..=3 {
        handle.publish(Created(user)).await.unwrap();
        handle.publish(Deleted(user)).await.unwrap();
    }
    log.said("welcomed 3").await;
    assert_eq!((log.at("welcomed 1") < log.at("welcomed 2"), log.has("created 3")), (true, false), "two at a time");
    let status = handle.status();
    let subscriptions = &status.daemon("users").unwrap().subscriptions;
    for name in ["created", "deleted"] {
        let account = account(subscriptions, name);
        assert_eq!((account.queue.as_deref(), account.capacity, account.concurrency), (Some("users"), 8, 1));
    }
    assert_eq!(account(subscriptions, "welcomed").concurrency, 2);
    log.said("deleted 3").await;
    log.in_order(&["created 1", "deleted 1", "created 2", "deleted 2", "created 3", "deleted 3"]);
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_nothing_left(&report);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_every_call_and_everything_queued() {
    let log = Log::default();
    let (host, handle) = users(&log).await;
    for user in 1..=3 {
        handle.publish(Created(user)).await.unwrap();
        handle.publish(Deleted(user)).await.unwrap();
        handle.publish(Seen { user, at: 1 }).await.unwrap();
        handle.publish(Seen { user, at: 2 }).await.unwrap();
    }
    let report = host.shutdown().await.unwrap();
    for line in ["deleted 3", "welcomed 3", "seen 3 at 2"] {
        assert!(log.at(line) < log.at("cleanup"), "{:#?}", log.lines());
    }
    assert_eq!((report.stop_ms, report.exit_code), (3_000, 0), "one after the other, and side by side");
    let seen = report.events.iter().find(|account| account.subscription == "users.seen").unwrap();
    assert_eq!((seen.offered, seen.handled, seen.dropped, seen.abandoned), (6, 3, 3, 0));
    assert_nothing_left(&report);
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_queues_of_every_kind_survives_a_restart() {
    let log = Log::default();
    let (host, handle) = users(&log).await;
    for user in 1..=2 {
        handle.publish(Created(user)).await.unwrap();
        handle.publish(Deleted(user)).await.unwrap();
        handle.publish(Seen { user, at: 1 }).await.unwrap();
    }
    // 15 s for the drain: everything of the first life is handled in it
    let restart = tokio::spawn(async move { handle.restart_daemon("users").await.map(|()| handle) });
    log.said("cleanup").await;
    for line in ["deleted 2", "welcomed 2", "seen 2 at 1"] {
        assert!(log.at(line) < log.at("cleanup"), "{:#?}", log.lines());
    }
    let handle = restart.await.unwrap().unwrap();
    handle.publish(Created(3)).await.unwrap();
    handle.publish(Deleted(3)).await.unwrap();
    handle.publish(Seen { user: 3, at: 2 }).await.unwrap();
    log.said("deleted 3").await;
    log.said("seen 3 at 2").await;
    let report = host.shutdown().await.unwrap();
    assert!(report.events.iter().all(|account| account.abandoned == 0 && account.failed == 0), "{report}");
    assert_nothing_left(&report);
}

#[derive(Event)]
#[event("job:new", local)]
struct Job(u32);

/// Two handlers on the common task and two by themselves; what they do is in the event.
#[daemon(name = "workers", stop_timeout = "4s")]
#[derive(Default)]
struct Workers(Log);

async fn work(log: &Log, who: &str, job: &Job) -> Result<()> {
    match (who, job.0) {
        (_, 0) => std::future::pending().await,
        ("alone", 1) => return Err("the tool broke".into()),
        _ => {}
    }
    log.say(format!("{who} did {}", job.0));
    Ok(())
}

#[daemon]
impl Workers {
    #[on_event]
    async fn common(&self, job: &Job) -> Result<()> {
        work(&self.0, "common", job).await
    }

    #[on_event(isolated, on_error = restart, concurrency = 2)]
    async fn alone(&self, job: &Job) -> Result<()> {
        work(&self.0, "alone", job).await
    }

    #[on_event(queue = "bench")]
    async fn at_bench(&self, job: &Job) -> Result<()> {
        work(&self.0, "at_bench", job).await
    }

    #[on_event("job:done", queue = "bench", isolated)]
    async fn also_at_bench(&self) {}
}

impl DaemonBase for Workers {}

#[tokio::test(start_paused = true)]
async fn each_isolated_handler_and_queue_is_a_task_that_is_named() {
    let host = Host::new("t").daemon(Workers::default()).start().await.unwrap();
    let handle = host.handle();
    let dispatchers = || {
        let status = handle.status();
        let tasks = &status.daemon("workers").unwrap().tasks;
        let of = tasks.iter().filter(|task| task.kind == TaskKind::Handlers).map(|task| task.name.clone());
        of.collect::<Vec<_>>()
    };
    assert_eq!(dispatchers(), ["event handlers", "alone", "bench"]);
    let status = handle.status();
    let isolated = |name| account(&status.daemon("workers").unwrap().subscriptions, name).isolated;
    assert_eq!(["common", "alone", "at_bench", "also_at_bench"].map(isolated), [false, true, true, true]);
    assert_nothing_left(&host.shutdown().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_what_hangs_and_names_each_by_its_task() {
    let log = Log::default();
    let host = Host::new("t").daemon(Workers(log.clone())).start().await.unwrap();
    let handle = host.handle();
    for job in [0, 0, 0, 7] {
        handle.publish(Job(job)).await.unwrap();
    }
    tokio::time::sleep(MS(10)).await;
    let report = host.shutdown().await.unwrap();
    let cut = report.daemon("workers").unwrap().cut.iter().map(|cut| cut.work.clone()).collect::<Vec<_>>();
    assert_eq!(cut, ["event handler `common`", "event handler `alone`", "event handler `at_bench`"]);
    let abandoned = |name: &str| report.events.iter().find(|e| e.subscription == name).unwrap().abandoned;
    assert_eq!(["workers.common", "workers.alone", "workers.at_bench"].map(abandoned), [4, 4, 4], "{report}");
    assert_eq!(report.exit_code, 75);
    assert_nothing_left(&report);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_an_isolated_handler_restarts_its_daemon_and_loses_no_other_event() {
    let log = Log::default();
    let host = Host::new("t").daemon(Workers(log.clone())).start().await.unwrap();
    let handle = host.handle();
    for job in [1, 2, 3] {
        handle.publish(Job(job)).await.unwrap();
    }
    until("a second life", || handle.status().daemon("workers").is_some_and(|daemon| daemon.restarts == 1)).await;
    until("running", || handle.status().daemon("workers").is_some_and(|daemon| daemon.state == State::Running)).await;
    handle.publish(Job(4)).await.unwrap();
    for who in ["common", "alone", "at_bench"] {
        for job in 2..=4 {
            log.said(&format!("{who} did {job}")).await;
        }
    }
    let report = host.shutdown().await.unwrap();
    let alone = report.events.iter().find(|account| account.subscription == "workers.alone").unwrap();
    assert_eq!((alone.offered, alone.handled, alone.failed), (4, 3, 1));
    assert_nothing_left(&report);
}

/// Rows that contradict each other.
struct Confused;

impl daemon_core::Declared for Confused {
    const DECLARATION: daemon_core::Declaration = daemon_core::Declaration::new("confused");
}

impl Wired for Confused {
    fn wire(definition: &mut daemon_core::Definition<Self>) {
        let job = |name| EventHandler::<Self>::typed::<Job>(name, |_, _| place(async |job: Arc<Job>| (job, Ok(()))));
        definition
            .on_event(job("one").queue("jobs").capacity(4))
            .on_event(job("two").queue("jobs").capacity(8))
            .on_event(job("three").latest_by(Key::of(|seen: &Seen| &seen.user)))
            .on_event(job("four").when(Filter::of(|_: &Seen| true)));
    }
}

impl DaemonBase for Confused {}

#[test]
fn what_contradicts_itself_is_told_before_anything_starts() {
    let faults = Host::new("t").daemon(Confused).check().unwrap_err().faults;
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert!(faults[0].starts_with("`confused.three` takes handlers::Job, and its key is a part of handlers::Seen"));
    assert!(faults[1].starts_with("`confused.four` takes handlers::Job, and its filter handlers::Seen"), "{faults:#?}");
    assert_eq!(faults[2], "queue `jobs` of `confused`: `one` gives it capacity 4 and `two` capacity 8; give it once");
}
