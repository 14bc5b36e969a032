//! A program as those see it who watch over it: probes, figures and a status page over HTTP, spans at a collector, logs with fields in
//! the journal.
//!
//! Try it: `cargo run -p examples --example 09-visible`, and meanwhile
//!
//! ```sh
//! curl '127.0.0.1:9100/readyz?verbose'
//! curl 127.0.0.1:9100/metrics
//! ```
//!
//! With `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318` its spans go to a collector there. `PORT` is another port, and `DRAIN` how long
//! it says that it is not ready before it stops, so that nobody sends it new work: `DRAIN=5s`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use daemon_core::{BoxError, Context, DaemonBase, Event, Host, Result, daemon};
use daemon_health::HealthMonitor;
use daemon_health::http::HttpEndpoint;

fn main() -> ExitCode {
    daemon_cli::Cli::new("visible", host).main()
}

fn host() -> Result<Host, BoxError> {
    let set = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let port: u16 = set("PORT", "9100").parse()?;
    let drain = daemon_core::time::duration(&set("DRAIN", "0s"))?;
    let endpoint = HttpEndpoint::on(([127, 0, 0, 1], port));
    let host = Host::new("visible").daemon(endpoint).daemon(HealthMonitor::new());
    Ok(host.daemon(Counting::default()).daemon(Listening).unready_delay(drain))
}

#[derive(Event)]
#[event("number:counted", local)]
struct Counted {
    number: u64,
}

/// Counts.
#[daemon(name = "counting")]
#[derive(Default)]
struct Counting(AtomicU64);

#[daemon]
impl Counting {
    #[every("100ms")]
    async fn count(&self, cx: &Context) -> Result<()> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(cx.publish(Counted { number }).await?)
    }

    #[health(readiness)]
    fn counts(&self) -> Result<()> {
        Ok(())
    }
}

impl DaemonBase for Counting {}

/// Hears of it.
#[daemon(name = "listening", wants(Counting))]
struct Listening;

#[daemon]
impl Listening {
    #[on_event]
    async fn counted(&self, event: &Counted) {
        tracing::info!(number = event.number, "counted");
    }
}

impl DaemonBase for Listening {}
