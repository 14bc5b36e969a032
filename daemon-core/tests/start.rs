//! Starting: in the order of the graph, without barriers, and undone in reverse when it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Dependency, Error, Event, Host, HostHandle, Restart,
    RestartPolicy, Result, StartError, StartReport, State, Task, Wired, daemon,
};
use probe::{Bomb, Log, MS, S, assert_nothing_left, until};
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Declares daemons that take so many seconds to start, log both ends, and may go wrong in a given way.
macro_rules! daemons_of_a_graph {
    ($($name:ident($text:literal, $seconds:literal $(, $option:ident($($of:ty),+))* $(; $flag:ident)?);)+) => {$(
        #[daemon(name = $text, no_handlers $(, $option($($of),+))* $(, $flag)?)]
        struct $name(Log, Way);
        impl DaemonBase for $name {
            async fn initialize(&self, cx: &Context) -> Result<()> {
                begin(&self.0, cx, self.1, $seconds).await
            }
            async fn cleanup(&self, cx: &Context) -> Result<()> {
                self.0.say(format!("-{}", cx.name()));
                Ok(())
            }
        }
    )+};
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Well,
    Error,
    Panic,
    Hang,
}

async fn begin(log: &Log, cx: &Context, way: Way, seconds: u64) -> Result<()> {
    log.say(format!("({}", cx.name()));
    tokio::time::sleep(S(seconds)).await;
    match way {
        Way::Well => {
            log.say(format!("+{}", cx.name()));
            Ok(())
        }
        Way::Error => Err(format!("{} has no disk", cx.name()).into()),
        Way::Panic => panic!("{} is unwell", cx.name()),
        Way::Hang => pending().await,
    }
}

daemons_of_a_graph! {
    Data("data", 1);
    Events("events", 3);
    Users("users", 1, requires(Data));
    Rooms("rooms", 1, requires(Users), wants(Events));
    Health("health", 1, wants(Rooms, Hobby));
    Hobby("hobby", 2; optional);
    Fan("fan", 1, requires(Hobby); optional);
}

fn five(log: &Log, way: impl Fn(&str) -> Way) -> Host {
    let log = || log.clone();
    Host::new("t")
        .daemon(Health(log(), way("health")))
        .daemon(Rooms(log(), way("rooms")))
        .daemon(Users(log(), way("users")))
        .daemon(Events(log(), way("events")))
        .daemon(Data(log(), way("data")))
}

