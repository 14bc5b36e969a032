//! How to test a daemon: embedded in the runtime of the test, with time paused.
//!
//! ```text
//! $ cargo run -p examples --example 07-testing
//! 24 ticks, watered 23 times, and it rained once
//! a day went by in less than a second: true
//! $ cargo test -p examples --example 07-testing
//! test rain_spares_an_hour_of_watering ... ok
//! ```

use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};
use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

#[derive(Event)]
#[event("garden:rained", local)]
struct Rained;

/// Waters the garden every hour, unless it rained since.
#[daemon]
#[derive(Default)]
struct Garden {
    rain: AtomicU32,
    watered: AtomicU32,
}

#[daemon]
impl Garden {
    #[on_event]
    fn rained(&self, _event: &Rained) {
        self.rain.fetch_add(1, Relaxed);
    }

    #[every("1h")]
    async fn water(&self, _cx: &Context) {
        if self.rain.swap(0, Relaxed) == 0 {
            self.watered.fetch_add(1, Relaxed);
        }
    }
}

impl DaemonBase for Garden {}

/// A day in the garden, with rain at noon. Paused time jumps to the next thing that happens, so this takes no time.
async fn a_day() -> Result<u32> {
    let host = Host::new("test").daemon(Garden::default()).start().await?;
    let handle = host.handle();
    let garden = handle.daemon::<Garden>().ok_or("the garden does not run")?;

    tokio::time::sleep(Duration::from_secs(12 * 3600 + 60)).await;
    handle.publish(Rained).await?;
    tokio::time::sleep(Duration::from_secs(12 * 3600)).await;

    let status = handle.status();
    assert_eq!(status.daemon("garden").map(|garden| garden.intervals[0].ticks), Some(24));
    let report = host.shutdown().await?;
    assert!(report.is_clean(), "nothing is left behind: {report}");
    Ok(garden.watered.load(Relaxed))
}

#[tokio::test(start_paused = true)]
async fn rain_spares_an_hour_of_watering() -> Result<()> {
    assert_eq!(a_day().await?, 23);
    Ok(())
}

/// The same outside a test.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let begun = Instant::now();
    let watered = a_day().await?;
    println!("24 ticks, watered {watered} times, and it rained once");
    println!("a day went by in less than a second: {}", begun.elapsed() < Duration::from_secs(1));
    Ok(())
}
