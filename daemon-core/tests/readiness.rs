//! Readiness is state, deferred work ends with its daemon, and a task that fails takes its daemon along.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Error, Host, Restart, RestartPolicy, Result, RunningHost,
    State, Task, Wired, daemon,
};
use probe::{Log, MS, S, assert_nothing_left, until};
use std::sync::atomic::{AtomicBool, Ordering};

#[daemon(name = "slow", no_handlers)]
struct Slow(Log);
impl DaemonBase for Slow {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(3)).await;
        self.0.say("slow is initialised");
        Ok(())
    }
}

#[daemon(name = "reacts")]
struct Reacts(Log);
#[daemon]
impl Reacts {
    #[on_ready(Slow)]
    async fn slow_is_ready(&self) {
        self.0.say("reaction");
    }
    #[on_ready(Reacts)]
    async fn i_am_ready(&self) {
        self.0.say("own");
    }
    #[on_ready(Absent)]
    async fn never(&self) {
        self.0.say("never");
    }
}
impl DaemonBase for Reacts {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let log = self.0.clone();
        cx.on_daemon_ready("slow", move || {
            let log = log.clone();
            async move { log.say("registered early") }
        })?;
        let unknown = cx.on_daemon_ready("slwo", || async {}).unwrap_err();
        assert!(matches!(unknown, Error::UnknownDaemon { .. }));
        assert_eq!(unknown.to_string(), "no daemon named `slwo`; this host has: slow, reacts, absent");
        self.0.say("reacts is initialised");
        Ok(())
    }
}

/// In the host, but it never becomes ready.
#[daemon(name = "absent", optional, no_handlers)]
struct Absent;
impl DaemonBase for Absent {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("not today".into())
    }
}

async fn reacting(log: &Log) -> RunningHost {
    let host = Host::new("t").daemon(Slow(log.clone())).daemon(Reacts(log.clone())).daemon(Absent);
    host.start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn reactions_run_early_and_late_and_exactly_once() {
    let log = Log::default();
    let host = reacting(&log).await;
    log.said("reaction").await;
    log.said("registered early").await;
    log.in_order(&["reacts is initialised", "own", "slow is initialised", "reaction"]);
    // long after: the same answer at once
    tokio::time::sleep(S(3_600)).await;
    let reacts = host.handle();
    assert_eq!(reacts.status().daemon("slow").unwrap().state, State::Running);
    assert_eq!((log.count("reaction"), log.count("registered early"), log.count("own")), (1, 1, 1));
    let report = host.shutdown().await.unwrap();
    assert!(!log.has("never"));
    assert!(report.is_clean(), "{report}");
    assert_nothing_left(&report);
}

#[daemon(name = "late")]
struct Late(Log);
#[daemon]
impl Late {
    #[task]
    async fn register_late(&self, cx: &Context) -> Result<()> {
        tokio::time::sleep(S(60)).await;
        let log = self.0.clone();
        cx.on_daemon_ready("slow", move || {
            let log = log.clone();
            async move { log.say("late reaction") }
        })?;
        cx.cancelled().await;
        Ok(())
    }
}
impl DaemonBase for Late {}

#[tokio::test(start_paused = true)]
async fn a_reaction_registered_a_minute_late_still_runs_once() {
    let log = Log::default();
    let host = Host::new("t").daemon(Slow(log.clone())).daemon(Late(log.clone())).start().await.unwrap();
    log.said("late reaction").await;
    tokio::time::sleep(S(60)).await;
    let report = host.shutdown().await.unwrap();
    assert_eq!(log.count("late reaction"), 1);
    assert!(report.is_clean(), "{report}");
}

#[daemon(name = "broken", optional)]
struct Broken;
#[daemon]
impl Broken {
    #[on_ready(Slow)]
    async fn react(&self) {}
}
impl DaemonBase for Broken {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.on_daemon_ready("slow", || async {})?;
        cx.defer_initialization(S(1), || async {})?;
        cx.register_interval("beat", S(1), || async {})?;
        Err("no disk".into())
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_initialize_registered_ends_at_once() {
    let log = Log::default();
    let host = Host::new("t").daemon(Slow(log)).daemon(Broken).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    let broken = report.daemon("broken").unwrap();
    assert!(broken.cut.is_empty(), "{report}");
    assert_eq!(broken.stop_ms, 0);
    assert!(report.is_clean(), "{report}");
}

#[daemon(name = "deferring")]
struct Deferring(Log);
#[daemon]
impl Deferring {
    #[deferred("2s")]
    async fn catch_up(&self) {
        self.0.say("marker");
    }
    #[deferred("1h")]
    async fn too_late(&self) {
        self.0.say("too late");
    }
}
impl DaemonBase for Deferring {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let log = self.0.clone();
        cx.defer_initialization(S(1), move || async move { log.say("run time") })?;
        let log = self.0.clone();
        cx.defer_initialization(S(3), move || async move {
            log.say("fails");
            Err::<(), _>("deferred error")
        })?;
        tokio::time::sleep(S(10)).await; // delays count from ready, not from here
        self.0.say("ready");
        Ok(())
    }
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        self.0.say("hook");
        Err("the hook's error".into())
    }
}

