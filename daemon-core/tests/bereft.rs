//! A runtime that is shut down with a host in it: nothing is kept, and nobody waits in vain.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use daemon_core::{
    BoxError, Context, DaemonBase, DaemonErrorCode, DaemonProcess, Event, Host, HostHandle, QueueOptions, Result,
    State, Transition, daemon,
};
use probe::{Bomb, Log, Says};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

fn runtimes() -> [Runtime; 2] {
    let one = Builder::new_current_thread().enable_all().build().unwrap();
    [one, Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()]
}

#[derive(Event, Debug)]
#[event("bereft:word", local)]
struct Word;

/// Holds what is to be let go of, and hears nothing to its end.
#[daemon(name = "holds")]
struct Holds {
    log: Log,
    cx: Mutex<Option<Context>>,
    _gone: Says,
}
#[daemon]
impl Holds {
    #[on_event(capacity = 1)]
    async fn word(&self, _word: &Word) {
        std::future::pending().await
    }
    #[task]
    async fn works(&self, cx: &Context) {
        cx.cancelled().await;
    }
}
impl DaemonBase for Holds {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let log = self.log.clone();
        cx.register_subscription(move || log.say("unsubscribed"))?;
        let ticks = self.log.on_drop("interval gone");
        cx.register_interval("ticks", LONG, move || {
            let _held = &ticks;
            async {}
        })?;
        *self.cx.lock().unwrap() = Some(cx.clone());
        Ok(())
    }
}

#[daemon(name = "late", no_handlers)]
struct Late;
impl DaemonBase for Late {}

#[derive(Event)]
#[event("bereft:parcel", local)]
struct Parcel(#[expect(dead_code, reason = "it is dropped")] Says);

/// Fails when it is told to, and is to be started again much later.
#[daemon(name = "backs-off", optional, restart(on_failure, backoff = "1h..1h"))]
struct BacksOff(Arc<Notify>);
#[daemon]
impl BacksOff {
    #[on_event]
    fn parcel(&self, _parcel: &Parcel) {}
    #[task(restart(never))]
    async fn fails(&self) -> Result<()> {
        self.0.notified().await;
        Err("no luck".into())
    }
}
impl DaemonBase for BacksOff {}

/// Never has done cleaning up.
#[daemon(name = "endless", no_handlers, stop_timeout = "1h")]
struct Endless;
impl DaemonBase for Endless {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        std::future::pending().await
    }
}

fn holds(log: &Log) -> Holds {
    Holds { log: log.clone(), cx: Mutex::default(), _gone: log.on_drop("value gone") }
}

async fn ends<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// Everything that may wait for the host, from another runtime.
async fn waiting(handle: HostHandle, cx: Context, began: std::sync::mpsc::Sender<()>) {
    for _ in 0..2 {
        handle.publish(Word).await.unwrap(); // one is being handled, one waits
    }
    let mut pulled = cx.subscribe_all("**", QueueOptions::default()).unwrap();
    let mut tap = handle.tap("**").unwrap();
    let all = async {
        tokio::join!(
            async { drop(handle.publish(Word).await) },
            async { while pulled.recv().await.is_some() {} },
            async { while tap.recv().await.is_some() {} },
            async { cx.cancelled().await },
            async { assert!(handle.restart_daemon("restarts").await.unwrap_err().is_stopping()) },
            async { handle.stop_daemon("stops").await.unwrap() },
            async { began.send(()).unwrap() },
        )
    };
    ends("somebody who waits", all).await;
}

