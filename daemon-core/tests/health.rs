//! Checks as they are declared and asked one by one, and readiness as the lives of daemons tell it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::testing::TestHost;
use daemon_core::{
    CheckKind, CheckOptions, Context, DaemonBase, Error, Host, HostHandle, HostReadiness, OnError, Result, State,
    TaskKind, TaskStatus, daemon,
};
use probe::{Log, MS, S, until};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{self, Waker};

#[daemon(name = "store", restart(on_failure, backoff = "1s..1s"))]
#[derive(Default)]
struct Store(Log);
#[daemon]
impl Store {
    #[health]
    async fn plain(&self) -> Result<()> {
        Ok(())
    }
    #[health(
        liveness, timeout = "1s", every = "30s", cache = "5s", fails = 5, passes = 2, group = "stores", on_error = restart,
        name = "full"
    )]
    async fn everything(&self) -> Result<()> {
        Err("the disk is gone".into())
    }
    #[health(startup, every = "off", soft)]
    fn by_hand(&self) {}
    #[every("1s")]
    fn tick(&self) {
        self.0.say("tick");
    }
}
impl DaemonBase for Store {}

#[tokio::test(start_paused = true)]
async fn what_a_marker_says_is_what_is_declared() {
    let host = Host::new("t").daemon(Store::default()).start().await.unwrap();
    let checks = host.handle().checks();
    let full = CheckOptions::new(CheckKind::Liveness)
        .timeout(S(1))
        .every(S(30))
        .cache(S(5))
        .fails(5)
        .passes(2)
        .group("stores")
        .on_error(OnError::Restart);
    let by_hand = CheckOptions::new(CheckKind::Startup).every(None).soft();
    let declared: Vec<_> = checks.iter().map(|check| (&*check.daemon, &*check.name, &check.options)).collect();
    let plain = CheckOptions::default();
    assert_eq!(declared, [("store", "plain", &plain), ("store", "full", &full), ("store", "by_hand", &by_hand)]);
    assert_eq!((plain.max_age(), full.max_age(), by_hand.max_age()), (S(13), S(5), S(0)));
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn one_check_is_asked_by_name() {
    let host = Host::new("t").daemon(Store::default()).start().await.unwrap();
    let handle = host.handle();
    assert_eq!(handle.run_check("store", "plain").await.unwrap().failure, None);
    let full = handle.run_check("store", "full").await.unwrap();
    assert_eq!((full.failure.as_deref(), full.kind, full.life), (Some("the disk is gone"), CheckKind::Liveness, 1));
    assert_eq!(handle.status().daemon("store").unwrap().errors, 0, "what a check finds is no error of its daemon");
    let error = handle.run_check("stor", "plain").await.unwrap_err();
    assert!(matches!(error, Error::UnknownDaemon { .. }), "{error}");
    let error = handle.run_check("store", "pain").await.unwrap_err();
    assert_eq!(error.to_string(), "daemon `store` has no health check named `pain`; it has: plain, full, by_hand");
    handle.stop_daemon("store").await.unwrap();
    let error = handle.run_check("store", "plain").await.unwrap_err();
    assert_eq!(error.to_string(), "daemon `store` is stopped");
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_failed_from_outside_restarts_by_its_policy_and_only_in_that_life() {
    let host = Host::new("t").daemon(Store::default()).start().await.unwrap();
    let handle = host.handle();
    handle.fail_daemon("store", 1, "it is ill", false).unwrap();
    until("it backs off", || handle.status().daemon("store").unwrap().state == State::Backoff).await;
    assert_eq!(handle.status().daemon("store").unwrap().reason.as_deref(), Some("it is ill"));
    assert!(!handle.readiness().ready);
    assert_eq!(handle.readiness().down, ["store"]);
    until("it runs again", || handle.readiness().ready).await;
    handle.fail_daemon("store", 1, "late", false).unwrap();
    tokio::time::sleep(S(5)).await;
    assert_eq!(handle.status().daemon("store").unwrap().restarts, 1);
    assert!(handle.fail_daemon("stor", 1, "who?", false).is_err());
    let report = host.shutdown().await.unwrap();
    assert_eq!((report.exit_code, report.daemon("store").unwrap().restarts), (0, 1));
}

/// One of its checks blocks its thread until it is let go by a hang-up.
#[daemon(name = "blocks", stop_timeout = "100ms")]
struct Blocks {
    begun: Arc<AtomicBool>,
    let_go: Mutex<mpsc::Receiver<()>>,
}
impl Blocks {
    fn until(let_go: mpsc::Receiver<()>) -> Self {
        Self { begun: Arc::default(), let_go: Mutex::new(let_go) }
    }
}
#[daemon]
impl Blocks {
    #[health(timeout = "100ms")]
    fn blocks(&self) {
        self.begun.store(true, Ordering::Relaxed);
        assert!(self.let_go.lock().unwrap().recv().is_err(), "it is let go by a hang-up");
    }
    #[health(timeout = "20s")]
    async fn well(&self) {}
    #[health(timeout = "1ms")]
    async fn hasty(&self) {}
}
impl DaemonBase for Blocks {}

fn is_being_asked(host: &HostHandle) -> bool {
    host.status().daemon("blocks").unwrap().tasks.iter().any(|task| task.kind == TaskKind::Check)
}

const NOT_ASKED: &str = "its last call still blocks its thread, and was not asked again";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_is_answered_for_in_its_time_and_not_asked_again_while_it_does() {
    let (let_go, waits) = mpsc::channel();
    let host = Host::new("t").daemon(Blocks::until(waits)).start().await.unwrap();
    let handle = host.handle();
    for failure in ["no answer within 100ms", NOT_ASKED] {
        assert_eq!(handle.run_check("blocks", "blocks").await.unwrap().failure.as_deref(), Some(failure));
        assert_eq!(handle.run_check("blocks", "well").await.unwrap().failure, None, "the other is asked all the same");
        // On a busy machine it may be too late.
        assert_ne!(handle.run_check("blocks", "hasty").await.unwrap().failure.as_deref(), Some(NOT_ASKED));
    }
    drop(let_go);
    until("it is asked again", || !is_being_asked(&handle)).await;
    assert_eq!(handle.run_check("blocks", "blocks").await.unwrap().failure, None);
    host.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_whose_time_is_over_before_a_thread_has_begun_it_is_not_begun() {
    let (_, waits) = mpsc::channel(); // let go already: were it begun, it must not block the only thread
    let blocks = Blocks::until(waits);
    let begun = blocks.begun.clone();
    let host = Host::new("t").daemon(blocks).start().await.unwrap();
    let handle = host.handle();
    let mut asked = pin!(handle.run_check("blocks", "blocks"));
    assert!(asked.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
    tokio::time::advance(MS(100)).await;
    assert_eq!(asked.await.unwrap().failure.as_deref(), Some("no answer within 100ms"));
    until("it is over", || !is_being_asked(&handle)).await;
    assert!(!begun.load(Ordering::Relaxed));
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Its task and its first check block their threads until they are let go by a hang-up.
#[daemon(name = "busy", stop_timeout = "20s")]
struct Busy {
    begun: mpsc::Sender<()>,
    let_go: [Mutex<mpsc::Receiver<()>>; 2],
    asked: AtomicBool,
}
impl Busy {
    fn block(&self, at: usize) {
        self.begun.send(()).unwrap();
        assert!(self.let_go[at].lock().unwrap().recv().is_err(), "it is let go by a hang-up");
    }
}
#[daemon]
impl Busy {
    #[health(timeout = "20s")]
    async fn checks(&self) {
        if !self.asked.swap(true, Ordering::Relaxed) {
            self.block(0);
        }
    }
    #[health(timeout = "1ms", name = "works")]
    async fn looks(&self) {}
    #[task(finite)]
    async fn works(&self) {
        self.block(1);
    }
}
impl DaemonBase for Busy {}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_check_is_asked_beside_a_call_that_has_time_left_and_beside_other_work_of_its_name() {
    let ((checks, first), (works, second)) = (mpsc::channel(), mpsc::channel());
    let (begun, begins) = mpsc::channel();
    let busy = Busy { begun, let_go: [Mutex::new(first), Mutex::new(second)], asked: AtomicBool::new(false) };
    let host = Host::new("t").daemon(busy).start().await.unwrap();
    let handle = host.handle();
    begins.recv_timeout(S(60)).unwrap();
    let long = |task: &TaskStatus| task.kind == TaskKind::Task && task.idle.is_some_and(|idle| idle >= MS(1));
    until("the task blocks for long", || handle.status().daemon("busy").unwrap().tasks.iter().any(long)).await;
    // On a busy machine it may be too late.
    assert_ne!(handle.run_check("busy", "works").await.unwrap().failure.as_deref(), Some(NOT_ASKED));
    let asking = handle.clone();
    let asked = tokio::spawn(async move { asking.run_check("busy", "checks").await.unwrap().failure });
    begins.recv_timeout(S(60)).unwrap();
    assert_eq!(handle.run_check("busy", "checks").await.unwrap().failure, None, "the one before has time left");
    drop((checks, works));
    assert_eq!(asked.await.unwrap(), None);
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Its check never ends.
#[daemon(name = "endless", stop_timeout = "1s")]
struct Endless;
#[daemon]
impl Endless {
    #[health(timeout = "1h")]
    async fn hangs(&self) {
        std::future::pending().await
    }
}
impl DaemonBase for Endless {}

#[tokio::test(start_paused = true)]
async fn of_a_check_whose_daemon_stops_meanwhile_it_is_told_that_it_does() {
    let host = Host::new("t").daemon(Endless).start().await.unwrap();
    let handle = host.handle();
    let all = tokio::spawn(async move { handle.run_checks().await });
    let handle = host.handle();
    until("it is asked", || !handle.status().daemon("endless").unwrap().tasks.is_empty()).await;
    handle.stop_daemon("endless").await.unwrap();
    let told: Vec<_> = all.await.unwrap().into_iter().map(|check| check.failure).collect();
    assert_eq!(told, [Some("its daemon is shutting down".to_owned())]);
    host.shutdown().await.unwrap();
}

/// Looks whether its host is ready, as it starts and as it stops.
#[derive(Clone, Default)]
struct Looks(Arc<Mutex<Vec<HostReadiness>>>);
impl Looks {
    fn look(&self, cx: &Context) {
        self.0.lock().unwrap().push(cx.host().readiness());
    }
    fn last(&self) -> HostReadiness {
        self.0.lock().unwrap().pop().unwrap()
    }
}
macro_rules! looks {
    ($($name:ident $text:literal $($optional:ident)?;)+) => {$(
        #[daemon(name = $text, no_handlers $(, $optional)?)]
        struct $name(Looks);
        impl DaemonBase for $name {
            async fn initialize(&self, cx: &Context) -> Result<()> {
                self.0.look(cx);
                Ok(())
            }
            async fn cleanup(&self, cx: &Context) -> Result<()> {
                self.0.look(cx);
                Ok(())
            }
        }
    )+};
}
looks! {
    Needed "needed";
    Spare "spare" optional;
}

#[tokio::test(start_paused = true)]
async fn readiness_is_told_at_each_step_of_a_host_and_asks_for_nothing_optional() {
    let told = |now: HostReadiness| (now.ready, now.started, now.stopping, now.down);
    let needed = || vec!["needed".to_owned()];
    let (one, other) = (Looks::default(), Looks::default());
    let host = Host::new("t").daemon(Needed(one.clone())).daemon(Spare(other.clone())).start().await.unwrap();
    let handle = host.handle();
    assert_eq!(told(one.last()), (false, false, false, needed()), "it starts");
    handle.stop_daemon("spare").await.unwrap();
    assert_eq!(told(handle.readiness()), (true, true, false, vec![]));
    host.shutdown().await.unwrap();
    assert_eq!(told(one.last()), (false, true, true, needed()), "it stops");
    assert_eq!(told(handle.readiness()), (false, true, true, needed()), "it has stopped");

    let host = Host::new("t").daemon(Spare(other.clone())).start().await.unwrap();
    assert_eq!(told(other.last()), (false, false, false, vec![]), "it needs nothing, and starts all the same");
    assert!(host.handle().readiness().ready);
    host.shutdown().await.unwrap();
}

/// Runs from the end of `initialize` to the beginning of `cleanup`, and tells so.
#[daemon(name = "flag", restart(on_failure, backoff = "1ms..1ms", limit = "1000000/1s"), no_handlers)]
struct Flag(Arc<Runs>);
#[derive(Default)]
struct Runs {
    now: AtomicBool,
    lives: AtomicU64,
}
impl Runs {
    fn seen(&self) -> (bool, u64) {
        let lives = self.lives.load(Ordering::SeqCst);
        (self.now.load(Ordering::SeqCst), lives)
    }
}
impl DaemonBase for Flag {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.0.lives.fetch_add(1, Ordering::SeqCst);
        self.0.now.store(true, Ordering::SeqCst);
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.now.store(false, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_is_never_told_while_a_required_daemon_does_not_run() {
    let runs = [Arc::<Runs>::default(), Arc::default()];
    let flag = |at: usize| Flag(runs[at].clone());
    let host = Host::new("t").daemon_as("one", flag(0)).daemon_as("two", flag(1)).start().await.unwrap();
    let (handle, over) = (host.handle(), Arc::new(AtomicBool::new(false)));
    let looks_on = std::thread::spawn({
        let (handle, over, runs) = (handle.clone(), over.clone(), runs.clone());
        move || {
            let (mut ready, mut unready) = (0_u32, 0_u32);
            while !over.load(Ordering::SeqCst) {
                let before = [runs[0].seen(), runs[1].seen()];
                let is_ready = handle.readiness().ready;
                let after = [runs[0].seen(), runs[1].seen()];
                let wrong = before.iter().zip(&after).any(|(before, after)| !before.0 && before == after);
                assert!(!is_ready || !wrong, "ready, while {before:?} and then {after:?}");
                *if is_ready { &mut ready } else { &mut unready } += 1;
            }
            (ready, unready)
        }
    });
    for _ in 0..100 {
        handle.restart_daemon("one").await.unwrap();
        handle.restart_daemon("two").await.unwrap();
    }
    until("it is seen ready at last", || handle.readiness().ready).await;
    over.store(true, Ordering::SeqCst);
    let (ready, unready) = looks_on.join().unwrap();
    assert!(ready > 0 && unready > 0, "seen ready {ready} times, and unready {unready} times");
    assert!(host.shutdown().await.unwrap().is_clean());
    assert!(!handle.readiness().ready && handle.readiness().stopping);
}

#[tokio::test]
async fn readiness_fails_first_and_the_intake_goes_on_for_the_unready_delay() {
    let log = Log::default();
    let host = TestHost::new("t").daemon(Store(log.clone())).unready_delay("10s").start().await;
    let handle = host.handle();
    assert!(handle.readiness().ready && handle.readiness().started);
    handle.request_shutdown();
    assert!(!handle.readiness().ready && handle.readiness().stopping, "at once");
    host.advance("9500ms").await;
    assert_eq!(log.count("tick"), 9);
    assert_eq!(handle.status().daemon("store").unwrap().state, State::Running);
    assert_eq!(handle.run_check("store", "plain").await.unwrap().failure, None);
    host.advance("1s").await;
    assert_eq!(handle.status().daemon("store").unwrap().state, State::Stopped);
    let report = host.shutdown().await;
    assert_eq!(report.exit_code, 0);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_ready_waits_for_nobody() {
    #[daemon(name = "slow", no_handlers)]
    struct Slow(Log);
    impl DaemonBase for Slow {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            self.0.say("begins");
            cx.request_shutdown();
            std::future::pending().await
        }
    }
    let begun = tokio::time::Instant::now();
    let host = Host::new("t").daemon(Slow(Log::default())).unready_delay(S(20)).start().await;
    assert!(host.is_err());
    assert!(begun.elapsed() < S(5), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn once_the_unready_delay_is_over_the_stop_has_its_time_as_ever() {
    #[daemon(name = "tidy", no_handlers)]
    struct Tidy(Log);
    impl DaemonBase for Tidy {
        async fn cleanup(&self, _cx: &Context) -> Result<()> {
            tokio::time::sleep(S(1)).await;
            self.0.say("tidied up");
            Ok(())
        }
    }
    let log = Log::default();
    let host = Host::new("t").daemon(Tidy(log.clone())).unready_delay(S(2)).start().await.unwrap();
    let begun = tokio::time::Instant::now();
    let report = host.shutdown().await.unwrap();
    assert_eq!((report.exit_code, log.count("tidied up"), begun.elapsed().as_secs()), (0, 1, 3), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_unready_delay_counts_from_when_the_shutdown_is_asked_for() {
    let host = Host::new("t").daemon(Store::default()).unready_delay(S(5)).start().await.unwrap();
    let begun = tokio::time::Instant::now();
    host.handle().request_shutdown();
    tokio::time::advance(S(3)).await; // in which the host did not get to hear of it
    let report = host.wait().await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 5, "{report}");
}

#[test]
fn a_delay_that_uses_the_stop_budget_up_is_refused() {
    let faults = |host: Host| host.check().unwrap_err().faults;
    let told =
        "the unready delay of 25s leaves nothing of the stop budget of 25s; raise the budget or shorten the delay";
    assert_eq!(faults(Host::new("t").unready_delay(S(25))), [told]);
    assert_eq!(faults(Host::new("t").unready_delay(S(5)).stop_budget(S(4))).len(), 1);
    assert!(Host::new("t").unready_delay(S(5)).stop_budget(S(6)).check().is_ok());
}

#[tokio::test]
async fn once_a_shutdown_is_asked_for_nothing_is_started_again_or_added_and_what_runs_runs_on() {
    #[daemon(name = "newcomer", no_handlers)]
    struct Newcomer;
    impl DaemonBase for Newcomer {}

    let log = Log::default();
    let host = TestHost::new("t").daemon(Store(log.clone())).unready_delay("10s").start().await;
    let handle = host.handle();
    let lives =
        || handle.journal().iter().filter(|line| line.state == State::Starting && line.daemon.is_some()).count();
    assert_eq!(lives(), 1);
    handle.request_shutdown();
    for refused in
        [handle.restart_daemon("store").await, handle.start_daemon("store").await, handle.add_daemon(Newcomer).await]
    {
        assert!(matches!(refused, Err(Error::Stopping { .. })), "{refused:?}");
    }
    host.advance("9500ms").await;
    assert_eq!(handle.status().daemon("store").unwrap().state, State::Running);
    assert_eq!((log.count("tick"), lives()), (9, 1), "the first life is the last");
    assert!(!handle.has_daemon("newcomer"));
    host.advance("1s").await;
    assert!(matches!(handle.add_daemon(Newcomer).await, Err(Error::Stopping { .. })), "nor once it has stopped");
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn who_is_to_rest_in_the_unready_delay_does() {
    let host = TestHost::new("t").daemon(Store::default()).unready_delay("10s").start().await;
    let handle = host.handle();
    handle.request_shutdown();
    handle.stop_daemon("store").await.unwrap();
    assert_eq!(handle.status().daemon("store").unwrap().state, State::Stopped);
    host.shutdown().await.assert_clean();
}

/// A wish, and the shutdown before the host has heard of it: the wish is refused, and the daemon stays as it is meanwhile.
async fn at_once_with_a_shutdown(host: &TestHost, wish: impl Future<Output = Result<(), Error>>) {
    let handle = host.handle();
    let state = || handle.status().daemon("store").unwrap().state;
    let before = state();
    let mut wish = std::pin::pin!(wish);
    tokio::select! {
        biased;
        outcome = &mut wish => panic!("{outcome:?}"),
        () = std::future::ready(()) => handle.request_shutdown(),
    }
    host.advance("9500ms").await;
    assert_eq!(state(), before);
    host.advance("1s").await;
    assert!(matches!(wish.await, Err(Error::Stopping { .. })));
}

#[tokio::test]
async fn of_a_restart_and_a_shutdown_at_once_the_shutdown_prevails_and_the_daemon_runs_on() {
    let host = TestHost::new("t").daemon(Store::default()).unready_delay("10s").start().await;
    let handle = host.handle();
    at_once_with_a_shutdown(&host, handle.restart_daemon("store")).await;
    let lives = handle.journal().iter().filter(|line| line.state == State::Starting && line.daemon.is_some()).count();
    assert_eq!(lives, 1);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn of_a_start_and_a_shutdown_at_once_the_shutdown_prevails_and_no_life_begins() {
    let host = TestHost::new("t").daemon(Store::default()).unready_delay("10s").start().await;
    let handle = host.handle();
    handle.stop_daemon("store").await.unwrap();
    at_once_with_a_shutdown(&host, handle.start_daemon("store")).await;
    host.shutdown().await.assert_clean();
}
