//! What a stop leaves behind: work that leaves heirs, and handlers that block their thread while it goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{
    BoxError, Context, DaemonBase, Error, Event, Host, HostHandle, Result, RunningHost, State, TaskKind, TaskStatus,
    daemon,
};
use probe::{Log, MS, Says, account, assert_nothing_left, until};
use std::future::pending;
use std::sync::{Arc, Mutex, mpsc};
use tokio::sync::Semaphore;

/// Spawns more work when it is dropped.
struct Heir(Log, Context);
impl Drop for Heir {
    fn drop(&mut self) {
        match self.1.spawn("heir", pending::<()>()) {
            Err(Error::Stopping { .. }) => self.0.say("refused"),
            outcome => self.0.say(format!("{outcome:?}")),
        }
    }
}

#[daemon(name = "dynasty", no_handlers)]
struct Dynasty(Log);
impl DaemonBase for Dynasty {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let heir = Heir(self.0.clone(), cx.clone());
        drop(cx.spawn("ancestor", async move {
            let _heir = heir;
            pending::<()>().await;
        })?);
        Ok(())
    }

    async fn cleanup(&self, cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        let log = self.0.clone();
        // Its own work is not refused.
        cx.spawn("last words", async move { log.say("last words") })?.await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_is_aborted_leaves_no_heirs() {
    let log = Log::default();
    let host = Host::new("t").daemon(Dynasty(log.clone())).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    let said = log.lines();
    assert_eq!(said[said.len() - 3..], ["refused", "cleanup", "last words"], "{said:?}");
    assert!(report.stop_ms < 4_000, "nobody was waited for in vain: {report}");
    assert_nothing_left(&report);
}

#[derive(Event, Debug)]
#[event("block:turn", local)]
struct Turn;

/// Blocks its thread in one handler, as soon as all have begun.
#[daemon(name = "block", stop_timeout = "100ms")]
struct Block {
    log: Log,
    _gone: Says,
    permits: Arc<Semaphore>,
    blocked: mpsc::Sender<()>,
    release: Mutex<mpsc::Receiver<()>>,
}

#[daemon]
impl Block {
    #[on_event]
    async fn turn(&self, _turn: &Turn) {
        drop(self.permits.acquire().await);
        self.log.say("turn");
        self.blocked.send(()).unwrap();
        assert!(self.release.lock().unwrap().recv().is_err(), "it is let go by a hang-up");
    }

    #[on_event]
    async fn beside(&self, _turn: &Turn) {
        drop(self.permits.acquire().await);
        self.log.say("beside");
    }

    #[on_event(overflow = drop_oldest)]
    fn own(&self, _turn: &Turn) {
        self.log.say("own");
    }
}

impl DaemonBase for Block {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_handler_that_blocks_no_other_is_called() {
    let (blocked, is_blocked) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let log = Log::default();
    let permits = Arc::new(Semaphore::new(0));
    let daemon = Block {
        log: log.clone(),
        _gone: log.on_drop("gone"),
        permits: permits.clone(),
        blocked,
        release: Mutex::new(released),
    };
    let host = Host::new("t").daemon(daemon).start().await.unwrap();
    let handle = host.handle();
    for _ in 0..3 {
        handle.publish(Turn).await.unwrap();
    }
    log.said("own").await; // the others have begun
    permits.add_permits(2);
    tokio::task::spawn_blocking(move || is_blocked.recv().unwrap()).await.unwrap();
    let report = host.shutdown().await.unwrap();
    let cut = &report.daemon("block").unwrap().cut;
    assert!(cut.iter().any(|cut| cut.blocking && !cut.gone && cut.work.contains("`turn`")), "{report}");
    assert!(cut.iter().all(|cut| !cut.work.contains("`own`")), "it is not at work: {report}");
    let before = log.lines();
    assert_eq!(log.count("cleanup"), 1, "{before:?}");
    drop(release);
    log.said("gone").await;
    let after = log.lines();
    assert_eq!(after[before.len()..], ["gone"], "it went on after its cleanup: {after:?}");
}

/// Never ends a call of its handler.
#[daemon(name = "listener", stop_timeout = "1s")]
struct Listener;
#[daemon]
impl Listener {
    #[on_event]
    async fn turn(&self, _turn: &Turn) {
        pending().await
    }
}
impl DaemonBase for Listener {}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_daemon_that_is_stopped_by_hand_is_abandoned_at_once() {
    let host = Host::new("t").daemon(Listener).start().await.unwrap();
    let handle = host.handle();
    for _ in 0..3 {
        handle.publish(Turn).await.unwrap();
    }
    handle.stop_daemon("listener").await.unwrap();
    let status = handle.status();
    let account = account(&status.daemon("listener").unwrap().subscriptions, "turn");
    assert_eq!((account.offered, account.abandoned, account.queued, account.in_flight), (3, 3, 0, 0));
    assert_nothing_left(&host.shutdown().await.unwrap());
}

/// Its tick blocks its thread in the first life, and then fails the daemon.
#[daemon(name = "ghost", stop_timeout = "100ms")]
struct Ghost {
    _gone: Says,
    blocked: mpsc::Sender<()>,
    release: Option<Mutex<mpsc::Receiver<()>>>,
}
#[daemon]
impl Ghost {
    #[every("1h", immediately, on_error = fail)]
    fn tick(&self) -> Result<()> {
        let Some(release) = &self.release else { return Ok(()) };
        self.blocked.send(()).unwrap();
        assert!(release.lock().unwrap().recv().is_err(), "it is let go by a hang-up");
        Err("from beyond".into())
    }
}
impl DaemonBase for Ghost {}

/// A host whose ghost blocks a thread in its first life, until the sender is dropped.
async fn haunted(log: &Log) -> (RunningHost, mpsc::Sender<()>) {
    let (blocked, is_blocked) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let (said, first) = (log.clone(), Mutex::new(Some(Mutex::new(released))));
    let make = move || {
        let release = first.lock().unwrap().take();
        let _gone = said.on_drop(if release.is_some() { "first gone" } else { "later gone" });
        Ok::<_, BoxError>(Ghost { _gone, blocked: blocked.clone(), release })
    };
    let host = Host::new("t").daemon_with(make).start().await.unwrap();
    tokio::task::spawn_blocking(move || is_blocked.recv().unwrap()).await.unwrap();
    (host, release)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_after_its_life_fails_no_later_one() {
    let log = Log::default();
    let (host, release) = haunted(&log).await;
    host.handle().restart_daemon("ghost").await.unwrap();
    drop(release);
    log.said("first gone").await;
    // What of the first life is still there is shown, too.
    let ticks = |task: &TaskStatus| task.kind == TaskKind::Interval;
    until("its tick is gone", || !host.handle().status().daemon("ghost").unwrap().tasks.iter().any(ticks)).await;
    let status = host.handle().status();
    let ghost = status.daemon("ghost").unwrap();
    assert_eq!((ghost.state, ghost.errors, &ghost.reason), (State::Running, 1, &None), "{ghost:?}");
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "what blocked has ended since: {report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_life_left_blocked_is_told_of_while_it_blocks() {
    let (host, release) = haunted(&Log::default()).await;
    host.handle().restart_daemon("ghost").await.unwrap();
    host.handle().restart_daemon("ghost").await.unwrap();
    let report = host.shutdown().await.unwrap();
    let [cut] = &report.daemon("ghost").unwrap().cut[..] else { panic!("one thread blocks: {report}") };
    assert!(report.exit_code == 75 && cut.blocking && !cut.gone && cut.work.contains("`tick`"), "{report}");
    assert!(!report.left.is_nothing(), "it is counted: {report}");
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_blocked_in_the_last_stop_and_ended_later_is_told_as_cut_but_gone() {
    let (host, release) = haunted(&Log::default()).await;
    host.handle().stop_daemon("ghost").await.unwrap();
    drop(release);
    let left = || host.handle().status().daemon("ghost").unwrap().tasks.len();
    until("its work is gone", || left() == 0).await;
    let report = host.shutdown().await.unwrap();
    let [cut] = &report.daemon("ghost").unwrap().cut[..] else { panic!("one thread blocked: {report}") };
    assert!(report.exit_code == 75 && cut.blocking && cut.gone, "{report}");
    assert!(report.to_string().contains(", and has ended since"), "{report}");
}

#[derive(Event)]
#[event("leftovers:kept", local, retain)]
struct Kept;

#[daemon(name = "teller", no_handlers)]
struct Teller;
impl DaemonBase for Teller {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        Ok(cx.publish(Kept).await?)
    }
}

/// What its filter does: says that it is asked, and waits.
static ASKED: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>> = Mutex::new(None);

/// A new value begins with what is retained, and its filter is asked about that before it is initialised.
#[daemon(name = "picky", requires(Teller), optional, restart(never), start_timeout = "50ms", stop_timeout = "100ms")]
struct Picky {
    log: Log,
    _gone: Says,
}
#[daemon]
impl Picky {
    #[on_event(when = blocks)]
    fn kept(&self, _kept: &Kept) {}
}
impl DaemonBase for Picky {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.log.say("initialize");
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        Ok(())
    }
}

fn blocks(_kept: &Kept) -> bool {
    if let Some((asked, go_on)) = ASKED.lock().unwrap().take() {
        asked.send(()).unwrap();
        assert!(go_on.recv().is_err(), "it is let go by a hang-up");
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_was_given_up_does_not_go_on_to_initialize() {
    let log = Log::default();
    let picky = log.clone();
    let make = move || Ok::<_, BoxError>(Picky { log: picky.clone(), _gone: picky.on_drop("gone") });
    let host = Host::new("t").daemon(Teller).daemon_with(make).start().await.unwrap();
    let (asks, asked) = mpsc::channel();
    let (go_on, waits) = mpsc::channel();
    *ASKED.lock().unwrap() = Some((asks, waits));
    let refused = host.handle().restart_daemon("picky").await.unwrap_err();
    assert!(matches!(refused, Error::DaemonFailed { .. }), "{refused}");
    assert!(asked.try_recv().is_ok(), "the filter was asked");
    let report = host.shutdown().await.unwrap();
    assert!(!report.daemon("picky").unwrap().cut[0].gone, "{report}");
    let first = ["initialize", "cleanup", "gone"];
    assert_eq!(log.lines(), first);
    drop(go_on);
    until("the second value is gone", || log.lines().len() > first.len()).await;
    assert_eq!(log.lines()[first.len()..], ["gone"]);
}

/// Its first value is not gone before the host lets go of what makes its values, and then only once the host has ended, or has waited
/// for a moment.
#[daemon(name = "lingering", stop_timeout = "100ms", no_handlers)]
struct Lingering(#[expect(dead_code, reason = "it is dropped")] Mutex<Option<LastWords>>);
impl DaemonBase for Lingering {}

struct LastWords {
    log: Log,
    let_go: mpsc::Receiver<()>,
    ended: mpsc::Receiver<()>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        assert!(self.let_go.recv().is_err(), "it is let go by a hang-up");
        let waited = matches!(self.ended.recv_timeout(MS(300)), Err(mpsc::RecvTimeoutError::Timeout));
        self.log.say(if waited { "waited for" } else { "left behind" });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_waits_for_values_of_earlier_lives_that_are_still_being_dropped() {
    let log = Log::default();
    let (makes, let_go) = mpsc::channel();
    let (ends, ended) = mpsc::channel();
    let first = Mutex::new(Some(LastWords { log: log.clone(), let_go, ended }));
    let make = move || {
        let _: &mpsc::Sender<()> = &makes; // gone with the factory, which is dropped last
        Ok::<_, BoxError>(Lingering(Mutex::new(first.lock().unwrap().take())))
    };
    let host = Host::new("t").daemon_with(make).start().await.unwrap();
    host.handle().restart_daemon("lingering").await.unwrap();
    let report = host.shutdown().await.unwrap();
    drop(ends);
    until("it is gone", || !log.lines().is_empty()).await;
    assert_eq!(log.lines(), ["waited for"]);
    assert!(report.is_clean(), "{report}");
    assert_nothing_left(&report);
}

/// Its values say when they are made and when they are gone; the first one waits, for a moment, for the second to be made.
#[daemon(name = "successor", no_handlers)]
struct Successor(Log, Option<Mutex<mpsc::Receiver<()>>>);
impl DaemonBase for Successor {}
impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(made) = &self.1 {
            let is_made = made.lock().unwrap().recv_timeout(MS(300)).is_ok();
            self.0.say(if is_made { "gone beside the next" } else { "gone" });
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_value_is_made_once_the_one_before_is_gone() {
    let log = Log::default();
    let (makes, made) = mpsc::channel();
    let (says, first) = (log.clone(), Mutex::new(Some(Mutex::new(made))));
    let make = move || {
        let before = first.lock().unwrap().take();
        if before.is_none() {
            makes.send(()).ok(); // nobody waits for it any more
        }
        says.say("made");
        Ok::<_, BoxError>(Successor(says.clone(), before))
    };
    let host = Host::new("t").daemon_with(make).start().await.unwrap();
    host.handle().restart_daemon("successor").await.unwrap();
    assert_eq!(log.lines(), ["made", "gone", "made"]);
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[daemon(name = "needed", no_handlers)]
struct Needed {
    _gone: Says,
}
impl DaemonBase for Needed {}

/// What its cleanup began is there when the stop looks what is left, and no longer when its value is gone.
#[daemon(name = "late", requires(Needed), no_handlers, stop_timeout = "100ms")]
#[derive(Default)]
struct Late(Mutex<Option<(HostHandle, mpsc::Sender<()>)>>);
impl DaemonBase for Late {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let (let_go, blocks) = mpsc::channel();
        *self.0.lock().unwrap() = Some((cx.host(), let_go));
        let (begins, begun) = tokio::sync::oneshot::channel();
        let vacuum = move || {
            begins.send(()).unwrap();
            blocks.recv().unwrap_or_default();
        };
        drop(cx.spawn_blocking("vacuum", vacuum)?);
        Ok(begun.await?)
    }
}
impl Drop for Late {
    fn drop(&mut self) {
        if let Some((host, let_go)) = self.0.lock().unwrap().take() {
            drop(let_go);
            while !host.status().daemon("late").unwrap().tasks.iter().all(|task| task.kind == TaskKind::Destructor) {
                std::thread::yield_now();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_whose_last_work_ends_with_its_value_keeps_nothing_that_it_required() {
    let log = Log::default();
    let host = Host::new("t").daemon(Needed { _gone: log.on_drop("needed gone") });
    let make = || Ok::<_, BoxError>(Late::default());
    let host = host.daemon_with(make).start().await.unwrap();
    let handle = host.handle();
    let report = host.shutdown().await.unwrap();
    let [cut] = &report.daemon("late").unwrap().cut[..] else { panic!("{report}") };
    assert!(cut.work == "blocking work `vacuum`" && cut.gone && report.exit_code == 75, "{report}");
    assert!(report.left.is_nothing(), "{report}");
    assert!(log.has("needed gone"), "{report}");
    drop(handle); // the board was there all the while
}

/// Its destructor blocks until it is let go by a hang-up.
struct Stays(Mutex<mpsc::Receiver<()>>);
impl Drop for Stays {
    fn drop(&mut self) {
        assert!(self.0.lock().unwrap().recv().is_err(), "it is let go by a hang-up");
    }
}

#[daemon(name = "sticky", no_handlers)]
struct Sticky(#[expect(dead_code, reason = "it is dropped")] Option<Stays>);
impl DaemonBase for Sticky {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_still_being_dropped_at_the_end_is_named_counted_and_75() {
    for of_daemon in [true, false] {
        let (let_go, stays) = mpsc::channel();
        let (of, stays) = (Host::new("t").stop_budget(MS(100)), Stays(Mutex::new(stays)));
        let host = if of_daemon {
            of.daemon(Sticky(Some(stays)))
        } else {
            of.daemon(Sticky(None)).configuration(stays, || Err::<Stays, BoxError>("never loaded".into()))
        };
        let report = host.start().await.unwrap().shutdown().await.unwrap();
        let daemons = &report.daemon("sticky").unwrap().cut;
        let cuts = if of_daemon { daemons } else { &report.cut };
        let [cut] = &cuts[..] else { panic!("{report}") };
        assert!(cut.blocking && !cut.gone && cut.work.starts_with("destructor"), "{report}");
        assert_eq!((report.exit_code, report.left.tasks), (75, daemons.len() + report.cut.len()), "{report}");
        drop(let_go);
    }
}

#[daemon(name = "lower", no_handlers)]
struct Lower;
impl DaemonBase for Lower {}

#[daemon(name = "upper", requires(Lower), no_handlers)]
struct Upper(#[expect(dead_code, reason = "it is dropped")] Stays);
impl DaemonBase for Upper {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_behind_a_destructor_until_the_time_was_up_is_told_of_as_that() {
    let (let_go, stays) = mpsc::channel();
    let host = Host::new("t").stop_budget(MS(100)).daemon(Lower).daemon(Upper(Stays(Mutex::new(stays))));
    let host = host.configuration((), || Err::<(), BoxError>("never loaded".into()));
    let report = host.start().await.unwrap().shutdown().await.unwrap();
    drop(let_go);
    let [upper] = &report.daemon("upper").unwrap().cut[..] else { panic!("{report}") };
    assert!(upper.blocking && upper.behind.is_empty(), "nobody was before it: {report}");
    let [lower] = &report.daemon("lower").unwrap().cut[..] else { panic!("{report}") };
    let [configuration] = &report.cut[..] else { panic!("{report}") };
    for behind in [lower, configuration] {
        assert_eq!((behind.polls, &behind.behind[..]), (0, &["upper".to_owned()][..]), "{report}");
    }
    let told = report.to_string();
    for work in ["destructor", "destructor of the configuration"] {
        assert!(
            told.contains(&format!("  {work} had not begun, behind the destructor of `upper` (polled 0 times")),
            "{told}"
        );
    }
    assert!(!told.contains("never got a thread"), "{told}");
    assert_eq!(report.exit_code, 75);
}
