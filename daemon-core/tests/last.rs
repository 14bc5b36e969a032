//! What a host does first and last: its lock, its PID file, its shutdown handlers; and the same by hand, as a process.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon_core::instance::{DaemonLock, is_daemon_alive, read_lock_pid};
use daemon_core::{
    Context, DaemonBase, DaemonErrorCode, DaemonProcess, Host, Result, ShutdownReport, StartError, State, daemon,
};
use tempfile::TempDir;
use tokio::time::Instant;

const S: fn(u64) -> Duration = Duration::from_secs;

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Something that adds this a second after it was called.
    fn slowly(&self, what: &'static str) -> impl Fn() -> daemon_core::BoxFuture<'static, ()> + Send + Sync + 'static {
        let log = self.clone();
        move || {
            let log = log.clone();
            Box::pin(async move {
                tokio::time::sleep(S(1)).await;
                log.add(what);
            })
        }
    }
}

/// Adds to the log when it is cleaned up.
#[daemon(no_handlers)]
struct Store(Log);

impl DaemonBase for Store {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(S(1)).await;
        self.0.add("store cleaned up");
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.0.add("store dropped");
    }
}

/// A place for a lock and a PID file.
struct Place {
    _dir: TempDir,
    lock: PathBuf,
    pid: PathBuf,
}

fn place() -> Place {
    let dir = TempDir::new().unwrap();
    Place { lock: dir.path().join("daemon.lock"), pid: dir.path().join("daemon.pid"), _dir: dir }
}

