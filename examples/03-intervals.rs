//! Intervals: at once, with jitter, with a timeout, and registered while the daemon runs.
//!
//! ```text
//! $ cargo run -p examples --example 03-intervals
//! intervals started: 1 daemon in 1 ms
//!   wave 1  clock  running      0 ms
//! tick
//!             drum
//! tick
//!     tock, more or less
//!             drum
//!         slow begins
//! tick
//! 2026-11-22T02:34:46.636913Z ERROR daemon{name="clock"}: interval failed daemon="clock" work="slow" failure=did not end within 100ms
//!     tock, more or less
//!             drum
//! there is a drum: true
//! there is a drum: false
//! tick
//!     tock, more or less
//!         slow begins
//! 2026-11-22T02:34:47.037254Z ERROR daemon{name="clock"}: interval failed daemon="clock" work="slow" failure=did not end within 100ms
//! tick
//!     tock, more or less
//! intervals stopped after 1.1 s: asked for by daemon `clock`; the stop took 1 ms, exit code 0
//!   wave 1  clock  stopped      0 ms  2 errors
//!   left: 0 subscriptions, 0 intervals, 0 tasks
//! ```

use daemon_core::{Context, DaemonBase, Host, Result, daemon};
use std::{process::ExitCode, time::Duration};

#[daemon]
struct Clock;

#[daemon]
impl Clock {
    #[every("250ms", immediately)]
    fn tick(&self) {
        println!("tick");
    }

    /// Up to a fifth of the period later each time, so that a thousand machines do not tick as one.
    #[every("250ms", jitter = "20%")]
    fn tock(&self) {
        println!("    tock, more or less");
    }

    /// A tick that overruns is given up and logged; the next one comes all the same.
    #[every("400ms", timeout = "100ms")]
    async fn slow(&self) {
        println!("        slow begins");
        tokio::time::sleep(Duration::from_secs(60)).await;
        println!("        slow ends"); // never
    }

    #[deferred("600ms")]
    async fn enough(&self, cx: &Context) {
        println!("there is a drum: {}", cx.clear_interval("drum").await);
        println!("there is a drum: {}", cx.clear_interval("drum").await);
    }

    #[deferred("1100ms")]
    fn end(&self, cx: &Context) {
        cx.request_shutdown();
    }
}

impl DaemonBase for Clock {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        // Counts from the moment the daemon runs. The same name again would replace it.
        cx.register_interval("drum", Duration::from_millis(200), || async { println!("            drum") })?;
        Ok(())
    }
}

fn main() -> ExitCode {
    Host::new("intervals").daemon(Clock).run()
}