fn daemon<'a>(report: &'a StartReport, name: &str) -> &'a daemon_core::DaemonStart {
    report.daemons.iter().find(|daemon| daemon.name == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_daemon_starts_as_soon_as_what_it_names_has_settled() {
    let log = Log::default();
    let host = five(&log, |_| Way::Well).start().await.unwrap();
    log.in_order(&["(data", "+data", "(users", "+users", "+events", "(rooms", "+rooms", "(health", "+health"]);
    assert!(log.at("(events") < log.at("+data"), "side by side");
    let start = host.start_report();
    assert_eq!(start.took_ms, 5_000, "no barrier between waves: {start}");
    let waves: Vec<_> = start.daemons.iter().map(|daemon| (&*daemon.name, daemon.wave)).collect();
    assert_eq!(waves, [("events", 1), ("data", 1), ("users", 2), ("rooms", 3), ("health", 4)]);
    let rooms = daemon(start, "rooms");
    assert_eq!((rooms.waited_for.as_deref(), rooms.waited_ms, rooms.took_ms), (Some("events"), 3_000, 1_000));
    assert_eq!(start.notes, ["`health` wants `hobby`, which is absent"]);
    let status = host.handle().status();
    assert!(status.daemons.iter().all(|daemon| daemon.state == State::Running));
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[track_caller]
fn failed(error: StartError) -> (StartReport, daemon_core::ShutdownReport) {
    match error {
        StartError::Failed { start, shutdown } => (*start, *shutdown),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_fails_its_dependents_by_name_and_undoes_the_rest_in_reverse() {
    for (way, reason) in [
        (Way::Error, "users has no disk"),
        (Way::Panic, "panicked: users is unwell"),
        (Way::Hang, "did not end within 30s"),
    ] {
        let log = Log::default();
        let host = five(&log, |name| if name == "users" { way } else { Way::Well }).start_timeout(S(30));
        let error = host.start().await.unwrap_err();
        let text = error.to_string();
        let (start, shutdown) = failed(error);
        assert!(text.contains(&format!("`users`: {reason}")), "{text}");
        assert!(text.contains("`rooms`: requires `users`, which failed"), "{text}");
        assert!(!start.started);
        assert_eq!(daemon(&start, "users").state, State::Failed);
        assert_eq!(daemon(&start, "rooms").state, State::Failed);
        assert_eq!(daemon(&start, "health").state, State::Running, "it only wants rooms");
        // each that was entered is cleaned up once, in the reverse order
        log.in_order(&["-users", "-data"]);
        log.in_order(&["+health", "-health"]);
        log.at("-events");
        assert!(!log.has("(rooms") && !log.has("-rooms"));
        assert_eq!(shutdown.exit_code, 1);
        assert_eq!(shutdown.daemon("rooms").unwrap().state, State::Failed);
        assert_nothing_left(&shutdown);
    }
}

#[tokio::test(start_paused = true)]
async fn who_fails_last_has_failed_when_that_is_told() {
    let host = Host::new("t").daemon(Data(Log::default(), Way::Error)).daemon(Users(Log::default(), Way::Well));
    let (start, _) = failed(host.start().await.unwrap_err());
    assert_eq!(["data", "users"].map(|name| daemon(&start, name).state), [State::Failed; 2], "{start}");
}

#[tokio::test(start_paused = true)]
async fn each_state_is_booked_once() {
    let host = Host::new("t").daemon(Data(Log::default(), Way::Well)).start().await.unwrap();
    let handle = host.handle();
    host.shutdown().await.unwrap();
    let booked: Vec<_> = handle.journal().into_iter().map(|booked| (booked.daemon, booked.state)).collect();
    let data = |state| (Some("data".to_owned()), state);
    let whole = |state| (None, state);
    use State::{Running, Starting, Stopped, Stopping};
    let lives = [whole(Starting), data(Starting), data(Running), whole(Running)];
    let ends = [whole(Stopping), data(Stopping), data(Stopped), whole(Stopped)];
    assert_eq!(booked, [lives, ends].concat());
}

#[tokio::test(start_paused = true)]
async fn reports_are_data() {
    let log = Log::default();
    let host = five(&log, |name| if name == "users" { Way::Panic } else { Way::Well });
    let (start, shutdown) = failed(host.start().await.unwrap_err());
    let json = serde_json::to_value(&start).unwrap();
    let back: StartReport = serde_json::from_value(json.clone()).unwrap();
    assert_eq!((serde_json::to_value(&back).unwrap(), back.to_string()), (json, start.to_string()));
    let json = serde_json::to_value(&shutdown).unwrap();
    let back: daemon_core::ShutdownReport = serde_json::from_value(json.clone()).unwrap();
    assert_eq!((serde_json::to_value(&back).unwrap(), back.to_string()), (json, shutdown.to_string()));
    assert!(!shutdown.journal.is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_failures_are_reported_together() {
    let log = Log::default();
    let host = five(&log, |name| match name {
        "data" => Way::Error,
        "events" => Way::Panic,
        _ => Way::Well,
    });
    let error = host.start().await.unwrap_err();
    let text = error.to_string();
    for part in ["`data`: data has no disk", "`events`: panicked: events is unwell", "`users`: requires `data`"] {
        assert!(text.contains(part), "{text}");
    }
    let (_, shutdown) = failed(error);
    assert_eq!(shutdown.exit_code, 1);
    assert_eq!((log.count("-data"), log.count("-events")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_optional_daemon_that_does_not_start_holds_nobody_up() {
    let log = Log::default();
    let host = five(&log, |_| Way::Well)
        .daemon(Hobby(log.clone(), Way::Error))
        .daemon(Fan(log.clone(), Way::Well))
        .start()
        .await
        .unwrap();
    let start = host.start_report();
    assert!(start.started);
    assert_eq!(daemon(start, "hobby").state, State::Failed);
    assert_eq!(daemon(start, "fan").reason.as_deref(), Some("requires `hobby`, which failed"));
    log.in_order(&["-hobby", "(health"]);
    assert!(!log.has("(fan"));
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.exit_code, 0);
    assert_nothing_left(&report);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_at_every_step_of_the_start_ends_cleanly() {
    for ms in (0..=6_000).step_by(250) {
        let log = Log::default();
        let starting = five(&log, |_| Way::Well).daemon(Asks(ms)).start();
        let report = match starting.await {
            Ok(host) => host.wait().await.unwrap(),
            Err(StartError::Stopped { shutdown, .. }) => *shutdown,
            Err(other) => panic!("at {ms} ms: {other}"),
        };
        assert_eq!(report.exit_code, 0, "at {ms} ms: {report}");
        assert!(report.is_clean() && report.stop_ms == 0, "at {ms} ms: {report}");
        assert_nothing_left(&report);
        for name in ["data", "events", "users", "rooms", "health"] {
            let entered = log.count(&format!("({name}"));
            assert_eq!(log.count(&format!("-{name}")), entered, "{name} at {ms} ms: {:?}", log.lines());
            assert_eq!(report.daemon(name).unwrap().state, State::Stopped);
        }
        let after: Vec<_> = log.lines().into_iter().skip_while(|line| !line.starts_with('-')).collect();
        assert!(after.iter().all(|line| line.starts_with('-')), "nothing starts any more: {after:?}");
    }
}

/// Asks for the shutdown so many milliseconds after the beginning, from outside of what its host can cancel.
#[daemon(name = "asks", no_handlers)]
struct Asks(u64);
impl DaemonBase for Asks {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let (host, after) = (cx.host(), MS(self.0));
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            host.request_shutdown();
        });
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_given_up_shuts_the_host_down() {
    let log = Log::default();
    let starting = five(&log, |_| Way::Well).start();
    assert!(tokio::time::timeout(MS(1_500), starting).await.is_err());
    log.said("-data").await;
    log.in_order(&["(users", "-users", "-data"]);
    tokio::time::sleep(S(10)).await;
    assert!(!log.has("+users") && !log.has("+events"));
}

#[daemon(name = "refuses", no_handlers)]
struct Refuses(Log);
impl DaemonBase for Refuses {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        Err("refused".into())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_comes_with_the_shutdown_is_told_of() {
    let log = Log::default();
    let error = Host::new("t").daemon(Refuses(log.clone())).start().await.unwrap_err();
    let StartError::Stopped { shutdown, .. } = error else { panic!("{error}") };
    let refuses = shutdown.daemon("refuses").unwrap();
    assert_eq!((refuses.state, refuses.reason.as_deref()), (State::Failed, Some("refused")), "{shutdown}");
    assert_eq!((shutdown.exit_code, log.count("cleanup")), (1, 1));
}

#[daemon(name = "leaves")]
struct Leaves(Log);
#[daemon]
impl Leaves {
    #[task]
    async fn pump(&self) {
        self.0.say("task");
    }
}
impl DaemonBase for Leaves {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        self.0.say("initialize");
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_ends_well_when_the_shutdown_comes_begins_nothing() {
    let log = Log::default();
    let error = Host::new("t").daemon(Leaves(log.clone())).start().await.unwrap_err();
    let StartError::Stopped { shutdown, .. } = error else { panic!("{error}") };
    assert_eq!(shutdown.daemon("leaves").unwrap().started_ms, None);
    assert_eq!(log.lines(), ["initialize", "cleanup"]);
    assert!(shutdown.is_clean(), "{shutdown}");
}

#[daemon(name = "made", start_timeout = "10s", no_handlers)]
struct Made(Log);
impl DaemonBase for Made {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.0.say("initialize");
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.say("cleanup");
        Ok(())
    }
}

async fn fails_with(host: Host, reason: &str) {
    let (start, shutdown) = failed(host.start().await.unwrap_err());
    assert_eq!(daemon(&start, "made").reason.as_deref(), Some(reason));
    assert_eq!(shutdown.exit_code, 1);
    assert_nothing_left(&shutdown);
}

#[tokio::test(start_paused = true)]
async fn factories_of_every_kind() {
    let log = Log::default();
    let made = || Made(log.clone());

    let (plain, future) = (made(), made());
    let (plain, future) = (std::sync::Mutex::new(Some(plain)), std::sync::Mutex::new(Some(future)));
    let plain = move || plain.lock().unwrap().take().ok_or("made before");
    let future = move || {
        let made = future.lock().unwrap().take();
        async move {
            tokio::time::sleep(S(9)).await;
            made.ok_or("made before")
        }
    };
    for host in [Host::new("t").daemon_with(plain), Host::new("t").daemon_with(future)] {
        let host = host.start().await.unwrap();
        assert!(host.shutdown().await.unwrap().is_clean());
    }
    assert_eq!(log.lines(), ["initialize", "cleanup", "initialize", "cleanup"]);

    let error = || Err::<Made, _>("no file");
    fails_with(Host::new("t").daemon_with(error), "no file").await;
    let error = || async { Err::<Made, _>("no answer") };
    fails_with(Host::new("t").daemon_with(error), "no answer").await;
    let panics = || -> Result<Made> { panic!("burst") };
    fails_with(Host::new("t").daemon_with(panics), "panicked: burst").await;
    let panics = || async { burst_late() };
    fails_with(Host::new("t").daemon_with(panics), "panicked: burst late").await;
    let slow = || async {
        tokio::time::sleep(S(11)).await;
        Err::<Made, _>("too late")
    };
    fails_with(Host::new("t").daemon_with(slow), "did not end within 10s").await;
    assert_eq!(log.lines().len(), 4, "what was never made is never cleaned up");
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_run_within_the_start_budget_fails_by_name() {
    const LATE: &str = "did not run within the host's start budget of 2s";
    let log = Log::default();
    let host = five(&log, |_| Way::Well).start_budget(S(2));
    let (start, shutdown) = failed(host.start().await.unwrap_err());
    let reasons: Vec<_> = start.daemons.iter().map(|daemon| (&*daemon.name, daemon.reason.as_deref())).collect();
    let late = Some(LATE);
    assert_eq!(
        reasons,
        [
            ("events", late),
            ("data", None),
            ("users", late),
            ("rooms", Some("requires `users`, which failed")),
            // It merely wants rooms, but there is no time left.
            ("health", late),
        ]
    );
    assert_eq!((start.took_ms, shutdown.exit_code), (2_000, 1), "{start}");
    assert!(!log.has("(health") && !log.has("-health"), "what begins too late begins nothing");
    log.in_order(&["-users", "-data"]);
    assert_nothing_left(&shutdown);
}

#[tokio::test(start_paused = true)]
async fn an_optional_daemon_that_misses_the_start_budget_fails_alone() {
    let log = Log::default();
    let host = Host::new("t").daemon(Data(log.clone(), Way::Well)).daemon(Hobby(log.clone(), Way::Hang));
    let host = host.start_budget(S(3)).start().await.unwrap();
    assert_eq!(host.start_report().took_ms, 3_000);
    assert_eq!(daemon(host.start_report(), "hobby").state, State::Failed);
    // The budget is for the start of the host, not for a later one of a daemon.
    tokio::time::sleep(S(9)).await;
    host.handle().restart_daemon("data").await.unwrap();
    assert_eq!(host.shutdown().await.unwrap().exit_code, 0);
}

fn burst_late() -> Result<Made> {
    panic!("burst late")
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_for_making_and_initialising_together() {
    #[daemon(name = "made", start_timeout = "10s", no_handlers)]
    struct Slow;
    impl DaemonBase for Slow {
        async fn initialize(&self, _cx: &Context) -> Result<()> {
            tokio::time::sleep(S(6)).await;
            Ok(())
        }
    }
    let make = || async {
        tokio::time::sleep(S(6)).await;
        Ok::<_, Error>(Slow)
    };
    fails_with(Host::new("t").daemon_with(make), "did not end within 10s").await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_not_initialised_in_time_is_not_cleaned_up() {
    let log = Log::default();
    let given = log.clone();
    let make = move || {
        let log = given.clone();
        async move {
            // The whole of its time is over before anybody else gets to run.
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(std::pin::pin!(tokio::time::advance(S(10))).poll(&mut cx).is_pending());
            Ok::<_, Error>(Made(log))
        }
    };
    fails_with(Host::new("t").daemon_with(make), "did not end within 10s").await;
    assert!(log.lines().is_empty(), "{:?}", log.lines());
}

/// Fails at once, and takes longer to clean up than it had to start.
#[daemon(name = "untidy", start_timeout = "1s", stop_timeout = "5s", no_handlers)]
struct Untidy;
impl DaemonBase for Untidy {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("no place".into())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(4)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn who_failed_to_start_has_its_time_to_clean_up_whatever_its_deadline() {
    let (_, shutdown) = failed(Host::new("t").daemon(Untidy).start().await.unwrap_err());
    let untidy = shutdown.daemon("untidy").unwrap();
    assert_eq!((untidy.reason.as_deref(), shutdown.exit_code), (Some("no place"), 1), "{shutdown}");
    assert_eq!(untidy.stop_ms, 4_000, "{shutdown}");
    assert_nothing_left(&shutdown);
}

/// Tells who looks on of itself as soon as it starts; takes its time at both ends.
#[daemon(name = "timed", stop_timeout = "5s", no_handlers)]
struct Timed(std::sync::mpsc::Sender<HostHandle>, Duration);
impl DaemonBase for Timed {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        tokio::time::sleep(self.1).await;
        Ok(self.0.send(cx.host())?)
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(self.1 / 2).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_the_last_start_and_the_last_stop_took_is_told() {
    let (sender, _handle) = std::sync::mpsc::channel();
    let host = Host::new("t").daemon(Timed(sender, S(4))).start().await.unwrap();
    let handle = host.handle();
    let took = || {
        let status = handle.status();
        let daemon = status.daemon("timed").unwrap();
        (daemon.start_took, daemon.stop_took)
    };
    assert_eq!(took(), (Some(S(4)), None));
    handle.stop_daemon("timed").await.unwrap();
    assert_eq!(took(), (Some(S(4)), Some(S(2))));
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_a_daemon_run_sees_how_long_its_start_took() {
    for _ in 0..50 {
        let (sender, handle) = std::sync::mpsc::channel();
        let looks_on = std::thread::spawn(move || {
            let handle: HostHandle = handle.recv().unwrap();
            loop {
                let status = handle.status();
                let daemon = status.daemon("timed").unwrap();
                if daemon.state == State::Running {
                    return daemon.start_took;
                }
            }
        });
        let host = Host::new("t").daemon(Timed(sender, MS(1))).start().await.unwrap();
        assert!(looks_on.join().unwrap() >= Some(MS(1)));
        assert!(host.shutdown().await.unwrap().is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn who_backs_off_does_not_outlast_the_start_budget() {
    const PATIENT: RestartPolicy =
        RestartPolicy::new(Restart::OnFailure).backoff(Duration::from_secs(60), Duration::from_secs(60));
    /// Runs, and breaks while the host still starts.
    #[derive(Default)]
    struct Breaks;
    impl Declared for Breaks {
        const DECLARATION: Declaration = Declaration::new("breaks").restart(PATIENT);
    }
    impl Wired for Breaks {
        fn wire(definition: &mut Definition<Self>) {
            let restart = RestartPolicy::new(Restart::Never);
            definition.task(Task::new("break", |_, _| Box::pin(async { Err("broken".into()) })).restart(restart));
        }
    }
    impl DaemonBase for Breaks {}
    #[daemon(name = "slow", no_handlers)]
    struct Slow;
    impl DaemonBase for Slow {
        async fn initialize(&self, _cx: &Context) -> Result<()> {
            tokio::time::sleep(S(3)).await;
            Ok(())
        }
    }
    let begun = tokio::time::Instant::now();
    let host = Host::new("t").daemon(Breaks).daemon(Slow).start_budget(S(10));
    let (start, shutdown) = failed(host.start().await.unwrap_err());
    assert!(begun.elapsed() < S(11), "{:?}", begun.elapsed());
    let reason = daemon(&start, "breaks").reason.clone().unwrap();
    assert_eq!(reason, "did not run within the host's start budget of 10s");
    assert_eq!(shutdown.exit_code, 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_made_when_the_shutdown_comes_is_dropped_where_a_panic_harms_nobody() {
    let handle: std::sync::Arc<std::sync::OnceLock<HostHandle>> = std::sync::Arc::default();
    #[daemon(name = "gives", no_handlers)]
    struct Gives(std::sync::Arc<std::sync::OnceLock<HostHandle>>);
    impl DaemonBase for Gives {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            self.0.set(cx.host()).ok();
            Ok(())
        }
    }
    #[daemon(name = "after", requires(Gives), no_handlers)]
    struct After(#[expect(dead_code, reason = "held for its destructor")] Bomb);
    impl DaemonBase for After {}
    let given = handle.clone();
    let after = move || {
        given.get().unwrap().request_shutdown();
        Ok::<_, Error>(After(Bomb("the value")))
    };
    let error = Host::new("t").daemon(Gives(handle)).daemon_with(after).start().await.unwrap_err();
    let StartError::Stopped { shutdown, .. } = error else { panic!("{error}") };
    let after = shutdown.daemon("after").unwrap();
    assert_eq!(after.state, State::Stopped, "{shutdown}");
    assert_eq!(after.problems, ["the daemon's destructor panicked: the value"]);
    assert_eq!(shutdown.exit_code, 1);
}

// Random graphs: a seed decides at compile time who requires and who wants whom, since dependencies are declared.

const DAEMONS: usize = 8;

/// What `at` names of those before it, by bits: (requires, wants).
const fn edges(seed: u64, at: usize) -> (u64, u64) {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (at as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
    random ^= random >> 29;
    random = random.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    random ^= random >> 32;
    let before = (1 << at) - 1;
    let requires = random & (random >> 8) & before;
    (requires, (random >> 16) & (random >> 24) & before & !requires)
}

/// Those of `all` whose bit is set come first; and how many they are.
const fn chosen<const N: usize>(all: [Dependency; N], bits: u64) -> ([Dependency; N], usize) {
    let (mut chosen, mut count, mut at) = (all, 0, 0);
    while at < N {
        if bits >> at & 1 == 1 {
            chosen[count] = all[at];
            count += 1;
        }
        at += 1;
    }
    (chosen, count)
}

macro_rules! random_daemons {
    ($($name:ident $text:literal $at:literal: $($before:ident)*;)+) => {$(
        struct $name<const SEED: u64>(Log, &'static AtomicU64);
        impl<const SEED: u64> $name<SEED> {
            const ALL: [Dependency; $at] = [$(Dependency::on::<$before<SEED>>()),*];
            const REQUIRES: &'static ([Dependency; $at], usize) = &chosen(Self::ALL, edges(SEED, $at).0);
            const WANTS: &'static ([Dependency; $at], usize) = &chosen(Self::ALL, edges(SEED, $at).1);
        }
        impl<const SEED: u64> Declared for $name<SEED> {
            const DECLARATION: Declaration = Declaration::new($text)
                .requires(Self::REQUIRES.0.split_at(Self::REQUIRES.1).0)
                .wants(Self::WANTS.0.split_at(Self::WANTS.1).0);
        }
        impl<const SEED: u64> Wired for $name<SEED> {
            fn wire(_: &mut Definition<Self>) {}
        }
        impl<const SEED: u64> DaemonBase for $name<SEED> {
            async fn initialize(&self, cx: &Context) -> Result<()> {
                self.0.say(format!("({}", cx.name()));
                tokio::time::sleep(pause(self.1)).await;
                self.0.say(format!("+{}", cx.name()));
                Ok(())
            }
            async fn cleanup(&self, cx: &Context) -> Result<()> {
                self.0.say(format!("-{}", cx.name()));
                tokio::time::sleep(pause(self.1)).await;
                self.0.say(format!("){}", cx.name()));
                Ok(())
            }
        }
    )+};
}

/// Some pause or other.
fn pause(state: &AtomicU64) -> Duration {
    MS(state.fetch_add(7, Ordering::Relaxed).wrapping_mul(2_654_435_761) >> 7 & 0x3F)
}

random_daemons! {
    N0 "n0" 0: ;
    N1 "n1" 1: N0;
    N2 "n2" 2: N0 N1;
    N3 "n3" 3: N0 N1 N2;
    N4 "n4" 4: N0 N1 N2 N3;
    N5 "n5" 5: N0 N1 N2 N3 N4;
    N6 "n6" 6: N0 N1 N2 N3 N4 N5;
    N7 "n7" 7: N0 N1 N2 N3 N4 N5 N6;
}

async fn random_graph<const SEED: u64>() -> u32 {
    let (log, state): (_, &'static _) = (Log::default(), Box::leak(Box::new(AtomicU64::new(SEED))));
    let host = Host::new("t")
        .daemon(N7::<SEED>(log.clone(), state))
        .daemon(N2::<SEED>(log.clone(), state))
        .daemon(N5::<SEED>(log.clone(), state))
        .daemon(N0::<SEED>(log.clone(), state))
        .daemon(N6::<SEED>(log.clone(), state))
        .daemon(N1::<SEED>(log.clone(), state))
        .daemon(N4::<SEED>(log.clone(), state))
        .daemon(N3::<SEED>(log.clone(), state))
        .start()
        .await
        .unwrap();
    let mut count = 0;
    for at in 0..DAEMONS {
        let (requires, wants) = edges(SEED, at);
        let status = host.handle().status();
        let status = status.daemon(&format!("n{at}")).unwrap().clone();
        assert_eq!(status.requires.len() as u32, requires.count_ones());
        for on in (0..at).filter(|on| (requires | wants) >> on & 1 == 1) {
            count += 1;
            log.in_order(&[&format!("+n{on}"), &format!("(n{at}")]);
        }
    }
    let report = host.shutdown().await.unwrap();
    for at in 0..DAEMONS {
        let (requires, wants) = edges(SEED, at);
        for on in (0..at).filter(|on| (requires | wants) >> on & 1 == 1) {
            log.in_order(&[&format!(")n{at}"), &format!("-n{on}")]);
        }
    }
    assert!(report.is_clean(), "{report}");
    count
}

#[tokio::test(start_paused = true)]
async fn random_graphs_start_in_order_and_stop_in_reverse() {
    let mut edges = 0;
    macro_rules! seeds {
        ($($seed:literal)+) => {$( edges += random_graph::<$seed>().await; )+};
    }
    seeds!(1 2 3 4 5);
    assert!(edges > 25, "graphs worth the name: {edges}");
}

#[derive(Event)]
#[event("start:told", local)]
struct Told;

/// Starts only the second time.
#[daemon(name = "late", optional)]
#[derive(Default)]
struct Late(AtomicBool);

#[daemon]
impl Late {
    #[on_event]
    fn told(&self, _event: &Told) {}
}

impl DaemonBase for Late {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.0.swap(true, Ordering::SeqCst) { Ok(()) } else { Err("not yet".into()) }
    }
}

/// Is never tried as long as the other has failed.
#[daemon(name = "later", optional, requires(Late))]
struct Later;

#[daemon]
impl Later {
    #[on_event]
    fn told(&self, _event: &Told) {}
}

impl DaemonBase for Later {}

#[tokio::test(start_paused = true)]
async fn events_for_a_daemon_that_failed_to_start_are_abandoned_until_it_is_started() {
    let host = Host::new("t").daemon(Late::default()).daemon(Later).start().await.unwrap();
    let handle = host.handle();
    // What was offered, handled, abandoned, and still waits.
    let account = |name: &str| {
        let of = handle.status().daemon(name).unwrap().subscriptions[0].clone();
        [of.offered, of.handled, of.abandoned, of.queued]
    };
    let comes_to = async |expected: [u64; 4]| {
        for name in ["late", "later"] {
            until(&format!("{expected:?} of {name}"), || account(name) == expected).await;
        }
    };
    handle.publish(Told).await.unwrap();
    comes_to([1, 0, 1, 0]).await;
    handle.start_daemon("later").await.unwrap();
    handle.publish(Told).await.unwrap();
    comes_to([2, 1, 1, 0]).await;
    assert_nothing_left(&host.shutdown().await.unwrap());
}

#[daemon(name = "hasty", no_handlers)]
struct Hasty;
impl DaemonBase for Hasty {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        Ok(())
    }
}

#[daemon(name = "frail", optional, no_handlers)]
struct Frail;
impl DaemonBase for Frail {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("frail".into())
    }
}

#[daemon(name = "hesitates", no_handlers)]
struct Hesitates;
impl DaemonBase for Hesitates {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        tokio::time::sleep(S(1)).await;
        cx.request_shutdown();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_stopped_while_it_started_has_not_failed_for_an_optional_daemon_that_did() {
    let stopped = Host::new("t").daemon(Frail).daemon(Hesitates).start().await.unwrap_err();
    let StartError::Stopped { start, shutdown } = stopped else { panic!("{stopped}") };
    assert_eq!(daemon(&start, "frail").reason.as_deref(), Some("frail"), "{start}");
    assert_eq!(shutdown.exit_code, 0, "{shutdown}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_shutdown_while_it_starts_never_runs() {
    let stopped = Host::new("t").daemon(Hasty).start().await.unwrap_err();
    let StartError::Stopped { shutdown, .. } = stopped else { panic!("{stopped}") };
    assert_eq!(shutdown.daemon("hasty").unwrap().started_ms, None, "{shutdown}");
    assert!(shutdown.is_clean(), "{shutdown}");
}
