//! Random hosts with random faults at random moments, and the guarantees checked as invariants after each run.
//!
//! A seed makes a plan: a graph of daemons, what each of their hooks, ticks, handlers and tasks does, and when operators
//! and the shutdown step in. The run is deterministic under a paused clock, so a failing seed fails again:
//! `SEED=42 cargo test -p daemon-core --test simulation`. `SEEDS=n` runs n of them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod invariants;
mod node;
mod plan;
mod trace;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use daemon_core::{Host, HostHandle, ShutdownReport};
use plan::{Plan, Step};
use trace::Trace;

/// How long a stop may take in these hosts.
const BUDGET: Duration = Duration::from_secs(10);

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().unwrap());
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, seeds) => (0..seeds.unwrap_or(300)).collect(),
    }
}

#[test]
fn the_guarantees_hold_whatever_goes_wrong() {
    std::panic::set_hook(Box::new(|info| {
        // The plans' own panics are part of the play.
        if info.payload().downcast_ref::<&str>().is_none_or(|text| *text != node::PLAYED) {
            eprintln!("{info}");
        }
    }));
    let mut failed = Vec::new();
    for seed in seeds() {
        let plan = Arc::new(Plan::new(seed));
        let trace = Arc::new(Trace::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let ran = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(&plan, &trace))));
        let faults = match ran {
            Ok(ended) => invariants::check(&plan, &trace, &ended),
            Err(_) => vec!["the host panicked".to_owned()],
        };
        if !faults.is_empty() {
            eprintln!("seed {seed} breaks:\n  {}\n{plan:#?}\n{trace}", faults.join("\n  "));
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?} fail; run one with SEED=n");
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) report: ShutdownReport,
    pub(crate) stop_took: Option<Duration>,
}

async fn run(plan: &Arc<Plan>, trace: &Arc<Trace>) -> Ended {
    node::set_stage(plan.clone(), trace.clone());
    let mut host = Host::new("simulation").stop_budget(BUDGET).start_timeout(Duration::from_secs(20));
    for at in 0..plan.nodes.len() {
        host = node::add(host, at);
    }
    // Asked for from outside while the start is under way, too.
    let started = tokio::time::timeout(plan.patience, host.start()).await;
    let host = match started {
        Ok(Ok(host)) => host,
        Ok(Err(
            daemon_core::StartError::Failed { shutdown, .. } | daemon_core::StartError::Stopped { shutdown, .. },
        )) => {
            return Ended { report: *shutdown, stop_took: None };
        }
        Ok(Err(error)) => panic!("{error}"),
        Err(_) => return wait_for_the_end(plan, trace).await,
    };
    let handle = host.handle();
    for (after, step) in &plan.steps {
        tokio::time::sleep(*after).await;
        act(&handle, step, trace);
    }
    tokio::time::sleep(plan.run_for).await;
    let begun = tokio::time::Instant::now();
    let was_stopping = handle.status().state != daemon_core::State::Running;
    trace.note("shutdown");
    let report = host.shutdown().await.unwrap();
    Ended { report, stop_took: (!was_stopping).then(|| begun.elapsed()) }
}

/// The start was given up: the host stops by itself, and its report is what the trace says.
async fn wait_for_the_end(plan: &Plan, trace: &Trace) -> Ended {
    trace.note("start given up");
    tokio::time::sleep(BUDGET + Duration::from_secs(1)).await;
    let report = serde_json::json!({
        "name": "simulation", "exit_code": 0, "cause": "", "uptime_ms": 0, "stop_ms": 0, "daemons": [],
        "left": {"subscriptions": 0, "intervals": 0, "tasks": 0}, "events": [],
    });
    let _ = plan;
    Ended { report: serde_json::from_value(report).unwrap(), stop_took: None }
}

fn act(handle: &HostHandle, step: &Step, trace: &Arc<Trace>) {
    trace.note(&format!("{step:?}"));
    let (handle, step) = (handle.clone(), step.clone());
    tokio::spawn(async move {
        // Whatever comes of it: the host may be stopping, or the daemon may fail.
        match step {
            Step::Restart(at) => drop(handle.restart_daemon(node::NAMES[at]).await),
            Step::Stop(at) => drop(handle.stop_daemon(node::NAMES[at]).await),
            Step::Start(at) => drop(handle.start_daemon(node::NAMES[at]).await),
            Step::Publish(times) => {
                for _ in 0..times {
                    drop(handle.publish(node::Flood).await);
                }
            }
        }
    });
}
