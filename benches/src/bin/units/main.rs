//! Many supervised units: `units CONTENDER COUNT`; one contender a process.
//!
//! Reported are the time until all of them run, the memory they hold, and the time until all have ended.

mod ours;
mod peers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use benches::{Allocations, Counting, argument, figure, process, runtime};
use tokio::sync::Notify;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Opens when as many units as were expected run.
#[derive(Clone)]
struct Gate(Arc<(AtomicUsize, usize, Notify)>);

impl Gate {
    fn of(count: usize) -> Self {
        Self(Arc::new((AtomicUsize::new(0), count, Notify::new())))
    }

    /// One more runs.
    fn pass(&self) {
        if self.0.0.fetch_add(1, Ordering::AcqRel) + 1 == self.0.1 {
            self.0.2.notify_one();
        }
    }

    async fn opened(&self) {
        self.0.2.notified().await;
    }
}

/// Takes the time of a start and a stop.
struct Watch {
    contender: String,
    count: usize,
    since: Instant,
    resident: u64,
    /// Whether memory is counted instead of time taken.
    counts: bool,
}

impl Watch {
    fn figure(&self, metric: &str, value: f64) {
        figure(&format!("units/{}", self.count), &self.contender, metric, value / self.count as f64);
    }

    /// All of them run.
    fn started(&mut self) {
        let took = self.since.elapsed();
        if self.counts {
            self.figure("asked B", Allocations::stop().bytes as f64);
        } else {
            self.figure("start us", took.as_nanos() as f64 / 1_000.0);
            self.figure("resident B", process::resident().saturating_sub(self.resident) as f64);
        }
        self.since = Instant::now();
    }

    /// All of them have ended.
    fn stopped(self) {
        if !self.counts {
            self.figure("stop us", self.since.elapsed().as_nanos() as f64 / 1_000.0);
        }
    }
}

fn main() {
    let contender: String = argument(1).unwrap_or_else(|| "daemon-core".to_owned());
    let count = argument(2).unwrap_or(100_000);
    let counts = argument::<String>(3).is_some_and(|word| word == "count");
    runtime(2).block_on(async move { drop(tokio::spawn(run(contender, count, counts)).await) });
}

async fn run(contender: String, count: usize, counts: bool) {
    let gate = Gate::of(count);
    if counts {
        Allocations::count();
    }
    let watch =
        Watch { contender: contender.clone(), count, since: Instant::now(), resident: process::resident(), counts };
    match &*contender {
        "token + TaskTracker" => peers::tracker(gate, watch, |root| root.clone()).await,
        "child token + TaskTracker" => peers::tracker(gate, watch, |root| root.child_token()).await,
        "task-supervisor" => peers::task_supervisor(gate, watch).await,
        "tokio-graceful-shutdown" => peers::graceful_shutdown(gate, watch).await,
        "kameo" => peers::kameo(gate, watch).await,
        "ractor" => peers::ractor(gate, watch).await,
        "daemon-core, whole daemons" => ours::daemons(gate, watch).await,
        _ => ours::tasks(gate, watch).await,
    }
}
