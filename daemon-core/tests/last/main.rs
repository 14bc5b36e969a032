//! What a host does first and last: its lock, its PID file, its shutdown handlers; and the same by hand, as a process.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod process;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon_core::instance::{DaemonLock, Environment, Layout, Scope, is_daemon_alive, read_lock_pid};
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
    assert!(report.handlers[0].name.starts_with("daemon-core/tests/last/main.rs:"), "{report}");
    assert!(report.to_string().contains("  shutdown handler daemon-core/tests/last/main.rs:"), "{report}");
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

#[test]
fn a_host_of_the_system_has_its_files_where_the_system_has_them() {
    let (users, systems) = (Host::new("t"), Host::new("t").system());
    assert_eq!((users.scope(), systems.scope()), (Scope::User, Scope::System));
    let layout = Layout::new("t", Scope::System, Environment::current()).unwrap();
    assert_eq!(systems.lock_path().unwrap(), Some(layout.lock().unwrap()));
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
