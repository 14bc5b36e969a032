//! Reloading: all are asked first, then each in the order of what it needs, and back again if one cannot.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use daemon_core::testing::{Signal, TestHost, TestHostBuilder};
use daemon_core::{
    Configuration, Context, DaemonBase, DaemonReloadOutcome as Outcome, Error, Host, ReloadOutcome, ReloadReport,
    Result, State, daemon,
};
use probe::{Bomb, Log, S, assert_nothing_left, until};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What the daemons are configured with: a number, and what is to happen to whom.
#[derive(Clone, Debug)]
struct Settings {
    number: u32,
    trouble: Option<(&'static str, Trouble)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Refuse,
    /// Does not answer.
    Silence,
    /// Answers late.
    SlowCheck,
    SlowReload,
    Error,
    LateError,
    Panic,
    Hang,
}

fn number(configuration: &Configuration) -> u32 {
    configuration.get::<Settings>().unwrap().number
}

impl Settings {
    fn number(number: u32) -> Self {
        Self { number, trouble: None }
    }

    fn trouble(number: u32, daemon: &'static str, trouble: Trouble) -> Self {
        Self { number, trouble: Some((daemon, trouble)) }
    }
}

async fn check(log: &Log, next: &Configuration, cx: &Context) -> Result<()> {
    let settings = next.get::<Settings>()?;
    log.say(format!("{}?{}", cx.name(), settings.number));
    tokio::task::yield_now().await;
    match settings.trouble {
        Some((daemon, Trouble::Refuse)) if daemon == cx.name() => Err("it does not fit".into()),
        Some((daemon, Trouble::Silence)) if daemon == cx.name() => pending().await,
        Some((daemon, Trouble::SlowCheck)) if daemon == cx.name() => {
            tokio::time::sleep(S(4)).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn reload(log: &Log, next: &Configuration, cx: &Context) -> Result<()> {
    let settings = next.get::<Settings>()?;
    log.say(format!("{}:{}->{}", cx.name(), number(&cx.configuration()), settings.number));
    match settings.trouble.filter(|(daemon, _)| *daemon == cx.name()) {
        Some((_, Trouble::Error)) => Err("no room".into()),
        Some((_, Trouble::SlowReload)) => {
            tokio::time::sleep(S(4)).await;
            Ok(())
        }
        Some((_, Trouble::LateError)) => {
            tokio::time::sleep(S(1)).await;
            Err("no room".into())
        }
        Some((_, Trouble::Panic)) => panic!("half way"),
        Some((_, Trouble::Hang)) => pending().await,
        _ => Ok(()),
    }
}

macro_rules! reloadable {
    ($($name:ident $text:literal $($declared:ident($on:ident))?;)+) => {$(
        #[daemon(name = $text, no_handlers, start_timeout = "5s" $(, $declared($on))?)]
        struct $name(Log);
        impl DaemonBase for $name {
            async fn initialize(&self, cx: &Context) -> Result<()> {
                self.0.say(format!("{}={}", cx.name(), number(&cx.configuration())));
                Ok(())
            }
            async fn check_reload(&self, next: &Configuration, cx: &Context) -> Result<()> {
                check(&self.0, next, cx).await
            }
            async fn reload(&self, next: &Configuration, cx: &Context) -> Result<()> {
                reload(&self.0, next, cx).await
            }
        }
    )+};
}
reloadable! {
    Store "store";
    Users "users" requires(Store);
    Web "web" requires(Users);
    Other "other";
}

/// A host of three in a row and one beside, whose configurations come one after the other.
async fn host(log: &Log, next: impl IntoIterator<Item = Settings>) -> TestHost {
    builder(log, next).start().await
}

fn builder(log: &Log, next: impl IntoIterator<Item = Settings>) -> TestHostBuilder {
    let next: Vec<_> = next.into_iter().collect();
    let turn = AtomicU32::new(0);
    let load = move || {
        let settings = next.get(turn.fetch_add(1, Ordering::Relaxed) as usize).cloned();
        settings.ok_or("the file is gone")
    };
    TestHost::new("t")
        .configuration(Settings::number(0), load)
        .daemon(Web(log.clone()))
        .daemon(Users(log.clone()))
        .daemon(Store(log.clone()))
        .daemon(Other(log.clone()))
}

/// What was said since the start.
fn since_start(log: &Log) -> Vec<String> {
    log.lines().into_iter().filter(|line| !line.ends_with("=0")).collect()
}

#[tokio::test]
async fn all_are_asked_before_each_is_reloaded_after_what_it_needs() {
    let log = Log::default();
    let host = host(&log, [Settings::number(1)]).await;
    let report = host.handle().reload().await.unwrap();
    assert!(
        report.is_reloaded() && report.daemons.iter().all(|daemon| daemon.outcome == Outcome::Reloaded),
        "{report}"
    );
    let said = since_start(&log);
    assert!(said[..4].iter().all(|line| line.ends_with("?1")), "{said:?}");
    log.in_order(&["store:0->1", "users:0->1", "web:0->1"]);
    assert_eq!(log.count("other:0->1"), 1);
    assert_eq!(said.len(), 8, "each once: {said:?}");
    assert_eq!(host.status().reloads, 1);
    let booked = host.handle().journal().pop().unwrap();
    assert_eq!((booked.daemon, booked.state), (None, State::Running));
    assert!(booked.cause.unwrap().starts_with("t reloaded: asked for by the host's handle"));
    // What starts later starts with it.
    host.handle().restart_daemon("users").await.unwrap();
    assert_eq!((log.count("users=1"), log.count("web=1"), log.count("store=1")), (1, 1, 0));
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_refusal_changes_nothing_and_all_are_told() {
    let log = Log::default();
    let host = host(&log, [Settings::trouble(1, "web", Trouble::Refuse)]).await;
    let report = host.handle().reload().await.unwrap();
    assert_eq!(report.outcome, ReloadOutcome::Refused);
    let web = report.daemon("web").unwrap();
    assert_eq!((web.outcome, web.reason.as_deref()), (Outcome::Refused, Some("it does not fit")));
    assert_eq!(report.daemon("store").unwrap().outcome, Outcome::Unchanged);
    assert!(since_start(&log).iter().all(|line| line.ends_with("?1")), "{:?}", log.lines());
    assert_eq!(host.status().reloads, 0);
    let report = host.handle().reload().await.unwrap();
    assert_eq!((report.outcome, report.reason.as_deref()), (ReloadOutcome::Refused, Some("the file is gone")));
    assert!(!report.is_reloaded());
    let (first, told) =
        report.to_string().split_once('\n').map(|(first, told)| (first.to_owned(), told.to_owned())).unwrap();
    assert!(first.starts_with("t refused to reload: asked for by"), "{first}");
    assert_eq!(told, "  the configuration: the file is gone\n", "of whom nothing changed nothing is told");
    host.handle().restart_daemon("other").await.unwrap();
    assert_eq!(log.count("other=0"), 2, "it has what it had");
    assert_eq!(host.shutdown().await.exit_code, 0);
}

#[tokio::test]
async fn one_that_cannot_has_the_others_given_what_they_had() {
    let log = Log::default();
    let mut settings = Settings::trouble(1, "web", Trouble::Error);
    settings.number = 7;
    let host = host(&log, [settings, Settings::number(2)]).await;
    let report = host.handle().reload().await.unwrap();
    assert_eq!(report.outcome, ReloadOutcome::RolledBack, "{report}");
    let of = |name| (report.daemon(name).unwrap().outcome, report.daemon(name).unwrap().reason.as_deref());
    assert_eq!(of("web"), (Outcome::Failed, Some("no room")));
    assert_eq!((of("store"), of("users")), ((Outcome::RolledBack, None), (Outcome::RolledBack, None)));
    log.in_order(&["store:0->7", "users:0->7", "web:0->7", "store:7->0", "users:7->0"]);
    assert_eq!(log.count("web:7->0"), 0, "it says that it has what it had");
    assert!(host.status().daemons.iter().all(|daemon| daemon.restarts == 0));
    let text = report.to_string();
    assert!(text.starts_with("t did not reload, and has its configuration from before: asked for by"), "{text}");
    assert!(text.contains("\n  web    failed       no room\n"), "{text}");
    let back: daemon_core::ReloadReport = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(back.to_string(), text);
    // The next one may do well.
    assert!(host.handle().reload().await.unwrap().is_reloaded());
    log.in_order(&["store:0->2", "users:0->2", "web:0->2"]);
    assert_eq!(host.shutdown().await.exit_code, 0);
}

#[tokio::test]
async fn one_of_which_nobody_knows_what_it_has_is_restarted_with_what_it_had() {
    for (trouble, reason) in [(Trouble::Panic, "panicked: half way"), (Trouble::Hang, "did not end within 5s")] {
        let log = Log::default();
        let host = host(&log, [Settings::trouble(1, "users", trouble)]).await;
        let report = host.handle().reload().await.unwrap();
        assert_eq!(report.outcome, ReloadOutcome::RolledBack);
        let users = report.daemon("users").unwrap();
        assert_eq!((users.outcome, users.reason.as_deref()), (Outcome::Restarting, Some(reason)), "{report}");
        log.in_order(&["store:0->1", "users:0->1", "store:1->0"]);
        until("it runs again", || log.count("users=0") == 2 && log.count("web=0") == 2).await;
        host.settle().await;
        let status = host.status();
        let users = status.daemon("users").unwrap();
        assert_eq!((users.restarts, users.state), (1, State::Running));
        assert_eq!(users.reason, Some(format!("reload: {reason}")));
        assert_eq!(host.shutdown().await.exit_code, 0);
    }
}

/// A reload that the users refuse, and from which the store cannot go back.
async fn fails_to_go_back(host: &TestHost, log: &Log) {
    let handle = host.handle();
    let reload = tokio::spawn(async move { handle.reload().await });
    until("the store has it", || log.has("store:0->1")).await;
    host.fail_next("store.reload"); // the second call is the one that goes back
    let report = reload.await.unwrap().unwrap();
    assert_eq!(report.daemon("store").unwrap().outcome, Outcome::Restarting, "{report}");
}

#[tokio::test]
async fn one_that_cannot_go_back_is_restarted() {
    let log = Log::default();
    let host = host(&log, [Settings::trouble(1, "users", Trouble::LateError)]).await;
    fails_to_go_back(&host, &log).await;
    until("it runs again", || host.status().daemons.iter().all(|daemon| daemon.state == State::Running)).await;
    assert_eq!((log.count("store=0"), host.status().daemon("store").unwrap().restarts), (2, 1));
    assert_eq!(host.shutdown().await.exit_code, 0);
}

#[daemon(name = "clinging", no_handlers, requires(Store), stop_timeout = "10s")]
struct Clinging;
impl DaemonBase for Clinging {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(5)).await;
        Ok(())
    }
}

#[tokio::test]
async fn one_that_is_to_restart_and_cannot_yet_is_given_the_next_configuration() {
    let log = Log::default();
    let next = [Settings::trouble(1, "users", Trouble::LateError), Settings::number(2)];
    let host = builder(&log, next).daemon(Clinging).start().await;
    fails_to_go_back(&host, &log).await;
    until("others stop for that", || host.status().daemon("clinging").unwrap().state == State::Stopping).await;
    let report = host.handle().reload().await.unwrap();
    assert!(report.is_reloaded(), "{report}");
    assert_eq!(log.count("store:1->2"), 1, "it had what nobody else has");
    assert_eq!(host.status().reloads, 1, "what was tried does not count");
    until("it starts again", || log.has("store=2")).await;
    host.shutdown().await;
}

#[tokio::test]
async fn one_that_does_not_answer_in_its_time_refuses_and_does_so_no_more() {
    let log = Log::default();
    let host = host(&log, [Settings::trouble(1, "users", Trouble::Silence)]).await;
    let report = host.handle().reload().await.unwrap();
    assert_eq!((report.outcome, report.took_ms), (ReloadOutcome::Refused, 5_000), "{report}");
    let users = || host.status().daemon("users").unwrap().clone();
    until("the call is gone", || users().tasks.iter().all(|task| task.name != "check_reload")).await;
    assert_eq!((users().state, users().errors), (State::Running, 1), "it is counted");
    host.shutdown().await;
}

#[tokio::test]
async fn one_that_begins_to_run_while_others_are_asked_is_asked_too() {
    for trouble in [Trouble::SlowCheck, Trouble::SlowReload] {
        let log = Log::default();
        let host = host(&log, [Settings::trouble(1, "store", trouble)]).await;
        let handle = host.handle();
        let reload = tokio::spawn(async move { handle.reload().await });
        until("the first is at it", || log.has(if trouble == Trouble::SlowCheck { "store?1" } else { "store:0->1" }))
            .await;
        host.handle().restart_daemon("other").await.unwrap();
        assert!(reload.await.unwrap().unwrap().is_reloaded());
        assert_eq!((log.count("other=0"), log.count("other?1")), (2, 2), "each life is asked");
        assert_eq!(log.count("other:0->1"), 1);
        host.shutdown().await.assert_clean();
    }
}

/// Takes no other configuration.
#[daemon(name = "picky", no_handlers)]
struct Picky;
impl DaemonBase for Picky {
    async fn check_reload(&self, _next: &Configuration, _cx: &Context) -> Result<()> {
        Err("it does not fit".into())
    }
}

#[tokio::test]
async fn one_that_begins_to_run_while_others_are_reloaded_and_refuses_is_told_of() {
    let log = Log::default();
    let host = host(&log, [Settings::trouble(1, "store", Trouble::SlowReload)]).await;
    let handle = host.handle();
    let reload = tokio::spawn(async move { handle.reload().await });
    until("the first is at it", || log.has("store:0->1")).await;
    host.handle().add_daemon(Picky).await.unwrap();
    let report = reload.await.unwrap().unwrap();
    let of = |name| (report.daemon(name).unwrap().outcome, report.daemon(name).unwrap().reason.as_deref());
    assert_eq!(report.outcome, ReloadOutcome::RolledBack, "{report}");
    assert_eq!((of("picky"), of("store").0), ((Outcome::Refused, Some("it does not fit")), Outcome::RolledBack));
    host.shutdown().await.assert_clean();
}

#[daemon(name = "late", no_handlers)]
struct Late(Log);
impl DaemonBase for Late {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        self.0.say(format!("late={}", number(&cx.configuration())));
        tokio::time::sleep(S(3)).await;
        Ok(())
    }
    async fn reload(&self, next: &Configuration, cx: &Context) -> Result<()> {
        reload(&self.0, next, cx).await
    }
}

#[tokio::test]
async fn one_that_starts_meanwhile_is_reloaded_once_it_runs() {
    let log = Log::default();
    let host = host(&log, [Settings::number(1)]).await;
    let (handle, late) = (host.handle(), Late(log.clone()));
    let added = tokio::spawn(async move { handle.add_daemon(late).await });
    until("it starts", || log.has("late=0")).await;
    let report = host.handle().reload().await.unwrap();
    assert!(report.is_reloaded());
    assert_eq!(report.daemon("late").unwrap().outcome, Outcome::Unchanged, "it does not run yet");
    assert!(!log.has("late:0->1"));
    added.await.unwrap().unwrap();
    host.settle().await;
    assert_eq!(log.count("late:0->1"), 1);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn one_that_cannot_be_given_what_it_has_missed_is_restarted() {
    let log = Log::default();
    let host = host(&log, [Settings::trouble(1, "late", Trouble::Panic)]).await;
    let (handle, late) = (host.handle(), Late(log.clone()));
    let added = tokio::spawn(async move { handle.add_daemon(late).await });
    until("it starts", || log.has("late=0")).await;
    assert!(host.handle().reload().await.unwrap().is_reloaded());
    added.await.unwrap().unwrap();
    log.said("late=1").await;
    let late = host.status().daemon("late").unwrap().clone();
    assert_eq!((late.restarts, late.errors + late.panics), (1, 1));
    host.shutdown().await;
}

/// A host that has reloaded once, of which a daemon that has just begun to run waits to be given that, since a second reload has its turn.
async fn late_in_a_second_reload(log: &Log, second: Settings) -> (TestHost, JoinHandle<Result<ReloadReport, Error>>) {
    let (gate, loads) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let (opens, counts) = (gate.clone(), loads.clone());
    let load = move || {
        let (opens, second, number) = (opens.clone(), second.clone(), counts.fetch_add(1, Ordering::Relaxed) + 1);
        async move {
            if number == 1 {
                return Ok::<_, Error>(Settings::number(1));
            }
            opens.notified().await;
            Ok(second)
        }
    };
    let host = TestHost::new("t").configuration(Settings::number(0), load).daemon(Other(log.clone())).start().await;
    let (handle, late) = (host.handle(), Late(log.clone()));
    let added = tokio::spawn(async move { handle.add_daemon(late).await });
    until("it starts", || log.has("late=0")).await;
    assert!(host.handle().reload().await.unwrap().is_reloaded());
    let handle = host.handle();
    let reload = tokio::spawn(async move { handle.reload().await });
    until("the second is loaded", || loads.load(Ordering::Relaxed) == 2).await;
    added.await.unwrap().unwrap(); // so what it has missed waits for its turn
    gate.notify_one();
    (host, reload)
}

fn given_late(log: &Log) -> Vec<String> {
    log.lines().into_iter().filter(|line| line.starts_with("late:")).collect()
}

#[tokio::test]
async fn one_that_starts_while_a_reload_has_its_turn_is_reloaded_once() {
    let log = Log::default();
    let (host, reload) = late_in_a_second_reload(&log, Settings::number(2)).await;
    assert!(reload.await.unwrap().unwrap().is_reloaded());
    host.settle().await;
    assert_eq!(given_late(&log), ["late:0->2"]);
    host.shutdown().await.assert_clean();
}

/// Keeps a daemon running in a shutdown until it has stopped itself.
#[daemon(name = "keeper", requires(Late), no_handlers)]
struct Keeper;
impl DaemonBase for Keeper {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(1)).await;
        Ok(())
    }
}

#[tokio::test]
async fn in_a_shutdown_nothing_is_given_beside_a_reload_that_is_under_way() {
    let log = Log::default();
    let (host, reload) = late_in_a_second_reload(&log, Settings::trouble(2, "late", Trouble::Hang)).await;
    until("it hangs", || log.has("late:0->2")).await;
    host.handle().add_daemon(Keeper).await.unwrap();
    let report = host.shutdown().await;
    assert_eq!(reload.await.unwrap().unwrap().outcome, ReloadOutcome::Abandoned);
    assert_eq!(given_late(&log), ["late:0->2"]);
    assert_nothing_left(&report);
}

#[daemon(name = "asker")]
struct Asker(Log);
#[daemon]
impl Asker {
    #[every("10s")]
    async fn ask(&self, cx: &Context) -> Result<()> {
        let report = cx.host().reload().await?;
        self.0.say(format!("asked: {:?}, has {}", report.outcome, number(&cx.configuration())));
        Ok(())
    }
}
impl DaemonBase for Asker {
    async fn reload(&self, _next: &Configuration, cx: &Context) -> Result<()> {
        let refused = cx.host().reload().await.unwrap_err();
        assert!(matches!(refused, Error::Reloading));
        self.0.say(refused.to_string());
        Ok(())
    }
}

#[tokio::test]
async fn a_reload_can_be_asked_for_from_a_tick_and_not_from_a_reload() {
    let log = Log::default();
    let host = builder(&log, [Settings::number(1)]).daemon(Asker(log.clone())).start().await;
    host.advance("10s").await;
    log.in_order(&["a reload is under way, and this is part of it", "asked: Reloaded, has 1"]);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn reloads_come_one_after_the_other_also_by_signal() {
    let log = Log::default();
    let host = host(&log, [1, 2, 3].map(Settings::number)).await;
    host.inject(Signal::Reload);
    let (one, other) = tokio::join!(async { host.handle().reload().await }, async { host.handle().reload().await });
    assert!(one.unwrap().is_reloaded() && other.unwrap().is_reloaded());
    log.in_order(&["web:0->1", "store:1->2", "web:1->2", "store:2->3", "web:2->3"]);
    assert_eq!(host.status().reloads, 3);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_shutdown_leaves_a_reload_where_it_is() {
    let log = Log::default();
    let host = host(&log, [Settings::trouble(1, "users", Trouble::Hang)]).await;
    let handle = host.handle();
    let reload = tokio::spawn(async move { handle.reload().await });
    until("it hangs", || log.has("users:0->1")).await;
    let handle = host.handle();
    let report = host.shutdown().await;
    let reload = reload.await.unwrap().unwrap();
    assert_eq!(reload.outcome, ReloadOutcome::Abandoned);
    let cut = &report.daemon("users").unwrap().cut[0];
    assert_eq!((&*cut.work, cut.gone), ("reload", true), "{report}");
    assert_nothing_left(&report);
    assert!(handle.reload().await.unwrap_err().is_stopping());
}

#[tokio::test]
async fn a_host_without_a_configuration_can_be_reloaded_too() {
    #[daemon(name = "plain", no_handlers)]
    struct Plain(Log);
    impl DaemonBase for Plain {
        async fn reload(&self, next: &Configuration, _cx: &Context) -> Result<()> {
            self.0.say(next.get::<u32>().unwrap_err().to_string());
            Ok(())
        }
    }
    let log = Log::default();
    let host = TestHost::start(Plain(log.clone())).await;
    assert!(host.handle().reload().await.unwrap().is_reloaded());
    assert_eq!(
        log.lines(),
        ["there is no configuration of type `u32`: what `Host::configuration` was given is nothing"]
    );
    host.shutdown().await.assert_clean();
}

#[daemon(name = "quiet", no_handlers)]
struct Quiet;
impl DaemonBase for Quiet {}

#[tokio::test]
async fn a_configuration_is_dropped_once_nobody_has_it() {
    let (first, second) = (Log::default(), Log::default());
    let (one, two) = (first.on_drop("gone"), second.clone());
    let loader = second.on_drop("loader gone");
    let load = move || {
        let _: &probe::Says = &loader;
        Ok::<_, Error>(Arc::new(two.on_drop("gone")))
    };
    let host = TestHost::new("t").configuration(Arc::new(one), load);
    let host = host.daemon(Quiet).start().await;
    drop(host.handle().reload().await.unwrap());
    first.said("gone").await;
    assert!(!second.has("gone"));
    let handle = host.handle();
    host.shutdown().await.assert_clean();
    assert!(second.has("gone") && second.has("loader gone"));
    assert_eq!(handle.status().reloads, 1);
}

#[tokio::test]
async fn a_configuration_that_panics_as_it_is_dropped_keeps_no_reload_from_its_end() {
    let host = TestHost::new("t").configuration(Bomb("a configuration"), || Ok::<_, Error>(Bomb("the next")));
    let host = host.daemon(Quiet).start().await;
    for _ in 0..2 {
        let report = host.handle().reload().await.unwrap();
        assert!(report.is_reloaded(), "{report}");
    }
    host.shutdown().await.assert_clean();
}

/// Its destructor says that it begins, and takes until it is let go by a hang-up.
struct Lasting(Option<(mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>)>);
impl Drop for Lasting {
    fn drop(&mut self) {
        if let Some((begins, let_go)) = self.0.take() {
            begins.send(()).unwrap();
            assert!(let_go.lock().unwrap().recv().is_err(), "it is let go by a hang-up");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_takes_long_to_be_dropped_holds_no_life_up() {
    let (begins, begun) = mpsc::channel();
    let (let_go, waits) = mpsc::channel();
    let first = Lasting(Some((begins, Mutex::new(waits))));
    let host = Host::new("t").configuration(first, || Ok::<_, Error>(Lasting(None)));
    let host = host.daemon(Quiet).start().await.unwrap();
    let handle = host.handle();
    let reload = tokio::spawn(async move { handle.reload().await });
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    let restarted = tokio::time::timeout(S(60), host.handle().restart_daemon("quiet")).await;
    drop(let_go);
    restarted.expect("it is not held up").unwrap();
    assert!(reload.await.unwrap().unwrap().is_reloaded());
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_configuration_that_is_not_loaded_for_a_panic_or_in_time_is_refused() {
    let log = Log::default();
    let (given_up, hangs) = (log.clone(), AtomicBool::new(false));
    let load = move || {
        let (given_up, hangs) = (given_up.on_drop("given up"), hangs.fetch_not(Ordering::Relaxed));
        async move {
            let _given_up = given_up;
            assert!(hangs, "no such luck");
            pending::<Result<u32>>().await
        }
    };
    let host = TestHost::new("t").configuration(1_u32, load).start().await;
    for reason in ["panicked: no such luck", "did not end within 60s"] {
        let report = host.handle().reload().await.unwrap();
        assert_eq!((report.outcome, report.reason.as_deref()), (ReloadOutcome::Refused, Some(reason)));
        assert!(report.took_ms <= 60_000, "{report}");
    }
    until("the one that hangs is given up", || log.count("given up") == 2).await;
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_configuration_that_is_still_being_loaded_at_the_end_is_given_up() {
    let log = Log::default();
    let (loads, given_up) = (log.clone(), log.clone());
    let load = move || {
        let (loads, given_up) = (loads.clone(), given_up.on_drop("given up"));
        async move {
            let _given_up = given_up;
            loads.say("loading");
            pending::<Result<u32>>().await
        }
    };
    let host = TestHost::new("t").configuration(1_u32, load).start().await;
    let handle = host.handle();
    let reload = tokio::spawn(async move { handle.reload().await });
    log.said("loading").await;
    let report = host.shutdown().await;
    assert_eq!(reload.await.unwrap().unwrap().outcome, ReloadOutcome::Abandoned);
    assert!(log.has("given up") && report.cut.is_empty() && report.exit_code == 0, "{report}");
    assert_nothing_left(&report);
}
