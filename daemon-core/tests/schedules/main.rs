//! Schedules: what becomes of ticks that come in each other's way, or in that of a pause; periods, cron expressions, and
//! intervals steered by name.
#![allow(clippy::unwrap_used, reason = "a test states what it expects")]

mod cron;
mod driver;
#[path = "../log/mod.rs"]
mod log;
mod overlap;
mod pauses;
mod periods;
mod steering;

use daemon_core::testing::TestHost;
use daemon_core::{Context, DaemonBase, IntervalStatus, Result, daemon};
use std::sync::Mutex;
use tokio::time::Duration;

/// Seconds.
const S: fn(u64) -> Duration = Duration::from_secs;
/// Milliseconds.
const MS: fn(u64) -> Duration = Duration::from_millis;

/// A daemon without anything, whose context the test has.
#[daemon(name = "blank", no_handlers)]
#[derive(Default)]
struct Blank(Mutex<Option<Context>>);

impl DaemonBase for Blank {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        *self.0.lock().unwrap() = Some(cx.clone());
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.lock().unwrap().take();
        Ok(())
    }
}

async fn blank() -> (TestHost, Context) {
    let host = TestHost::start(Blank::default()).await;
    let cx = host.daemon::<Blank>().0.lock().unwrap().clone().unwrap();
    (host, cx)
}

/// An interval of the only daemon.
fn interval(host: &TestHost, name: &str) -> IntervalStatus {
    let status = host.status();
    let intervals = status.daemons.into_iter().flat_map(|daemon| daemon.intervals);
    intervals.into_iter().find(|interval| interval.name == name).unwrap_or_else(|| panic!("no interval `{name}`"))
}
