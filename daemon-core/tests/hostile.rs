//! User code that misbehaves where nobody looks for it: wakers, the payloads of panics, what a factory or an event holds, callers
//! that never come back. It harms nobody else, and is told of.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{self, Poll, Wake, Waker};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Event, Host, Result, ShutdownReport, State, daemon};
use probe::{Bomb, Log, MS, S, assert_nothing_left, until};

/// Panics, and so does the destructor of what it panics with, and so on.
struct Endless;

impl Drop for Endless {
    fn drop(&mut self) {
        std::panic::panic_any(Self);
    }
}

fn panic_for_ever() -> Result<()> {
    std::panic::panic_any(Endless)
}

/// Panics for ever when it is dropped.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        drop(panic_for_ever());
    }
}

#[derive(Event)]
#[event("hostile:poke", local)]
struct Poke;

#[daemon(name = "panics", restart(never))]
struct Panics {
    log: Log,
    _mine: Mine,
}
#[daemon]
impl Panics {
    #[on_event]
    fn poke(&self, _: &Poke) -> Result<()> {
        let _held = Mine;
        self.log.say("handler");
        Ok(())
    }
    #[on_event]
    async fn late(&self, _: &Poke) -> Result<()> {
        tokio::task::yield_now().await;
        panic_for_ever()
    }
    #[every("1s")]
    fn tick(&self) -> Result<()> {
        self.log.say("tick");
        panic_for_ever()
    }
    #[deferred("1s")]
    async fn later(&self) -> Result<()> {
        panic_for_ever()
    }
    #[on_ready(Panics)]
    async fn ready(&self) -> Result<()> {
        panic_for_ever()
    }
    #[command]
    async fn ask(&self) -> Result<u32> {
        drop(panic_for_ever());
        Ok(1)
    }
    #[health(liveness)]
    async fn look(&self) -> Result<()> {
        panic_for_ever()
    }
    #[task(finite, restart(never))]
    async fn pump(&self, cx: &Context) -> Result<()> {
        cx.cancelled().await;
        panic_for_ever()
    }
}
impl DaemonBase for Panics {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.register_subscription(|| drop(panic_for_ever()))?;
        drop(cx.spawn("spawned", async { panic_for_ever() })?);
        let blocking = cx.spawn_blocking("blocking", panic_for_ever)?;
        let log = self.log.clone();
        drop(cx.spawn("waits", async move { log.say(format!("blocking: {}", blocking.await.unwrap_err())) })?);
        let mine = Mine;
        drop(cx.spawn("hangs", async move {
            let _mine = mine;
            std::future::pending::<()>().await
        })?);
        Ok(())
    }
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        panic_for_ever()
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        panic_for_ever()
    }
}

#[tokio::test(start_paused = true)]
async fn panics_whose_payloads_panic_are_panics_like_others() {
    let log = Log::default();
    let host = Host::new("t").daemon(Panics { log: log.clone(), _mine: Mine }).start().await.unwrap();
    let handle = host.handle();
    handle.publish(Poke).await.unwrap();
    log.said("blocking: the task panicked: a panic without a message").await;
    log.said("tick").await;
    until("both handlers failed", || {
        handle.status().daemon("panics").unwrap().subscriptions.iter().all(|s| s.failed == 1)
    })
    .await;
    assert!(Panics::client(&handle).ask().await.is_err());
    assert!(handle.run_checks().await[0].failure.is_some());
    let daemon = handle.status().daemon("panics").unwrap().clone();
    assert_eq!(daemon.state, State::Running);
    // Two handlers, a tick, deferred, ready, initialize_deferred, command, check, spawned, blocking.
    assert!(daemon.panics >= 10, "{}", daemon.panics);
    let report = host.shutdown().await.unwrap();
    assert_eq!((log.count("cleanup"), report.exit_code), (1, 75), "{report}");
    assert_nothing_left(&report);
    let problems = report.daemon("panics").unwrap().problems.join("\n");
    for part in ["cleanup: panicked", "a registered subscription panicked", "task `pump`", "destructor panicked"] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
}

/// Panics whenever it wakes, and says so.
struct Grenade(AtomicU32);

impl Wake for Grenade {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a waker");
    }
}

/// Futures that were polled once, by a waker that panics.
struct Polled<'a>(Vec<Pin<Box<dyn Future<Output = ()> + 'a>>>, Arc<Grenade>);