#[tokio::test(start_paused = true)]
async fn deferred_calls_count_from_ready_and_are_cancelled_by_the_stop() {
    let log = Log::default();
    let host = Host::new("t").daemon(Deferring(log.clone())).start().await.unwrap();
    log.said("fails").await;
    assert_eq!(log.lines(), ["ready", "hook", "run time", "marker", "fails"]);
    let report = host.shutdown().await.unwrap();
    assert!(!log.has("too late"));
    assert_eq!(report.daemon("deferring").unwrap().errors, 2);
    assert_eq!(report.stop_ms, 0);
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_right_after_the_start_cancels_every_deferred_call() {
    let log = Log::default();
    let host = Host::new("t").daemon(Deferring(log.clone())).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert!(!log.has("marker") && !log.has("run time") && !log.has("too late"), "{:?}", log.lines());
    assert!(report.is_clean(), "{report}");
}

#[derive(Clone, Copy)]
enum End {
    Error,
    Panic,
    Early,
    Never,
}

const NEVER: RestartPolicy = RestartPolicy::new(Restart::Never);

/// Written by hand: neither it nor its task is started again.
struct Tasked(Log, End);
impl Declared for Tasked {
    const DECLARATION: Declaration = Declaration::new("tasked").restart(NEVER);
}
impl Wired for Tasked {
    fn wire(definition: &mut Definition<Self>) {
        definition
            .task(Task::new("pump", |daemon: &Self, cx| Box::pin(daemon.pump(cx))).restart(NEVER))
            .task(Task::new("once", |daemon: &Self, _| Box::pin(daemon.once())).finite());
    }
}
impl Tasked {
    async fn pump(&self, cx: &Context) -> Result<()> {
        tokio::time::sleep(S(5)).await;
        match self.1 {
            End::Error => Err("the pump broke".into()),
            End::Panic => panic!("the pump burst"),
            End::Early => Ok(()),
            End::Never => {
                cx.cancelled().await;
                Ok(())
            }
        }
    }
    async fn once(&self) -> Result<()> {
        self.0.say("once");
        Ok(())
    }
}
impl DaemonBase for Tasked {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("tasked cleaned up");
        Ok(())
    }
}

#[daemon(name = "dependent", requires(Tasked), no_handlers)]
struct Dependent(Log);
impl DaemonBase for Dependent {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("dependent cleaned up");
        Ok(())
    }
}

