//! Hosts in which user code never ends, and says `stuck` on standard output once it is there.

use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Event, Host, Result, SubscriptionStatus, daemon};

use tokio::sync::Notify;

use super::{FOR_EVER, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "handler" => host.daemon(Beside).daemon(InHandler),
        "isolated" => host.workers(2).daemon(Beside).daemon(InIsolated),
        "tick" => host.daemon(Beside).daemon(InTick),
        "workers" => host.workers(2).daemon(Beside).daemon(OnWorkers { threads: 2 }),
        "one-worker" => host.workers(1).daemon(Beside).daemon(OnWorkers { threads: 1 }),
        "blocking-work" => host.daemon(Beside).daemon(InBlockingWork),
        "deadlock" => host.workers(2).daemon(Beside).daemon(Deadlock::default()),
        "initialize" => host.workers(2).daemon(Beside).daemon(InInitialize),
        "initialize-alone" => host.workers(1).daemon(Beside).daemon(InInitialize),
        "beside-a-start" => {
            let begun = Arc::new(Notify::new());
            host.workers(1).daemon(BesideAStart(begun.clone())).daemon(Starts(begun))
        }
        "elsewhere-in-a-start" => host.workers(1).daemon(ElsewhereInAStart),
        "cleanup" => host.workers(2).daemon(Beside).daemon(InCleanup),
        "after-a-timer" => host.workers(2).daemon(Beneath).daemon(AfterATimer),
        "drop" => host.daemon(Beside).daemon(InDrop),
        "drop-above" => host.workers(1).daemon(Beneath).daemon(DropAbove(InDrop)),
        "for-a-while" => {
            let (lets_go, let_go) = std::sync::mpsc::channel();
            let releases = Releases(Mutex::new(Some(lets_go)));
            host.workers(3).daemon(releases).daemon(ForAWhile(Mutex::new(let_go)))
        }
        "made-drop" => host.daemon(Beside).daemon_with(|| Ok::<_, daemon_core::BoxError>(InDrop)),
        "shutdown-handler" => host.daemon(Witness).on_shutdown(|| async { stuck() }),
        "unstarted-drop" => host.daemon(Sleeper).daemon(Unstarted),
        "load" => host
            .workers(2)
            .configuration((), || {
                stuck();
                Ok::<_, daemon_core::BoxError>(())
            })
            .daemon(Beside),
        "exit-handler" => {
            block_the_exit();
            host.workers(1).daemon(Beside).daemon(OnWorkers { threads: 1 })
        }
        "exit-words" => {
            speak_at_the_exit();
            host.workers(1).daemon(Beside).daemon(OnWorkers { threads: 1 })
        }
        "retained" => host.daemon(Retains),
        "full-stderr" => host.daemon(Beside).daemon(Talker),
        "locked-stderr" => {
            lock_stderr();
            host.daemon(Witness)
        }
        "locked-stderr-log" => {
            lock_stderr();
            host.workers(1).daemon(Beside).daemon(Complainer)
        }
        _ => return Err(unknown(which)),
    })
}

fn stuck() {
    println!("stuck");
    std::thread::sleep(FOR_EVER);
}

/// Has the thread that ends the process say so, once the thread that would end it at once is there and sleeps.
fn speak_at_the_exit() {
    struct AtTheExit;
    impl Drop for AtTheExit {
        fn drop(&mut self) {
            let sleeps = |stat: &str| stat.contains("(daemon-exit) S");
            let stats = || std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            let is_there = || {
                stats().any(|task| std::fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| sleeps(&stat)))
            };
            while !is_there() {
                std::thread::yield_now();
            }
            println!("last words");
        }
    }
    thread_local! {
        static LAST: AtTheExit = const { AtTheExit };
    }
    LAST.with(|_| {});
}

/// Blocks the thread that ends the process: its thread-local values are dropped on the way.
fn block_the_exit() {
    struct AtTheExit;
    impl Drop for AtTheExit {
        fn drop(&mut self) {
            std::thread::sleep(FOR_EVER);
        }
    }
    thread_local! {
        static LAST: AtTheExit = const { AtTheExit };
    }
    LAST.with(|_| {});
}

/// Runs, and blocks its thread once another daemon starts.
#[daemon(name = "beside-a-start")]
struct BesideAStart(Arc<Notify>);

#[daemon]
impl BesideAStart {
    #[task]
    async fn block(&self) {
        self.0.notified().await;
        stuck();
    }
}