impl<'a> Polled<'a> {
    fn poll<T>(&mut self, future: impl Future<Output = T> + 'a) {
        let mut future: Pin<Box<dyn Future<Output = ()> + 'a>> = Box::pin(async { drop(future.await) });
        let waker = Waker::from(self.1.clone());
        assert!(future.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending());
        self.0.push(future);
    }
}

#[daemon(name = "woken", stop_timeout = "1s")]
struct Woken {
    cx: Mutex<Option<Context>>,
    log: Log,
}
#[daemon]
impl Woken {
    #[on_event(capacity = 1)]
    async fn poke(&self, _: &Poke, cx: &Context) {
        cx.cancelled().await;
    }
    #[command]
    async fn ask(&self, cx: &Context) -> Result<u32> {
        cx.cancelled().await;
        Ok(1)
    }
    #[task]
    async fn innocent(&self, cx: &Context) {
        cx.cancelled().await;
        self.log.say("innocent ended");
    }
}
impl DaemonBase for Woken {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        *self.cx.lock().unwrap() = Some(cx.clone());
        Ok(())
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.log.say("cleanup");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn wakers_that_panic_keep_no_daemon_from_its_cleanup() {
    let log = Log::default();
    let host = Host::new("t").daemon(Woken { cx: Mutex::default(), log: log.clone() }).start().await.unwrap();
    let handle = host.handle();
    let cx = handle.daemon::<Woken>().unwrap().cx.lock().unwrap().take().unwrap();
    until("the innocent task waits", || {
        handle.status().daemon("woken").unwrap().tasks.iter().any(|task| task.polls > 0)
    })
    .await;
    for _ in 0..2 {
        handle.publish(Poke).await.unwrap(); // one under way, one queued
        tokio::time::sleep(MS(1)).await;
    }
    let mut pulled = cx.subscribe::<Poke>().unwrap();
    let mut tap = cx.tap("**").unwrap();
    let hanging = cx.spawn("hangs", std::future::pending::<()>()).unwrap();
    let client = Woken::client(&handle);
    let mut polled = Polled(Vec::new(), Arc::new(Grenade(AtomicU32::new(0))));
    polled.poll(cx.cancelled());
    polled.poll(hanging);
    polled.poll(pulled.recv());
    polled.poll(tap.recv());
    polled.poll(handle.publish(Poke)); // waits for room
    polled.poll(handle.stop_daemon("woken"));
    polled.poll(client.ask());
    let report = host.shutdown().await.unwrap();
    assert_eq!((log.count("cleanup"), log.count("innocent ended")), (1, 1), "{report}\n{:?}", log.lines());
    assert!(report.left.is_nothing(), "{report}");
    assert_eq!(report.daemon("woken").unwrap().state, State::Stopped);
    assert!(polled.1.0.load(Ordering::Relaxed) > 0, "they were woken");
}

#[tokio::test(start_paused = true)]
async fn a_host_starts_though_who_waits_for_that_wakes_badly() {
    let (sender, handles) = std::sync::mpsc::channel();
    let mut polled = Polled(Vec::new(), Arc::new(Grenade(AtomicU32::new(0))));
    polled.poll(Host::new("t").daemon(First(sender)).start());
    until("it runs", || polled.1.0.load(Ordering::Relaxed) > 0).await;
    let handle = handles.recv().unwrap();
    until("it goes on", || handle.readiness().ready).await;
    handle.stop_daemon("first").await.unwrap();
}

#[daemon(name = "held", no_handlers)]
struct Held(#[expect(dead_code, reason = "held, so that its end shows")] Arc<()>);
impl DaemonBase for Held {}

#[daemon(name = "slow", requires(Held))]
struct Slow(#[expect(dead_code, reason = "held, so that its end shows")] Arc<()>);
#[daemon]
impl Slow {
    #[command]
    async fn ask(&self, cx: &Context) -> Result<u32> {
        cx.cancelled().await;
        Ok(1)
    }
    #[health(liveness, timeout = "1h")]
    async fn look(&self, cx: &Context) {
        cx.cancelled().await;
    }
}
impl DaemonBase for Slow {
    async fn reload(&self, _: &daemon_core::Configuration, cx: &Context) -> Result<()> {
        cx.cancelled().await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_never_looks_again_keeps_no_value_alive() {
    let value = Arc::new(());
    let host = Host::new("t").daemon(Held(value.clone())).daemon(Slow(value.clone())).start().await.unwrap();
    let handle = host.handle();
    let client = Slow::client(&handle);
    let mut call = pin!(client.ask());
    let mut checks = pin!(handle.run_checks());
    let mut reload = pin!(handle.reload());
    let mut restart = pin!(handle.restart_daemon("slow"));
    let mut cx = task::Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    assert!(checks.as_mut().poll(&mut cx).is_pending());
    assert!(reload.as_mut().poll(&mut cx).is_pending());
    assert!(restart.as_mut().poll(&mut cx).is_pending());
    let report = host.shutdown().await.unwrap();
    assert_nothing_left(&report);
    assert_eq!(Arc::strong_count(&value), 1, "somebody holds a value");
    assert!(matches!(call.poll(&mut cx), Poll::Ready(Err(_)) | Poll::Ready(Ok(1))));
}

#[daemon(name = "made", no_handlers)]
struct Made;
impl DaemonBase for Made {}

#[tokio::test(start_paused = true)]
async fn a_factory_whose_destructor_panics_is_told_of() {
    let bomb = Bomb("the factory");
    let factory = move || {
        let _held = &bomb;
        Ok::<_, std::io::Error>(Made)
    };
    let host = Host::new("t").daemon_with(factory).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.daemon("made").unwrap().problems, ["the daemon's destructor panicked: the factory"], "{report}");
    assert_eq!(report.exit_code, 1);
}

/// Blocks whoever drops it, for an hour.
struct Tar;

impl Drop for Tar {
    fn drop(&mut self) {
        std::thread::sleep(S(3_600));
    }
}

#[derive(Event)]
#[event("hostile:last", local, retain)]
struct Last(Tar);

#[daemon(name = "keeps", no_handlers)]
struct Keeps;
impl DaemonBase for Keeps {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.publish(Last(Tar)).await?;
        cx.request_shutdown();
        Ok(())
    }
}

/// Runs a host that ends by itself; how long that took.
fn run(host: Host) -> Duration {
    let begun = std::time::Instant::now();
    let _code = host.without_lock().quiet().workers(1).run();
    begun.elapsed()
}

#[tokio::test]
#[should_panic(expected = "call it from a plain `fn main() -> ExitCode`, or write `host.start().await` here")]
async fn who_runs_a_host_within_a_runtime_is_told_what_to_write() {
    let _code = Host::new("t").without_lock().quiet().run();
}

#[test]
fn a_retained_event_whose_destructor_blocks_keeps_no_process_from_its_end() {
    assert!(run(Host::new("t").daemon(Keeps)) < S(20));
}

#[tokio::test(start_paused = true)]
async fn steering_from_inside_every_hook_is_answered() {
    #[daemon(name = "steers", stop_timeout = "2s")]
    #[derive(Default)]
    struct Steers(Log);
    #[daemon]
    impl Steers {
        #[on_ready(Made)]
        async fn ready(&self, cx: &Context) {
            steer(&self.0, "ready", cx).await;
        }
        #[on_event]
        async fn poke(&self, _: &Poke, cx: &Context) {
            steer(&self.0, "handler", cx).await;
        }
        #[command]
        async fn ask(&self, cx: &Context) -> Result<()> {
            steer(&self.0, "command", cx).await;
            Ok(())
        }
        #[health(liveness, timeout = "10s")]
        async fn look(&self, cx: &Context) {
            steer(&self.0, "check", cx).await;
        }
    }
    impl DaemonBase for Steers {
        async fn initialize(&self, cx: &Context) -> Result<()> {
            steer(&self.0, "initialize", cx).await;
            Ok(())
        }
        async fn reload(&self, _: &daemon_core::Configuration, cx: &Context) -> Result<()> {
            steer(&self.0, "reload", cx).await;
            Ok(())
        }
        async fn cleanup(&self, cx: &Context) -> Result<()> {
            steer(&self.0, "cleanup", cx).await;
            Ok(())
        }
    }
    /// Does all that can be done to hosts, once at each place.
    async fn steer(log: &Log, place: &'static str, cx: &Context) {
        if log.has(place) {
            return;
        }
        log.say(place);
        let host = cx.host();
        drop(host.start_daemon("steers").await);
        drop(host.restart_daemon("steers").await);
        drop(host.restart_daemon("made").await);
        drop(host.stop_daemon("made").await);
        drop(host.start_daemon("made").await);
        drop(host.add_daemon_as(&format!("made-{place}"), Made).await);
        drop(host.reload().await);
        drop(host.run_checks().await);
        log.say(format!("{place} done"));
    }
    let log = Log::default();
    let host = Host::new("t").daemon(Made).daemon(Steers(log.clone())).start();
    let host = tokio::time::timeout(S(300), host).await.expect("it starts").unwrap();
    let handle = host.handle();
    log.said("ready").await;
    // What comes while it stops for a restart is abandoned.
    while !log.has("handler") {
        handle.publish(Poke).await.unwrap();
        tokio::time::sleep(MS(1)).await;
    }
    let runs = || until("it runs", || handle.status().daemon("steers").unwrap().state == State::Running);
    runs().await;
    drop(tokio::time::timeout(S(300), Steers::client(&handle).ask()).await.expect("the command is answered"));
    runs().await;
    drop(tokio::time::timeout(S(300), handle.run_checks()).await.expect("the checks are answered"));
    runs().await;
    drop(tokio::time::timeout(S(300), handle.reload()).await.expect("the reload is answered"));
    let report = tokio::time::timeout(S(30), host.shutdown()).await.expect("it stops").unwrap();
    assert_nothing_left(&report);
    for place in ["initialize", "ready", "handler", "command", "check", "reload", "cleanup"] {
        assert!(log.has(place), "{place}: {:?}", log.lines());
    }
}

/// A handler waits for a command that restarts, through another, the handler's own daemon.
#[tokio::test(start_paused = true)]
async fn what_a_command_waits_for_does_not_wait_for_who_waits_for_the_command() {
    #[daemon(name = "asks")]
    struct Asks(Log);
    #[daemon]
    impl Asks {
        #[on_event]
        async fn poke(&self, _: &Poke, cx: &Context) -> Result<()> {
            Restarts::client(cx).further().await?;
            self.0.say("asked");
            Ok(())
        }
    }
    impl DaemonBase for Asks {
        async fn initialize(&self, _cx: &Context) -> Result<()> {
            self.0.say("started");
            Ok(())
        }
    }
    #[daemon(name = "restarts")]
    struct Restarts;
    #[daemon]
    impl Restarts {
        #[command]
        async fn further(&self, cx: &Context) -> Result<()> {
            Ok(Self::client(cx).restart().await?)
        }
        #[command]
        async fn restart(&self, cx: &Context) -> Result<()> {
            Ok(cx.host().restart_daemon("asks").await?)
        }
    }
    impl DaemonBase for Restarts {}

    let log = Log::default();
    let host = Host::new("t").daemon(Restarts).daemon(Asks(log.clone())).start().await.unwrap();
    let began = tokio::time::Instant::now();
    host.handle().publish(Poke).await.unwrap();
    until("it has restarted", || log.lines() == ["started", "asked", "started"]).await;
    assert!(began.elapsed() < S(1), "nobody was waited for in vain: {:?}", began.elapsed());
    // Who does not wait for anything of it waits until it runs again.
    Restarts::client(host.handle()).restart().await.unwrap();
    assert_eq!(log.lines(), ["started", "asked", "started", "started"]);
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_nothing_left(&report);
}

/// What is asked of a host while it is being added to, restarted and reloaded at once ends, and it is whole afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once_is_answered() {
    let host = Host::new("t").daemon(Made).daemon(Woken { cx: Mutex::default(), log: Log::default() });
    let host = host.start().await.unwrap();
    let mut asked = Vec::new();
    for number in 0..40 {
        let handle = host.handle();
        asked.push(tokio::spawn(async move {
            match number % 6 {
                0 => drop(handle.restart_daemon("made").await),
                1 => drop(handle.stop_daemon("made").await),
                2 => drop(handle.start_daemon("made").await),
                3 => drop(handle.add_daemon_as(&format!("made-{number}"), Made).await),
                4 => drop(handle.reload().await),
                _ => drop(handle.status()),
            }
        }));
    }
    for answer in asked {
        tokio::time::timeout(S(60), answer).await.expect("an answer").unwrap();
    }
    assert_eq!(host.handle().status().daemons.len(), 2 + 7);
    let report: ShutdownReport = host.shutdown().await.unwrap();
    assert_nothing_left(&report);
    assert!(report.is_clean(), "{report}");
}

/// Notices commands that begin while it is cleaned up, which takes until those who ask have asked again.
#[daemon(name = "asked")]
#[derive(Default)]
struct Asked {
    cleaning: AtomicBool,
    asked: Arc<AtomicU32>,
    late: AtomicU32,
}
#[daemon]
impl Asked {
    #[command]
    async fn ask(&self) -> Result<()> {
        self.late.fetch_add(u32::from(self.cleaning.load(Ordering::SeqCst)), Ordering::SeqCst);
        Ok(())
    }
}
impl DaemonBase for Asked {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.cleaning.store(true, Ordering::SeqCst);
        let until = self.asked.load(Ordering::SeqCst) + 4_000;
        while self.asked.load(Ordering::SeqCst) < until {
            std::thread::yield_now();
        }
        self.cleaning.store(false, Ordering::SeqCst);
        Ok(())
    }
}

/// Who asks found the daemon running, and may come with the command only when it no longer is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_begins_beside_a_cleanup() {
    let asked = Arc::new(AtomicU32::new(0));
    let host = Host::new("t").daemon(Asked { asked: asked.clone(), ..Asked::default() }).start().await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..12)
        .map(|_| {
            let (handle, asked, over) = (host.handle(), asked.clone(), over.clone());
            std::thread::spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let client = Asked::client(&handle);
                    let call = pin!(client.ask());
                    let _: Poll<_> = call.poll(&mut task::Context::from_waker(Waker::noop()));
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..30 {
        host.handle().restart_daemon("asked").await.unwrap();
    }
    let late = host.handle().daemon::<Asked>().unwrap().late.load(Ordering::SeqCst);
    let report = host.shutdown().await.unwrap();
    over.store(true, Ordering::SeqCst);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    assert_eq!(late, 0, "commands ran beside a cleanup");
    assert_nothing_left(&report);
}

/// Says on which thread it is dropped.
#[daemon(name = "dropped", no_handlers)]
struct Dropped(Arc<Mutex<Vec<std::thread::ThreadId>>>);
impl DaemonBase for Dropped {}
impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(std::thread::current().id());
    }
}

