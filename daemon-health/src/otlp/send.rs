//! The daemon that sends spans.
//!
//! Invariants:
//! 1. Spans are sent in the order in which they ended, a batch at a time.
//! 2. A batch that was not sent because the daemon stops is sent in its `cleanup`, which takes no longer than it may, and no
//!    longer than [`LAST`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daemon_core::{Context, Counter, DaemonBase, Result, daemon};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::time::{sleep, timeout};

use super::Way;

/// How long what is left may hold up the end of the program.
const LAST: Duration = Duration::from_secs(2);

/// Sends spans to a collector; [`Spans::export`](super::Spans::export) makes it.
///
/// It is a daemon like any other, named `otlp`, on the [operations plane](daemon_core::Plane::Operations): it stops last, and then sends what is left
/// within the time it has, 2 s at most. A collector that does not answer costs the spans and nothing else: `daemon_otlp_spans_total` among the
/// host's figures counts them.
#[daemon(name = "otlp", plane = operations)]
pub struct SpanExport {
    way: Arc<Way>,
    /// Whether the last batch was lost.
    failing: AtomicBool,
}

impl SpanExport {
    pub(super) fn new(way: Arc<Way>) -> Self {
        Self { way, failing: AtomicBool::new(false) }
    }

    /// Sends one batch. Dropped before it ends, the batch is as it was.
    async fn send_some(&self, counts: &Counts) {
        let mut held = Held { way: &self.way, spans: self.way.queue.take(self.way.batch) };
        let sent = self.way.exporter.export(held.spans.clone()).await;
        let count = std::mem::take(&mut held.spans).len() as u64;
        match sent {
            Ok(()) => {
                counts.sent.add(count);
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the collector at {} takes spans again", self.way.endpoint);
                }
            }
            Err(error) => {
                counts.lost.add(count);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    let fault = self.way.client.fault();
                    tracing::warn!(%error, "spans are lost: the collector at {} does not take them: {fault}", self.way.endpoint);
                }
            }
        }
        counts.lost.add(self.way.queue.take_lost());
    }

    async fn send_all(&self, counts: &Counts) {
        while self.way.queue.len() > 0 {
            self.send_some(counts).await;
        }
    }
}

/// Spans under way, which go back to the queue unless they are taken out.
struct Held<'w> {
    way: &'w Way,
    spans: Vec<SpanData>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.spans.is_empty() {
            self.way.queue.give_back(std::mem::take(&mut self.spans));
        }
    }
}

/// How many spans there were.
struct Counts {
    sent: Counter,
    lost: Counter,
}

impl Counts {
    fn of(cx: &Context) -> Self {
        let spans = |outcome| {
            cx.counter("daemon_otlp_spans", "Spans for the collector, by what became of them.", &[("outcome", outcome)])
        };
        Self { sent: spans("sent"), lost: spans("lost") }
    }
}

#[daemon]
impl SpanExport {
    /// Sends what is there once it has waited for a while, or is a whole batch.
    #[task]
    async fn send(&self, cx: &Context) {
        let counts = Counts::of(cx);
        let queue = &self.way.queue;
        let sending = async {
            loop {
                queue.until(1).await;
                tokio::select! {
                    () = sleep(self.way.delay) => {}
                    () = queue.until(self.way.batch) => {}
                }
                self.send_all(&counts).await;
            }
        };
        tokio::select! {
            biased;
            () = cx.cancelled() => {}
            () = sending => {}
        }
    }
}

impl DaemonBase for SpanExport {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.way.client.hurry(false);
        Ok(())
    }

    async fn cleanup(&self, cx: &Context) -> Result<()> {
        self.way.client.hurry(true);
        let counts = Counts::of(cx);
        // Not all of it: to be cut would be a fault.
        let time = cx.cleanup_time_left().unwrap_or(LAST).mul_f64(0.8).min(LAST);
        if timeout(time, self.send_all(&counts)).await.is_err() {
            let left = self.way.queue.len();
            tracing::warn!("{left} spans are not sent: the collector at {} does not answer in time", self.way.endpoint);
        }
        Ok(())
    }
}

impl fmt::Debug for SpanExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanExport").field("to", &self.way.endpoint).finish_non_exhaustive()
    }
}