async fn stop(host: Host) -> ShutdownReport {
    host.start().await.unwrap().shutdown().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn handlers_are_called_in_order_after_the_last_cleanup() {
    let log = Log::default();
    let host = Host::new("t")
        .on_shutdown(log.slowly("first"))
        .daemon(Store(log.clone()))
        .on_shutdown(log.slowly("second"))
        .on_shutdown(log.slowly("third"));
    let report = stop(host).await;
    assert_eq!(log.take(), ["store cleaned up", "first", "second", "third", "store dropped"]);
    assert!(report.is_clean() && report.left.is_nothing(), "{report}");
    let times: Vec<_> = report.handlers.iter().map(|handler| handler.stop_ms).collect();
    assert_eq!(times, [1_000, 1_000, 1_000]);
    assert!(report.handlers[0].name.starts_with("daemon-core/tests/last.rs:"), "{report}");
    assert!(report.to_string().contains("  shutdown handler daemon-core/tests/last.rs:"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn w18_a_handler_that_fails_is_told_of_and_the_next_is_called() {
    let log = Log::default();
    let host = Host::new("t")
        .on_shutdown(|| async { Err::<(), _>("the disk is full") })
        .on_shutdown(|| async { panics() })
        .on_shutdown(|| -> std::future::Ready<()> { panic!("at once") })
        .on_shutdown(log.slowly("last"));
    let report = stop(host).await;
    assert_eq!(log.take(), ["last"]);
    let problems: Vec<_> = report.handlers.iter().map(|handler| handler.problem.as_deref()).collect();
    assert_eq!(
        problems,
        [Some("the disk is full"), Some("panicked: at the disco"), Some("panicked: at once"), None],
        "{report}"
    );
    assert_eq!(report.exit_code, 1, "{report}");
    assert!(!report.is_clean() && report.left.is_nothing());
}

fn panics() {
    panic!("at the disco");
}

#[tokio::test(start_paused = true)]
async fn w18_handlers_have_one_timeout_and_none_runs_after_it() {
    let log = Log::default();
    let host = Host::new("t")
        .on_shutdown(log.slowly("in time"))
        .on_shutdown({
            let log = log.clone();
            || async move {
                let _dropped = Dropped(log);
                std::future::pending::<()>().await;
            }
        })
        .on_shutdown(log.slowly("never"));
    let running = host.start().await.unwrap();
    let before = Instant::now();
    let report = running.shutdown().await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 5, "that is the default");
    assert_eq!(log.take(), ["in time", "dropped"]);
    tokio::time::sleep(S(60)).await;
    assert!(log.take().is_empty(), "nothing of it runs any more");
    let cuts: Vec<_> = report.handlers.iter().map(|handler| handler.cut.as_ref().map(ToString::to_string)).collect();
    let [None, Some(overran), Some(unbegun)] = &*cuts else { panic!("{report}") };
    assert!(overran.contains("was aborted, 4.") && overran.contains("after it last ran (polled once)"), "{overran}");
    assert!(unbegun.ends_with("was aborted before it ran (polled 0 times)"), "{unbegun}");
    assert_eq!(report.exit_code, 75, "{report}");
    assert!(report.left.is_nothing(), "{report}");
}

struct Dropped(Log);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_get_their_part_of_a_short_budget() {
    let log = Log::default();
    let overruns =
        || Host::new("t").stop_budget(S(4)).daemon(Overruns).shutdown_timeout(S(3)).on_shutdown(log.slowly("called"));
    let report = stop(overruns()).await;
    assert_eq!(log.take(), ["called"], "a daemon that overruns does not take their time: {report}");
    assert!(report.stop_ms < 4_000, "{report}");
    assert_eq!((report.exit_code, report.handlers[0].cut.is_none()), (75, true), "{report}");
    let report = stop(overruns().on_shutdown(log.slowly("called too")).on_shutdown(log.slowly("too late"))).await;
    assert_eq!(log.take(), ["called"], "{report}");
    assert!(report.handlers[1..].iter().all(|handler| handler.cut.is_some()) && report.stop_ms <= 4_000, "{report}");
}

#[daemon(no_handlers)]
struct Overruns;

impl DaemonBase for Overruns {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_start_calls_its_handlers_too() {
    let log = Log::default();
    let host = Host::new("t").daemon(Broken).on_shutdown(log.slowly("closed"));
    let StartError::Failed { shutdown, .. } = host.start().await.unwrap_err() else { panic!("it is broken") };
    assert_eq!(log.take(), ["closed"]);
    assert_eq!((shutdown.exit_code, shutdown.handlers.len()), (1, 1));
}

#[daemon(no_handlers)]
struct Broken;

impl DaemonBase for Broken {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("broken".into())
    }
}

#[test]
fn impossible_limits_of_handlers_are_refused() {
    let faults = |host: Host| host.check().unwrap_err().to_string();
    assert!(faults(Host::new("t").shutdown_timeout(Duration::ZERO)).contains("the shutdown timeout is zero"));
    let told = faults(Host::new("t").stop_budget(S(2)).shutdown_timeout(S(3)));
    assert!(told.contains("the shutdown timeout of 3s is longer than the stop budget of 2s"), "{told}");
    let told = faults(Host::new("t").daemon(Patient).stop_budget(S(7)).shutdown_timeout(S(3)));
    assert!(told.contains("`patient` and that of the shutdown handlers add up to 8s, more than"), "{told}");
    assert!(Host::new("t").daemon(Patient).stop_budget(S(8)).shutdown_timeout(S(3)).check().is_ok());
    assert!(Host::new("t").shutdown_timeout(Duration::MAX).check().is_ok());
}

#[daemon(no_handlers, stop_timeout = "5s")]
struct Patient;

impl DaemonBase for Patient {}

#[tokio::test]
async fn a_host_holds_the_lock_it_was_given_from_before_its_start_to_its_end() {
    let place = place();
    let (lock, pid) = (place.lock.clone(), place.pid.clone());
    let held = move || is_daemon_alive(&lock) && read_lock_pid(&pid) == Some(std::process::id());
    let log = Log::default();
    let told = |what: &'static str| {
        let (log, held) = (log.clone(), held.clone());
        move || log.add(format!("{what}: {}", held()))
    };
    let (made, last) = (told("made"), told("last"));
    let host = Host::new("t")
        .with_lock_path(&place.lock)
        .with_pid_file(&place.pid)
        .daemon_with(move || {
            made();
            Ok::<_, daemon_core::BoxError>(Patient)
        })
        .on_shutdown(move || {
            last();
            async {}
        });
    let running = host.start().await.unwrap();
    assert_eq!(running.handle().lock().unwrap().path(), place.lock);
    assert!(DaemonLock::acquire(&place.lock).unwrap_err().is_already_running());
    let report = running.shutdown().await.unwrap();
    assert_eq!(log.take(), ["made: true", "last: true"]);
    assert!(report.is_clean(), "{report}");
    assert!(!place.lock.exists() && !place.pid.exists());
}

#[tokio::test]
async fn a_host_without_a_lock_of_its_own_has_none() {
    let running = Host::new("t").start().await.unwrap();
    assert!(running.handle().lock().is_none());
    running.shutdown().await.unwrap();
    let place = place();
    let running = Host::new("t").with_pid_file(&place.pid).start().await.unwrap();
    assert!(running.handle().lock().is_none(), "a PID file is no lock");
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_was_named_stays_whatever_is_said_of_the_lock_later() {
    let place = place();
    let running = Host::new("t").with_pid_file(&place.pid).with_lock_path(&place.lock).start().await.unwrap();
    assert!(place.pid.exists() && place.lock.exists());
    running.shutdown().await.unwrap();
    assert!(!place.pid.exists());
}

#[tokio::test]
async fn a_second_host_is_refused_and_a_failed_one_keeps_nothing() {
    let place = place();
    let host = || Host::new("t").with_lock_path(&place.lock).with_pid_file(&place.pid);
    let first = host().start().await.unwrap();
    let StartError::Instance(error) = host().start().await.unwrap_err() else { panic!("it has no lock") };
    assert_eq!((error.code, error.pid), (DaemonErrorCode::AlreadyRunning, Some(std::process::id())));
    let lock = place.lock.display();
    let message = format!("Daemon \"t\" is already running with PID {}; its lock is {lock}", std::process::id());
    assert_eq!(error.message, message);
    first.shutdown().await.unwrap();

    assert!(matches!(host().daemon(Broken).start().await.unwrap_err(), StartError::Failed { .. }));
    assert!(!place.lock.exists() && !place.pid.exists());

    std::fs::create_dir(&place.pid).unwrap();
    let StartError::Instance(error) = host().start().await.unwrap_err() else { panic!("it has no PID file") };
    assert_eq!(error.code, DaemonErrorCode::PidError);
    assert!(!is_daemon_alive(&place.lock), "the lock is not kept without the PID file");
    let StartError::Instance(error) = Host::new("t").with_lock_path(&place.pid).start().await.unwrap_err() else {
        panic!("a directory is no lock")
    };
    assert_eq!(error.code, DaemonErrorCode::StartFailed);
    assert!(error.message.contains("Daemon \"t\" cannot have its lock: the lock file is a directory"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_given_back_is_told_of() {
    let with: [fn(Host, &Place) -> Host; 2] =
        [|host, place| host.with_pid_file(&place.pid), |host, place| host.with_lock_path(&place.lock)];
    for (with, told) in with.into_iter().zip(["Failed to remove PID file", "Failed to remove lock file"]) {
        let place = place();
        let running = with(Host::new("t"), &place).start().await.unwrap();
        make_immovable(&place.pid); // and the lock beside it
        let report = running.shutdown().await.unwrap();
        assert!(report.problems[0].starts_with(told), "{report}");
        assert!(!report.is_clean() && report.to_string().contains(told), "{report}");
    }
}

/// Whoever takes a lock writes its PID a moment later, for which another waits: not on a thread of the runtime.
#[tokio::test]
async fn who_waits_to_hear_who_has_its_lock_holds_nobody_up() {
    let place = place();
    let taken = std::fs::File::create(&place.lock).unwrap();
    taken.lock().unwrap();
    let writes = async { std::fs::write(&place.lock, std::process::id().to_string()).unwrap() };
    let (started, ()) = tokio::join!(Host::new("t").with_lock_path(&place.lock).start(), writes);
    let StartError::Instance(error) = started.unwrap_err() else { panic!("it has no lock") };
    assert_eq!((error.code, error.pid), (DaemonErrorCode::AlreadyRunning, Some(std::process::id())));
}

/// Whoever finds the lock free finds nothing else of the host's.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_lock_is_given_back_last() {
    use rustix::fs::inotify;

    let place = place();
    let host = Host::new("t").with_lock_path(&place.lock).with_pid_file(&place.pid).start().await.unwrap();
    let seen = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&seen, place.lock.parent().unwrap(), inotify::WatchFlags::DELETE).unwrap();
    host.shutdown().await.unwrap();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(&seen, &mut buffer);
    let removed = std::iter::from_fn(|| events.next().ok()?.file_name().map(|name| name.to_str().unwrap().to_owned()));
    assert_eq!(removed.take(2).collect::<Vec<_>>(), ["daemon.pid", "daemon.lock"]);
}

/// Puts something in the way of a file's directory, so that the file cannot be asked for.
fn make_immovable(file: &std::path::Path) {
    let dir = file.parent().unwrap();
    let moved = dir.with_extension("moved");
    std::fs::rename(dir, &moved).unwrap();
    std::fs::write(dir, "").unwrap();
    std::fs::remove_dir_all(moved).unwrap();
}

fn process(place: &Place) -> DaemonProcess {
    DaemonProcess::builder("my-service").pid_file(&place.pid).without_signals().build()
}

#[tokio::test(start_paused = true)]
async fn a_process_starts_stops_and_starts_again() {
    let (place, log) = (place(), Log::default());
    let daemon = process(&place);
    daemon.on_shutdown(log.slowly("first"));
    daemon.on_shutdown(log.slowly("second"));
    assert_eq!((daemon.state(), daemon.is_running()), (State::Stopped, false));
    let refused = daemon.stop().await.unwrap_err();
    assert!(refused.is_not_running() && refused.message == "Daemon \"my-service\" is not running", "{refused}");
    assert!(daemon.wait().await.unwrap_err().is_not_running());
    for _ in 0..2 {
        daemon.start().await.unwrap();
        assert_eq!((daemon.state(), daemon.is_running()), (State::Running, true));
        assert_eq!(std::fs::read_to_string(&place.pid).unwrap(), std::process::id().to_string());
        let refused = daemon.start().await.unwrap_err();
        assert_eq!(refused.message, "Daemon \"my-service\" is already running");
        daemon.stop().await.unwrap();
        assert_eq!((daemon.state(), daemon.is_running()), (State::Stopped, false));
        assert!(!place.pid.exists());
        assert_eq!(log.take(), ["first", "second"], "each time");
        daemon.wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn w18_a_handler_registered_during_a_run_is_called_at_its_end_only() {
    let (place, log) = (place(), Log::default());
    let daemon = process(&place);
    daemon.on_shutdown(log.slowly("always"));
    daemon.start().await.unwrap();
    daemon.on_shutdown(log.slowly("once"));
    daemon.stop().await.unwrap();
    assert_eq!(log.take(), ["always", "once"]);
    daemon.start().await.unwrap();
    daemon.stop().await.unwrap();
    assert_eq!(log.take(), ["always"]);
}

#[tokio::test(start_paused = true)]
async fn w17_a_second_stop_waits_for_the_first_and_gets_its_answer() {
    let (place, log) = (place(), Log::default());
    let daemon = process(&place);
    daemon.on_shutdown(log.slowly("closed"));
    daemon.on_shutdown(|| async { Err::<(), _>("the disk is full") });
    daemon.start().await.unwrap();
    let first = tokio::spawn({
        let daemon = daemon.clone();
        async move { daemon.stop().await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((daemon.state(), daemon.is_running()), (State::Stopping, false));
    assert!(daemon.start().await.unwrap_err().is_already_running());
    let before = Instant::now();
    let second = daemon.stop().await.unwrap_err();
    assert_eq!((before.elapsed(), log.take().len()), (Duration::from_millis(500), 1), "it came when all was done");
    let first = first.await.unwrap().unwrap_err();
    assert_eq!((first.code, &first.message), (second.code, &second.message));
    assert_eq!(first.code, DaemonErrorCode::ShutdownFailed);
    assert!(first.has_stopped() && first.message.ends_with(": the disk is full"), "{first}");
    assert_eq!(daemon.report().unwrap().handlers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn w17_of_a_start_and_a_stop_at_once_the_stop_prevails() {
    let place = place();
    let daemon = DaemonProcess::builder("my-service")
        .pid_file(&place.pid)
        .without_signals()
        .host(|host| host.daemon(SlowStart))
        .build();
    let (started, stopped) = tokio::join!(daemon.start(), async {
        while daemon.state() != State::Starting {
            tokio::task::yield_now().await;
        }
        daemon.stop().await
    });
    assert_eq!(started.unwrap_err().code, DaemonErrorCode::StartFailed);
    stopped.unwrap();
    assert_eq!(daemon.state(), State::Stopped);
    assert!(!place.pid.exists());
}

#[daemon(no_handlers)]
struct SlowStart;

impl DaemonBase for SlowStart {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_that_overrun_are_a_shutdown_timeout() {
    let place = place();
    let daemon = DaemonProcess::builder("my-service")
        .pid_file(&place.pid)
        .without_signals()
        .shutdown_timeout(Duration::from_millis(1_500))
        .build();
    daemon.on_shutdown(std::future::pending::<()>);
    daemon.start().await.unwrap();
    let before = Instant::now();
    let refused = daemon.stop().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::ShutdownTimeout);
    assert_eq!(refused.message, "Shutdown handlers exceeded timeout of 1500ms");
    assert_eq!((before.elapsed().as_secs(), daemon.state()), (1, State::Stopped));
    assert!(!place.pid.exists());
}

#[tokio::test]
async fn what_keeps_a_process_from_starting_has_its_code() {
    let place = place();
    let other = process(&place);
    other.start().await.unwrap();
    let refused = process(&place).start().await.unwrap_err();
    assert_eq!((refused.code, refused.pid), (DaemonErrorCode::AlreadyRunning, Some(std::process::id())));
    assert_eq!(refused.message, format!("PID file already exists: {}", place.pid.display()));
    other.stop().await.unwrap();

    let daemon = DaemonProcess::builder("my-service").pid_file("/proc/daemon.pid").without_signals().build();
    let refused = daemon.start().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::PidError);
    assert!(refused.message.starts_with("Failed to write PID file: "), "{refused}");
    assert_eq!(daemon.state(), State::Stopped);

    let daemon = DaemonProcess::builder("../etc").pid_file(&place.pid).build();
    assert_eq!(daemon.start().await.unwrap_err().code, DaemonErrorCode::StartFailed);

    let daemon = DaemonProcess::builder("my-service").pid_file(&place.pid).host(|host| host.daemon(Broken)).build();
    let refused = daemon.start().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::StartFailed);
    assert!(refused.message.contains("`broken`: broken"), "{refused}");
    assert_eq!((daemon.state(), place.pid.exists()), (State::Stopped, false));
    assert_eq!(daemon.wait().await.unwrap_err().code, DaemonErrorCode::StartFailed, "that is how its last run ended");
}

#[test]
fn a_process_that_cannot_listen_to_signals_keeps_nothing_though_somebody_has_its_handle() {
    let place = place();
    let deaf = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let daemon = DaemonProcess::builder("my-service").pid_file(&place.pid).build();
    let handle = deaf.block_on(async {
        let mut start = std::pin::pin!(daemon.start());
        let handle = tokio::select! {
            biased;
            started = &mut start => panic!("at once: {started:?}"),
            () = std::future::ready(()) => daemon.handle(),
        };
        start.await.unwrap_err();
        handle
    });
    assert!(handle.is_some() && !place.pid.exists());
}

#[tokio::test]
async fn a_process_holds_the_lock_that_its_host_was_given() {
    let place = place();
    let lock = place.lock.clone();
    let host = move |host: Host| host.with_lock_path(&lock);
    let daemon = DaemonProcess::builder("my-service").pid_file(&place.pid).without_signals().host(host).build();
    daemon.start().await.unwrap();
    assert!(is_daemon_alive(&place.lock) && is_daemon_alive(&place.pid));
    daemon.stop().await.unwrap();
    assert!(!place.lock.exists() && !place.pid.exists());
}

#[tokio::test]
async fn a_pid_file_that_cannot_be_removed_is_told_of() {
    let place = place();
    let daemon = process(&place);
    daemon.start().await.unwrap();
    make_immovable(&place.pid);
    let refused = daemon.stop().await.unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::PidError);
    assert!(refused.message.starts_with("Failed to remove PID file: "), "{refused}");
    assert_eq!(daemon.state(), State::Stopped);
}

#[tokio::test(start_paused = true)]
async fn daemons_of_a_process_stop_before_its_handlers_and_come_anew_with_each_start() {
    let (place, log) = (place(), Log::default());
    let stores = log.clone();
    let daemon = DaemonProcess::builder("my-service")
        .pid_file(&place.pid)
        .without_signals()
        .host(move |host| host.daemon(Store(stores.clone())))
        .build();
    daemon.on_shutdown(log.slowly("closed"));
    for _ in 0..2 {
        daemon.start().await.unwrap();
        assert!(daemon.handle().unwrap().status().daemon("store").is_some());
        daemon.stop().await.unwrap();
        assert_eq!(log.take(), ["store cleaned up", "closed", "store dropped"]);
        assert!(daemon.handle().is_none() && daemon.report().unwrap().is_clean());
    }
}

/// Stops the process that it is a daemon of.
#[daemon]
struct Quits(Arc<Mutex<Option<DaemonProcess>>>, Log);

#[daemon]
impl Quits {
    #[every("1s")]
    async fn tick(&self) -> Result<()> {
        let process = self.0.lock().unwrap().clone().ok_or("it is not built yet")?;
        process.stop().await?;
        self.1.add("tick");
        Ok(())
    }
}

impl DaemonBase for Quits {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        let process = self.0.lock().unwrap().take().ok_or("it was stopped before")?;
        process.stop().await?;
        self.1.add("cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_stopped_from_inside_does_not_wait_for_itself() {
    let (place, log, known) = (place(), Log::default(), Arc::new(Mutex::new(None)));
    let (given, told) = (known.clone(), log.clone());
    let process = DaemonProcess::builder("my-service").pid_file(&place.pid).without_signals();
    let process = process.host(move |host| host.daemon(Quits(given.clone(), told.clone()))).build();
    *known.lock().unwrap() = Some(process.clone());
    let (stops, told) = (process.clone(), log.clone());
    process.on_shutdown(move || {
        let (stops, told) = (stops.clone(), told.clone());
        async move {
            stops.stop().await?;
            told.add("handler");
            Ok::<_, daemon_core::BoxError>(())
        }
    });
    process.start().await.unwrap();
    process.wait().await.unwrap();
    assert_eq!(log.take(), ["tick", "cleanup", "handler"]);
    assert!(process.report().unwrap().stop_ms < 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn of_two_starts_at_once_one_is_refused_and_a_process_that_runs_makes_no_other_host() {
    let (both, made) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(Mutex::new(0)));
    let (meets, counts) = (both.clone(), made.clone());
    let host = move |host: Host| {
        let count = {
            let mut counts = counts.lock().unwrap();
            *counts += 1;
            *counts
        };
        if count <= 2 {
            meets.wait(); // both have found it stopped
        }
        host
    };
    let place = place();
    let process = DaemonProcess::builder("twice").pid_file(&place.pid).without_signals().host(host).build();
    let start = || {
        let process = process.clone();
        tokio::spawn(async move { process.start().await })
    };
    let (one, other) = (start(), start());
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
    assert!(one.and(other).unwrap_err().is_already_running());
    assert!(process.start().await.unwrap_err().is_already_running());
    assert_eq!(*made.lock().unwrap(), 2, "the third start made none");
    process.stop().await.unwrap();
}

/// Fails for good, and cannot be cleaned up in time.
#[daemon(name = "fails", no_handlers, stop_timeout = "1s")]
struct Fails;
impl DaemonBase for Fails {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(cx.spawn("deaf", std::future::pending::<()>())?);
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        Err("it does not close".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_is_seen_to_start_and_to_stop_from_the_first_moment_on_and_tells_of_all_that_went_wrong() {
    let place = place();
    let daemon = DaemonProcess::builder("fails").pid_file(&place.pid).without_signals().host(|host| host.daemon(Fails));
    let daemon = daemon.build();
    {
        let mut start = std::pin::pin!(daemon.start());
        tokio::select! {
            biased;
            started = &mut start => panic!("at once: {started:?}"),
            () = std::future::ready(()) => assert_eq!(daemon.state(), State::Starting),
        }
        start.await.unwrap();
    }
    daemon.on_shutdown(|| async { Err::<(), daemon_core::BoxError>("not now".into()) });
    daemon.handle().unwrap().request_shutdown();
    assert_eq!((daemon.state(), daemon.is_running()), (State::Stopping, false));
    let told = daemon.wait().await.unwrap_err().message;
    for fault in ["cleanup: it does not close", "task `deaf` was aborted", "not now"] {
        assert!(told.contains(fault), "{told}");
    }
}

/// Loses its task, and with that its life.
#[daemon(name = "loses")]
struct Loses;
#[daemon]
impl Loses {
    #[task(restart(never))]
    async fn works(&self) -> Result<()> {
        Err("it broke".into())
    }
}
impl DaemonBase for Loses {}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_since_a_daemon_failed_tells_why() {
    let place = place();
    let daemon = DaemonProcess::builder("loses").pid_file(&place.pid).without_signals().host(|host| host.daemon(Loses));
    let daemon = daemon.build();
    daemon.start().await.unwrap();
    let told = daemon.wait().await.unwrap_err();
    assert_eq!(told.code, DaemonErrorCode::ShutdownFailed);
    assert!(told.message.contains("daemon `loses`: ") && told.message.contains("it broke"), "{told}");
}