#[daemon(name = "first", no_handlers)]
struct First(std::sync::mpsc::Sender<daemon_core::HostHandle>);
impl DaemonBase for First {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        Ok(self.0.send(cx.host())?)
    }
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(MS(5)).await;
        Ok(())
    }
}

/// What is added in the very moment of the end is refused, or stopped and dropped on the workers.
#[test]
fn daemons_that_are_added_while_the_host_ends_are_all_dropped_and_none_on_its_thread() {
    for round in 0..12 {
        let (sender, handle) = std::sync::mpsc::channel();
        let host = std::thread::spawn(move || {
            let _code = Host::new("t").daemon(First(sender)).without_lock().quiet().workers(2).run();
            std::thread::current().id()
        });
        let (handle, dropped) = (handle.recv().unwrap(), Arc::<Mutex<Vec<_>>>::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let adders: Vec<_> = (0..12)
            .map(|adder| {
                let (handle, dropped, inside) = (handle.clone(), Arc::clone(&dropped), runtime.handle().clone());
                std::thread::spawn(move || {
                    for number in 0.. {
                        let name = format!("added-{adder}-{number}");
                        let added = inside.block_on(handle.add_daemon_as(&name, Dropped(dropped.clone())));
                        if added.is_err() {
                            return number + 1;
                        }
                    }
                    0
                })
            })
            .collect();
        while handle.status().daemons.len() < 20 + round {
            std::thread::yield_now();
        }
        handle.request_shutdown();
        let made: usize = adders.into_iter().map(|adder| adder.join().unwrap()).sum();
        let host = host.join().unwrap();
        let dropped = dropped.lock().unwrap();
        assert_eq!(dropped.len(), made, "each is dropped once");
        assert!(!dropped.contains(&host), "one was dropped on the main thread");
        let status = handle.status();
        let open = status.daemons.iter().find(|daemon| daemon.state != State::Stopped);
        assert!(open.is_none(), "{open:?}");
    }
}
