//! Hosts in which nothing goes wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Host, Result, daemon};

use super::{FOR_EVER, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "idle" => host.daemon(Idle),
        "ticking" => host.daemon(Ticking::default()),
        "slow-stop" => host.daemon(SlowStop),
        "slow-start" => host.daemon(Idle).daemon(SlowStart).daemon(Later),
        _ => return Err(unknown(which)),
    })
}

#[daemon(name = "idle", no_handlers)]
struct Idle;

impl DaemonBase for Idle {}

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