#[test]
fn whoever_waits_for_a_host_whose_runtime_is_gone_is_answered_and_nothing_is_kept() {
    for runtime in runtimes() {
        let (log, dir) = (Log::default(), tempfile::tempdir().unwrap());
        let (lock, fails) = (dir.path().join("lock"), Arc::new(Notify::new()));
        let host = Host::new("t").with_lock_path(&lock).daemon(holds(&log));
        let host = host
            .daemon_as("restarts", Endless)
            .daemon_as("stops", Endless)
            .daemon(BacksOff(fails.clone()))
            .daemon_as("rests", Late);
        let host = runtime.block_on(host.start()).unwrap();
        let handle = host.handle();
        runtime.block_on(handle.stop_daemon("rests")).unwrap();
        fails.notify_one();
        while handle.status().daemon("backs-off").unwrap().state != State::Backoff {
            runtime.block_on(tokio::task::yield_now());
        }
        runtime.block_on(handle.publish(Parcel(log.on_drop("parcel gone")))).unwrap(); // kept for the life that is to come
        let cx = handle.daemon::<Holds>().unwrap().cx.lock().unwrap().take().unwrap();
        let other = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (began, has_begun) = std::sync::mpsc::channel();
        let kept = cx.clone();
        let waiting = other.spawn(waiting(handle.clone(), cx, began));
        // The handler has to be called, for which a runtime of one thread needs to be in it.
        while has_begun.try_recv().is_err() {
            runtime.block_on(tokio::task::yield_now());
        }
        drop(runtime);
        other.block_on(async {
            waiting.await.unwrap();
            ends("the host", host.wait()).await.unwrap_err();
            let status = handle.status();
            assert_eq!((status.state, status.daemons[0].state), (State::Stopped, State::Stopped));
            assert_eq!(status.daemons[0].reason.as_deref(), Some("its runtime was shut down"));
            assert!(status.daemons[0].tasks.is_empty() && status.daemons[0].guards == 0, "{status:?}");
            assert!(status.daemons.iter().all(|daemon| daemon.state == State::Stopped), "{status:?}");
            assert_eq!(status.daemon("backs-off").unwrap().reason.as_deref(), Some("its runtime was shut down"));
            assert_eq!(status.daemon("rests").unwrap().reason, None, "it had stopped before");
            let rested = handle.journal().into_iter().filter(|booked| booked.daemon.as_deref() == Some("rests"));
            assert_eq!(rested.filter(|booked| booked.state == State::Stopped).count(), 1);
            // Whoever kept its context can do nothing with it, and keeps nothing by that.
            assert!(kept.spawn("more", async {}).is_err() && kept.register_subscription(|| ()).is_err());
            assert!(kept.subscribe_all("**", QueueOptions::default()).is_err());
            assert!(ends("start", handle.start_daemon("holds")).await.unwrap_err().is_stopping());
            assert!(ends("add", handle.add_daemon(Late)).await.unwrap_err().is_stopping());
            ends("publish", handle.publish(Word)).await.unwrap();
            let mut said = log.lines();
            said.sort();
            assert_eq!(said, ["interval gone", "parcel gone", "unsubscribed", "value gone"]);
            // The lock is there for the next.
            let next = Host::new("t").with_lock_path(&lock).daemon(Late).start().await.unwrap();
            let handle = next.handle();
            assert!(next.shutdown().await.unwrap().is_clean());
            let stopped = |booked: &Transition| booked.daemon.is_none() && booked.state == State::Stopped;
            let stops = handle.journal().into_iter().filter(stopped).count();
            assert_eq!(stops, 1, "a host that has ended by itself has ended once");
        });
    }
}

struct Panics;
impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

/// Whatever wakers of the user's do, the end is taken to its end.
#[test]
fn wakers_that_panic_keep_nothing_of_a_host_whose_runtime_is_gone() {
    for waits in 0..4 {
        let (log, [runtime, _]) = (Log::default(), runtimes());
        let host = Host::new("t").daemon(holds(&log)).daemon_as("restarts", Endless);
        let host = runtime.block_on(host.start()).unwrap();
        let handle = host.handle();
        let cx = handle.daemon::<Holds>().unwrap().cx.lock().unwrap().take().unwrap();
        for _ in 0..2 {
            runtime.block_on(handle.publish(Word)).unwrap();
            runtime.block_on(tokio::task::yield_now());
        }
        let (mut pulled, mut tap) =
            (cx.subscribe_all("**", QueueOptions::default()).unwrap(), handle.tap("**").unwrap());
        let mut witness = handle.tap("**").unwrap();
        let mut waits: Pin<Box<dyn Future<Output = ()>>> = match waits {
            0 => Box::pin(async { cx.cancelled().await }),
            1 => Box::pin(async { drop(pulled.recv().await) }),
            2 => Box::pin(async { drop(tap.recv().await) }),
            _ => Box::pin(async { drop(handle.restart_daemon("restarts").await) }),
        };
        let waker = Arc::new(Panics).into();
        let inside = runtime.enter();
        assert!(waits.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
        drop(inside);
        drop(runtime);
        let states = handle.status();
        let stopped = states.daemons.iter().all(|daemon| daemon.state == State::Stopped);
        assert!(stopped && states.state == State::Stopped, "{states:?}");
        let mut said = log.lines();
        said.sort();
        assert_eq!(said, ["interval gone", "unsubscribed", "value gone"]);
        let [other, _] = runtimes();
        other.block_on(ends("a tap", async { while witness.recv().await.is_some() {} }));
    }
}

/// Hands a handle out, and never has done starting.
#[daemon(name = "starting", no_handlers)]
struct Starting(std::sync::mpsc::Sender<HostHandle>);
impl DaemonBase for Starting {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        self.0.send(cx.host())?;
        std::future::pending().await
    }
}