impl DaemonBase for BesideAStart {}

/// Begins to start.
#[daemon(name = "starts", no_handlers)]
struct Starts(Arc<Notify>);

impl DaemonBase for Starts {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.0.notify_one();
        std::future::pending().await
    }
}

/// Blocks its thread behind the host's back, and never has done starting.
#[daemon(name = "elsewhere-in-a-start", no_handlers)]
struct ElsewhereInAStart;

impl DaemonBase for ElsewhereInAStart {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::spawn(async { stuck() });
        std::future::pending().await
    }
}

/// An event that is kept to the end, and whose destructor blocks.
#[derive(Event)]
#[event("stuck:retained", local, retain)]
struct Retained;

impl Drop for Retained {
    fn drop(&mut self) {
        std::thread::sleep(FOR_EVER);
    }
}

#[daemon(name = "retains", no_handlers)]
struct Retains;

impl DaemonBase for Retains {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        cx.publish(Retained).await?;
        println!("stuck");
        Ok(())
    }
}

/// Holds standard error for ever, in a thread of which the host knows nothing.
fn lock_stderr() {
    let (sender, locked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _stderr = std::io::stderr().lock();
        let _ = sender.send(()); // nobody can have gone
        std::thread::sleep(FOR_EVER);
    });
    locked.recv().unwrap_or_default();
}

/// Ends well whenever it gets a thread to end on.
#[daemon(name = "beside", no_handlers)]
struct Beside;

impl DaemonBase for Beside {}

/// Says when its host runs.
#[daemon(name = "witness", no_handlers)]
struct Witness;

impl DaemonBase for Witness {
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        println!("stuck"); // as good as
        Ok(())
    }
}

#[derive(Event)]
#[event("stuck:poked", local)]
struct Poked;

#[daemon(name = "in-handler")]
struct InHandler;

#[daemon]
impl InHandler {
    #[on_event]
    async fn poked(&self, _event: &Poked) {
        stuck();
    }

    #[deferred("1ms")]
    async fn poke(&self, cx: &Context) -> Result<()> {
        Ok(cx.publish(Poked).await?)
    }
}

impl DaemonBase for InHandler {}

/// One handler blocks its thread by itself, while its neighbour handles on.
#[daemon(name = "in-isolated")]
struct InIsolated;

#[daemon]
impl InIsolated {
    #[on_event(isolated)]
    async fn poked(&self, _event: &Poked) {
        std::thread::sleep(FOR_EVER);
    }

    #[on_event]
    fn counted(&self, _event: &Poked) {}

    #[deferred("1ms")]
    async fn poke(&self, cx: &Context) -> Result<()> {
        for pokes in 1..=3 {
            cx.publish(Poked).await?;
            let is_there = |handler: &SubscriptionStatus| match handler.name.as_str() {
                "poked" => handler.in_flight == 1,
                _ => handler.handled == pokes,
            };
            while !cx.host().status().daemon(cx.name()).is_some_and(|daemon| daemon.subscriptions.iter().all(is_there))
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        println!("stuck");
        Ok(())
    }
}

impl DaemonBase for InIsolated {}

#[daemon(name = "in-tick")]
struct InTick;

#[daemon]
impl InTick {
    #[every("10ms")]
    fn sweep(&self) {
        stuck();
    }
}

impl DaemonBase for InTick {}

/// Blocks so many workers at once.
#[daemon(name = "on-workers", no_handlers)]
struct OnWorkers {
    threads: usize,
}

impl DaemonBase for OnWorkers {
    async fn initialize_deferred(&self, cx: &Context) -> Result<()> {
        let all = Arc::new(Barrier::new(self.threads));
        for _ in 0..self.threads {
            let all = all.clone();
            drop(cx.spawn("block", async move {
                if all.wait().is_leader() {
                    println!("stuck");
                }
                std::thread::sleep(FOR_EVER);
            })?);
        }
        Ok(())
    }
}

#[daemon(name = "in-blocking-work", no_handlers)]
struct InBlockingWork;

impl DaemonBase for InBlockingWork {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(cx.spawn_blocking("vacuum", stuck)?);
        Ok(())
    }
}

#[daemon(name = "deadlock", no_handlers)]
#[derive(Default)]
struct Deadlock {
    locks: Arc<(Mutex<()>, Mutex<()>)>,
}

