//! Hosts in which nothing goes wrong.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use daemon_core::{Configuration, Context, DaemonBase, Event, Host, QueueOptions, Result, daemon};

use super::{FOR_EVER, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "idle" => host.daemon(Idle),
        "asleep" => host.daemon(Asleep),
        "paced" => host.daemon(Paced),
        "ticking" => host.daemon(Ticking::default()),
        "configured" => host.configuration(settings()?, settings).daemon(Configured),
        "settled-late" => settled_late(host).daemon(Idle),
        "slow-stop" => host.daemon(SlowStop),
        "waiting" => host.daemon(Waiting).daemon(Idle).daemon(SlowStart),
        "slow-start" => host.daemon(Idle).daemon(SlowStart).daemon(Later),
        _ => return Err(unknown(which)),
    })
}

/// Hears late what the start came to: some time after the host has stopped.
fn settled_late(host: Host) -> Host {
    let (sender, stopped) = std::sync::mpsc::channel();
    let host = host.on_settled(move |_| {
        let _ = stopped.recv(); // or the host is gone
        std::thread::sleep(Duration::from_millis(200));
        eprintln!("settled");
    });
    host.on_shutdown(move || async move {
        let _ = sender.send(()); // who hears may be gone
    })
}

#[daemon(name = "idle", no_handlers)]
struct Idle;

impl DaemonBase for Idle {}

/// Has thousands of intervals that are not due, and subscriptions that nobody publishes to.
#[daemon(name = "asleep", no_handlers)]
struct Asleep;

#[derive(Event, serde::Serialize)]
#[event("asleep:*")]
struct Never;

impl DaemonBase for Asleep {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        for n in 0..10_000 {
            cx.register_interval(&format!("n{n}"), FOR_EVER + Duration::from_millis(n), || async {})?;
        }
        for n in 0..1_000 {
            let subscription = cx.subscribe_to::<Never>(&format!("asleep:n{n}"), QueueOptions::default())?;
            cx.register_subscription(subscription)?;
        }
        Ok(())
    }
}

/// Counts its ticks aloud, and at the end what was skipped.
#[daemon(name = "ticking")]
#[derive(Default)]
struct Ticking {
    ticks: AtomicU64,
}

#[daemon]
impl Ticking {
    #[every("100ms")]
    fn tick(&self) {
        println!("tick {}", self.ticks.fetch_add(1, Ordering::Relaxed) + 1);
    }
}

impl DaemonBase for Ticking {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let status = cx.host().status();
        println!("skipped {}", status.daemons[0].intervals.iter().map(|interval| interval.skipped).sum::<u64>());
        Ok(())
    }
}

/// Ticks every second by each policy, and tells how often it did and did not.
#[daemon(name = "paced")]
struct Paced;

#[daemon]
impl Paced {
    #[every("1s")]
    fn skip(&self) {}

    #[every("1s", missed = catch_up_once)]
    fn once(&self) {}

    #[every("1s", missed = burst)]
    fn burst(&self) {}

    #[every("100ms")]
    fn tell(&self, cx: &Context) {
        let told: Vec<_> = cx.intervals().iter().map(|it| format!("{} {} {}", it.name, it.ticks, it.skipped)).collect();
        println!("{}", told.join(" "));
    }
}

impl DaemonBase for Paced {}

/// Takes its time to clean up, within its stop timeout.
#[daemon(name = "slow-stop", no_handlers)]
struct SlowStop;

impl DaemonBase for SlowStop {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("cleaning up");
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!("cleaned up");
        Ok(())
    }
}

/// Never gets ready by itself.
#[daemon(name = "slow-start", no_handlers, requires(Idle))]
struct SlowStart;

impl DaemonBase for SlowStart {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("initialising");
        tokio::time::sleep(FOR_EVER).await;
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("cleaned up");
        Ok(())
    }
}

/// What the file that a variable names says.
/// Takes its time with what is slow.
fn settings() -> Result<String> {
    let text = std::fs::read_to_string(std::env::var("SUBJECT_SETTINGS")?)?;
    if text == "slow" {
        println!("loading");
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(text)
}

/// Says what it has, and refuses what is bad.
#[daemon(name = "configured", no_handlers)]
struct Configured;

impl DaemonBase for Configured {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        println!("has {}", cx.configuration().get::<String>()?);
        Ok(())
    }

    async fn check_reload(&self, next: &Configuration, _cx: &Context) -> Result<()> {
        let text = next.get::<String>()?;
        if text == "bad" { Err("bad is bad".into()) } else { Ok(()) }
    }

    async fn reload(&self, next: &Configuration, _cx: &Context) -> Result<()> {
        println!("has {}", next.get::<String>()?);
        Ok(())
    }
}

/// Waits for the start of another, with a waker of its own.
#[daemon(name = "waiting", no_handlers)]
struct Waiting;

impl DaemonBase for Waiting {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let host = cx.host();
        std::thread::spawn(move || {
            let mut start = std::pin::pin!(host.start_daemon("slow-start"));
            let (sender, woken) = std::sync::mpsc::channel();
            let waker = Waker::from(Arc::new(Says(sender)));
            let mut cx = std::task::Context::from_waker(&waker);
            while start.as_mut().poll(&mut cx).is_pending() {
                println!("waiting");
                if woken.recv().is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}

/// Says which thread wakes it.
struct Says(std::sync::mpsc::Sender<()>);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        println!("woken by {:?}", std::thread::current().name());
        self.0.send(()).unwrap_or_default();
    }
}

/// Never starts, since what it requires does not.
#[daemon(name = "later", no_handlers, requires(SlowStart))]
struct Later;

impl DaemonBase for Later {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("started too early");
        Ok(())
    }
}
