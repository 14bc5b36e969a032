//! Hosts in which nothing goes wrong.

use std::time::Duration;

use daemon_core::{Context, DaemonBase, Event, Host, QueueOptions, Result, daemon};

use super::{FOR_EVER, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "idle" => host.daemon(Idle),
        "asleep" => host.daemon(Asleep),
        "paced" => host.daemon(Paced),
        "slow-stop" => host.daemon(SlowStop),
        "slow-start" => host.daemon(Idle).daemon(SlowStart).daemon(Later),
        _ => return Err(unknown(which)),
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

/// Never starts, since what it requires does not.
#[daemon(name = "later", no_handlers, requires(SlowStart))]
struct Later;

impl DaemonBase for Later {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("started too early");
        Ok(())
    }
}
