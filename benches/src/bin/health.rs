//! Many health checks at once, each of which suspends once: `health ROUND`; all contenders in turn, odd rounds backwards.
//!
//! Reported is the time for each check, on the current thread and on two workers. All ask the same checks. What daemon-health does is
//! `HealthChecker::check`: it keeps each answer with its age, and returns a report by name; the others count who is well.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{argument, figure, runtime};
use daemon_health::{CheckOptions, HealthCheck, HealthChecker, Verdict, from_fn};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

const CHECKS: usize = 10_000;
const TIMES: usize = 20;
const LIMIT: Duration = CheckOptions::DEFAULT_TIMEOUT;

const CONTENDERS: [&str; 5] = [
    "FuturesUnordered",
    "FuturesUnordered, one deadline",
    "FuturesUnordered, timeout each",
    "JoinSet, timeout each",
    "daemon-health",
];

fn check(number: usize) -> impl HealthCheck {
    from_fn(format!("check-{number}"), || async {
        yield_now().await;
        Ok(Verdict::healthy())
    })
}

/// Asks one check, owned, as a task must.
fn ask(check: &Arc<dyn HealthCheck>) -> impl Future<Output = bool> + Send + use<> {
    let check = Arc::clone(check);
    async move { check.check().await.is_ok_and(|verdict| verdict.status.is_healthy()) }
}

async fn unordered(checks: &[Arc<dyn HealthCheck>]) -> usize {
    let mut asked: FuturesUnordered<_> = checks.iter().map(|check| check.check()).collect();
    let mut well = 0;
    while let Some(answer) = asked.next().await {
        well += usize::from(answer.is_ok_and(|verdict| verdict.status.is_healthy()));
    }
    well
}

async fn unordered_timeouts(checks: &[Arc<dyn HealthCheck>]) -> usize {
    let mut asked: FuturesUnordered<_> = checks.iter().map(|check| timeout(LIMIT, check.check())).collect();
    let mut well = 0;
    while let Some(answer) = asked.next().await {
        well += usize::from(answer.is_ok_and(|answer| answer.is_ok_and(|verdict| verdict.status.is_healthy())));
    }
    well
}

async fn tasks(checks: &[Arc<dyn HealthCheck>]) -> usize {
    let mut asked = JoinSet::new();
    for check in checks {
        asked.spawn(timeout(LIMIT, ask(check)));
    }
    let mut well = 0;
    while let Some(answer) = asked.join_next().await {
        well += usize::from(matches!(answer, Ok(Ok(true))));
    }
    well
}

/// How many are well, as each contender finds out.
async fn well(contender: &str, checks: &[Arc<dyn HealthCheck>], checker: &HealthChecker) -> usize {
    match contender {
        "FuturesUnordered" => unordered(checks).await,
        "FuturesUnordered, one deadline" => timeout(LIMIT, unordered(checks)).await.expect("they answer in time"),
        "FuturesUnordered, timeout each" => unordered_timeouts(checks).await,
        "JoinSet, timeout each" => tasks(checks).await,
        _ => checker.check().await.checks.values().filter(|check| check.status.is_healthy()).count(),
    }
}

async fn measure(case: &'static str, backwards: bool) {
    let checks: Vec<Arc<dyn HealthCheck>> =
        (0..CHECKS).map(|number| Arc::new(check(number)) as Arc<dyn HealthCheck>).collect();
    let checker = HealthChecker::new();
    for number in 0..CHECKS {
        checker.register(check(number)).expect("names are unique");
    }
    let mut contenders = CONTENDERS;
    if backwards {
        contenders.reverse();
    }
    for contender in contenders {
        assert_eq!(well(contender, &checks, &checker).await, CHECKS);
        let begun = Instant::now();
        for _ in 0..TIMES {
            assert_eq!(well(contender, &checks, &checker).await, CHECKS);
        }
        let each = begun.elapsed().as_nanos() as f64 / (TIMES * CHECKS) as f64;
        figure(case, contender, "ns", each);
    }
}

fn main() {
    let backwards = argument::<usize>(1).is_some_and(|round| round % 2 == 1);
    for (case, workers) in [("health/ct/10000", 0), ("health/mt/10000", 2)] {
        let runtime = runtime(workers);
        runtime.block_on(async { tokio::spawn(measure(case, backwards)).await }).expect("it does not panic");
    }
}
