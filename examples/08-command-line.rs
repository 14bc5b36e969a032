//! A command line for operators, in one line: `garden start`, `garden status`, `garden events`, `garden stop` and the rest.
//!
//! Try it: `cargo run -p examples --example 08-command-line -- --help`. What its answers look like is in docs/guide/cli.md.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    daemon_cli::main(Host::new("garden").daemon(Sensor::default()).daemon(Pump::default()).daemon(Forecast))
}

#[derive(Event, Debug, Serialize, Deserialize)]
#[event("garden:moisture")]
struct Moisture {
    percent: u64,
}

/// Measures how moist the earth is.
#[daemon(name = "sensor")]
#[derive(Default)]
struct Sensor {
    measured: AtomicU64,
}

#[daemon]
impl Sensor {
    #[every("100ms")]
    async fn measure(&self, cx: &Context) -> Result<()> {
        let percent = 60 - self.measured.fetch_add(1, Ordering::Relaxed) % 40;
        Ok(cx.publish(Moisture { percent }).await?)
    }

    #[every("6h")]
    fn calibrate(&self) {}

    #[health(readiness)]
    fn is_in_the_earth(&self) -> Result<()> {
        Ok(())
    }
}

impl DaemonBase for Sensor {}

/// Waters when the earth is dry.
#[daemon(name = "pump", requires(Sensor), wants(Forecast))]
#[derive(Default)]
struct Pump {
    litres: AtomicU64,
}

#[daemon]
impl Pump {
    #[on_event]
    async fn moisture(&self, moisture: &Moisture) {
        if moisture.percent < 30 {
            self.litres.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Pumps so many litres, and tells how many it has pumped so far.
    #[command]
    async fn water(&self, litres: u64) -> Result<u64> {
        Ok(self.litres.fetch_add(litres, Ordering::Relaxed) + litres)
    }
}

impl DaemonBase for Pump {}

/// Would know when it rains; the garden does without.
#[daemon(name = "forecast", no_handlers, optional, restart(never))]
struct Forecast;

impl DaemonBase for Forecast {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("the weather service does not answer; nobody knows whether it rains tomorrow".into())
    }
}
