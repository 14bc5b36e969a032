//! Many intervals of one period: `intervals CONTENDER COUNT PERIOD_MS SECONDS`; one contender a process.
//!
//! Reported are the memory for each interval, the share of the ticks due that came, and the CPU time for each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use benches::{Allocations, Counting, argument, figure, process, runtime, start};
use daemon_core::{BareIntervals, Host};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static TICKS: AtomicU64 = AtomicU64::new(0);
static ON: AtomicBool = AtomicBool::new(false);

fn tick() {
    if ON.load(Relaxed) {
        TICKS.fetch_add(1, Relaxed);
    }
}

/// A task for each interval.
fn tasks(count: usize, period: Duration) {
    for _ in 0..count {
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(period);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                interval.tick().await;
                tick();
            }
        });
    }
}

/// A task for each that sleeps between its ticks, as is often written.
fn sleeps(count: usize, period: Duration) {
    for _ in 0..count {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                tick();
            }
        });
    }
}

async fn cron(count: usize, period: Duration) {
    let scheduler = tokio_cron_scheduler::JobScheduler::new().await.expect("it starts");
    for _ in 0..count {
        let job = tokio_cron_scheduler::Job::new_repeated_async(period, |_, _| Box::pin(async { tick() }));
        scheduler.add(job.expect("a period is well formed")).await.expect("it takes jobs");
    }
    scheduler.start().await.expect("it starts");
    std::mem::forget(scheduler);
}

/// The driver alone: no interval has a name, results or a call of its own, and nobody is kept from a tick that panics.
fn bare(count: usize, period: Duration) {
    let mut intervals = BareIntervals::default();
    (0..count).for_each(|_| intervals.add(period));
    tokio::spawn(intervals.drive(|_| tick()));
}

/// Intervals of one daemon in a host, each with its name, its results and its place in every report.
async fn ours(count: usize, period: Duration) {
    let (_host, cx) = start(Host::new("bench")).await;
    for number in 0..count {
        let tick = || {
            tick();
            std::future::ready(())
        };
        cx.register_interval(&format!("interval-{number}"), period, tick).expect("it runs");
    }
}

async fn measure(contender: String, count: usize, period: Duration, length: Duration) {
    let case = format!("intervals/{count}/{}", period.as_millis());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = process::resident();
    Allocations::count();
    match &*contender {
        "tokio interval" => tasks(count, period),
        "a loop with sleep" => sleeps(count, period),
        "daemon-core, the driver alone" => bare(count, period),
        "tokio-cron-scheduler" => cron(count, period).await,
        _ => ours(count, period).await,
    }
    tokio::time::sleep(period.max(Duration::from_millis(500))).await;
    let asked_for = Allocations::stop().bytes as f64 / count as f64;
    let resident = process::resident().saturating_sub(before) as f64 / count as f64;
    let (cpu, begun) = (process::cpu(), Instant::now());
    ON.store(true, Relaxed);
    tokio::time::sleep(length).await;
    ON.store(false, Relaxed);
    let (cpu, took) = (process::cpu() - cpu, begun.elapsed());
    let ticks = TICKS.load(Relaxed) as f64;
    let due = count as f64 * took.as_secs_f64() / period.as_secs_f64();
    figure(&case, &contender, "asked B", asked_for);
    figure(&case, &contender, "resident B", resident);
    figure(&case, &contender, "ticks", ticks / due);
    figure(&case, &contender, "cpu us", cpu * 1e6 / ticks.max(1.0));
}

fn main() {
    let contender: String = argument(1).unwrap_or_else(|| "daemon-core".to_owned());
    let count = argument(2).unwrap_or(10_000);
    let period = Duration::from_millis(argument(3).unwrap_or(10));
    let length = Duration::from_secs_f64(argument(4).unwrap_or(2.0));
    runtime(2).block_on(async { drop(tokio::spawn(measure(contender, count, period, length)).await) });
    std::process::exit(0); // the intervals are not waited for
}