impl DaemonBase for Deadlock {
    async fn initialize_deferred(&self, cx: &Context) -> Result<()> {
        let (locks, both) = (self.locks.clone(), Arc::new(Barrier::new(2)));
        let (other, met) = (locks.clone(), both.clone());
        let embrace = |first: &Mutex<()>, second: &Mutex<()>, both: &Barrier| {
            let _first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if both.wait().is_leader() {
                println!("stuck");
            }
            let _second = second.lock().unwrap_or_else(PoisonError::into_inner);
        };
        drop(cx.spawn("left", async move { embrace(&other.0, &other.1, &met) })?);
        drop(cx.spawn("right", async move { embrace(&locks.1, &locks.0, &both) })?);
        Ok(())
    }
}

#[daemon(name = "in-initialize", no_handlers)]
struct InInitialize;

impl DaemonBase for InInitialize {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        stuck();
        Ok(())
    }
}

#[daemon(name = "in-cleanup", no_handlers)]
struct InCleanup;

impl DaemonBase for InCleanup {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("stuck"); // as good as
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        std::thread::sleep(FOR_EVER);
        Ok(())
    }
}

/// Blocks the worker that wakes for its timer, and so the one that has the watch over all timers.
#[daemon(name = "after-a-timer", no_handlers, requires(Beneath))]
struct AfterATimer;

impl DaemonBase for AfterATimer {
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        println!("stuck"); // as good as
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::thread::sleep(FOR_EVER);
        Ok(())
    }
}

/// Is to be stopped after it.
#[daemon(name = "beneath", no_handlers)]
struct Beneath;

impl DaemonBase for Beneath {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("cleaned up beneath");
        Ok(())
    }
}

#[daemon(name = "in-drop", no_handlers)]
struct InDrop;

impl DaemonBase for InDrop {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("stuck"); // as good as
        Ok(())
    }
}

impl Drop for InDrop {
    fn drop(&mut self) {
        std::thread::sleep(FOR_EVER);
    }
}

/// Its destructor blocks the only worker before what it requires is dropped.
#[daemon(name = "drop-above", no_handlers, requires(Beneath))]
struct DropAbove(InDrop);

impl DaemonBase for DropAbove {
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        println!("stuck"); // as good as
        Ok(())
    }
}

/// Blocks its thread beyond its own stop.
#[daemon(name = "for-a-while", requires(Releases), stop_timeout = "100ms")]
struct ForAWhile(Mutex<std::sync::mpsc::Receiver<()>>);

#[daemon]
impl ForAWhile {
    #[task]
    async fn block(&self) {
        println!("stuck");
        let let_go = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let_go.recv().unwrap_or_default(); // by a hang-up
    }
}

impl DaemonBase for ForAWhile {}

/// Lets it go in its own stop, which comes after that, and waits until it has ended.
#[daemon(name = "releases", no_handlers)]
struct Releases(Mutex<Option<std::sync::mpsc::Sender<()>>>);

impl DaemonBase for Releases {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        while cx.host().status().daemon("for-a-while").is_some_and(|daemon| !daemon.tasks.is_empty()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// Keeps the one behind it from starting, and the host from stopping.
#[daemon(name = "sleeper", no_handlers)]
struct Sleeper;

impl DaemonBase for Sleeper {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("stuck"); // as good as
        tokio::time::sleep(FOR_EVER).await;
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("cleaning up");
        tokio::time::sleep(FOR_EVER).await;
        Ok(())
    }
}

/// Never started, so that nobody but the host holds its value.
#[daemon(name = "unstarted", no_handlers, requires(Sleeper))]
struct Unstarted;

impl DaemonBase for Unstarted {}

impl Drop for Unstarted {
    fn drop(&mut self) {
        std::thread::sleep(FOR_EVER);
    }
}

/// Writes until nobody reads any more.
#[daemon(name = "talker")]
struct Talker;

#[daemon]
impl Talker {
    #[every("10ms")]
    fn talk(&self) {
        println!("stuck"); // soon
        loop {
            eprintln!("and another thing");
        }
    }
}

impl DaemonBase for Talker {}

/// Fails again and again, which is logged to standard error.
#[daemon(name = "complainer")]
struct Complainer;

#[daemon]
impl Complainer {
    #[every("10ms")]
    async fn complain(&self) -> Result<()> {
        println!("complaining");
        Err("as always".into())
    }
}

impl DaemonBase for Complainer {}