#[test]
fn a_host_whose_runtime_is_gone_before_it_has_run_is_known_to_end() {
    for runtime in runtimes() {
        let (sender, handles) = std::sync::mpsc::channel();
        let mut start = Box::pin(Host::new("t").daemon(Starting(sender)).start());
        let handle = runtime.block_on(async {
            loop {
                tokio::select! {
                    biased;
                    ended = &mut start => panic!("it starts: {ended:?}"),
                    () = tokio::task::yield_now() => {}
                }
                if let Ok(handle) = handles.try_recv() {
                    break handle;
                }
            }
        });
        drop(runtime);
        let now = handle.readiness();
        assert!(now.stopping && !now.started && !now.ready, "{now:?}");
        let [other, _] = runtimes();
        assert!(other.block_on(ends("the start", start)).is_err());
    }
}

/// Its values panic when they are dropped.
#[daemon(name = "spiteful", no_handlers)]
struct Spiteful(#[expect(dead_code, reason = "it is dropped")] Bomb);
impl DaemonBase for Spiteful {}

#[test]
fn destructors_that_panic_keep_nothing_of_a_host_whose_runtime_is_gone() {
    for runtime in runtimes() {
        let log = Log::default();
        let host = Host::new("t").daemon_with(|| Ok::<_, BoxError>(Spiteful(Bomb("a value")))).daemon(holds(&log));
        let handle = runtime.block_on(host.start()).unwrap().handle();
        drop(runtime);
        let status = handle.status();
        let stopped = status.daemons.iter().all(|daemon| daemon.state == State::Stopped);
        assert!(stopped && status.state == State::Stopped, "{status:?}");
        assert_eq!(log.count("unsubscribed"), 1);
    }
}

#[test]
fn a_process_whose_runtime_is_gone_can_be_started_in_another() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let process = DaemonProcess::builder("t").pid_file(&pid_file).without_signals();
    let process = process.host(|host| host.daemon(Late)).build();
    let outside = AssertUnwindSafe(|| drop(pin!(process.start()).poll(&mut TaskContext::from_waker(Waker::noop()))));
    assert!(catch_unwind(outside).is_err(), "there is no runtime at all");
    for runtime in runtimes() {
        runtime.block_on(process.start()).unwrap();
        drop(runtime);
        assert_eq!((process.state(), pid_file.exists()), (State::Stopped, false));
        let [other, _] = runtimes();
        other.block_on(async {
            let ended = ends("wait", process.wait()).await.unwrap_err();
            assert_eq!(ended.code, DaemonErrorCode::ShutdownFailed, "{ended}");
            process.start().await.unwrap();
            process.stop().await.unwrap();
        });
    }
}

/// It is under way from the moment it is begun, and not only once its task is polled.
#[test]
fn a_host_whose_runtime_is_gone_before_its_task_ran_keeps_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let process = DaemonProcess::builder("t").pid_file(&pid_file).without_signals().build();
    // Asks after each task whether there is another: first that of the process, then that of its host.
    let runtime = Builder::new_current_thread().enable_all().event_interval(1).build().unwrap();
    let mut start = pin!(process.start());
    runtime.block_on(std::future::poll_fn(|cx| {
        assert!(start.as_mut().poll(cx).is_pending());
        cx.waker().wake_by_ref();
        if runtime.metrics().num_alive_tasks() < 2 { Poll::Pending } else { Poll::Ready(()) }
    }));
    let handle = process.handle().unwrap();
    let mut tap = handle.tap("**").unwrap();
    assert!(pid_file.exists());
    drop(runtime);
    assert!(!pid_file.exists(), "though somebody has a handle");
    let [other, _] = runtimes();
    other.block_on(ends("a tap", async { while tap.recv().await.is_some() {} }));
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
}

/// Waits in two places at once.
#[daemon(name = "waits", no_handlers)]
struct Waits;
impl DaemonBase for Waits {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let waits = cx.clone();
        drop(cx.spawn("waits", async move { tokio::join!(waits.cancelled(), waits.cancelled()) })?);
        Ok(())
    }
}

#[test]
fn a_runtime_that_ends_with_its_thread_ends_without_a_panic() {
    const ENDS: &str = "it ends with its runtime";
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name().is_none_or(|name| name == ENDS) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
    let ends = std::thread::Builder::new().name(ENDS.to_owned()).spawn(|| {
        RUNTIME.with(|runtime| {
            let host = runtime.block_on(Host::new("t").daemon(Waits).start()).unwrap();
            let waits = || host.handle().status().daemons[0].tasks.iter().any(|task| task.waits_in.is_some());
            while !waits() {
                runtime.block_on(tokio::task::yield_now());
            }
        });
    });
    ends.unwrap().join().unwrap();
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}
