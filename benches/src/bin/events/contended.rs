//! Eight publishers at once on eight threads, and one by itself that publishes as much: on one topic, and on a thousand.
//!
//! The subscribers are few, so that what is measured is the way in. Who has bounded queues waits for room where one is full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{Done, Subscriber, UserCreated, figure, runtime};

use crate::contender::Contender;
use crate::{in_order, ours, peers};

const THREADS: usize = 8;
/// How many events are published by all: a ring that holds them all loses none, as one that makes nobody wait otherwise would.
const ALL: usize = THREADS * 10_000;
const TOPICS: usize = 1_000;
/// How often that is done. The median counts: one pass takes some 20 ms, in which the system may give the threads a processor less.
const PASSES: usize = 7;

/// As for the cycles: something may get lost.
const LIMIT: Duration = Duration::from_secs(20);

type Run = fn(usize, bool) -> Option<f64>;

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
    let cases = [("contended", THREADS), ("alone", 1)];
    for (case, publishers) in cases {
        for (topics, many) in [("one", false), ("thousand", true)] {
            for (name, run, _) in in_order(round, CONTENDERS).filter(|(.., in_quick)| *in_quick || !quick) {
                if let Some(ns) = run(publishers, many) {
                    figure(&format!("{case}/{topics}"), name, "ns", ns);
                }
            }
        }
    }
}

/// The time for each publish, over all publishers; `None` if the contender knows no topics or something got lost.
fn run_one<C: Contender + Clone + Sync>(publishers: usize, topics: bool) -> Option<f64> {
    let runtime = runtime(THREADS);
    let took = runtime.block_on(async move { tokio::spawn(publish_all::<C>(publishers, topics)).await.ok().flatten() });
    runtime.shutdown_timeout(Duration::from_millis(500));
    took.map(|took| took.as_nanos() as f64 / ALL as f64)
}

async fn publish_all<C: Contender + Clone + Sync>(publishers: usize, topics: bool) -> Option<Duration> {
    let done = Arc::new(Done::default());
    let subscribers = Subscriber::some(if topics { TOPICS } else { 10 }, &done);
    let names: Arc<[String]> = (0..TOPICS).map(|number| format!("bench:topics:{number:03}")).collect();
    let contender = if topics { C::topics(&names, &subscribers).await? } else { C::one_topic(&subscribers).await };
    let mut took = Vec::new();
    for _ in 0..=PASSES {
        done.expect(publishers * subscribers.len());
        let begun = Instant::now();
        let events = ALL / publishers;
        for _ in 0..publishers {
            let (publisher, names) = (contender.clone(), names.clone());
            tokio::spawn(async move {
                if topics { on_each(publisher, events, &names).await } else { on_one(publisher, events).await }
            });
        }
        tokio::time::timeout(LIMIT, done.all()).await.ok()?;
        took.push(begun.elapsed());
    }
    contender.stop().await;
    took.remove(0); // which grew the queues
    took.sort();
    took.get(PASSES / 2).copied()
}

async fn on_one<C: Contender>(mut publisher: C, events: usize) {
    for number in 0..events {
        publisher.publish(UserCreated::new(number as u64, number == events - 1)).await;
    }
}

async fn on_each<C: Contender>(mut publisher: C, events: usize, names: &[String]) {
    for turn in 0..events / TOPICS {
        for (number, name) in names.iter().enumerate() {
            let last = turn == events / TOPICS - 1;
            publisher.publish_to(number, name, UserCreated::new(number as u64, last)).await;
        }
    }
}
