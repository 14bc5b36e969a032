//! Eight publishers at once on eight threads: on one topic, and each on a thousand.
//!
//! The subscribers are few, so that what is measured is the way in. Who has bounded queues waits for room where one is full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{Done, Subscriber, UserCreated, figure, runtime};

use crate::contender::Contender;
use crate::{in_order, ours, peers};

const PUBLISHERS: usize = 8;
/// How many events each publishes.
const EVENTS: usize = 10_000;
const TOPICS: usize = 1_000;
/// How many there are: a ring that holds them all loses none, as one that makes nobody wait otherwise would.
const ALL: usize = PUBLISHERS * EVENTS;

/// As for the cycles: something may get lost.
const LIMIT: Duration = Duration::from_secs(20);

type Run = fn(bool) -> Option<f64>;

const CONTENDERS: &[(&str, Run, bool)] = &[
    ("tokio mpsc", run_one::<peers::Mpsc>, true),
    ("tokio broadcast, room for all", run_one::<peers::Broadcast<ALL>>, true),
    ("kanal", run_one::<peers::Kanal>, false),
    ("ractor", run_one::<peers::RactorGroup>, false),
    ("daemon-core", run_one::<ours::Daemons>, true),
    ("daemon-core, pulled", run_one::<ours::Pulled>, true),
    ("daemon-core, bare bus", run_one::<ours::BareBus>, true),
];

pub fn run(round: u64, quick: bool) {
    for (case, topics) in [("contended/one", false), ("contended/thousand", true)] {
        for (name, run, _) in in_order(round, CONTENDERS).filter(|(.., in_quick)| *in_quick || !quick) {
            if let Some(ns) = run(topics) {
                figure(case, name, "ns", ns);
            }
        }
    }
}

/// The time for each publish, over all publishers; `None` if the contender knows no topics or something got lost.
fn run_one<C: Contender + Clone + Sync>(topics: bool) -> Option<f64> {
    let runtime = runtime(PUBLISHERS);
    let took = runtime.block_on(async move { tokio::spawn(publish_all::<C>(topics)).await.ok().flatten() });
    runtime.shutdown_timeout(Duration::from_millis(500));
    took.map(|took| took.as_nanos() as f64 / (PUBLISHERS * EVENTS) as f64)
}

async fn publish_all<C: Contender + Clone + Sync>(topics: bool) -> Option<Duration> {
    let done = Arc::new(Done::default());
    let subscribers = Subscriber::some(if topics { TOPICS } else { 10 }, &done);
    let names: Arc<[String]> = (0..TOPICS).map(|number| format!("bench:topics:{number:03}")).collect();
    let contender = if topics { C::topics(&names, &subscribers).await? } else { C::one_topic(&subscribers).await };
    let mut took = None;
    for _ in 0..2 {
        // The first time grows the queues.
        done.expect(PUBLISHERS * subscribers.len());
        let begun = Instant::now();
        for _ in 0..PUBLISHERS {
            let (publisher, names) = (contender.clone(), names.clone());
            tokio::spawn(
                async move { if topics { on_each(publisher, &names).await } else { on_one(publisher).await } },
            );
        }
        tokio::time::timeout(LIMIT, done.all()).await.ok()?;
        took = Some(begun.elapsed());
    }
    contender.stop().await;
    took
}

async fn on_one<C: Contender>(mut publisher: C) {
    for number in 0..EVENTS {
        publisher.publish(UserCreated::new(number as u64, number == EVENTS - 1)).await;
    }
}

async fn on_each<C: Contender>(mut publisher: C, names: &[String]) {
    for turn in 0..EVENTS / TOPICS {
        for (number, name) in names.iter().enumerate() {
            let last = turn == EVENTS / TOPICS - 1;
            publisher.publish_to(number, name, UserCreated::new(number as u64, last)).await;
        }
    }
}