#[daemon(name = "admirer", wants(Tasked), no_handlers)]
struct Admirer(Log);
impl DaemonBase for Admirer {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("admirer cleaned up");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_or_panics_fails_its_daemon_and_ends_the_host_with_1() {
    for (end, reason, tally) in [
        (End::Error, "task `pump`: the pump broke", (1, 0)),
        (End::Panic, "task `pump`: panicked: the pump burst", (0, 1)),
    ] {
        let log = Log::default();
        let host =
            Host::new("t").daemon(Admirer(log.clone())).daemon(Dependent(log.clone())).daemon(Tasked(log.clone(), end));
        let report = host.start().await.unwrap().wait().await.unwrap();
        log.in_order(&["dependent cleaned up", "tasked cleaned up"]);
        log.in_order(&["admirer cleaned up", "tasked cleaned up"]);
        let tasked = report.daemon("tasked").unwrap();
        assert_eq!((tasked.state, tasked.reason.as_deref()), (State::Failed, Some(reason)));
        assert_eq!((tasked.errors, tasked.panics), tally);
        let dependent = report.daemon("dependent").unwrap();
        assert_eq!(dependent.state, State::Failed);
        assert_eq!(dependent.reason.as_deref(), Some("requires `tasked`, which failed"));
        assert_eq!(report.daemon("admirer").unwrap().state, State::Stopped);
        assert_eq!((report.exit_code, &*report.cause), (1, "required daemon `tasked` failed"));
        assert_nothing_left(&report);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_early_stops_nothing() {
    let log = Log::default();
    let host = Host::new("t").daemon(Tasked(log.clone(), End::Early)).start().await.unwrap();
    let handle = host.handle();
    until("the task has ended", || handle.status().daemon("tasked").unwrap().tasks.len() == 1).await;
    tokio::time::sleep(S(60)).await;
    assert_eq!(handle.status().state, State::Running);
    let report = host.shutdown().await.unwrap();
    assert_eq!(log.count("once"), 1);
    assert!(report.is_clean(), "{report}");
}

struct Hobby(Log);
impl Declared for Hobby {
    const DECLARATION: Declaration = Declaration::new("hobby").optional().restart(NEVER);
}
impl Wired for Hobby {
    fn wire(definition: &mut Definition<Self>) {
        let fails = Task::new("fails", |_, _| {
            Box::pin(async {
                tokio::time::sleep(S(5)).await;
                Err("bored".into())
            })
        });
        definition.task(fails.restart(NEVER));
    }
}
impl DaemonBase for Hobby {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("hobby cleaned up");
        Ok(())
    }
}

#[daemon(name = "fan", optional, requires(Hobby), no_handlers)]
struct Fan(Log);
impl DaemonBase for Fan {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        assert!(cx.try_daemon::<Hobby>().is_some(), "what it requires outlives it");
        self.0.say("fan cleaned up");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_optional_daemon_that_fails_stops_what_requires_it_and_not_the_host() {
    let log = Log::default();
    let host = Host::new("t")
        .daemon(Fan(log.clone()))
        .daemon(Hobby(log.clone()))
        .daemon(Tasked(log.clone(), End::Never))
        .start()
        .await
        .unwrap();
    log.said("hobby cleaned up").await;
    log.in_order(&["fan cleaned up", "hobby cleaned up"]);
    tokio::time::sleep(S(60)).await;
    let status = host.handle().status();
    let state = |name| status.daemon(name).unwrap().state;
    assert_eq!((status.state, state("tasked")), (State::Running, State::Running));
    assert_eq!((state("hobby"), state("fan")), (State::Failed, State::Failed));
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.exit_code, 0);
    assert_eq!(log.count("hobby cleaned up"), 1);
    assert_nothing_left(&report);
}

#[daemon(name = "proud", requires(Hobby), no_handlers)]
struct Proud;
impl DaemonBase for Proud {}

#[tokio::test(start_paused = true)]
async fn an_optional_daemon_that_takes_a_required_one_along_ends_the_host_with_1() {
    let log = Log::default();
    let report = Host::new("t").daemon(Proud).daemon(Hobby(log)).start().await.unwrap().wait().await.unwrap();
    assert_eq!((report.exit_code, &*report.cause), (1, "daemon `hobby` failed"));
    assert_eq!(report.daemon("proud").unwrap().reason.as_deref(), Some("requires `hobby`, which failed"));
}

#[daemon(name = "sulks")]
struct Sulks;
#[daemon]
impl Sulks {
    #[task]
    async fn pump(&self, cx: &Context) -> Result<()> {
        cx.cancelled().await;
        Err("interrupted".into())
    }
}
impl DaemonBase for Sulks {}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_because_it_was_cancelled_is_a_problem_of_the_stop() {
    let host = Host::new("t").daemon(Sulks).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    let sulks = report.daemon("sulks").unwrap();
    assert_eq!((sulks.state, sulks.errors, report.exit_code), (State::Stopped, 1, 1), "{report}");
    assert_eq!(sulks.problems, ["task `pump`: interrupted"]);
}

#[daemon(name = "starter", no_handlers)]
struct Starter(AtomicBool);
impl DaemonBase for Starter {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.spawn("beside", async {
            tokio::time::sleep(MS(1)).await;
            panic!("a spawned task's panic is its own");
        })
        .map(drop)?;
        let ended = cx.spawn_blocking("sums", || 6 * 7)?.await;
        self.0.store(ended.is_ok_and(|sum| sum == 42), Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn spawned_work_that_panics_is_counted_and_fails_nothing() {
    let host = Host::new("t").daemon(Starter(AtomicBool::new(false))).start().await.unwrap();
    let handle = host.handle();
    until("the panic", || handle.status().daemon("starter").unwrap().panics == 1).await;
    assert!(handle.daemon::<Starter>().unwrap().0.load(Ordering::Relaxed));
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
}
